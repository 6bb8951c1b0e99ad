"""Connections in memory as httpx has them: the network that its pools of connections are told to use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpcore

from cello.testing._connection import PIECE, AsyncConnection, Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from httpcore import SOCKET_OPTION

    from cello import _kernel
    from cello.testing._host import Host, ThreadHost

__all__ = ["AsyncBackend", "AsyncStream", "Backend", "Stream"]

#: What of a request certainly finds room, in bytes: a connection takes 64 KiB.
_ROOM = 32 << 10
_TOO_LONG = "the server was waited for too long"


class Line:
    """One connection of a host, opened when it is known whether it is to be secure."""

    def __init__(self, host: Host, is_secure: bool = False) -> None:
        self._host = host
        self._is_secure = is_secure
        self._native: _kernel.Connection | None = None
        self._is_reading = False
        #: How much of the request was sent by now, in bytes.
        self._sent = 0
        #: What the server has sent while the request was.
        self._early = bytearray()

    def secured(self) -> Line:
        """The same connection, whose requests come over https: there is nothing to encrypt in memory."""
        return Line(self._host, is_secure=True)

    def to_write(self) -> _kernel.Connection:
        """The connection, to send on: what comes after an answer is a new request."""
        if self._is_reading:
            self._is_reading = False
            self._sent = 0
            self._host.take_raised(self._opened().number)
        return self._opened()

    def has_room(self, count: int) -> bool:
        """Whether so many bytes more of the request can be sent without waiting."""
        self._sent += count
        return self._sent <= _ROOM

    async def send(self, data: bytes, timeout_s: float | None = None) -> None:
        """Sends all of the bytes, in the server's loop, and takes what the server sends meanwhile.

        A server that answers while it reads would wait for a client that does not, which waits for the server.
        Units: `timeout_s`, for each wait, is in seconds.
        Errors: TimeoutError; OSError where the connection is closed.
        """
        native, rest = self.to_write(), memoryview(data)
        while rest:
            sent = native.poll_send(bytes(rest[:PIECE]))
            if isinstance(sent, int):
                rest = rest[sent:]
                continue
            async with asyncio.timeout(timeout_s):
                await self._take_until(sent, native)

    async def _take_until(self, room: asyncio.Future[None], native: _kernel.Connection) -> None:
        while not room.done():
            received = native.poll_receive()
            if not isinstance(received, bytes):
                await asyncio.wait((room, received), return_when=asyncio.FIRST_COMPLETED)
            elif received:
                self._early += received
            else:
                await room

    def early(self, max_bytes: int) -> bytes:
        """What was taken while the request was sent."""
        taken = bytes(self._early[:max_bytes])
        del self._early[:max_bytes]
        return taken

    def to_read(self) -> _kernel.Connection:
        """The connection, to receive from."""
        self._is_reading = True
        return self._opened()

    def raised(self) -> Exception | None:
        """What the handler of the last request raised, once."""
        return None if self._native is None else self._host.take_raised(self._native.number)

    def is_receivable(self) -> bool:
        """Whether there is something to receive, or the end."""
        return bool(self._early) or (self._native is not None and self._native.is_receivable())

    def close(self) -> None:
        """Closes the connection."""
        if self._native is not None:
            self._native.close()

    def _opened(self) -> _kernel.Connection:
        if self._native is None:
            self._native = self._host.connect(self._is_secure)
        return self._native


class Stream(httpcore.NetworkStream):
    """A connection to a host in another thread."""

    def __init__(self, line: Line, host: ThreadHost) -> None:
        self.line = line
        self._host = host

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receives; where the handler broke off, what it raised is raised."""
        if early := self.line.early(max_bytes):
            return early
        try:
            received = Connection(self.line.to_read()).receive(max_bytes, timeout)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(_TOO_LONG) from error
        except OSError as error:
            raise (self.line.raised() or httpcore.ReadError(str(error))) from None
        if not received and (raised := self.line.raised()):
            raise raised
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends."""
        try:
            native = self.line.to_write()
            if self.line.has_room(len(buffer)):
                Connection(native).send(buffer, timeout)
            else:
                self._host.run(self.line.send(buffer), timeout)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(_TOO_LONG) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Closes."""
        self.line.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """Gives a connection whose requests come over https."""
        del ssl_context, server_hostname, timeout
        return Stream(self.line.secured(), self._host)

    def get_extra_info(self, info: str) -> Any:
        """Tells what a pool asks before it uses a connection again."""
        return self.line.is_receivable() if info == "is_readable" else None


class AsyncStream(httpcore.AsyncNetworkStream):
    """A connection to a host in the same loop."""

    def __init__(self, line: Line) -> None:
        self.line = line

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receives; where the handler broke off, what it raised is raised."""
        if early := self.line.early(max_bytes):
            return early
        try:
            received = await AsyncConnection(self.line.to_read()).receive(max_bytes, timeout)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(_TOO_LONG) from error
        except OSError as error:
            raise (self.line.raised() or httpcore.ReadError(str(error))) from None
        if not received and (raised := self.line.raised()):
            raise raised
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends."""
        try:
            await self.line.send(buffer, timeout)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(_TOO_LONG) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Closes."""
        self.line.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncStream:
        """Gives a connection whose requests come over https."""
        del ssl_context, server_hostname, timeout
        return AsyncStream(self.line.secured())

    def get_extra_info(self, info: str) -> Any:
        """Tells what a pool asks before it uses a connection again."""
        return self.line.is_receivable() if info == "is_readable" else None


class Backend(httpcore.NetworkBackend):
    """The network of a host in another thread: every address leads to it."""

    def __init__(self, host: ThreadHost) -> None:
        self._host = host

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> Stream:
        """Opens a connection to the application, whatever the address."""
        del host, port, timeout, local_address, socket_options
        return Stream(Line(self._host), self._host)


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """The network of a host in the same loop: every address leads to it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncStream:
        """Opens a connection to the application, whatever the address."""
        del host, port, timeout, local_address, socket_options
        return AsyncStream(Line(self._host))
