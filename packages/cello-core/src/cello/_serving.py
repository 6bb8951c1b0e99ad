"""An application on a loop: composed, served and ended, in production as in tests."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cello._compose import compose
from cello._config import AccessLog, ThreadPoolConfig
from cello._ending import end
from cello._failure import answerer, break_logger
from cello._kernel import Request, RouteError, Server
from cello._lifecycle import Life
from cello._place import Place
from cello._plan import refused
from cello._shared_names import share
from cello._slow import SlowSteps
from cello._threads import Threads
from cello.errors import BadRequest, HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence
    from typing import Any, Literal

    from cello._config import LimitsConfig, TimeoutConfig
    from cello._kernel import Listener, Response, Seat, TrustedProxies
    from cello._scope import Scope
    from cello.app import App

    type Note = Callable[[Request, Exception], object]

__all__ = ["Hooks", "Serving", "Settings", "cancel_all"]


class Hooks(NamedTuple):
    """What the kernel calls beside handlers."""

    on_error: Callable[[Request, BaseException], Response]
    on_end: Callable[[Request, BaseException | None], Coroutine[Any, Any, None]]
    on_slow: Callable[[int, float], object]
    on_broken: Callable[[Request, BaseException], object]
    on_drained: Callable[[], object]
    on_worn: Callable[[], object]


class Settings(NamedTuple):
    """What the application and its options choose for the whole server."""

    #: None where nothing is told of answers.
    access_log: AccessLog | None
    trusted_proxies: TrustedProxies | None
    error_form: Literal["problem", "legacy"]
    #: Whether a client that prefers HTML gets errors as pages.
    has_pages: bool
    #: How many of the routes, the last of them, are none: they answer what is refused.
    fallbacks: int
    limits: LimitsConfig | None
    timeouts: TimeoutConfig | None
    #: Where it is counted what the server does, and after how many answers it is told; 0 for never.
    seat: Seat
    wears_after: int
    #: The header field in which answers tell the request's id.
    request_id_header: str | None = None


class Serving:
    """An application that is served once, on one loop.

    It is composed when this is made, which needs no loop; `note` is told of what handlers raised that nobody answers
    for, and of what broke a streamed body off. Without a `place` it counts for itself.

    Errors: StartError.
    """

    def __init__(
        self, app: App, *, debug: bool, logs: bool, note: Note | None = None, place: Place | None = None
    ) -> None:
        self._app = app
        self._place = place or Place.own()
        self._debug = debug
        self._logs = logs
        self._note = note
        self._threads = Threads((app._threadpool or ThreadPoolConfig()).size)
        self._is_over = threading.Event()
        self._drained = asyncio.Event()
        self._answer = answerer(debug, self._is_over.is_set, app._errors)
        self._log_break = break_logger(self._is_over.is_set)
        for mounted in app._applications():
            mounted._background_tasks = app.background_tasks
            mounted._arena = self._place.arena
        share(app._applications(), self._place.arena)
        self._plans, self._fallbacks = compose(app, self._threads, self._answer)
        self._life = Life(app)
        self._composed: list[Scope] = []
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The kernel's part, once `prepare()` was called."""
        assert self._server is not None
        return self._server

    def prepare(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes the server, which begins with `start()`.

        Errors: StartError for routes that cannot be served.
        """
        app = self._app
        try:
            self._server = Server(
                loop,
                routes=self._plans,
                hooks=Hooks(  # pyright: ignore[reportArgumentType] - takes the fields for methods, which they are not
                    self._answer if self._note is None else self._answer_and_note,
                    partial(end, app.background_tasks),
                    SlowSteps(self._plans).note,
                    self._log_break if self._note is None else self._log_break_and_note,
                    self._drained.set,
                    self._place.on_worn,
                ),
                settings=Settings(
                    access_log=(app._access_log or AccessLog()) if self._logs else None,
                    trusted_proxies=app._trusted_proxies,
                    error_form=app._errors,
                    has_pages=self._debug,
                    fallbacks=self._fallbacks,
                    limits=app._limits,
                    timeouts=app._timeouts,
                    seat=self._place.seat,
                    wears_after=self._place.wears_after,
                    request_id_header=app._request_id_header,
                ),
            )
        except RouteError as error:
            raise refused(error, self._plans) from None

    def refusal(self, words: str) -> Response:
        """The answer to what is no request, and never came to the kernel: a 400."""
        return self._answer(Request("GET", "/"), BadRequest(words))

    async def begin(self) -> None:
        """Has the application do what comes before the first request.

        Errors: StartError.
        """
        self._close()
        await self._life.start()

    def start(self, listeners: Sequence[Listener] = ()) -> None:
        """Takes requests, from listeners or in memory alone."""
        # It is told where requests come in, where that is one place.
        self.server.start(listeners[0] if len(listeners) == 1 else None)
        if len(listeners) > 1:
            for place, listener in enumerate(listeners):
                self.server.listen(place, listener)
        self._say(is_ready=True)

    def withdraw(self) -> None:
        """Says that no more requests are wanted. Those that come are answered."""
        self._say(is_ready=False)

    async def stop(self, timeout_s: float, patience_s: float = 0.0) -> None:
        """Answers the requests there are, and has the application do what comes after the last one.

        Units: for `patience_s` idle connections are kept, for one more answer each; after `timeout_s` connections are
        closed, and after as long again requests are not waited for.
        Errors: StartError where the application's end failed.
        """
        self.withdraw()
        self.server.stop(timeout_s, patience_s)
        await self._drained.wait()
        if left := self.server.tasks():
            await asyncio.wait(left, timeout=timeout_s)
        await self._life.stop()

    def end(self) -> None:
        """Ends the threads. Whoever is cancelled from here on is cancelled by the end of the server."""
        self.withdraw()
        self._open()
        self._threads.close()
        self._place.seat.leave()
        self._is_over.set()

    async def cancel(self, timeout_s: float) -> None:
        """Ends the threads, cancels the requests that are left, and waits for them so long."""
        self.end()
        await cancel_all(self.server.tasks(), timeout_s)

    def _close(self) -> None:
        """Has the application, and all that is in it, refuse what would come too late."""
        self._composed = list(dict.fromkeys((self._app, *self._app._descendants())))
        for scope in self._composed:
            scope._servers += 1

    def _open(self) -> None:
        while self._composed:
            self._composed.pop()._servers -= 1

    def _say(self, *, is_ready: bool) -> None:
        for app in self._app._applications():
            app._is_ready = is_ready

    def _answer_and_note(self, request: Request, error: BaseException) -> Response:
        if isinstance(error, Exception) and not isinstance(error, HTTPError):
            assert self._note is not None
            self._note(request, error)
        return self._answer(request, error)

    def _log_break_and_note(self, request: Request, error: BaseException) -> None:
        if isinstance(error, Exception) and not request.disconnected():
            assert self._note is not None
            self._note(request, error)
        self._log_break(request, error)


async def cancel_all(tasks: Collection[asyncio.Task[Any]], timeout_s: float) -> None:
    """Cancels tasks, and waits for them so long."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)
