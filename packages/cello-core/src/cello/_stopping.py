"""The stop of a server, as it is told to it: by whom, and how soon it is to be."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    #: "stop" is at once, "retire" has patience with idle connections, "drain" serves on for a while before that.
    type Order = Literal["stop", "retire", "drain"]

__all__ = ["Stopping"]

#: How long connections that are idle are kept, for requests that are on their way, in seconds.
PATIENCE_S = 2.0


class Stopping:
    """Whether a server is told to stop.

    `begin` is called with the first order. A later one makes the stop sooner, never later.
    Units: `delay_s`, for which it serves on where it is told to drain, is in seconds.
    """

    def __init__(self, begin: Callable[[], None], delay_s: float) -> None:
        self._begin = begin
        self._delay_s = delay_s
        self._told = asyncio.Event()
        self._delayed_enough = asyncio.Event()
        #: How long connections that are idle are kept, in seconds.
        self.patience_s = PATIENCE_S

    @property
    def is_told(self) -> bool:
        """Whether there was an order."""
        return self._told.is_set()

    def obey(self, order: Order) -> None:
        """Follows an order."""
        if order == "stop":
            self.patience_s = 0.0
        if order != "drain" or not self._delay_s:
            self._delayed_enough.set()
        if not self.is_told:
            self._told.set()
            self._begin()

    async def wait(self) -> None:
        """Waits until it is time to stop."""
        await self._told.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay_s):
                await self._delayed_enough.wait()
