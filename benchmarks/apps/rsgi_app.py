# type: ignore  # Its framework is installed in its own environment only.
"""Granian's own protocol without a framework: the least that Python on granian costs."""

# ruff: noqa: ARG001 (a handler is given the scope, wanted or not)

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import answers
import forms
import loopback
import orjson
import row
import spin

JSON = [("content-type", "application/json")]


async def hello(scope: Any, protocol: Any) -> None:
    """Answer at once."""
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


async def suspend(scope: Any, protocol: Any) -> None:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


async def one_row(scope: Any, protocol: Any) -> None:
    """Answer with a row of the database."""
    protocol.response_bytes(200, JSON, orjson.dumps(await row.fetch()))


async def echo(scope: Any, protocol: Any) -> None:
    """Answer with what has come back over a connection."""
    protocol.response_bytes(200, JSON, orjson.dumps({"message": await loopback.echo()}))


async def sleep(scope: Any, protocol: Any) -> None:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    protocol.response_bytes(200, JSON, orjson.dumps({"message": "Hello, World!"}))


async def search(scope: Any, protocol: Any) -> None:
    """Answer from three query parameters and a header."""
    query = parse_qs(scope.query_string)
    found = {
        "q": query["q"][0],
        "page": int(query["page"][0]),
        "limit": int(query["limit"][0]),
        "client": scope.headers.get("x-client"),
    }
    protocol.response_bytes(200, JSON, orjson.dumps(found))


async def upload(scope: Any, protocol: Any) -> None:
    """Answer from a form with a file."""
    answer = forms.describe_file(scope.headers.get("content-type"), await protocol())
    protocol.response_bytes(200, JSON, orjson.dumps(answer))


async def stream(scope: Any, protocol: Any) -> None:
    """Answer with a stream."""
    transport = protocol.response_stream(200, [("content-type", "text/plain")])
    async for chunk in answers.chunks():
        await transport.send_bytes(chunk)


async def articles(scope: Any, protocol: Any) -> None:
    """Answer with 64 KiB of JSON."""
    protocol.response_bytes(200, JSON, orjson.dumps(answers.ARTICLES))


async def order(scope: Any, protocol: Any) -> None:
    """Answer from fields of a body of JSON."""
    protocol.response_bytes(200, JSON, orjson.dumps(answers.receipt(orjson.loads(await protocol()))))


HANDLERS: dict[str, Callable[[Any, Any], Awaitable[None]]] = {
    "/": hello,
    "/async": hello,
    "/suspend": suspend,
    "/row": one_row,
    "/echo": echo,
    "/sleep": sleep,
    "/search": search,
    "/upload": upload,
    "/stream": stream,
    "/articles": articles,
    "/orders": order,
}


async def app(scope: Any, protocol: Any) -> None:
    """Call the handler of the path."""
    handler = HANDLERS.get(scope.path)
    if handler is None:
        protocol.response_empty(404, [])
    else:
        await handler(scope, protocol)


async def prepare() -> None:
    """Make what handlers wait for."""
    await row.connect()
    await loopback.serve()


# Granian calls it before it serves.
app.__rsgi_init__ = lambda loop: loop.run_until_complete(prepare())
spin.start()
