"""SQLite behind asyncio: one connection that writes, a few that read, and none that waits for another's reader."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from sqlite3 import Row

import aiosqlite
from aiosqlite import Connection

__all__ = ["Connection", "Database", "open_database"]

SCHEMA = Path(__file__).with_name("schema.sql").read_text()
#: With a write-ahead log they do not wait for the writer, nor it for them.
READERS = 4


@asynccontextmanager
async def open_database(path: Path) -> AsyncGenerator["Database"]:
    """Opens the database of a file, which is made if need be, and closes it."""
    async with AsyncExitStack() as connections:
        database = Database(path, connections, await connections.enter_async_context(connect(path)))
        await database.writer.execute("pragma journal_mode = wal")
        await database.writer.executescript(SCHEMA)
        yield database


@asynccontextmanager
async def connect(path: Path) -> AsyncGenerator[Connection]:
    """A connection whose transactions begin where we say so."""
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        connection.row_factory = Row
        await connection.execute("pragma foreign_keys = on")
        await connection.execute("pragma synchronous = normal")
        yield connection


class Database:
    """The connections to one file."""

    def __init__(self, path: Path, connections: AsyncExitStack, writer: Connection) -> None:
        self.path = path
        self.writer = writer
        self._connections = connections
        self._turn_to_write = asyncio.Lock()
        self._turns_to_read = asyncio.Semaphore(READERS)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """A connection to read with, for a moment."""
        async with self._turns_to_read:
            connection = (
                self._idle.pop() if self._idle else await self._connections.enter_async_context(self.snapshot())
            )
            try:
                yield connection
            finally:
                self._idle.append(connection)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Connection]:
        """A transaction: committed at the end, rolled back where anything is raised."""
        async with self._turn_to_write:
            try:
                await self.writer.execute("begin immediate")
                yield self.writer
                await self.writer.commit()
            except BaseException:
                await self.writer.rollback()
                raise

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """A connection of its own, for whoever reads for long."""
        return connect(self.path)
