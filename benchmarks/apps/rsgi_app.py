# type: ignore  # Its framework is installed in its own environment only.
"""Granian's own protocol without a framework: the least that Python on granian costs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import row
import spin

JSON = [("content-type", "application/json")]


async def hello(protocol: Any) -> None:
    """Answer at once."""
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


async def suspend(protocol: Any) -> None:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


async def one_row(protocol: Any) -> None:
    """Answer with a row of the database."""
    protocol.response_bytes(200, JSON, orjson.dumps(await row.fetch()))


async def sleep(protocol: Any) -> None:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


HANDLERS: dict[str, Callable[[Any], Awaitable[None]]] = {
    "/": hello,
    "/async": hello,
    "/suspend": suspend,
    "/row": one_row,
    "/sleep": sleep,
}


async def app(scope: Any, protocol: Any) -> None:
    """Call the handler of the path."""
    handler = HANDLERS.get(scope.path)
    if handler is None:
        protocol.response_empty(404, [])
    else:
        await handler(protocol)


# Granian calls it before it serves.
app.__rsgi_init__ = lambda loop: loop.run_until_complete(row.connect())
spin.start()
