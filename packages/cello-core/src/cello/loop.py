"""The event loop: asyncio's own, with its hot part on the kernel's thread.

What it has to do with asyncio's private methods stands in `cello._asyncio_private`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import selectors
import signal
import socket
import threading
import warnings
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from cello._asyncio_private import FallbackLoop, PrivateMethods

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Self

__all__ = ["EventLoop", "run"]


def run[Result](main: Coroutine[Any, Any, Result], *, debug: bool | None = None) -> Result:
    """Runs a coroutine on a new loop and returns its result: asyncio.run() with this loop.

    Errors: what `main` raises; RuntimeError where a loop runs in this thread.
    """
    return asyncio.run(main, debug=debug, loop_factory=EventLoop)


#: Loops that were run in daemon threads.
_in_daemons: weakref.WeakSet[EventLoop] = weakref.WeakSet()
#: How long the end of the process waits for each of them to be at rest.
PARKING_TIMEOUT_S = 1.0


def _park_at_exit(loop: EventLoop) -> None:
    """Sees to it that a daemon thread is not in this loop when the interpreter goes.

    Python ends such a thread where it next wants the interpreter. Under native code that would be in the middle of it.
    """
    if not _in_daemons:
        atexit.register(_park)
    _in_daemons.add(loop)


def _park() -> None:
    for loop in list(_in_daemons):
        parked = threading.Event()
        with suppress(RuntimeError):  # it is closed
            if loop.is_running():
                loop.call_soon_threadsafe(_rest, parked)
                parked.wait(PARKING_TIMEOUT_S)


def _rest(parked: threading.Event) -> None:
    parked.set()
    threading.Event().wait()


class EventLoop(PrivateMethods):
    """An asyncio event loop that a kernel's server can share its thread with."""

    def __new__(cls, selector: selectors.DefaultSelector | None = None) -> Self:
        """Where a process was forked off under a running loop, what is made is asyncio's own loop."""
        if cls._is_forked_while_running():
            return FallbackLoop(selector)  # type: ignore[return-value]
        if selector is not None and not hasattr(selector, "fileno"):
            raise TypeError(f"{type(selector).__name__} has no descriptor to wait for: give an EpollSelector, or none")
        return super().__new__(cls, selector)

    # The native base takes what its heirs are made with, whatever it is.
    def __init__(  # pyright: ignore[reportInconsistentConstructor]
        self, selector: selectors.DefaultSelector | None = None
    ) -> None:
        self._signals: tuple[socket.socket, socket.socket] | None = None
        self._forwards_signals_to = -1
        super().__init__(selector or selectors.DefaultSelector())

    def run_forever(self) -> None:
        """Runs until stop() is called."""
        if self.is_running():  # Python 3.13.0 would take the running loop for none from then on
            raise RuntimeError("This event loop is already running")
        if not self.is_closed():
            self._wake_on_signals()
            if threading.current_thread().daemon:
                _park_at_exit(self)
        try:
            super().run_forever()
        finally:
            self._sleep_through_signals()

    def stop(self) -> None:
        """Ends run_forever() after the turn it is at."""
        super().stop()
        self._stop_native()

    def set_debug(self, enabled: bool) -> None:
        """Switches asyncio's debug mode."""
        super().set_debug(enabled)
        self._note_debug(bool(enabled))

    def close(self) -> None:
        """Drops everything the loop has in hand."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        unclosed = [(f"unclosed transport {transport!r}", transport) for transport in self._open_streams()]
        self._close_native()
        super().close()
        for words, transport in unclosed:
            warnings.warn(words, ResourceWarning, stacklevel=2, source=transport)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Reports an error that nobody else is told of; what ends the process is raised by the run instead."""
        if not isinstance(context.get("exception"), SystemExit | KeyboardInterrupt):
            super().call_exception_handler(context)

    def remove_signal_handler(self, sig: int) -> bool:
        """Removes a handler of add_signal_handler()."""
        removed = super().remove_signal_handler(sig)
        if self.is_running():
            self._wake_on_signals()
        return removed

    def _wake_on_signals(self) -> None:
        """Has every signal wake the loop, which would otherwise sleep while Python's own handler waits to be called."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self._signals is None:
            near, far = self._signals = socket.socketpair()
            near.setblocking(False)
            far.setblocking(False)
            self.add_reader(near, self._receive_signals, near)
        # Whoever was woken before still is: asyncio's add_signal_handler(), or somebody else.
        taken = signal.set_wakeup_fd(self._signals[1].fileno(), warn_on_full_buffer=False)
        if taken != self._signals[1].fileno():
            self._forwards_signals_to = taken

    def _receive_signals(self, near: socket.socket) -> None:
        with suppress(OSError):
            numbers = near.recv(4096)
            if self._forwards_signals_to != -1:
                os.write(self._forwards_signals_to, numbers)

    def _sleep_through_signals(self) -> None:
        if self._signals is None:
            return
        near, far = self._signals
        self._signals = None
        # The descriptor set before is only told by setting another: ours, so that no signal is lost meanwhile.
        taken = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        signal.set_wakeup_fd(self._forwards_signals_to if taken == far.fileno() else taken)
        self._receive_signals(near)
        self._forwards_signals_to = -1
        self.remove_reader(near)
        near.close()
        far.close()
