"""Injection: a handler with parameters as a function of the request alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cello._graph import build
from cello._handler import is_async
from cello._parameters import Parameters
from cello._program import program
from cello._providers import Providers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cello._graph import Node, Source

__all__ = ["Injected", "Providers", "inject", "resolve"]


class Injected(NamedTuple):
    """A handler as it is called."""

    call: Callable[..., Any]
    is_async: bool
    #: Whether it is called with the request, or with nothing.
    takes_request: bool


def inject(
    handler: Callable[..., Any],
    *,
    route: str,
    path_names: Sequence[str],
    providers: Providers,
    streams_body: bool = False,
) -> Injected:
    """Settles what a handler's parameters are given; the handler itself where that is the request, or nothing.

    Shape: `route` says whose handler it is, as "GET /users/{id}"; `path_names` are the parameters of its path.
    Errors: StartError that names the handler, its file and line, for a parameter that nothing provides.
    """
    from cello._dto import shaper

    return resolve(handler, Parameters(path_names, streams_body=streams_body), providers, route, shaper(handler, route))


def resolve(
    function: Callable[..., Any],
    source: Source,
    providers: Providers,
    route: str,
    finish: Callable[[Any], Any] | None = None,
) -> Injected:
    """`inject()`, for whatever a function is called for: the source knows what its parameters can be."""
    root = build(function, source, providers, route)
    if finish is None and _is_plain(root):
        return Injected(function, is_async(function), bool(root.arguments))
    return Injected(*program(root, source, finish))


def _is_plain(root: Node) -> bool:
    from cello._graph import Leaf

    if len(root.arguments) > 1:
        return False
    return all(
        isinstance(argument.value, Leaf) and argument.value.read is None and argument.name is None
        for argument in root.arguments
    )
