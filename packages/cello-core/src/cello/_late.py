"""What an application is given while it starts, when it has been composed: nothing would come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._mistake import at
from cello.errors import StartError

if TYPE_CHECKING:
    from cello._route import Route
    from cello._scope import Scope
    from cello.app import App

__all__ = ["Given"]


class Given:
    """What applications, and the blueprints in them, have when they are composed."""

    def __init__(self, apps: list[App]) -> None:
        self._apps = apps
        self._before = {scope: _counts(scope) for scope in self._scopes()}

    def check(self) -> None:
        """Compares it with what they have now.

        Errors: StartError that names what came later.
        """
        for scope in self._scopes():
            before = self._before.get(scope)
            if before is None or before == _counts(scope):
                continue  # what is in a blueprint that is new is told of the scope that took it
            route: Route | None = next(iter(scope._routes[before["_routes"] :]), None)
            if route is not None:
                late, where = f"{route.method} {route.path}", at(route.handler)
            else:
                name = next(name for name, count in _counts(scope).items() if count != before[name])
                late, where = _WORDS[name], ""
            raise StartError(
                f"{late} came while the application started, too late: give it where the App is made{where}"
            )

    def _scopes(self) -> list[Scope]:
        return list(dict.fromkeys(scope for app in self._apps for scope in (app, *app._descendants())))


_WORDS = {
    "_routes": "a route",
    "_children": "a blueprint, or a mounted application,",
    "_middleware": "a middleware",
    "_answers": "an exception handler",
    "_before": "a before_request function",
    "_after": "an after_request function",
}


def _counts(scope: Scope) -> dict[str, int]:
    return {name: len(getattr(scope, name)) for name in _WORDS}
