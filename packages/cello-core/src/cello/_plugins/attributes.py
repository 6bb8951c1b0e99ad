"""Attributes of requests that plugins provide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._kernel import Request
from cello._plugins.declaration import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cello._plugins.plugins import Plugins

__all__ = ["Attribute", "set_attributes"]


class Attribute:
    """An attribute that the plugins of a request's application provide, or do not."""

    def __init__(self, name: str) -> None:
        self._name = name
        #: By the plugins of an application.
        self._functions: dict[Plugins, Callable[[Request], Any]] = {}

    def __get__(self, request: Request | None, owner: type[Request]) -> Any:
        """What the plugin's function returns for the request.

        Errors: AttributeError where none of the application's plugins provides it, or two do.
        """
        if request is None:
            return self
        plugins = request.app._plugins
        function = self._functions.get(plugins)
        if function is None:
            function = self._functions[plugins] = plugins.load(
                Kind.REQUEST_ATTRIBUTE, self._name, f"'Request' object has no attribute {self._name!r}"
            )
        return function(request)


def set_attributes(names: Iterable[str]) -> None:
    """Has requests look up these names among the plugins of their application."""
    for name in names:
        if not isinstance(vars(Request).get(name), Attribute):
            setattr(Request, name, Attribute(name))
