"""Handlers: what is known of one before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from cello._kernel import RouteError
    from cello._route_options import RouteOptions

__all__ = ["Plan", "Route", "compose", "refused", "where"]


class Route(NamedTuple):
    """A handler as it was registered."""

    method: str
    path: str
    handler: Callable[..., Any]
    options: RouteOptions


class Plan(NamedTuple):
    """A route as the kernel takes it: how its handler is called is settled here, once."""

    method: str
    path: str
    handler: Callable[..., Any]
    is_async: bool
    takes_request: bool
    streams_body: bool
    body_limit_bytes: int | None
    #: Of the handler; None for the server's own.
    timeout_s: float | None
    cancel_on_disconnect: bool
    #: Parameters' names and what they are constrained to, spelled as in a path.
    constraints: tuple[tuple[str, str], ...] = ()


def compose(routes: Iterable[Route]) -> list[Plan]:
    """Settles how each handler is called.

    Errors: StartError for a handler with parameters that nothing provides, and for a constraint that is none.
    """
    import re

    from cello._inject import Providers, inject

    plans: list[Plan] = []
    for route in routes:
        method, path, handler, options = route
        streams_body = options.get("stream", False)
        names = re.findall(r"\{\*?(\w+)", path)
        handler, is_async, takes_request = inject(
            handler, route=f"{method} {path}", path_names=names, providers=Providers(), streams_body=streams_body
        )
        if streams_body and not is_async:
            raise StartError(
                f"the handler {where(handler)} of {method} {path} is a def, which cannot wait for a body that is "
                "streamed: make it an async def, or leave stream=True out"
            )
        plans.append(
            Plan(
                method=method,
                path=path,
                handler=handler,
                is_async=is_async,
                takes_request=takes_request,
                streams_body=streams_body,
                body_limit_bytes=options.get("body_limit"),
                timeout_s=None,
                cancel_on_disconnect=True,
                constraints=_constraints(route),
            )
        )
    return plans


def refused(error: RouteError, plans: Sequence[Plan]) -> StartError:
    """What the kernel has against a route, with its handler; of two that answer the same requests, with both."""
    words, index, other = error.args
    plan = plans[index]
    if other is None:
        return StartError(f"{words}: {where(plan.handler)}")
    first = plans[other]
    same = "" if first.path == plan.path else f", since it answers what {first.method} {first.path} answers"
    return StartError(
        f"{plan.method} {plan.path} has two handlers{same}: {where(first.handler)} and {where(plan.handler)}"
    )


def _constraints(route: Route) -> tuple[tuple[str, str], ...]:
    given = route.options.get("constraints")
    if not given:
        return ()
    from cello.routing import Constraint

    for name, constraint in given.items():
        if not isinstance(constraint, Constraint):
            raise StartError(
                f"{constraint!r} is no constraint for {name!r} of {route.method} {route.path}: "
                f"use one of cello.routing, as IntConstraint(): {where(route.handler)}"
            )
    return tuple((name, constraint.spelling) for name, constraint in given.items())


def where(function: Callable[..., Any]) -> str:
    """A function's name, file and line, for a message."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name
