"""Plans: routes as the kernel takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cello._mistake import at
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cello._kernel import RouteError
    from cello.app import App

__all__ = ["Plan", "refused"]


class Plan(NamedTuple):
    """A route as the kernel takes it."""

    method: str
    path: str
    #: What the kernel calls: the handler, or the outermost of what stands around it.
    handler: Callable[..., Any]
    is_async: bool
    takes_request: bool
    streams_body: bool
    body_limit_bytes: int | None
    timeout_s: float | None
    cancel_on_disconnect: bool
    drains_now: bool
    #: Parameters' names and what they are constrained to, spelled as in a path.
    constraints: tuple[tuple[str, str], ...]
    #: The application that is `request.app`.
    app: App
    #: The handler as it was registered.
    endpoint: Callable[..., Any]
    #: Whether the kernel gets a Response, as from whatever stands around a handler.
    gives_response: bool
    #: The index of the plan that answers where a request of this route is refused; None for that of its path.
    fallback: int | None = None


def refused(error: RouteError, plans: Sequence[Plan]) -> StartError:
    """What the kernel has against a route, with its handler; of two that answer the same requests, with both."""
    words, index, other = cast("tuple[str, int, int | None]", error.args)
    plan = plans[index]
    if other is None:
        return StartError(f"{words}{at(plan.endpoint)}")
    first = plans[other]
    if first.endpoint is plan.endpoint and first.path == plan.path:
        return StartError(
            f"{plan.method} {plan.path} is there twice: register its handler, or the blueprint that it is in, once"
            f"{at(plan.endpoint)}"
        )
    same = "" if first.path == plan.path else f", since it answers what {first.method} {first.path} answers"
    return StartError(
        f"{plan.method} {plan.path} has two handlers{same}: take one of them away, or give it another path or method"
        f"{at(first.endpoint, plan.endpoint)}"
    )
