"""Routes as they were registered, and where they come to stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cello._scope import Scope

__all__ = ["Placed", "Route"]


class Route(NamedTuple):
    """A handler, what it answers, and the options it has: its own and those of the blueprints around it."""

    method: str
    path: str
    handler: Callable[..., Any]
    options: Mapping[str, Any]


class Placed(NamedTuple):
    """A route of an application, with its whole path."""

    route: Route
    #: The application and the blueprints it is in, the outermost first.
    scopes: tuple[Scope, ...]
