# type: ignore  # asyncpg is installed in the loops' own environments only.
"""One row at a time from PostgreSQL, by asyncpg."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

QUERY = "SELECT $1::int4 AS id, 'Hello, World!'::text AS message"
STEP_ROWS = 50


@asynccontextmanager
async def fetch() -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Fetch a row on each connection, and on each the next when it has come."""
    count = int(os.environ["BENCH_CONNECTIONS"])
    connections = [await asyncpg.connect(os.environ["BENCH_DATABASE"]) for _ in range(count)]

    async def fetch_some(connection: asyncpg.Connection) -> None:
        for number in range(STEP_ROWS):
            row = await connection.fetchrow(QUERY, number)
            assert row["id"] == number

    async def step() -> int:
        await asyncio.gather(*[fetch_some(connection) for connection in connections])
        return STEP_ROWS * count

    yield step
    for connection in connections:
        await connection.close()
