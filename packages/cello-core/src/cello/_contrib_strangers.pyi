"""What plugins bring that belong to no family. Written by `cello plugins stubs`."""
# Of what they declare: 9570e193013bf2c2cd3590dc747d865c

import typing

__all__: list[str] = []

class AppMethods: ...
class RequestAttributes: ...
class PluginOptions(typing.TypedDict, total=False): ...
