"""Connections in memory as tests have them: bytes, both ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from cello import _kernel

__all__ = ["PIECE", "AsyncConnection", "Connection"]

#: How long a test waits for the server, in seconds.
PATIENCE_S = 30.0
#: What is offered to a connection at once, in bytes: all that there may be room for.
PIECE = 64 << 10


class Connection:
    """A connection to the application, for tests that write the bytes of requests themselves.

    What is under way in one direction is 64 KiB at most: who sends more waits until some of it was taken.
    Units: `timeout_s` is in seconds; None waits for ever.
    """

    def __init__(self, native: _kernel.Connection) -> None:
        self._native = native

    def send(self, data: bytes, timeout_s: float | None = PATIENCE_S) -> None:
        """Sends all of the bytes.

        Errors: TimeoutError; BrokenPipeError where the server has closed the connection.
        """
        self._native.send(data, timeout_s)

    def receive(self, max_bytes: int = 65536, timeout_s: float | None = PATIENCE_S) -> bytes:
        """Gives what the server has sent, or waits for some; b"" at the end.

        Errors: TimeoutError; ConnectionResetError where the server has broken the connection off.
        """
        return self._native.receive(max_bytes, timeout_s)

    def receive_all(self, timeout_s: float | None = PATIENCE_S) -> bytes:
        """Gives all that comes until the server closes the connection; `timeout_s` is for each piece.

        Errors: those of `receive()`.
        """
        return b"".join(iter(lambda: self.receive(timeout_s=timeout_s), b""))

    def is_receivable(self) -> bool:
        """Whether `receive()` would not wait."""
        return self._native.is_receivable()

    def shut_down_sending(self) -> None:
        """Says that nothing more is sent: to the server that is a client which has gone."""
        self._native.shut_down_sending()

    def close(self) -> None:
        """Closes the connection. What was sent before still arrives."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncConnection:
    """`Connection`, for tasks of the loop that the application is served in."""

    def __init__(self, native: _kernel.Connection) -> None:
        self._native = native

    async def send(self, data: bytes, timeout_s: float | None = PATIENCE_S) -> None:
        """Sends all of the bytes.

        Errors: TimeoutError; BrokenPipeError where the server has closed the connection.
        """
        rest = memoryview(data)
        while rest:
            sent = self._native.poll_send(bytes(rest[:PIECE]))
            if isinstance(sent, int):
                rest = rest[sent:]
            else:
                async with asyncio.timeout(timeout_s):
                    await sent

    async def receive(self, max_bytes: int = 65536, timeout_s: float | None = PATIENCE_S) -> bytes:
        """Gives what the server has sent, or waits for some; b"" at the end.

        Errors: TimeoutError; ConnectionResetError where the server has broken the connection off.
        """
        received = self._native.poll_receive(max_bytes)
        if isinstance(received, bytes):
            return received
        async with asyncio.timeout(timeout_s):
            while not isinstance(received, bytes):
                await received
                received = self._native.poll_receive(max_bytes)
        return received

    async def receive_all(self, timeout_s: float | None = PATIENCE_S) -> bytes:
        """Gives all that comes until the server closes the connection; `timeout_s` is for each piece.

        Errors: those of `receive()`.
        """
        pieces: list[bytes] = []
        while piece := await self.receive(timeout_s=timeout_s):
            pieces.append(piece)
        return b"".join(pieces)

    def is_receivable(self) -> bool:
        """Whether `receive()` would not wait."""
        return self._native.is_receivable()

    def shut_down_sending(self) -> None:
        """Says that nothing more is sent: to the server that is a client which has gone."""
        self._native.shut_down_sending()

    def close(self) -> None:
        """Closes the connection. What was sent before still arrives."""
        self._native.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
