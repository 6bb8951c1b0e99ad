"""Connections of which both ends are on the measured loop, so that connecting and reading count as well."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    type Step = Callable[[], Awaitable[int]]

HOST = "127.0.0.1"
MESSAGE = b"x" * 64
READ_BYTES = 65_536
STEP_MESSAGES, STEP_CONNECTIONS = 100, 20
BLOCK = b"x" * 2**20
STEP_BLOCKS = 16


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes until the other end closes."""
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


def port_of(server: asyncio.Server) -> int:
    """Give the port that the system chose."""
    return int(server.sockets[0].getsockname()[1])


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a message and wait for its echo."""
    writer.write(MESSAGE)
    assert await reader.readexactly(len(MESSAGE)) == MESSAGE


@asynccontextmanager
async def tls_echo() -> AsyncGenerator[Step]:
    """Messages there and back on one TLS connection."""
    certificate = os.environ["BENCH_CERTIFICATE"]
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    server = await asyncio.start_server(echo, HOST, 0, ssl=served)
    reader, writer = await asyncio.open_connection(HOST, port_of(server), ssl=trusting, server_hostname="localhost")

    async def step() -> int:
        for _ in range(STEP_MESSAGES):
            await exchange(reader, writer)
        return STEP_MESSAGES

    yield step
    writer.close()
    await writer.wait_closed()
    server.close()


class Sink(asyncio.Protocol):
    """Counts what comes and tells when it is as much as was asked for."""

    def __init__(self) -> None:
        self.left_bytes = 0
        self.has_all = asyncio.Event()

    def expect(self, size_bytes: int) -> None:
        """Ask for so much."""
        self.left_bytes += size_bytes
        self.has_all.clear()

    def data_received(self, data: bytes) -> None:
        """Count it."""
        self.left_bytes -= len(data)
        if not self.left_bytes:
            self.has_all.set()


@asynccontextmanager
async def bulk() -> AsyncGenerator[Step]:
    """Large blocks one way, each drained before the next is written."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: sink, HOST, 0)
    _, writer = await asyncio.open_connection(HOST, port_of(server))

    async def step() -> int:
        sink.expect(STEP_BLOCKS * len(BLOCK))
        for _ in range(STEP_BLOCKS):
            writer.write(BLOCK)
            await writer.drain()
        await sink.has_all.wait()
        return STEP_BLOCKS

    yield step
    writer.close()
    await writer.wait_closed()
    server.close()


@asynccontextmanager
async def connect() -> AsyncGenerator[Step]:
    """Connections that carry one message there and back."""
    server = await asyncio.start_server(echo, HOST, 0)
    port = port_of(server)

    async def step() -> int:
        for _ in range(STEP_CONNECTIONS):
            reader, writer = await asyncio.open_connection(HOST, port)
            await exchange(reader, writer)
            writer.close()
            await writer.wait_closed()
        return STEP_CONNECTIONS

    yield step
    server.close()
