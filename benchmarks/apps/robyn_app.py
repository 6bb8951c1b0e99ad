# type: ignore  # Its framework is installed in its own environment only.
"""Robyn on its own server."""

import asyncio
import os

import spin
from robyn import Robyn

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


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
