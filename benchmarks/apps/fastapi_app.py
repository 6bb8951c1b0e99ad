# type: ignore  # Its framework is installed in its own environment only.
"""FastAPI, served by granian or uvicorn.

The return type makes pydantic write the JSON in native code, which FastAPI documents as its fastest answer.
"""

import asyncio

import spin
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello() -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@app.get("/async")
async def hello_async() -> dict[str, str]:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@app.get("/sleep")
async def sleep() -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


spin.start()
