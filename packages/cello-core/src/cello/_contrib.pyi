"""What the families of the framework bring. Written by `hatch run gen`."""

import cello._contrib_strangers
import cello_observability.request_id
import cello_observability.structured_logging

__all__: list[str] = []

class AppMethods(cello._contrib_strangers.AppMethods):
    enable_request_id = cello_observability.request_id.enable
    enable_structured_logging = cello_observability.structured_logging.enable
class RequestAttributes(cello._contrib_strangers.RequestAttributes): ...
class PluginOptions(cello._contrib_strangers.PluginOptions, total=False): ...
