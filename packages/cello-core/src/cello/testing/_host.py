"""Where an application is served in memory: in a thread with a loop of its own, or in the loop that runs."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from contextvars import copy_context
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from cello._asgi import Asgi
from cello._handler import name_of
from cello._serving import Serving
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping

    from cello import App, LimitsConfig, Request, TimeoutConfig
    from cello._kernel import Connection

__all__ = ["Host", "LocalHost", "Terms", "ThreadHost"]

#: What a client may wait for beyond what was promised, in seconds: machines are busy.
LEEWAY_S = 10.0

#: The applications that are served now. One has only one set of what it provides to dependencies.
_served: WeakSet[App] = WeakSet()


class Terms(NamedTuple):
    """How an application is served in memory."""

    #: On top of `app.dependency_overrides`, of this application and of those mounted in it.
    overrides: Mapping[Callable[..., Any] | str, Any] | None
    #: In place of the application's own.
    limits: LimitsConfig | None
    #: In place of the application's own.
    timeouts: TimeoutConfig | None
    debug: bool
    #: The address, and port, that requests come from.
    client: tuple[str, int]
    raise_server_exceptions: bool
    shutdown_timeout_s: float


def checked(app: object) -> App:
    """What a client is made for, if it is an application.

    Errors: TypeError.
    """
    from cello import App

    if isinstance(app, App):
        return app
    if app is App:
        advice = "make one, App()"
    elif isinstance(app, Asgi):
        advice = "give the App that it is the asgi of"
    else:
        advice = "a client for tests is given the App itself"
    raise TypeError(f"{name_of(app)} is no application of Cello: {advice}")


class Host:
    """An application that is served in memory, and what its handlers raised."""

    def __init__(self, app: App, terms: Terms) -> None:
        ip_address(terms.client[0])
        self.app = checked(app)
        self._terms = terms
        self._serving: Serving | None = None
        self._raised: dict[int, Exception] = {}

    def connect(self, is_secure: bool = False) -> Connection:
        """Opens a connection.

        Errors: RuntimeError where the application is not served.
        """
        if self._serving is None:
            raise RuntimeError(
                "the application is not served: use the client in a `with` block, which starts it and ends it"
            )
        return self._serving.server.connect(self._terms.client, is_secure)

    def take_raised(self, line: int) -> Exception | None:
        """What a handler raised for a request of the connection with this number."""
        return self._raised.pop(line, None)

    def _compose(self) -> Serving:
        note = self._note if self._terms.raise_server_exceptions else None
        return Serving(self.app, debug=self._terms.debug, logs=False, note=note)

    def _note(self, request: Request, error: Exception) -> None:
        self._raised[request._line] = error

    async def _live(self, serving: Serving, is_started: Callable[[], object], stopping: asyncio.Event) -> None:
        """The application's life, in one task from its start to its end."""
        try:
            await serving.begin()
            serving.start()
            self._serving = serving
            is_started()
            await stopping.wait()
            await serving.stop(self._terms.shutdown_timeout_s)
        finally:
            self._serving = None
            await serving.cancel(self._terms.shutdown_timeout_s)
            serving.server.close()
            self._raised.clear()

    @contextmanager
    def _settled(self) -> Generator[None]:
        """The application, as the terms have it."""
        app, terms = self.app, self._terms
        if app in _served:
            raise RuntimeError("the application is served by another client: use one after the other")
        applications = app._applications()
        overrides = [dict(one.dependency_overrides) for one in applications]
        said = app._limits, app._timeouts, app._body_limit
        _served.add(app)
        try:
            for one in applications:
                one.dependency_overrides.update(terms.overrides or {})
            if terms.limits is not None:
                app.set_limits(terms.limits)
            if terms.timeouts is not None:
                app.set_timeouts(terms.timeouts)
            yield
        finally:
            _served.discard(app)
            app._limits, app._timeouts, app._body_limit = said
            for one, before in zip(applications, overrides, strict=True):
                one.dependency_overrides.clear()
                one.dependency_overrides.update(before)


class ThreadHost(Host):
    """Serves in a thread with a loop of its own, as in production but for signals and sockets."""

    def __init__(self, app: App, terms: Terms) -> None:
        super().__init__(app, terms)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started: Future[Callable[[], object]] = Future()
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Returns when the application has started.

        Errors: StartError.
        """
        self._started = Future()
        self._failure = None
        # Of a test that never ends its client, the process can end all the same.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="cello-test", daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join(LEEWAY_S)
            self._thread = None
            raise

    def stop(self) -> None:
        """Returns when the application has ended.

        Errors: StartError where its end failed; what ended its loop, as SystemExit; RuntimeError where it does not end.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        stop = self._started.result()
        stop()
        thread.join(3 * self._terms.shutdown_timeout_s + LEEWAY_S)
        if thread.is_alive():
            raise RuntimeError("the application does not end: a handler keeps its thread, or will not be cancelled")
        if self._failure is not None:
            raise self._failure

    def run[T](self, work: Coroutine[Any, Any, T], timeout_s: float | None) -> T:
        """Runs it in the application's loop, and waits for it in this thread.

        Errors: TimeoutError; BrokenPipeError where the loop ends, or has ended, before.
        """
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise BrokenPipeError("the application has ended")
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(timeout_s)
        except CancelledError:
            raise BrokenPipeError("the application has ended") from None
        finally:
            running.cancel()

    def _run(self) -> None:
        try:
            with self._settled():
                serving = self._compose()
                with asyncio.Runner(loop_factory=EventLoop) as runner:
                    loop = runner.get_loop()
                    serving.prepare(loop)
                    runner.run(self._main(serving, loop))
        except BaseException as error:
            if self._started.done():
                self._failure = error
            else:
                self._started.set_exception(error)

    async def _main(self, serving: Serving, loop: asyncio.AbstractEventLoop) -> None:
        stopping = asyncio.Event()
        self._loop = loop

        def stop() -> None:
            try:
                loop.call_soon_threadsafe(stopping.set)
            except RuntimeError:  # it has ended by itself
                return

        await self._live(serving, lambda: self._started.set_result(stop), stopping)


class LocalHost(Host):
    """Serves in the loop that runs, of whatever kind it is."""

    def __init__(self, app: App, terms: Terms) -> None:
        super().__init__(app, terms)
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the application has started.

        Errors: StartError.
        """
        self._stopping.clear()
        started = asyncio.Event()
        self._loop = _running_loop()
        life = self._loop.create_task(self._run(started.set))
        waiting = asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait((life, waiting), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            life.cancel()
            raise
        finally:
            waiting.cancel()
        if not started.is_set():
            await life
        self._life = life

    def check_loop(self) -> None:
        """Checks that the loop which runs is the application's.

        Errors: RuntimeError.
        """
        if self._life is not None and _running_loop() is not self._loop:
            raise RuntimeError(
                "the client was started in another loop than the one that asks: fixtures and tests that share a client "
                "share a loop, by the same loop_scope= of pytest-asyncio"
            )

    async def stop(self) -> None:
        """Returns when the application has ended.

        Errors: StartError where its end failed; RuntimeError in another loop.
        """
        self.check_loop()
        life, self._life = self._life, None
        if life is not None:
            self._stopping.set()
            await life

    async def _run(self, is_started: Callable[[], object]) -> None:
        with self._settled():
            serving = self._compose()
            serving.prepare(asyncio.get_running_loop())
            await self._live(serving, is_started, self._stopping)


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no loop of asyncio runs here, in which an AsyncTestClient serves the application: of anyio's backends "
            "take asyncio, or use a TestClient"
        ) from None
