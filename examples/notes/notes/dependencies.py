"""What handlers are given."""

import re
from collections.abc import AsyncIterator, Container
from typing import Annotated

from cello import Depends
from cello.errors import PreconditionRequired
from cello.params import Header

from notes.database import Database
from notes.storage import Storage
from notes.store import Notes

type Db = Annotated[Database, Depends("database")]
type Disk = Annotated[Storage, Depends("storage")]


async def reading(database: Db) -> AsyncIterator[Notes]:
    """The notes to read. With the scope call nobody keeps a connection who takes the answer slowly."""
    async with database.reading() as connection:
        yield Notes(connection)


async def writing(database: Db) -> AsyncIterator[Notes]:
    """The notes to change, in one transaction. With the scope call it is committed before the client is told so."""
    async with database.writing() as connection:
        yield Notes(connection)


async def whole(database: Db) -> AsyncIterator[Notes]:
    """The notes as they are now, until the last byte of the answer is sent."""
    async with database.snapshot() as connection:
        yield Notes(connection)


def get_seen_versions(if_match: Annotated[str | None, Header()] = None) -> Container[int]:
    """The versions of a note that a client says to have seen: the strong ETags of If-Match (RFC 9110 §13.1.1)."""
    if if_match is None:
        raise PreconditionRequired("Say which version you have seen: send the note's ETag as If-Match.")
    if if_match == "*":
        return range(2**63)
    return {int(version) for version in re.findall(r'(?<!W/)"(\d{1,18})"', if_match)}


type ReadNotes = Annotated[Notes, Depends(reading, scope="call")]
type WriteNotes = Annotated[Notes, Depends(writing, scope="call")]
type WholeNotes = Annotated[Notes, Depends(whole)]
type SeenVersions = Annotated[Container[int], Depends(get_seen_versions)]
