"""What a route may say beside its path and its methods.

Plugins declare further ones: every decorator takes them, every blueprint may have them as defaults, and their layers
stand around the handlers of the routes that have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict, cast

from cello._handler import is_async
from cello._kernel import _path_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from cello._contrib import PluginOptions
    from cello._plugins import Plugins
    from cello._types import AsyncMiddleware, SyncMiddleware, Words
    from cello.middleware import Middleware
    from cello.routing import Constraint
else:
    PluginOptions = TypedDict

__all__ = [
    "OPTIONS",
    "RouteDefaults",
    "RouteOption",
    "RouteOptions",
    "check",
    "check_defaults",
    "merge",
    "within",
]


class RouteDefaults(PluginOptions, total=False):
    """The options of a blueprint: what its routes have that do not say otherwise."""

    #: What the routes are about, for the document of the interface; those of a blueprint come before a route's own.
    tags: Words | None
    #: The document of the interface says that the route is not to be used any more.
    deprecated: bool
    #: The status of an answer that does not have one of its own: of whatever is no Response and no tuple.
    status: int | None
    #: What the path's parameters must be, by name, beside what the path itself says.
    constraints: Mapping[str, Constraint] | None
    #: The handler is called when the head is there, and takes the body while it arrives: `request.stream()`.
    stream: bool
    #: Bytes of a body; more is a 413. The default is that of the server, 10 MiB, and with `stream` none.
    body_limit: int | None
    #: The handler, a `def`, is called in a thread of its own, so that it keeps nobody else waiting.
    blocking: bool | None
    #: Seconds until the handler must have answered, else the answer is a 503; by default none.
    timeout: float | None
    #: Whether the handler is cancelled when its client leaves; it is by default.
    cancel_on_disconnect: bool
    #: What the stop of the server does to a handler, or its stream, that is not through: "finish", the default, lets it
    #: go on, "now" cancels it at once.
    drain: Literal["finish", "now"]
    #: Middleware around the handlers alone, the outermost first; that of a blueprint encloses a route's own. Of a class
    #: each route gets an instance.
    middleware: Sequence[Middleware | type[AsyncMiddleware] | type[SyncMiddleware]] | None


class RouteOptions(RouteDefaults, total=False):
    """The options of a route: each decorator of `App` and `Blueprint` takes them as keywords."""

    #: A few words on what the route does, for the document of the interface.
    summary: str | None
    #: What the route does, for the document of the interface.
    description: str | None


class RouteOption(NamedTuple):
    """An option that routes may have."""

    #: Raises TypeError or ValueError for a value that cannot be; gets the value, and the words for "body_limit=7 of …".
    check: Callable[[Any, str], object]
    #: Makes one value of a blueprint's and a route's; without it the route's own goes before.
    merge: Callable[[Any, Any], Any] | None = None
    #: Whether a blueprint may say it of all its routes.
    is_default: bool = True
    #: The middleware that a value stands for, the outermost first.
    layers: Callable[[Any], Sequence[Middleware]] | None = None


def check(options: Mapping[str, object], what: str, plugins: Plugins | None) -> None:
    """Checks the options that `what`, a route or a blueprint, was given.

    Shape: `plugins` are those of the application; None of a blueprint, of which nobody knows yet whose it will be.
    Errors: TypeError for an option that there is not or of another kind, ValueError for a value that cannot be.
    """
    for name, value in options.items():
        option = OPTIONS.get(name) or _brought(name, plugins)
        if option is None:
            raise TypeError(_unknown(name, what, plugins))
        if value is not None:
            option.check(value, f"{name}={value!r} of {what}")


def check_defaults(options: Mapping[str, object], what: str) -> None:
    """Checks what a blueprint was given.

    Errors: as `check` has, and TypeError for what is said of a single route.
    """
    check(options, what, None)
    for name in options:
        option = OPTIONS.get(name) or _brought(name, None)
        if option is not None and not option.is_default:
            raise TypeError(f"{what} has an option {name!r}, which belongs to a single route")


def merge(outer: Mapping[str, Any], inner: Mapping[str, Any], plugins: Plugins | None) -> dict[str, Any]:
    """The options of a route in a blueprint, or of a blueprint in another."""
    merged = {**outer, **inner}
    for name in outer.keys() & inner.keys():
        option = OPTIONS.get(name) or _brought(name, plugins)
        both = None if option is None else option.merge
        if both is not None and outer[name] is not None and inner[name] is not None:
            merged[name] = both(outer[name], inner[name])
    return merged


def within(
    outer: Mapping[str, Any], own: Mapping[str, Any], path: str, handler: Callable[..., Any], plugins: Plugins | None
) -> dict[str, Any]:
    """The options of a route within what is around it: of their defaults those that can be said of it."""
    if outer.get("constraints"):
        names = _path_names(path)
        outer = {**outer, "constraints": {n: found for n, found in outer["constraints"].items() if n in names}}
    if outer.get("blocking") and is_async(handler):
        outer = {**outer, "blocking": False}
    return merge(outer, own, plugins)


def _brought(name: str, plugins: Plugins | None) -> RouteOption | None:
    """An option that these plugins bring, or any; None where none does.

    Errors: PluginError where two do, and for what is no option.
    """
    from cello._plugins import everywhere

    found = (one.route_option(name) for one in (everywhere() if plugins is None else (plugins,)))
    return next(filter(None, found), None)


def _unknown(name: str, what: str, plugins: Plugins | None) -> str:
    from difflib import get_close_matches

    from cello._plugins import everywhere
    from cello._plugins.declaration import Kind
    from cello._plugins.missing import elsewhere, unsure

    if name == "methods":
        return f"{what} has an option 'methods', which belongs to route(): write @app.route(path, methods=[…])"
    sets = list(everywhere()) if plugins is None else [plugins]
    for one in sets:
        if words := elsewhere(Kind.ROUTE_OPTION, name, one):
            return f"{what} has an option {name!r}: {words}"
    known = sorted({*OPTIONS, *(brought for one in sets for brought in one.names(Kind.ROUTE_OPTION))})
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{what} has an option {name!r}, which nothing provides: {hint}{unsure(Kind.ROUTE_OPTION, name, sets[0])}"


def _flag(value: object, said: str) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{said} is neither True nor False")


def _text(value: object, said: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{said} is no str")


def _tags(value: object, said: str) -> None:
    if isinstance(value, str) or not _all(value, str):
        raise TypeError(f"{said} are no list of str")


def _status(value: object, said: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{said} is no status: it is an int")
    if not 200 <= value <= 599:
        raise ValueError(f"{said} is no status of an answer: use 200 to 599")


def _constraints(value: object, said: str) -> None:
    from collections.abc import Mapping

    if not isinstance(value, Mapping):
        raise TypeError(f"{said} are no mapping of names to constraints")


def _bytes(value: object, said: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{said} is no number of bytes")
    if value < 0:
        raise ValueError(f"{said} is no number of bytes: it is 0 or more")


def _seconds(value: object, said: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{said} is no number of seconds")
    if not 0 < value <= 1e9:  # which refuses what is no number, too
        raise ValueError(f"{said} is no number of seconds: it is more than 0, and None for no limit")


def _drain(value: object, said: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{said} is no str")
    if value not in ("finish", "now"):
        raise ValueError(f"{said} is no way to be stopped: use finish or now")


def _middleware(value: object, said: str) -> None:
    from cello._middleware import checked

    if isinstance(value, str) or not _all(value, object):
        raise TypeError(f"{said} is no list of middleware")
    for middleware in cast("Sequence[object]", value):
        checked(middleware)


def _middleware_made(value: Sequence[object]) -> list[Middleware]:
    from cello._middleware import checked

    return [checked(one) for one in value]


def _all(value: object, kind: type) -> bool:
    from collections.abc import Sequence

    return isinstance(value, Sequence) and all(isinstance(item, kind) for item in cast("Sequence[object]", value))


def _joined(outer: Sequence[Any], inner: Sequence[Any]) -> list[Any]:
    return [*outer, *inner]


def _tags_joined(outer: Sequence[str], inner: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*outer, *inner]))


def _constraints_joined(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    return {**outer, **inner}


#: The framework's own options.
OPTIONS: dict[str, RouteOption] = {
    "tags": RouteOption(_tags, _tags_joined),
    "summary": RouteOption(_text, is_default=False),
    "description": RouteOption(_text, is_default=False),
    "deprecated": RouteOption(_flag),
    "status": RouteOption(_status),
    "constraints": RouteOption(_constraints, _constraints_joined),
    "stream": RouteOption(_flag),
    "body_limit": RouteOption(_bytes),
    "blocking": RouteOption(_flag),
    "timeout": RouteOption(_seconds),
    "cancel_on_disconnect": RouteOption(_flag),
    "drain": RouteOption(_drain),
    "middleware": RouteOption(_middleware, _joined, layers=_middleware_made),
}
