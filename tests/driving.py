"""Serves a script by another carrier than a listening socket of the kernel's.

`driving.py CARRIER SCRIPT ARGUMENTS…` does what `SCRIPT ARGUMENTS…` does, but for the last step of `app.run()`, in
which the application is given to the carrier. For whoever calls nothing differs: the process says where it listens, and
ends at a signal.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bridging import TaskBridge, ThreadBridge
from cello import _serve
from hosting import host

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cello import App
    from cello._options import Options
    from cello._worker import Control
    from cello.testing import AsyncTestClient, TestClient

__all__ = ["main"]

# Of httpx its command line is not asked for here, nor HTTP/2: either would cost a start as much as all the rest.
sys.modules["httpx._main"] = None  # type: ignore[assignment]
sys.modules["h2"] = None  # type: ignore[assignment]


#: How long answers may take to leave once the application has ended, in seconds.
LEAVING_TIMEOUT_S = 5.0


def main() -> None:
    """Runs the script of the command line, as the interpreter does."""
    _, carrier, script, *arguments = sys.argv
    setattr(_serve, "serve", CARRIERS[carrier])  # noqa: B010 - not for type checkers
    sys.argv[:] = [script, *arguments]
    sys.path[0] = str(Path(script).absolute().parent)
    module = ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    exec(compile(Path(script).read_bytes(), script, "exec"), vars(module))


def by_test_client(app: App, options: Options, _control: Control | None = None) -> None:
    """Serves by a `TestClient`."""
    from cello.testing import TestClient

    with listen(options) as listener, woken_by_signals() as woken:
        stop_at_signals(partial(listener.shutdown, socket.SHUT_RDWR))
        with client_of(TestClient, app, options) as client:
            threading.Thread(target=end_with, args=(client, listener), daemon=True).start()
            announce(listener)
            bridges: list[ThreadBridge] = []
            with suppress(OSError):  # of the shut-down
                while True:
                    if woken in select.select([listener, woken], [], [])[0]:
                        woken.recv(64)
                    else:
                        bridges.append(ThreadBridge(listener.accept()[0], client.connect()))
        listener.close()
        deadline_s = time.monotonic() + LEAVING_TIMEOUT_S
        for bridge in bridges:
            bridge.wait(max(0.0, deadline_s - time.monotonic()))


@contextmanager
def woken_by_signals() -> Generator[socket.socket]:
    """A socket that can be read after a signal.

    One that comes right before a call into the system does not end that: its handler would run after the next client.
    """
    woken, waker = socket.socketpair()
    with woken, waker:
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(-1)


def end_with(client: TestClient, listener: socket.socket) -> None:
    """Ends the accepting where the application has ended by itself."""
    serving = client._to_app._host._thread
    assert serving is not None
    serving.join()
    with suppress(OSError):  # it is closed already
        listener.shutdown(socket.SHUT_RDWR)


def by_async_test_client(app: App, options: Options, _control: Control | None = None) -> None:
    """Serves by an `AsyncTestClient`, in asyncio's own loop."""
    asyncio.run(live(app, options))


async def live(app: App, options: Options) -> None:
    """Serves until a signal."""
    from cello.testing import AsyncTestClient

    loop = asyncio.get_running_loop()
    bridges: list[TaskBridge] = []

    async def accept() -> None:
        while True:
            accepted, _ = await loop.sock_accept(listener)
            bridges.append(TaskBridge(accepted, client.connect()))

    with listen(options) as listener:
        listener.setblocking(False)
        async with client_of(AsyncTestClient, app, options) as client:
            accepting = asyncio.create_task(accept())
            stop_at_signals(accepting.cancel, loop)
            announce(listener)
            with suppress(asyncio.CancelledError):
                await accepting
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING_TIMEOUT_S):
                for bridge in bridges:
                    await bridge.wait()


def by_asgi(app: App, options: Options, _control: Control | None = None) -> None:
    """Serves by `App.asgi`, under a server of others."""
    os.environ["CELLO_DEBUG"] = "1" if options.debug else "0"
    with listen(options) as listener:
        host(app, listener, options.shutdown_timeout, partial(announce, listener))


def listen(options: Options) -> socket.socket:
    """A listening socket as the kernel's."""
    return socket.create_server((options.host, options.port), backlog=1024)


def client_of[C: (TestClient, AsyncTestClient)](kind: type[C], app: App, options: Options) -> C:
    """A client which gives the application what it has in production."""
    return kind(
        app,
        debug=options.debug,
        client=(options.host, 50_000),
        raise_server_exceptions=False,
        shutdown_timeout_s=options.shutdown_timeout,
    )


def stop_at_signals(stop: Callable[[], Any], loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Has the two signals that end a server do so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if loop is None:
            signal.signal(number, lambda _number, _frame: stop())
        else:
            loop.add_signal_handler(number, stop)


def announce(listener: socket.socket) -> None:
    """Says where it listens, as `app.run()` does."""
    host, port = listener.getsockname()[:2]
    print(f"Cello running at http://{host}:{port}", flush=True)


CARRIERS: dict[str, Callable[[App, Options, Control | None], None]] = {
    "asgi": by_asgi,
    "async-test-client": by_async_test_client,
    "test-client": by_test_client,
}

if __name__ == "__main__":
    main()
