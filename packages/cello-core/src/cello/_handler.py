"""Handlers: what is known of one before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from inspect import Signature
    from typing import Any

__all__ = ["Plan", "Route", "compose", "where"]


class Route(NamedTuple):
    """A handler as it was registered."""

    method: str
    path: str
    handler: Callable[..., Any]


class Plan(NamedTuple):
    """A route as the kernel takes it: how its handler is called is settled here, once."""

    method: str
    path: str
    handler: Callable[..., Any]
    is_async: bool
    takes_request: bool


def compose(routes: Iterable[Route]) -> list[Plan]:
    """Settles how each handler is called.

    Errors: StartError for a handler with parameters that nothing provides, and for a method and path registered twice.
    """
    import inspect

    plans: dict[tuple[str, str], Plan] = {}
    for method, path, handler in routes:
        first = plans.get((method, path))
        if first is not None:
            raise StartError(f"{method} {path} has two handlers: {where(first.handler)} and {where(handler)}")
        called = handler if inspect.isroutine(handler) else getattr(type(handler), "__call__", handler)  # noqa: B004 - the method itself is wanted
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)
        takes_request = _takes_request(inspect.signature(handler), handler, f"{method} {path}")
        plans[method, path] = Plan(method, path, handler, is_async, takes_request)
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
