# type: ignore  # Its framework is installed in its own environment only.
"""Django-Bolt on its own server: settings, urls and API in one file."""

import asyncio
import sys

import django
import row
import spin
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
    LOGGING_CONFIG=None,
)
django.setup()

from django_bolt import BoltAPI  # noqa: E402  (it reads the settings when imported)

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


if __name__ == "__main__":
    spin.start()
    execute_from_command_line(sys.argv)
