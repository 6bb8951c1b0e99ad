"""Handlers: what is known of one before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from inspect import Signature
    from typing import Any

__all__ = ["Plan", "Route", "RouteOptions", "check_options", "compose", "where"]


class RouteOptions(TypedDict, total=False):
    """What a route may say beside its path and methods; each decorator of `App` takes them as keywords."""

    #: The handler is called when the head is there, and takes the body while it arrives: `request.stream()`.
    stream: bool
    #: Bytes of a body; more is a 413. The default is that of the server, 10 MiB, and with `stream` none.
    body_limit: int


def check_options(options: RouteOptions, path: str) -> None:
    """Checks what a decorator was given.

    Errors: TypeError for an option that there is not or of another kind, ValueError for a size that is none.
    """
    from difflib import get_close_matches

    known = RouteOptions.__annotations__
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            raise TypeError(f"the route {path} has an option {name!r}, which nothing provides: {hint}")
    limit: object = options.get("body_limit", 0)
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"body_limit={limit!r} of the route {path} is no number of bytes")
    if limit < 0:
        raise ValueError(f"body_limit={limit!r} of the route {path} is no number of bytes: it is 0 or more")


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


def compose(routes: Iterable[Route]) -> list[Plan]:
    """Settles how each handler is called.

    Errors: StartError for a handler with parameters that nothing provides, and for a method and path registered twice.
    """
    import inspect

    plans: dict[tuple[str, str], Plan] = {}
    for method, path, handler, options in routes:
        first = plans.get((method, path))
        if first is not None:
            raise StartError(f"{method} {path} has two handlers: {where(first.handler)} and {where(handler)}")
        called = handler if inspect.isroutine(handler) else getattr(type(handler), "__call__", handler)  # noqa: B004 - the method itself is wanted
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)
        takes_request = _takes_request(inspect.signature(handler), handler, f"{method} {path}")
        streams_body = options.get("stream", False)
        if streams_body and not is_async:
            raise StartError(
                f"the handler {where(handler)} of {method} {path} is a def, which cannot wait for a body that is "
                "streamed: make it an async def, or leave stream=True out"
            )
        body_limit_bytes = options.get("body_limit")
        plans[method, path] = Plan(method, path, handler, is_async, takes_request, streams_body, body_limit_bytes)
    return list(plans.values())


def _takes_request(signature: Signature, handler: Callable[..., Any], route: str) -> bool:
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [p.name for p in named if p.default is p.empty and p not in positional[:1]]
    if missing:
        raise StartError(
            f"the handler {where(handler)} of {route} wants {', '.join(missing)}, which nothing provides: "
            "a handler takes the request, or nothing"
        )
    return bool(positional)


def where(function: Callable[..., Any]) -> str:
    """A function's name, file and line, for a message."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name
