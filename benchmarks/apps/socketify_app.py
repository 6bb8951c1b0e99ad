# type: ignore  # Its framework is installed in its own environment only.
"""socketify on its own server: uWebSockets, with handlers that write their answers."""

# ruff: noqa: ARG001 (a handler is given the request, wanted or not)

import asyncio
import os
from typing import Any

import answers
import forms
import neighbours
import orjson
import spin
from socketify import App

JSON = b"application/json"

app = App()
# Nothing of socketify's refers to a response that awaits its body: collected then, it ends the process.
waiting: set[Any] = set()


async def read(response: Any) -> bytes:
    """Read the body of the request."""
    waiting.add(response)
    body = await response.get_data()
    waiting.discard(response)
    return body.getvalue()


def hello(response: Any, request: Any) -> None:
    """Answer from a `def`."""
    response.send(orjson.dumps({"message": "Hello, World!"}), JSON)


async def hello_async(response: Any, request: Any) -> None:
    """Answer from an `async def`."""
    response.cork_send(orjson.dumps({"message": "Hello, World!"}), JSON)


async def suspend(response: Any, request: Any) -> None:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    response.cork_send(orjson.dumps({"message": "Hello, World!"}), JSON)


async def sleep(response: Any, request: Any) -> None:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    response.cork_send(orjson.dumps({"message": "Hello, World!"}), JSON)


def search(response: Any, request: Any) -> None:
    """Answer from three query parameters and a header."""
    found = {
        "q": request.get_query("q"),
        "page": int(request.get_query("page")),
        "limit": int(request.get_query("limit")),
        "client": request.get_header("x-client"),
    }
    response.send(orjson.dumps(found), JSON)


async def upload(response: Any, request: Any) -> None:
    """Answer from a form with a file."""
    # Read before the first wait, after which there is no request any more.
    content_type = request.get_header("content-type")
    body = await read(response)
    response.cork_send(orjson.dumps(forms.describe_file(content_type, body)), JSON)


async def stream(response: Any, request: Any) -> None:
    """Answer with a stream."""
    response.cork(lambda response: response.write_header(b"Content-Type", b"text/plain"))
    async for chunk in answers.chunks():
        response.cork(lambda response, chunk=chunk: response.write(chunk))
    response.cork_end(b"")


def articles(response: Any, request: Any) -> None:
    """Answer with 64 KiB of JSON."""
    response.send(orjson.dumps(answers.ARTICLES), JSON)


async def order(response: Any, request: Any) -> None:
    """Answer from fields of a body of JSON."""
    response.cork_send(orjson.dumps(answers.receipt(orjson.loads(await read(response)))), JSON)


def user(response: Any, request: Any) -> None:
    """Answer from a path parameter that is a number."""
    number = int(request.get_parameter(0))
    response.send(orjson.dumps({"id": number, "name": f"User {number}"}), JSON)


app.get("/", hello)
app.get("/async", hello_async)
app.get("/suspend", suspend)
app.get("/sleep", sleep)
app.get("/search", search)
app.get("/stream", stream)
app.get("/articles", articles)
app.post("/orders", order)
app.post("/upload", upload)
for path in neighbours.paths(":%s"):
    app.get(path, hello)
app.get("/users/:id", user)
spin.start()
app.listen({"port": int(os.environ["BENCH_PORT"]), "host": "127.0.0.1"}, lambda _config: None)
app.run()
