"""The option of a route: it is there where a feature is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello.errors import NotFound
from cello.plugin import RouteOption

from limelight.feature import find, of_request

if TYPE_CHECKING:
    from cello import App, Request, Response
    from cello.middleware import CallNext

__all__ = ["check_routes", "flag"]


class Gate:
    """Middleware of a route that is there where a feature is on."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        """What the route answers, or a 404."""
        if not of_request(request).is_on(self._name):
            raise NotFound
        return await call_next(request)


def check_routes(app: App) -> None:
    """Sees that the features of all routes are there.

    Errors: ValueError.
    """
    limelight = find(app)
    for route in app.routes:
        name = route.options.get("flag")
        if name is not None and limelight is None:
            raise ValueError(f"flag={name!r} of {route.method} {route.path} needs app.enable_limelight()")
        if name is not None and limelight is not None and name not in limelight.config.flags:
            names = ", ".join(sorted(limelight.config.flags)) or "none"
            raise ValueError(f"flag={name!r} of {route.method} {route.path} is no feature: there are {names}")


def _check(value: Any, said: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{said} is no name of a feature: use a str")


def _layers(name: str) -> list[Gate]:
    return [Gate(name)]


flag = RouteOption(_check, layers=_layers)
