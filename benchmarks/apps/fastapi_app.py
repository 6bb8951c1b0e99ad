# type: ignore  # Its framework is installed in its own environment only.
"""FastAPI, served by granian or uvicorn.

The return type makes pydantic write the JSON in native code, which FastAPI documents as its fastest answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import row
import spin
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Connect to the database before the first request."""
    await row.connect()
    yield


app = FastAPI(lifespan=lifespan)


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


@app.get("/row")
async def one_row() -> dict[str, int | str]:
    """Answer with a row of the database."""
    return await row.fetch()


@app.get("/sleep")
async def sleep() -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


spin.start()
