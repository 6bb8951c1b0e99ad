"""Bytes both ways between an accepted socket and a connection in memory, with what either end of them means."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from cello.testing import AsyncConnection, Connection

__all__ = ["TaskBridge", "ThreadBridge"]

PIECE_BYTES = 65536


class ThreadBridge:
    """Two threads, one a direction."""

    def __init__(self, accepted: socket.socket, connection: Connection) -> None:
        self._accepted = accepted
        self._connection = connection
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inwards = threading.Thread(target=self._bring, daemon=True)
        self._outwards = threading.Thread(target=self._take, daemon=True)
        self._inwards.start()
        self._outwards.start()

    def wait(self, timeout_s: float) -> None:
        """Waits until what the server sent has left."""
        self._outwards.join(timeout_s)

    def _bring(self) -> None:
        try:
            while piece := self._accepted.recv(PIECE_BYTES):
                self._connection.send(piece, None)
            self._connection.shut_down_sending()
        except BrokenPipeError:
            return  # the server closed it, which the other direction tells
        except ConnectionResetError:
            self._connection.close()

    def _take(self) -> None:
        try:
            while piece := self._connection.receive(PIECE_BYTES, None):
                with closed_where_gone(self._connection):
                    self._accepted.sendall(piece)
            with suppress(OSError):
                self._accepted.shutdown(socket.SHUT_WR)
        except ConnectionResetError:
            end_by_reset(self._accepted)
        self._inwards.join()
        self._accepted.close()


class TaskBridge:
    """Two tasks, one a direction, of the loop that serves."""

    def __init__(self, accepted: socket.socket, connection: AsyncConnection) -> None:
        self._accepted = accepted
        self._connection = connection
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inwards = asyncio.create_task(self._bring())
        self._outwards = asyncio.create_task(self._take())

    async def wait(self) -> None:
        """Waits until what the server sent has left."""
        await asyncio.wait([self._outwards])

    async def _bring(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while piece := await loop.sock_recv(self._accepted, PIECE_BYTES):
                await self._connection.send(piece, None)
            self._connection.shut_down_sending()
        except BrokenPipeError:
            return  # the server closed it, which the other direction tells
        except ConnectionResetError:
            self._connection.close()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while piece := await self._connection.receive(PIECE_BYTES, None):
                with closed_where_gone(self._connection):
                    await loop.sock_sendall(self._accepted, piece)
            with suppress(OSError):
                self._accepted.shutdown(socket.SHUT_WR)
        except ConnectionResetError:
            end_by_reset(self._accepted)
        await asyncio.wait([self._inwards])
        self._accepted.close()


@contextmanager
def closed_where_gone(connection: Connection | AsyncConnection) -> Generator[None]:
    """Closes the connection in memory where the client has gone that the other end was sending to."""
    try:
        yield
    except OSError:
        connection.close()
        raise ConnectionResetError from None


def end_by_reset(accepted: socket.socket) -> None:
    """Has the closing that follows reset the connection, and whoever reads from it stop."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):  # the client has gone, too
        accepted.shutdown(socket.SHUT_RD)
