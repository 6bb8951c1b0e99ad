"""The life of an application of ASGI: its `lifespan` protocol, in a task of its own from start to stop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

from cello.errors import StartError

if TYPE_CHECKING:
    from cello._mounted_asgi import Mounted
    from cello._types import Message

__all__ = ["MountedLifespan"]

#: How long requests that are answered may go on before their application is told to stop, in seconds.
_TASKS_TIMEOUT_S = 30.0

_log = logging.getLogger("cello")


class MountedLifespan:
    """The life of one application, wherever it is mounted.

    Source: ASGI Lifespan 2.0.
    """

    def __init__(self, mounted: list[Mounted]) -> None:
        self._mounted = mounted
        self._app = mounted[0].app
        self._words = mounted[0].words
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        #: What is waited for: the answer to an event, or the end of the application.
        self._answered = asyncio.Event()
        self._phase: Literal["startup", "shutdown"] = "startup"
        self._is_asked = False
        self._failure: str | None = None
        self._error: BaseException | None = None

    async def start(self) -> None:
        """Starts the application; one that does not know the protocol is started already.

        Errors: StartError with what it said.
        """
        state: dict[str, Any] = {}
        for mounted in self._mounted:
            mounted.state = state
        version = {"version": "3.0", "spec_version": "2.0"}
        self._task = asyncio.get_running_loop().create_task(
            self._run({"type": "lifespan", "asgi": version, "state": state})
        )
        try:
            await self._tell("startup")
        except BaseException:
            await self._cancel()
            raise
        if self._failure is not None:
            await self._cancel()
            raise StartError(f"{self._words} could not start: {self._failure}")
        if self._task.done():
            self._log_unsupported()

    async def stop(self) -> None:
        """Waits for the requests that go on after their answers, and stops the application.

        Errors: StartError where it fails at that.
        """
        tasks = [task for mounted in self._mounted for task in mounted.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=_TASKS_TIMEOUT_S)
        if self._task is None or self._task.done():
            return
        await self._tell("shutdown")
        await self._cancel()
        if self._failure is not None:
            raise StartError(f"{self._words} failed at its end: {self._failure}")
        if self._error is not None:
            raise StartError(f"{self._words} failed at its end") from self._error

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            self._error = error
        finally:
            self._answered.set()

    async def _tell(self, phase: Literal["startup", "shutdown"]) -> None:
        """Tells of an event, and waits until the application is done with it."""
        self._phase = phase
        self._answered.clear()
        self._events.put_nowait({"type": f"lifespan.{phase}"})
        await self._answered.wait()

    async def _cancel(self) -> None:
        """Ends what of the application still runs: it has said that it is done."""
        assert self._task is not None
        await asyncio.wait([self._task], timeout=0)
        self._task.cancel()
        await asyncio.wait([self._task])

    def _log_unsupported(self) -> None:
        # The specification has a server go on even where the application was at it: it cannot know better.
        if self._error is None or not self._is_asked:
            _log.debug("%s has no lifespan", self._words, exc_info=self._error)
        else:
            _log.warning("%s raised at its start, and is served all the same", self._words, exc_info=self._error)
        self._error = None

    async def _receive(self) -> Message:
        self._is_asked = True
        return await self._events.get()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == f"lifespan.{self._phase}.failed":
            self._failure = message.get("message") or "it did not say why"
        elif kind != f"lifespan.{self._phase}.complete":
            raise RuntimeError(f"{self._words} sent {kind!r}, which is no answer to lifespan.{self._phase}")
        self._answered.set()
