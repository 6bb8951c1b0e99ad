# type: ignore  # Its framework is installed in its own environment only.
"""Robyn on its own server."""

import asyncio
import os
from typing import Any
from urllib.parse import unquote_plus

import answers
import neighbours
import spin
from robyn import Headers, Request, Robyn, StreamingResponse

app = Robyn(__file__)


@app.startup_handler
def start_spinning() -> None:
    """Start the busy threads where the requests are served: Robyn may serve in a child process."""
    spin.start()


@app.get("/")
def hello() -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@app.get("/async")
async def hello_async() -> dict[str, str]:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@app.get("/suspend")
async def suspend() -> dict[str, str]:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return {"message": "Hello, World!"}


@app.get("/sleep")
async def sleep() -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


@app.get("/search")
def search(request: Request) -> dict[str, Any]:
    """Answer from three query parameters, which Robyn leaves encoded, and a header."""
    query = request.query_params
    return {
        "q": unquote_plus(query.get_first("q")),
        "page": int(query.get_first("page")),
        "limit": int(query.get_first("limit")),
        "client": request.headers.get("x-client"),
    }


@app.post("/upload")
def upload(request: Request) -> dict[str, Any]:
    """Answer from a form with a file."""
    ((filename, content),) = request.files.items()
    return {"filename": filename, "size": len(content)}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Answer with a stream."""
    headers = Headers({"Content-Type": "text/plain"})
    return StreamingResponse(answers.chunks(), headers=headers, media_type="text/plain")


@app.get("/articles")
def articles() -> list[dict[str, Any]]:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@app.post("/orders")
def order(request: Request) -> dict[str, Any]:
    """Answer from fields of a body of JSON."""
    return answers.receipt(request.json())


for path in neighbours.paths(":%s"):
    app.get(path)(hello)


@app.get("/users/:id")
def user(request: Request) -> dict[str, Any]:
    """Answer from a path parameter that is a number."""
    number = int(request.path_params["id"])
    return {"id": number, "name": f"User {number}"}


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
