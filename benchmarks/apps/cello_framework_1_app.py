# type: ignore  # Its framework is installed in its own environment only.
"""The public cello-framework 1.0.1 on its own server."""

# ruff: noqa: ARG001 (a handler is given the request, wanted or not)

import asyncio
import os
from typing import Any

import answers
import neighbours
import spin
from cello import App

app = App()


@app.get("/")
def hello(request: Any) -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@app.get("/async")
async def hello_async(request: Any) -> dict[str, str]:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@app.get("/suspend")
async def suspend(request: Any) -> dict[str, str]:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return {"message": "Hello, World!"}


@app.get("/sleep")
async def sleep(request: Any) -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


@app.get("/search")
def search(request: Any) -> dict[str, Any]:
    """Answer from three query parameters and a header."""
    return {
        "q": request.get_query_param("q"),
        "page": request.get_query_int("page"),
        "limit": request.get_query_int("limit"),
        "client": request.get_header("x-client"),
    }


@app.get("/articles")
def articles(request: Any) -> list[dict[str, Any]]:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@app.post("/orders")
def order(request: Any) -> dict[str, Any]:
    """Answer from fields of a body of JSON."""
    return answers.receipt(request.json())


for path in neighbours.paths():
    app.get(path)(hello)


@app.get("/users/{id}")
def user(request: Any) -> dict[str, Any]:
    """Answer from a path parameter that is a number."""
    number = int(request.params["id"])
    return {"id": number, "name": f"User {number}"}


if __name__ == "__main__":
    spin.start()
    app.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), workers=1, env="production", logs=False)
