# type: ignore  # Its framework is installed in its own environment only.
"""Starlette, served by granian or uvicorn: there for its middleware, of both kinds."""

# ruff: noqa: ARG001 (a handler is given the request, wanted or not)

from collections.abc import Awaitable, Callable
from typing import Any

import answers
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class PassOn:
    """A layer that is ASGI itself: the least there is, which leaves the answer alone and does not see it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call further in."""
        await self.app(scope, receive, send)


class PassResponseOn(BaseHTTPMiddleware):
    """A layer that is given the answer as a response."""

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Call further in."""
        return await call_next(request)


async def hello(request: Request) -> JSONResponse:
    """Answer from an `async def`."""
    return JSONResponse({"message": "Hello, World!"})


app = Starlette(
    routes=[
        Route("/", hello),
        Route("/async", hello),
        Route("/layers", hello, middleware=[Middleware(PassOn)] * answers.LAYERS),
        Route("/layers/base", hello, middleware=[Middleware(PassResponseOn)] * answers.LAYERS),
    ]
)
