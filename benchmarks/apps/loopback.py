"""An echo over a TCP connection with both ends on the server's own loop, for handlers that wait for asyncio's I/O."""

from __future__ import annotations

import asyncio
import os

HOST = "127.0.0.1"
MESSAGE = "Hello, World!"
SENT = MESSAGE.encode() + b"\n"

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_server: asyncio.Server | None = None
#: Grows to as many as there are requests at a time.
_idle: list[Connection] = []
_left: set[asyncio.Task[bytes]] = set()


async def _send_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def serve() -> None:
    """Start the server of the echo where BENCH_ECHO says so."""
    global _server
    if os.environ.get("BENCH_ECHO"):
        _server = await asyncio.start_server(_send_back, HOST, 0)


async def _connect() -> Connection:
    assert _server is not None
    return await asyncio.open_connection(*_server.sockets[0].getsockname())


async def echo() -> str:
    """Send the message and wait until it comes back."""
    connection = _idle.pop() if _idle else await _connect()
    connection[1].write(SENT)
    try:
        line = await _receive(connection)
    except asyncio.CancelledError:
        # Who asked is gone. Not every server tells its handlers, and all are to keep their connections.
        _left.add(task := asyncio.create_task(_receive(connection)))
        task.add_done_callback(_left.discard)
        raise
    return line.decode().rstrip()


async def _receive(connection: Connection) -> bytes:
    line = await connection[0].readline()
    _idle.append(connection)
    return line
