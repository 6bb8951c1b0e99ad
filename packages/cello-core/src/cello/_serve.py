"""One worker: the loop, the application's life cycle, the server, and the signals that end it."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cello._compose import compose
from cello._config import ThreadPoolConfig
from cello._ending import end
from cello._failure import answerer, break_logger
from cello._kernel import BindError, Listener, RouteError, Server
from cello._lifecycle import Life
from cello._plan import refused
from cello._slow import SlowSteps
from cello._threads import Threads
from cello.errors import StartError
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType
    from typing import Any, Literal

    from cello._config import LimitsConfig, TimeoutConfig
    from cello._kernel import Request, Response, TrustedProxies
    from cello._options import Options
    from cello.app import App

__all__ = ["serve"]

#: How long requests may go on after the stop, in seconds.
SHUTDOWN_TIMEOUT_S = 30.0


class Hooks(NamedTuple):
    """What the kernel calls beside handlers."""

    on_error: Callable[[Request, BaseException], Response]
    on_end: Callable[[Request, BaseException | None], Coroutine[Any, Any, None]]
    on_slow: Callable[[int, float], object]
    on_broken: Callable[[Request, BaseException], object]
    on_drained: Callable[[], object]


class Settings(NamedTuple):
    """What the application and its options choose for the whole server."""

    access_log: bool
    trusted_proxies: TrustedProxies | None
    error_form: Literal["problem", "legacy"]
    #: Whether a client that prefers HTML gets errors as pages.
    has_pages: bool
    #: How many of the routes, the last of them, are none: they answer what is refused.
    fallbacks: int
    limits: LimitsConfig | None
    timeouts: TimeoutConfig | None
    #: `ContextVar.set` of the current request, where anybody asks for that.
    set_current: Callable[[Request], object] | None


def serve(app: App, options: Options) -> None:
    """Serves until SIGINT or SIGTERM; a second SIGINT ends it at once, as KeyboardInterrupt.

    Errors: StartError.
    """
    threads = Threads((app._threadpool or ThreadPoolConfig()).size)
    over = threading.Event()
    answer = answerer(options.debug, over.is_set, app._errors)
    for mounted in app._applications():
        mounted._background_tasks = app.background_tasks
    plans, fallbacks = compose(app, threads, answer)
    try:
        listener = Listener.bind(options.host, options.port)
    except BindError as error:
        raise StartError(str(error)) from None
    _raise_descriptor_limit()
    drained = asyncio.Event()
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, EventLoop)
        try:
            server = Server(
                loop,
                routes=plans,
                hooks=Hooks(  # pyright: ignore[reportArgumentType] - takes the fields for methods, which they are not
                    answer,
                    partial(end, app.background_tasks),
                    SlowSteps(plans).note,
                    break_logger(over.is_set),
                    drained.set,
                ),
                settings=Settings(
                    access_log=options.logs,
                    trusted_proxies=app._trusted_proxies,
                    error_form=app._errors,
                    has_pages=options.debug,
                    fallbacks=fallbacks,
                    limits=app._limits,
                    timeouts=app._timeouts,
                    set_current=_set_current(),
                ),
            )
        except RouteError as error:
            raise refused(error, plans) from None
        try:
            runner.run(_live(Life(app), listener, server, drained, loop))
        finally:
            threads.close()
            over.set()  # and now the runner cancels what is left


async def _live(life: Life, listener: Listener, server: Server, drained: asyncio.Event, loop: EventLoop) -> None:
    stopping = asyncio.Event()
    startup = asyncio.current_task()

    def stop() -> None:
        stopping.set()
        if startup is not None:
            startup.cancel()

    forget_signals = _listen_to_signals(loop, stop)
    try:
        try:
            await life.start()
        except asyncio.CancelledError:
            if stopping.is_set():
                return
            raise
        finally:
            startup = None
        host, port = listener.address
        server.start(listener)
        print(f"Cello running at http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        await stopping.wait()
        server.stop(SHUTDOWN_TIMEOUT_S)
        await drained.wait()
        if left := server.tasks():
            await asyncio.wait(left, timeout=SHUTDOWN_TIMEOUT_S)
        await life.stop()
    finally:
        forget_signals()


def _set_current() -> Callable[[Request], object] | None:
    """What notes the current request in its context: only for whoever imported what asks for it."""
    background = sys.modules.get("cello.background")
    return background.current_request.set if background else None


def _listen_to_signals(loop: EventLoop, stop: Callable[[], None]) -> Callable[[], None]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    interrupts = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # The loop's own handler asks for the stop. This one runs even while a handler keeps the loop from its turn.
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)

    def forget() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    return forget


def _raise_descriptor_limit() -> None:
    """Takes what the system allows: each connection is a descriptor, and the customary 1,024 are soon gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
