# type: ignore  # Its framework is installed in its own environment only.
"""Django-Bolt on its own server: settings, urls and API in one file."""

import asyncio
import sys
from typing import Annotated

import answers
import django
import neighbours
import row
import spin
import structs
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    DEBUG=False,
    SECRET_KEY="a key that signs nothing in this benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["django_bolt"],
    BOLT_API=[f"{__name__}:api"],
    # Without it a form may have 1 MiB, which is what the file alone has.
    BOLT_MAX_UPLOAD_SIZE=8 << 20,
    LOGGING_CONFIG=None,
)
django.setup()

# They read the settings when imported.
from django_bolt import BoltAPI  # noqa: E402
from django_bolt.datastructures import UploadFile  # noqa: E402
from django_bolt.param_functions import Body, File, Header  # noqa: E402
from django_bolt.responses import StreamingResponse  # noqa: E402

urlpatterns: list[object] = []
api = BoltAPI(enable_logging=False, compression=False)


# A bare `dict`: with the types of its items named, Django-Bolt checks every answer, which doubles its cost.
@api.get("/")
def hello() -> dict:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@api.get("/async")
async def hello_async() -> dict:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@api.get("/suspend")
async def suspend() -> dict:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return {"message": "Hello, World!"}


@api.get("/row")
async def one_row() -> dict:
    """Answer with a row of the database."""
    # Django-Bolt's lifespan runs on another loop than its handlers. The first request comes before any that counts.
    if not row.is_connected():
        await row.connect()
    return await row.fetch()


@api.get("/sleep")
async def sleep() -> dict:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


@api.get("/search")
def search(q: str, page: int, limit: int, client: Annotated[str, Header(alias="x-client")]) -> dict:
    """Answer from three query parameters and a header."""
    return {"q": q, "page": page, "limit": limit, "client": client}


@api.post("/upload")
def upload(file: Annotated[UploadFile, File()]) -> dict:
    """Answer from a form with a file."""
    return {"filename": file.filename, "size": file.size}


@api.get("/stream")
async def stream() -> StreamingResponse:
    """Answer with a stream."""
    return StreamingResponse(answers.chunks(), media_type="text/plain")


@api.get("/articles")
def articles() -> list:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@api.post("/orders")
def order(sent: Annotated[dict, Body()]) -> dict:
    """Answer from fields of a body of JSON."""
    return answers.receipt(sent)


@api.post("/structs")
def by_struct(order: structs.Order) -> dict:
    """Answer from a struct of msgspec's."""
    return answers.invoice(order, "EUR")


for path in neighbours.paths():
    api.get(path)(hello)


@api.get("/users/{number}")
def user(number: int) -> dict:
    """Answer from a path parameter that is a number."""
    return {"id": number, "name": f"User {number}"}


if __name__ == "__main__":
    spin.start()
    execute_from_command_line(sys.argv)
