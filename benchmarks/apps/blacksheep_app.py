# type: ignore  # Its framework is installed in its own environment only.
"""BlackSheep with orjson, served by granian."""

import asyncio
from typing import Any

import answers
import neighbours
import orjson
import spin
from blacksheep import Application, FromHeader, FromJSON, Request, Response, StreamedContent, json
from blacksheep.settings.json import json_settings
from models import Order
from prices import Prices, Settings


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


class Client(FromHeader[str]):
    """The header that a search comes with."""

    name = "X-Client"


@app.router.get("/search")
async def search(q: str, page: int, limit: int, client: Client) -> Response:
    """Answer from three query parameters and a header."""
    return json({"q": q, "page": page, "limit": limit, "client": client.value})


@app.router.post("/upload")
async def upload(request: Request) -> Response:
    """Answer from a form with a file."""
    (file,) = await request.files("file")
    return json({"filename": file.file_name.decode(), "size": file.size})


@app.router.get("/stream")
async def stream() -> Response:
    """Answer with a stream."""
    return Response(200, content=StreamedContent(b"text/plain", answers.chunks))


@app.router.get("/articles")
async def articles() -> Response:
    """Answer with 64 KiB of JSON."""
    return json(answers.ARTICLES)


@app.router.post("/orders")
async def order(request: Request) -> Response:
    """Answer from fields of a body of JSON."""
    return json(answers.receipt(await request.json()))


# Made for each request, as they are elsewhere; the second from the first, by its type.
app.services.add_scoped(Settings)
app.services.add_scoped(Prices)


@app.router.post("/models")
async def by_model(order: FromJSON[Order], prices: Prices) -> Response:
    """Answer from a model of pydantic's, behind two dependencies."""
    return json(answers.invoice(order.value, prices.currency))


for path in neighbours.paths():
    app.router.get(path)(lambda: json({"message": "Hello, World!"}))


@app.router.get("/users/{number}")
async def user(number: int) -> Response:
    """Answer from a path parameter that is a number."""
    return json({"id": number, "name": f"User {number}"})


spin.start()
