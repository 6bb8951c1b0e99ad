# type: ignore  # Its framework is installed in its own environment only.
"""FastAPI, served by granian or uvicorn.

The return type makes pydantic write the JSON in native code, which FastAPI documents as its fastest answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import answers
import neighbours
import row
import spin
from fastapi import Depends, FastAPI, Header, Request, UploadFile
from fastapi.responses import StreamingResponse
from models import Order
from prices import Prices, Settings


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


@app.get("/search")
async def search(q: str, page: int, limit: int, x_client: Annotated[str, Header()]) -> dict[str, str | int]:
    """Answer from three query parameters and a header."""
    return {"q": q, "page": page, "limit": limit, "client": x_client}


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, str | int]:
    """Answer from a form with a file."""
    return {"filename": file.filename, "size": file.size}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Answer with a stream."""
    return StreamingResponse(answers.chunks(), media_type="text/plain")


@app.get("/articles")
async def articles() -> list[dict[str, Any]]:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@app.post("/orders")
async def order(request: Request) -> dict[str, str | int]:
    """Answer from fields of a body of JSON."""
    return answers.receipt(await request.json())


async def get_settings() -> Settings:
    """Make what prices depend on."""
    return Settings()


async def get_prices(settings: Annotated[Settings, Depends(get_settings)]) -> Prices:
    """Make what the handler depends on."""
    return Prices(settings)


@app.post("/models")
async def by_model(order: Order, prices: Annotated[Prices, Depends(get_prices)]) -> dict[str, str | int]:
    """Answer from a model of pydantic's, behind two dependencies."""
    return answers.invoice(order, prices.currency)


for path in neighbours.paths():
    app.get(path)(hello_async)


@app.get("/users/{number}")
async def user(number: int) -> dict[str, str | int]:
    """Answer from a path parameter that is a number."""
    return {"id": number, "name": f"User {number}"}


spin.start()
