"""One worker: the loop, the application that is served on it, and the signals that end it."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import threading
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING

from cello import _breakpoint, _standard_streams
from cello._binds import binds
from cello._kernel import Listener
from cello._launch import EXIT_INTERRUPTED
from cello._port import listing
from cello._reload import RELOAD_TIMEOUT_S, about, leave_interrupts
from cello._sd_notify import Notifier
from cello._serving import Serving, cancel_all
from cello._sockets import BindError, Sockets
from cello._stopping import Stopping
from cello._unawaited import telling
from cello.errors import StartError
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from cello._options import Options
    from cello._worker import Control
    from cello.app import App

__all__ = ["serve"]

_log = logging.getLogger("cello")

#: How long tasks may take to end when a second Ctrl-C has cancelled them.
CANCEL_TIMEOUT_S = 1.0


def serve(app: App, options: Options, control: Control | None = None) -> None:
    """Serves until SIGINT or SIGTERM; a second SIGINT ends it at once, as KeyboardInterrupt.

    With a supervisor it serves what that gives it, until that says otherwise or is gone.

    Errors: StartError.
    """
    place = None if control is None else control.place(options)
    serving = Serving(app, debug=options.debug, logs=options.logs, place=place)
    notifier = Notifier(os.environ)
    try:
        sockets = Sockets(binds(options.bind, options.host, options.port) if control is None else [])
    except BindError as error:
        raise StartError(str(error)) from None
    _raise_descriptor_limit()
    if options.cpu_affinity and control is None:
        _pin()
    with closing(sockets), asyncio.Runner(loop_factory=EventLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, EventLoop)
        serving.prepare(loop)
        if options.debug:
            _hint(app)
            _breakpoint.attend()
        try:
            with telling() if options.debug else nullcontext():
                runner.run(_live(serving, sockets, control, notifier, loop, options))
        except KeyboardInterrupt:
            serving.end()
            _cancel_or_exit(loop, sockets)
            raise
        finally:
            serving.end()  # and now the runner cancels what is left


def _cancel_or_exit(loop: EventLoop, sockets: Sockets) -> None:
    """Cancels what is left, and ends the process where that will not be: the runner would wait for ever."""
    left = asyncio.all_tasks(loop)
    loop.run_until_complete(cancel_all(left, CANCEL_TIMEOUT_S))
    if not all(task.done() for task in left):
        sockets.close()
        _standard_streams.flush()
        os._exit(EXIT_INTERRUPTED)


def _pin() -> None:
    from cello._cpus import pin

    try:
        pin(0)
    except OSError as error:
        _log.warning("the process runs on any CPU: %s", error)


def _hint(app: App) -> None:
    from cello._hints import hints

    for words in hints(app):
        _log.warning("%s", words)


async def _live(
    serving: Serving,
    sockets: Sockets,
    control: Control | None,
    notifier: Notifier,
    loop: EventLoop,
    options: Options,
) -> None:
    startup = asyncio.current_task()

    def begin_stop() -> None:
        serving.withdraw()
        if startup is not None:
            startup.cancel()

    stopping = Stopping(begin_stop, options.shutdown_delay)

    def obey_signal(number: signal.Signals) -> None:
        if control is not None and not stopping.is_told:
            control.say("leaving")
        if number == signal.SIGINT:
            stopping.obey("stop")  # who is at the terminal does not wait
        else:
            stopping.obey("drain" if control is None else "retire")

    forget_signals = _listen_to_signals(loop, obey_signal)
    if control is not None:
        control.obey(loop, serving.server, stopping.obey)
        if options.reload:
            leave_interrupts(loop)
    try:
        try:
            await serving.begin()
        except asyncio.CancelledError:
            if stopping.is_told:
                return
            raise
        finally:
            startup = None
        serving.start([Listener.inherited(one.fileno()) for one in sockets.shared.values()])
        sockets.let_go()
        if control is not None:
            control.describe(about(options))
            control.say("ready")
        else:
            with suppress(OSError):  # who reads that may be gone
                print(f"Cello running at {listing(sockets.names)}", flush=True)
            notifier.ready(f"Running at {listing(sockets.names)}")
            notifier.watch(loop)
        await stopping.wait()
        notifier.stopping()
        await serving.stop(RELOAD_TIMEOUT_S if options.reload else options.shutdown_timeout, stopping.patience_s)
    finally:
        forget_signals()


def _listen_to_signals(loop: EventLoop, obey: Callable[[signal.Signals], None]) -> Callable[[], None]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, obey, number)
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
