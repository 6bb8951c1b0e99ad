"""What a plugin declares: a name, of a kind, and where to find what stands behind it."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cello.middleware import Phase

__all__ = ["Declaration", "Kind"]


class Kind(StrEnum):
    """What plugins bring. Within a kind a name belongs to one of them."""

    APP_METHOD = "App method"
    EXPORT = "export"
    MIDDLEWARE = "middleware"
    ROUTE_OPTION = "route option"
    REQUEST_ATTRIBUTE = "request attribute"
    COMMAND = "command"
    CONFIG = "config section"
    PROVIDER = "provider"


class Declaration(NamedTuple):
    """One thing that a plugin brings."""

    kind: Kind
    name: str
    #: "module:attribute", or "module".
    target: str
    #: What it does, in a few words.
    words: str = ""
    #: Of a middleware, and of a route option: where it stands.
    phase: Phase | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    #: Of a route option the target of its values' type, for type checkers.
    value: str = ""

    def load(self) -> Any:
        """What the target names.

        Errors: those of the import, and AttributeError.
        """
        module, _, path = self.target.partition(":")
        found: Any = import_module(module)
        for name in filter(None, path.split(".")):
            found = getattr(found, name)
        return found
