"""What answers the requests that the kernel refuses, where somebody in the application is to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._around import innermost_app, layers_around
from cello._layers import Target, chain
from cello._plan import Plan
from cello._refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cello._layers import Layer
    from cello._route import Placed
    from cello._scope import Scope
    from cello.app import App

__all__ = ["mounts", "with_fallbacks"]


def with_fallbacks(
    app: App, placed: Sequence[Placed], plans: Sequence[Plan], layers: Mapping[int, list[Layer]]
) -> tuple[list[Plan], int]:
    """The plans and, where there is anybody to see refused requests, what answers those; and how many that are.

    One for each chain of blueprints with routes, chosen by the route that refuses a body; one for each application,
    chosen by the path, for requests that come to no route.
    """
    chains = dict.fromkeys(scopes for _, scopes in placed)
    mounted = mounts(app)
    if not any(layers_around(scopes, layers) for scopes in (*chains, *mounted.values())):
        return list(plans), 0
    by_route = {scopes: len(plans) + index for index, scopes in enumerate(chains)}
    found = [plan._replace(fallback=by_route[scopes]) for plan, (_, scopes) in zip(plans, placed, strict=True)]
    # No path of a request is under "-".
    found += [_fallback("-", scopes, layers) for scopes in chains]
    found += [_fallback(path, scopes, layers) for path, scopes in mounted.items()]
    return found, len(found) - len(plans)


def mounts(app: App) -> dict[str, tuple[Scope, ...]]:
    """What is around each application, by the path that it is under, the longest first."""
    return dict(sorted(_mounts(app, "", ()), key=lambda mount: -len(mount[0])))


def _mounts(scope: Scope, prefix: str, outer: tuple[Scope, ...]) -> Iterator[tuple[str, tuple[Scope, ...]]]:
    """Where the application and those mounted in it are, and what is around each."""
    from cello.app import App

    scopes = (*outer, scope)
    if isinstance(scope, App):
        yield prefix, scopes
    for child_prefix, child in scope._children:
        yield from _mounts(child, prefix + child_prefix, scopes)


def _fallback(path: str, scopes: Sequence[Scope], layers: Mapping[int, list[Layer]]) -> Plan:
    around_it = layers_around(scopes, layers)
    called = chain(Target(refuse, is_async=False, takes_request=True), around_it, refuse, "what is refused")
    return Plan(
        method="GET",
        path=path,
        handler=called.call,
        is_async=called.is_async,
        takes_request=True,
        streams_body=False,
        body_limit_bytes=None,
        timeout_s=None,
        cancel_on_disconnect=True,
        drains_now=False,
        constraints=(),
        app=innermost_app(scopes),
        endpoint=refuse,
        gives_response=bool(around_it),
    )
