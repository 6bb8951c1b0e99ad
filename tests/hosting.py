"""An application as a server of others hosts it: by `App.asgi`, under uvicorn."""

from __future__ import annotations

import logging
import math
import signal
from typing import TYPE_CHECKING

from cello import _asgi

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from cello import App

__all__ = ["host"]

#: More than the kernel takes, whose limit is to be the one that speaks.
HEAD_BYTES = 1 << 20
KEEP_ALIVE_S = 75
NEVER_AGAIN_S = 1_000_000_000


def host(app: App, listener: socket.socket, shutdown_timeout_s: float, tell: Callable[[], None]) -> None:
    """Serves until a signal, in asyncio's own loop, and tells when it does."""
    import uvicorn

    async def notify() -> None:
        tell()

    setattr(_asgi, "SHUTDOWN_TIMEOUT_S", shutdown_timeout_s)  # noqa: B010 - not for type checkers
    logging.getLogger("uvicorn.error").addFilter(is_news)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once it has ended, uvicorn sends itself the signal that ended it.
        signal.signal(number, signal.SIG_IGN)
    config = uvicorn.Config(
        app.asgi,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(shutdown_timeout_s),
        callback_notify=notify,
        timeout_notify=NEVER_AGAIN_S,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    uvicorn.Server(config).run([listener])


def is_news(record: logging.LogRecord) -> bool:
    """Whether it is more than that an answer broke off, which the application has logged."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and str(error).startswith("the answer broke off"))
