"""Right uses of what features share."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from cello import App, Depends
from cello.providers import Cache, Database

if TYPE_CHECKING:
    from cello.providers import Redis


class Words:
    """Any class is a form."""


app = App()
assert_type(app.needs(Cache, "the greeting"), App)
assert_type(app.provide(Words, Words(), name="all"), App)
assert_type(app.provided(Words, name="all"), Words)


async def use(redis: Redis) -> None:
    """What there is once the application has started."""
    cache = app.provided(Cache)
    assert_type(cache, Cache)
    assert_type(await cache.get("a"), bytes | None)
    assert_type(await cache.add("a", b"", ttl_s=1), bool)
    async with app.provided(Database, name="main").transaction() as transaction:
        assert_type(await transaction.execute("SELECT $1", 1), int)
        transaction.after_commit(lambda: None)
    async with redis.subscribe("news") as messages:
        async for channel, message in messages:
            assert_type((channel, message), tuple[str, bytes])


@app.get("/by-form")
async def by_form(cache: Cache = Depends(Cache)) -> bytes:
    """What is provided of a form."""
    assert_type(cache, Cache)
    return await cache.get("greeting") or b""
