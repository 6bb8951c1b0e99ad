"""What a route may say beside its path and its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cello.routing import Constraint

__all__ = ["RouteOptions", "check"]


class RouteOptions(TypedDict, total=False):
    """The options of a route: each decorator of `App` takes them as keywords."""

    #: What the path's parameters must be, by name, beside what the path itself says.
    constraints: Mapping[str, Constraint] | None
    #: The handler is called when the head is there, and takes the body while it arrives: `request.stream()`.
    stream: bool
    #: Bytes of a body; more is a 413. The default is that of the server, 10 MiB, and with `stream` none.
    body_limit: int | None


def check(options: RouteOptions, path: str) -> None:
    """Checks what a decorator was given.

    Errors: TypeError for an option that there is not or of another kind, ValueError for a size that is none.
    """
    from collections.abc import Mapping
    from difflib import get_close_matches

    known = RouteOptions.__annotations__
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            raise TypeError(f"the route {path} has an option {name!r}, which nothing provides: {hint}")
    constraints: object = options.get("constraints")
    if constraints is not None and not isinstance(constraints, Mapping):
        raise TypeError(f"constraints={constraints!r} of the route {path} are no mapping of names to constraints")
    limit: object = options.get("body_limit")
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"body_limit={limit!r} of the route {path} is no number of bytes")
    if limit < 0:
        raise ValueError(f"body_limit={limit!r} of the route {path} is no number of bytes: it is 0 or more")
