"""One row of a database: the same query and the same pool in every application."""

import os
from importlib import import_module
from typing import Any

POOL_CONNECTIONS = 8
QUERY = "SELECT $1::int4 AS id, 'Hello, World!'::text AS message"

_pool: Any = None


async def connect() -> None:
    """Fill the pool where BENCH_DATABASE names a database; without it, asyncpg is not even imported."""
    global _pool
    if url := os.environ.get("BENCH_DATABASE"):
        asyncpg: Any = import_module("asyncpg")
        _pool = await asyncpg.create_pool(url, min_size=POOL_CONNECTIONS, max_size=POOL_CONNECTIONS)


def is_connected() -> bool:
    """Tell whether there is a pool."""
    return _pool is not None


async def fetch() -> dict[str, Any]:
    """Fetch the row."""
    return dict(await _pool.fetchrow(QUERY, 1))
