"""Attributes of requests that plugins provide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._kernel import Request
from cello._plugins.declaration import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Attribute", "set_attributes"]


class Attribute:
    """An attribute that the plugins of a request's application provide, or do not."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, request: Request | None, owner: type[Request]) -> Any:
        """What the plugin's function returns for the request.

        Errors: AttributeError where none of the application's plugins provides it, or two do; RuntimeError of a request
        that is made by hand without an application.
        """
        if request is None:
            return self
        plugins = request.app._plugins
        function = plugins.attributes.get(self._name)
        if function is None:
            unknown = f"'Request' object has no attribute {self._name!r}"
            function = plugins.load(Kind.REQUEST_ATTRIBUTE, self._name, unknown)
            plugins.attributes[self._name] = function
        return function(request)


def set_attributes(names: Iterable[str]) -> None:
    """Has requests look up these names among the plugins of their application."""
    for name in names:
        if not isinstance(vars(Request).get(name), Attribute):
            setattr(Request, name, Attribute(name))
