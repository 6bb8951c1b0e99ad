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
    from cello._types import Words
    from cello.middleware import Middleware, Phase
    from cello.routing import Constraint
else:
    PluginOptions = TypedDict

__all__ = [
    "CORE",
    "OPTIONS",
    "Option",
    "RouteDefaults",
    "RouteOptions",
    "announce",
    "check",
    "check_defaults",
    "in_phases",
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
    #: Middleware around the handlers alone, the outermost first; that of a blueprint encloses a route's own.
    middleware: Sequence[Middleware] | None


class RouteOptions(RouteDefaults, total=False):
    """The options of a route: each decorator of `App` and `Blueprint` takes them as keywords."""

    #: A few words on what the route does, for the document of the interface.
    summary: str | None
    #: What the route does, for the document of the interface.
    description: str | None


class Option(NamedTuple):
    """An option that routes may have."""

    #: Raises TypeError or ValueError for a value that cannot be; gets the value, and the words for "body_limit=7 of …".
    check: Callable[[Any, str], object]
    #: Makes one value of a blueprint's and a route's; without it the route's own goes before.
    merge: Callable[[Any, Any], Any] | None = None
    #: Whether a blueprint may say it of all its routes.
    is_default: bool = True
    #: The middleware that a value stands for, the outermost first.
    layers: Callable[[Any], Sequence[Middleware]] | None = None
    #: Where those stand among those of other options, as the plugin declares it; None of the framework's own.
    phase: Phase | None = None


def announce(name: str, plugins: Plugins) -> None:
    """Has the option be known, which some of these plugins declare, and looked up when it is first used."""
    _ANNOUNCED.setdefault(name, plugins)


def in_phases() -> list[tuple[str, Option]]:
    """All options that are in use, those of plugins first, by phase and name: so their layers stand."""
    brought = [item for item in OPTIONS.items() if item[0] not in CORE]
    brought.sort(key=lambda item: (item[1].phase or 0, item[0]))
    return [*brought, *((name, OPTIONS[name]) for name in OPTIONS if name in CORE)]


def check(options: Mapping[str, object], what: str) -> None:
    """Checks what a decorator was given; `what` says whose the options are: "the route /users".

    Errors: TypeError for an option that there is not or of another kind, ValueError for a value that cannot be.
    """
    for name, value in options.items():
        option = OPTIONS.get(name) or _brought(name, what)
        if value is not None:
            option.check(value, f"{name}={value!r} of {what}")


def check_defaults(options: Mapping[str, object], what: str) -> None:
    """Checks what a blueprint was given.

    Errors: as `check` has, and TypeError for what is said of a single route.
    """
    check(options, what)
    for name in options:
        if not OPTIONS[name].is_default:
            raise TypeError(f"{what} has an option {name!r}, which belongs to a single route")


def merge(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a route in a blueprint, or of a blueprint in another."""
    merged = {**outer, **inner}
    for name in outer.keys() & inner.keys():
        both = OPTIONS[name].merge
        if both is not None and outer[name] is not None and inner[name] is not None:
            merged[name] = both(outer[name], inner[name])
    return merged


def within(outer: Mapping[str, Any], own: Mapping[str, Any], path: str, handler: Callable[..., Any]) -> dict[str, Any]:
    """The options of a route within what is around it: of their defaults those that can be said of it."""
    if outer.get("constraints"):
        names = _path_names(path)
        outer = {**outer, "constraints": {n: found for n, found in outer["constraints"].items() if n in names}}
    if outer.get("blocking") and is_async(handler):
        outer = {**outer, "blocking": False}
    return merge(outer, own)


def _brought(name: str, what: str) -> Option:
    """An option that a plugin declares, as it is first used.

    Errors: TypeError where there is none.
    """
    from cello._plugins import installed
    from cello._plugins.declaration import Kind

    plugins = _ANNOUNCED.get(name) or installed()
    unknown = f"which nothing provides: {_hint(name)}"
    try:
        option = plugins.load(Kind.ROUTE_OPTION, name, unknown)
    except AttributeError as error:
        raise TypeError(f"{what} has an option {name!r}, {error}") from None
    if not isinstance(option, Option):
        raise TypeError(f"{what} has an option {name!r}, for which a plugin has {option!r}, which is no RouteOption")
    declaration = plugins.find(Kind.ROUTE_OPTION, name)
    assert declaration is not None
    OPTIONS[name] = option._replace(phase=declaration.phase)
    return OPTIONS[name]


def _hint(name: str) -> str:
    from difflib import get_close_matches

    known = {*OPTIONS, *_ANNOUNCED}
    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"


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


def _all(value: object, kind: type) -> bool:
    from collections.abc import Sequence

    return isinstance(value, Sequence) and all(isinstance(item, kind) for item in cast("Sequence[object]", value))


def _joined(outer: Sequence[Any], inner: Sequence[Any]) -> list[Any]:
    return [*outer, *inner]


def _tags_joined(outer: Sequence[str], inner: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*outer, *inner]))


def _constraints_joined(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    return {**outer, **inner}


OPTIONS: dict[str, Option] = {
    "tags": Option(_tags, _tags_joined),
    "summary": Option(_text, is_default=False),
    "description": Option(_text, is_default=False),
    "deprecated": Option(_flag),
    "status": Option(_status),
    "constraints": Option(_constraints, _constraints_joined),
    "stream": Option(_flag),
    "body_limit": Option(_bytes),
    "blocking": Option(_flag),
    "timeout": Option(_seconds),
    "cancel_on_disconnect": Option(_flag),
    "drain": Option(_drain),
    "middleware": Option(_middleware, _joined, layers=list),
}

#: The names of the framework's own options.
CORE = frozenset(OPTIONS)

#: The options of plugins that are known and were not used yet, with who declares them.
_ANNOUNCED: dict[str, Plugins] = {}
