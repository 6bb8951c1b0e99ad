"""One row of a database: the same query and the same pool in every application."""

import os
from importlib import import_module
from typing import Any

POOL_CONNECTIONS = 8
QUERY = "SELECT $1::int4 AS id, 'Hello, World!'::text AS message"
SQLITE = "sqlite:"
SQLITE_QUERY = "SELECT ? AS id, 'Hello, World!' AS message"

_pool: Any = None


class Sqlite:
    """A connection to SQLite in place of the pool: it is asked in place, as what it does is over at once."""

    def __init__(self, path: str) -> None:
        sqlite3: Any = import_module("sqlite3")
        self._connection: Any = sqlite3.connect(path, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row

    async def fetchrow(self, _query: str, number: int) -> Any:
        """Fetch the row, by SQLite's form of the query."""
        return self._connection.execute(SQLITE_QUERY, (number,)).fetchone()


async def connect() -> None:
    """Fill the pool where BENCH_DATABASE names a database; without it, asyncpg is not even imported."""
    global _pool
    url = os.environ.get("BENCH_DATABASE", "")
    if url.startswith(SQLITE):
        _pool = Sqlite(url.removeprefix(SQLITE))
    elif url:
        asyncpg: Any = import_module("asyncpg")
        _pool = await asyncpg.create_pool(url, min_size=POOL_CONNECTIONS, max_size=POOL_CONNECTIONS)


def is_connected() -> bool:
    """Tell whether there is a pool."""
    return _pool is not None


async def fetch() -> dict[str, Any]:
    """Fetch the row."""
    return dict(await _pool.fetchrow(QUERY, 1))
