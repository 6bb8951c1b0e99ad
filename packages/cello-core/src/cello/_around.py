"""What stands around a route: the layers of its options, of its blueprints, and of its applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._answers import Answers
from cello._layers import around, of_middleware
from cello._middleware import in_order
from cello._said_layers import layers_said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from cello._kernel import Request, Response
    from cello._layers import Layer
    from cello._route import Route
    from cello._scope import Scope
    from cello.app import App

__all__ = ["apps_of", "innermost_app", "layers_around", "layers_of", "layers_of_route"]


def apps_of(app: App) -> dict[Scope, App]:
    """Of an application, and of all that is in it, the one whose plugins it has; of several the first."""
    from cello.app import App

    found: dict[Scope, App] = {}
    left: list[tuple[Scope, App]] = [(app, app)]
    for scope, outer in left:
        own = scope if isinstance(scope, App) else outer
        found.setdefault(scope, own)
        left.extend((child, own) for _, child in scope._children)
    return found


def layers_of_route(route: Route, app: App) -> Iterator[Layer]:
    """The layers that its options stand for, the innermost first.

    Errors: StartError for an option that its application does not have.
    """
    found = [one for said in layers_said(route, app._plugins) for one in said.middleware]
    return map(of_middleware, reversed(found))


def layers_of(scope: Scope, app: App, tell: Callable[[Request, Any], Response] | None = None) -> Iterator[Layer]:
    """The layers of an application, or of a blueprint in it, the innermost first.

    Exception handlers stand within the middleware, so that it sees responses; what the middleware itself raises comes
    to them, too. For the same reason an application's middleware is given the answer that `tell` has for an HTTPError
    which nobody handles, and not the exception.
    """
    from cello.app import App

    middleware = in_order(scope._middleware, scope._words, app._plugins)
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
