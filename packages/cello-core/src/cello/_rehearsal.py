"""An application composed as at start, to be asked about itself: nothing of it is started, called or served."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cello._annotation import told
from cello._compose import compose
from cello._config import ThreadPoolConfig
from cello._failure import answerer
from cello._handler import inner
from cello._kernel import RouteError, Routing
from cello._layers import Around
from cello._plan import refused
from cello._plugins.declaration import Kind
from cello._route_options import OPTIONS
from cello._threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cello._kernel import Request, Response
    from cello._layers import Layer
    from cello._plan import Plan
    from cello._plugins import Plugins
    from cello._route import Placed
    from cello._scope import Scope
    from cello.app import App

__all__ = ["Place", "Rehearsal", "middleware_of", "place", "rehearse", "said"]


class Place(NamedTuple):
    """A function, and where it is written."""

    name: str
    #: Relative to the working directory where it is in it; None of what is built in.
    file: str | None
    line: int | None

    def __str__(self) -> str:
        return self.name if self.file is None else f"{self.name} ({self.file}:{self.line})"


class Rehearsal(NamedTuple):
    """An application as it would be served."""

    app: App
    #: The routes, in the order of registration.
    placed: list[Placed]
    #: The options that each says itself.
    own: list[Mapping[str, Any]]
    #: Of each route, and then those that answer what is refused.
    plans: list[Plan]
    fallbacks: int
    routing: Routing
    #: What answers for an HTTPError that nobody handles.
    tell: Callable[[Request, BaseException], Response]


def rehearse(app: App) -> Rehearsal:
    """Composes an application as at start.

    Errors: StartError, as the start has.
    """
    tell = answerer(debug=False, is_over=bool, form=app._errors)
    threads = Threads((app._threadpool or ThreadPoolConfig()).size)
    plans, fallbacks = compose(app, threads, tell)
    try:
        routing = Routing(plans[: len(plans) - fallbacks])
    except RouteError as error:
        raise refused(error, plans) from None
    return Rehearsal(app, list(app._walk("")), list(_own(app)), plans, fallbacks, routing, tell)


def place(function: Callable[..., Any]) -> Place:
    """Where a function is written; of a class where that is, of an object with `__call__` where its class has it."""
    function = inner(function)
    name, opened, rest = told(function).rpartition(" (")
    file, _, line = rest.removesuffix(")").rpartition(":")
    if not opened or not line.isdecimal():
        return Place(told(function), None, None)
    return Place(name, file.removeprefix(f"{os.getcwd()}{os.sep}"), int(line))


def middleware_of(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that are middleware."""
    return [layer for layer in layers if layer.subject is not None and not isinstance(layer.subject, Around)]


def said(options: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """The options of a route as JSON has them, without the framework's own that stand for middleware.

    Of a plugin's it is said whose it is: "guards (security)".
    """
    found: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or (name in OPTIONS and OPTIONS[name].layers):
            continue
        if name not in OPTIONS:
            name = f"{name} ({plugins.whose(Kind.ROUTE_OPTION, name)})"
        if name == "constraints":
            value = {parameter: constraint.spelling for parameter, constraint in value.items()}
        elif isinstance(value, list | tuple):
            value = list(map(str, cast("list[object]", value)))
        found[name] = value if isinstance(value, bool | int | float | list | dict) else str(value)
    return found


def _own(scope: Scope) -> Iterator[Mapping[str, Any]]:
    """What each route says itself, in the order of `_walk`."""
    for route in scope._routes:
        yield route.options
    for _, child in scope._children:
        yield from _own(child)
