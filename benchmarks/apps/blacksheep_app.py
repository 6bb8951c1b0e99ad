# type: ignore  # Its framework is installed in its own environment only.
"""BlackSheep with orjson, served by granian."""

import asyncio
from typing import Any

import orjson
import spin
from blacksheep import Application, Response, json
from blacksheep.settings.json import json_settings


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


json_settings.use(loads=orjson.loads, dumps=_dumps)
app = Application()


@app.router.get("/")
def hello() -> Response:
    """Answer from a `def`."""
    return json({"message": "Hello, World!"})


@app.router.get("/async")
async def hello_async() -> Response:
    """Answer from an `async def`."""
    return json({"message": "Hello, World!"})


@app.router.get("/suspend")
async def suspend() -> Response:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return json({"message": "Hello, World!"})


@app.router.get("/sleep")
async def sleep() -> Response:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return json({"message": "Hello, World!"})


spin.start()
