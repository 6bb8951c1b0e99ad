"""From an application to plans: how each handler is called is settled here, once."""

from __future__ import annotations

import re
from types import FunctionType
from typing import TYPE_CHECKING, NamedTuple

from cello._annotation import is_async_generator
from cello._around import apps_of, innermost_app, layers_around, layers_of, layers_of_route
from cello._fallback import with_fallbacks
from cello._handler import is_async, short_name
from cello._inject import Providers, inject
from cello._kernel import _path_names
from cello._layers import Target, chain, in_a_task
from cello._mistake import at
from cello._plan import Plan
from cello._plugins.settings_check import check_configuration
from cello._seams import check_seams
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cello._kernel import Request, Response
    from cello._layers import Layer
    from cello._route import Placed, Route
    from cello._threads import Threads
    from cello.app import App

__all__ = ["Composed", "compose"]

#: Parameters as others write them, with what no URI has (RFC 3986 §2).
_FOREIGN = re.compile(r"<(?:\w+:)?(\w+)>")
#: All the rest of a path, as others write it.
_FOREIGN_REST = re.compile(r"<path:(\w+)>|\{(\w+):path\}")


class Composed(NamedTuple):
    """All plans of an application: those of its routes, and then those that answer requests which are refused."""

    plans: list[Plan]
    fallbacks: int


def compose(app: App, threads: Threads, tell: Callable[[Request, Any], Response] | None = None) -> Composed:
    """Settles how each handler is called, and what its application provides.

    `tell` answers for an HTTPError that no exception handler answers for.

    Errors: StartError for a handler with parameters that nothing provides, for a constraint that is none, for
    middleware that cannot stand where it is to, and for a mounted application that says what only this one can;
    OptionError for a configuration that says something to nobody.
    """
    check_configuration()
    check_seams(app)
    for mounted in app._applications()[1:]:
        _check_mounted(mounted, app)
    for one in app._applications():
        one._providers = Providers(one._singletons, one.dependency_overrides, one._seams)
    placed = list(app._walk(""))
    layers: dict[int, list[Layer]] = {}
    for scope, one in apps_of(app).items():
        layers[id(scope)] = list(layers_of(scope, one, tell))
    plans = [_plan(one, layers, threads) for one in placed]
    return Composed(*with_fallbacks(app, placed, plans, layers))


def _plan(placed: Placed, layers: Mapping[int, list[Layer]], threads: Threads) -> Plan:
    route, scopes = placed
    words = f"{route.method} {route.path}"
    if found := _FOREIGN_REST.search(route.path):
        rest = f"{{*{found[1] or found[2]}}}"
        raise StartError(
            f"the path of {words} has {found[0]}: all the rest of a path is written {rest}{at(route.handler)}"
        )
    if found := _FOREIGN.search(route.path):
        raise StartError(
            f"the path of {words} has {found[0]}: a parameter is written {{{found[1]}}}{at(route.handler)}"
        )
    if owner := _forgotten_owner(route.handler):
        name = short_name(route.handler)
        raise StartError(
            f"the handler {name} of {words} is a method, and of no object: write it outside of the class, or give the "
            f"route the method of one, as {owner}().{route.handler.__name__}{at(route.handler)}"
        )
    app = innermost_app(scopes)
    target = _target(route, words, app, threads)
    around_it = [*layers_of_route(route, app), *layers_around(scopes, layers)]
    options = route.options
    streams_body = options.get("stream") or False
    if streams_body and is_async_generator(route.handler):
        target = in_a_task(target)
    elif streams_body and not is_async(route.handler):
        raise StartError(
            f"the handler {short_name(route.handler)} of {words} is a def, which cannot wait for a body that is "
            f"streamed: make it an async def, or leave stream=True out{at(route.handler)}"
        )
    called = chain(target, around_it, route.handler, words)
    return Plan(
        method=route.method,
        path=route.path,
        handler=called.call,
        is_async=called.is_async,
        takes_request=called.takes_request,
        streams_body=streams_body,
        body_limit_bytes=options.get("body_limit", getattr(route.handler, "default_body_limit_bytes", None)),
        timeout_s=options.get("timeout"),
        cancel_on_disconnect=options.get("cancel_on_disconnect") is not False,
        drains_now=options.get("drain") == "now",
        constraints=_constraints(route),
        app=app,
        endpoint=route.handler,
        gives_response=bool(around_it),
    )


def _forgotten_owner(handler: Callable[..., Any]) -> str:
    """The class within which a handler was decorated that takes `self`; empty where there is none."""
    if not isinstance(handler, FunctionType):
        return ""
    code = handler.__code__
    if code.co_varnames[: code.co_argcount][:1] != ("self",):
        return ""
    return handler.__qualname__.rpartition(".")[0].rpartition(".")[2].removeprefix("<locals>")


def _target(route: Route, words: str, app: App, threads: Threads) -> Target:
    """The handler with its parameters."""
    assert app._providers is not None
    handler = route.handler
    if route.options.get("blocking"):
        from inspect import isasyncgenfunction, isgeneratorfunction

        if is_async(handler) or isgeneratorfunction(handler) or isasyncgenfunction(handler):
            kind = "an async def" if is_async(handler) else "a generator, which is called piece by piece"
            raise StartError(
                f"the handler {short_name(handler)} of {words} is {kind}: blocking=True is for a def that returns, so "
                f"leave it out, or make the handler one{at(handler)}"
            )
        handler = threads.offloaded(handler)
    injected = inject(
        handler,
        route=words,
        path_names=_path_names(route.path),
        providers=app._providers,
        streams_body=route.options.get("stream") or False,
    )
    return Target(*injected, route.options.get("status"))


def _constraints(route: Route) -> tuple[tuple[str, str], ...]:
    given = route.options.get("constraints")
    if not given:
        return ()
    from cello.routing import Constraint

    for name, constraint in given.items():
        if not isinstance(constraint, Constraint):
            raise StartError(
                f"{constraint!r} is no constraint for {name!r} of {route.method} {route.path}: "
                f"use one of cello.routing, as IntConstraint(){at(route.handler)}"
            )
    return tuple((name, constraint.spelling) for name, constraint in given.items())


def _check_mounted(mounted: App, app: App) -> None:
    said = {
        "set_limits": mounted._limits,
        "set_timeouts": mounted._timeouts,
        "set_threadpool": mounted._threadpool,
        "enable_cluster": mounted._cluster,
        "set_trusted_proxies": mounted._trusted_proxies,
        "set_access_log": mounted._access_log,
        "set_request_id_header": mounted._request_id_header,
        f"errors={mounted._errors!r}": mounted._errors != app._errors,
    }
    for name, value in said.items():
        if value:
            raise StartError(
                f"a mounted application says {name}, which is for the whole server: say it of the outer one"
            )
