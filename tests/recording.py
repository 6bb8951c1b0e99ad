"""Protocols that note what a transport tells them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Noting", "Recorder"]


class Noting(asyncio.BaseProtocol):
    """Notes what it is told, in order, and does then what the test wants done."""

    def __init__(self, acts: dict[str, Callable[[], object]] | None = None, keeps_open: bool | None = None) -> None:
        self.events: list[str] = []
        self.acts = acts or {}
        self.keeps_open = keeps_open
        self.received = bytearray()
        self.error: BaseException | None = None
        self.paused_at: list[int] = []
        self.resumed_at: list[int] = []
        self.made_on: asyncio.Transport | None = None
        self._changed = asyncio.Event()

    @property
    def transport(self) -> asyncio.Transport:
        assert self.made_on is not None
        return self.made_on

    @property
    def is_lost(self) -> bool:
        return "lost" in self.events

    def note(self, event: str) -> None:
        """Does what the test wants done at an event."""
        self.events.append(event)
        self._changed.set()
        if act := self.acts.get(event):
            act()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that comes with an event."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_made(self) -> None:
        await self.until(lambda: self.made_on is not None)

    async def until_lost(self) -> None:
        await self.until(lambda: self.is_lost)

    async def until_received(self, length: int) -> bytes:
        await self.until(lambda: len(self.received) >= length)
        return bytes(self.received)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.made_on = transport
        self.note("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.note("lost")

    def pause_writing(self) -> None:
        self.paused_at.append(self.transport.get_write_buffer_size())
        self.note("paused")

    def resume_writing(self) -> None:
        self.resumed_at.append(self.transport.get_write_buffer_size())
        self.note("resumed")

    def eof_received(self) -> bool | None:
        self.note("eof")
        return self.keeps_open


class Recorder(Noting, asyncio.Protocol):
    """Is given bytes."""

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.received += data
        self.note("data")
