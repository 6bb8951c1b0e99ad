# type: ignore  # Its framework is installed in its own environment only.
"""Starlette, served by granian or uvicorn, or mounted in Cello: there for its middleware, and to be mounted."""

# ruff: noqa: ARG001 (a handler is given the request, wanted or not)

from typing import Any

import answers
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class PassAnswerOn:
    """A layer that is ASGI itself, and sees the answer pass: as Cello's does, which holds it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call further in."""

        async def pass_on(message: Any) -> None:
            await send(message)

        await self.app(scope, receive, pass_on)


class PassOn:
    """The least layer there is, which leaves the answer alone and does not see it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call further in."""
        await self.app(scope, receive, send)


async def hello(request: Request) -> JSONResponse:
    """Answer from an `async def`."""
    return JSONResponse({"message": "Hello, World!"})


app = Starlette(
    routes=[
        Route("/", hello),
        Route("/async", hello),
        Route("/starlette", hello),
        Route("/layers", hello, middleware=[Middleware(PassAnswerOn)] * answers.LAYERS),
        Route("/layers/blind", hello, middleware=[Middleware(PassOn)] * answers.LAYERS),
    ]
)
