"""What the service manager that started this process is told of it: systemd, and whoever speaks its protocol.

Source: sd_notify(3), sd_watchdog_enabled(3), systemd.service(5) on `Type=notify` and `notify-reload`.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import MutableMapping

__all__ = ["Notifier"]

#: How long it is waited for a manager that takes no words.
_PATIENCE_S = 1.0


class Notifier:
    """The manager, where there is one that wants to be told; otherwise nothing is done.

    What the environment says of it is taken out: no process that this one starts is to speak for it.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        own = str(os.getpid())
        address = environment.pop("NOTIFY_SOCKET", "")
        period = environment.pop("WATCHDOG_USEC", "")
        is_watched = environment.pop("WATCHDOG_PID", own) == own and period.isascii() and period.isdigit()
        self._address: str | None = None
        if address.startswith(("/", "@")):  # the sockets of virtual machines are none of a process's
            self._address = f"\0{address[1:]}" if address.startswith("@") else address
        #: Half of the time after which the manager acts; 0 where it waits for no signs of life.
        self._period_s = int(period) / 2e6 if is_watched and self._address else 0.0
        #: When it is to be given the next one; None where it waits for none.
        self.due_s = time.monotonic() if self._period_s else None
        self._status = ""
        self._is_reloading = False

    def ready(self, status: str) -> None:
        """The server serves."""
        self._status = status
        self._tell("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """Workers are being replaced."""
        self._is_reloading = True
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=Replacing the workers")

    def reloaded(self) -> None:
        """They have been, or are not to be; only the first time after `reloading()`."""
        if self._is_reloading:
            self._is_reloading = False
            self.ready(self._status)

    def stopping(self) -> None:
        """The server takes no more."""
        self._tell("STOPPING=1", "STATUS=Answering the requests that are left")

    def come_to_time(self) -> None:
        """Gives a sign of life if it is due."""
        now_s = time.monotonic()
        if self.due_s is not None and self.due_s <= now_s:
            self.due_s = now_s + self._period_s
            self._tell("WATCHDOG=1")

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Gives signs of life for as long as the loop turns."""
        self.come_to_time()
        if self.due_s is not None:
            loop.call_later(max(0.0, self.due_s - time.monotonic()), self.watch, loop)

    def _tell(self, *words: str) -> None:
        if self._address is None:
            return
        # A server serves whether its manager listens or not.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_PATIENCE_S)
            channel.sendto("\n".join(words).encode(), self._address)
