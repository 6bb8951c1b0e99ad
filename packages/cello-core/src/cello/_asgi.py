"""An application as servers of others call it: by ASGI."""

from __future__ import annotations

import asyncio
import logging
import os
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._asgi_http import answer
from cello._config import SHUTDOWN_TIMEOUT_S
from cello._options import resolve
from cello._serving import Serving
from cello._shared_names import tell_alone
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cello._asgi_http import Receive, Scope, Send
    from cello.app import App

__all__ = ["Asgi"]

_log = logging.getLogger("cello")

#: What of the environment an application heeds that another server serves.
_VARIABLES = ("CELLO_ENV", "CELLO_DEBUG")


class Life(NamedTuple):
    """An application that is served in a loop."""

    serving: Serving
    loop: asyncio.AbstractEventLoop
    #: What it was started in.
    context: Context


class Asgi:
    """An application of ASGI 3, which serves one of Cello's with all that the server has: limits, routing, timeouts.

    It lives as the lifespan of the server says. Under one that says nothing it begins with the first request, and its
    end is never run: with the loop only what it has natively ends.

    Errors: StartError from the first request of such a server; RuntimeError where it is served in another loop.
    Source: the ASGI specification 3.0, HTTP 2.4 and lifespan 2.0.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._life: Life | None = None
        self._starting: asyncio.Task[Life] | None = None
        self._stay: AsyncGenerator[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection of ASGI's: a request, or the lifespan.

        Errors: ValueError for a kind that is neither, nor a WebSocket, which is refused.
        """
        kind = scope["type"]
        if kind == "http":
            life = self._life
            if life is None or life.loop is not asyncio.get_running_loop():
                life = await self._begun_late()
            await answer(life.serving, life.context, scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            _log.warning("a WebSocket at %r was refused: App.asgi has none", scope.get("path"))
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            raise ValueError(f"the application serves no {kind!r} of ASGI: only http and lifespan")

    def __repr__(self) -> str:
        return f"<{self._app!r}.asgi>"

    async def _live(self, receive: Receive, send: Send) -> None:
        """The application's life, in one task from its start to its end."""
        await receive()
        try:
            life = await self._begin()
        except Exception as error:
            _log_failure(error)
            await send({"type": "lifespan.startup.failed", "message": _words(error)})
            return
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            try:
                await life.serving.stop(SHUTDOWN_TIMEOUT_S)
            finally:
                await life.serving.cancel(SHUTDOWN_TIMEOUT_S)
        except StartError as error:
            _log_failure(error)
            await send({"type": "lifespan.shutdown.failed", "message": _words(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})
        finally:
            self._leave(life)

    async def _begun_late(self) -> Life:
        """Starts where the server has not said so: once, however many requests wait for it."""
        loop = asyncio.get_running_loop()
        starting = self._starting
        if starting is None or starting.done() or starting.get_loop() is not loop:
            # No request's context: what one has is none of the others' business.
            starting = self._starting = loop.create_task(self._begin_and_stay(), context=Context())
        return await asyncio.shield(starting)

    async def _begin_and_stay(self) -> Life:
        life = await self._begin()
        self._stay = self._until_the_loop_ends(life)
        await anext(self._stay)
        return life

    async def _until_the_loop_ends(self, life: Life) -> AsyncGenerator[None]:
        # Loops tell nobody of their end, but they end the generators that were begun in them.
        try:
            yield
        finally:
            self._leave(life)

    async def _begin(self) -> Life:
        loop = asyncio.get_running_loop()
        if (before := self._life) is not None:
            if before.loop is loop or before.loop.is_running():
                raise RuntimeError("the application is served by ASGI already: by one server, in one loop")
            self._leave(before)  # its loop is over, and has not told it
        serving = Serving(self._app, debug=_is_debug(), logs=False)
        serving.prepare(loop)
        try:
            await serving.begin()
            tell_alone(self._app._applications())
            serving.start()
        except BaseException:
            serving.end()
            raise
        self._life = life = Life(serving, loop, copy_context())
        return life

    def _leave(self, life: Life) -> None:
        if self._life is life:
            self._life = None
            life.serving.end()
            life.serving.server.close()


def _is_debug() -> bool:
    """Whether clients are told of errors: what another server serves is in production, unless it is said."""
    said = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return resolve({}, {}, {"CELLO_ENV": "production", **said}).debug


def _words(error: BaseException) -> str:
    cause = error.__cause__
    return f"{error}" if cause is None else f"{error}: {type(cause).__name__}: {cause}"


def _log_failure(error: Exception) -> None:
    cause: Any = error.__cause__ if isinstance(error, StartError) else error
    _log.error("%s", error, exc_info=cause)
