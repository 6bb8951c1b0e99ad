"""What stands around a route: the layers of its options, of its blueprints, and of its applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._answers import Answers
from cello._layers import around, of_middleware
from cello._middleware import in_order
from cello._plugins.declaration import Kind
from cello._route_options import in_phases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from cello._kernel import Request, Response
    from cello._layers import Layer
    from cello._route import Route
    from cello._scope import Scope
    from cello.app import App

__all__ = ["innermost_app", "layers_around", "layers_of", "layers_of_route"]


def layers_of_route(route: Route) -> Iterator[Layer]:
    """The layers that its options stand for, the innermost first."""
    values = ((option, route.options.get(name)) for name, option in in_phases())
    found = [one for option, value in values if option.layers and value is not None for one in option.layers(value)]
    return map(of_middleware, reversed(found))


def layers_of(scope: Scope, tell: Callable[[Request, Any], Response] | None = None) -> Iterator[Layer]:
    """The layers of an application or a blueprint, the innermost first.

    Exception handlers stand within the middleware, so that it sees responses; what the middleware itself raises comes
    to them, too. For the same reason an application's middleware is given the answer that `tell` has for an HTTPError
    which nobody handles, and not the exception.
    """
    from cello.app import App

    middleware = in_order(scope._middleware, scope._words, scope._known_plugins().names(Kind.MIDDLEWARE))
    sees_responses = isinstance(scope, App) and bool(middleware or scope._after)
    answers = Answers(scope._answers, tell if sees_responses else None)
    if answers or scope._before or scope._after:
        yield around(answers, scope._before, scope._after)
    yield from map(of_middleware, reversed(middleware))
    if scope._answers and (middleware or scope._after):
        yield around(answers, (), ())


def layers_around(scopes: Sequence[Scope], layers: Mapping[int, list[Layer]]) -> list[Layer]:
    """The layers of everything that a route is in, the innermost first."""
    return [layer for scope in reversed(scopes) for layer in layers[id(scope)]]


def innermost_app(scopes: Sequence[Scope]) -> App:
    """The application that is `request.app`."""
    from cello.app import App

    return next(scope for scope in reversed(scopes) if isinstance(scope, App))
