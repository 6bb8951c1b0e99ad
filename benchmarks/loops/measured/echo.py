"""Echo servers. Their load comes from another process, to which the port is told in a line of output."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

HOST = "127.0.0.1"
MESSAGE_BYTES = 64
READ_BYTES = 65_536
STEP_S = 0.02


class Tally:
    """How much has been echoed since it was last asked."""

    def __init__(self) -> None:
        self.echoed_bytes = 0

    async def step(self) -> int:
        """Let the load run for a while and count its messages."""
        await asyncio.sleep(STEP_S)
        messages, self.echoed_bytes = divmod(self.echoed_bytes, MESSAGE_BYTES)
        return messages


class Echo(asyncio.Protocol):
    """Sends back what it is given."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.tally.echoed_bytes += len(data)
        self.transport.write(data)


@asynccontextmanager
async def stream() -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Echo with a StreamReader and a StreamWriter."""
    tally = Tally()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            tally.echoed_bytes += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    await announce(server, tally)
    yield tally.step
    server.close()


@asynccontextmanager
async def protocol() -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Echo with a Protocol."""
    tally = Tally()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(tally), HOST, 0)
    await announce(server, tally)
    yield tally.step
    server.close()


async def announce(server: asyncio.Server, tally: Tally) -> None:
    """Tell the port and wait for the load."""
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    while not tally.echoed_bytes:
        await asyncio.sleep(STEP_S)
