# type: ignore  # Its framework is installed in its own environment only.
"""Litestar, served by granian."""

import asyncio
from typing import Annotated, Any

import answers
import models
import neighbours
import row
import spin
import structs
from litestar import Litestar, Request, get, post
from litestar.datastructures import UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from litestar.response import Stream
from prices import Prices, Settings


@get("/", sync_to_thread=False)
def hello() -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@get("/async")
async def hello_async() -> dict[str, str]:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@get("/suspend")
async def suspend() -> dict[str, str]:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return {"message": "Hello, World!"}


@get("/row")
async def one_row() -> dict[str, Any]:
    """Answer with a row of the database."""
    return await row.fetch()


@get("/sleep")
async def sleep() -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


@get("/search", sync_to_thread=False)
def search(q: str, page: int, limit: int, client: Annotated[str, Parameter(header="X-Client")]) -> dict[str, Any]:
    """Answer from three query parameters and a header."""
    return {"q": q, "page": page, "limit": limit, "client": client}


@post("/upload", status_code=200)
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> dict[str, Any]:
    """Answer from a form with a file."""
    return {"filename": data.filename, "size": len(await data.read())}


@get("/stream", sync_to_thread=False)
def stream() -> Stream:
    """Answer with a stream."""
    return Stream(answers.chunks(), media_type="text/plain")


@get("/articles", sync_to_thread=False)
def articles() -> list[dict[str, Any]]:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@post("/orders", status_code=200)
async def order(request: Request) -> dict[str, Any]:
    """Answer from fields of a body of JSON."""
    return answers.receipt(await request.json())


def get_settings() -> Settings:
    """Make what prices depend on."""
    return Settings()


def get_prices(settings: Settings) -> Prices:
    """Make what the handler depends on."""
    return Prices(settings)


DEPENDENCIES = {
    "settings": Provide(get_settings, sync_to_thread=False),
    "prices": Provide(get_prices, sync_to_thread=False),
}


@post("/models", status_code=200, sync_to_thread=False, dependencies=DEPENDENCIES)
def by_model(data: models.Order, prices: Prices) -> dict[str, Any]:
    """Answer from a model of pydantic's, behind two dependencies."""
    return answers.invoice(data, prices.currency)


@post("/structs", status_code=200, sync_to_thread=False)
def by_struct(data: structs.Order) -> dict[str, Any]:
    """Answer from a struct of msgspec's."""
    return answers.invoice(data, "EUR")


# With a path of its own, since a handler without any is that of `/`.
@get([*neighbours.paths("{%s:int}"), "/neighbour"], sync_to_thread=False)
def neighbour() -> dict[str, str]:
    """Answer to nobody."""
    return {"message": "Hello, World!"}


@get("/users/{number:int}", sync_to_thread=False)
def user(number: int) -> dict[str, Any]:
    """Answer from a path parameter that is a number."""
    return {"id": number, "name": f"User {number}"}


app = Litestar(
    [
        *(hello, hello_async, suspend, one_row, sleep, search, upload, stream, articles, order, by_model, by_struct),
        *(neighbour, user),
    ],
    on_startup=[row.connect],
    openapi_config=None,
)
spin.start()
