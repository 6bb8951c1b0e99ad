"""What is done when its client has long been answered: attachments are read, so that the search finds their words."""

import asyncio
from pathlib import Path

from notes.database import Database
from notes.storage import Storage
from notes.store import Notes

#: Of a longer text the beginning is found.
READ_BYTES = 1 << 20


async def catch_up(database: Database, storage: Storage) -> None:
    """Reads all attachments that nobody has looked into."""
    async with database.reading() as connection:
        unread = await Notes(connection).attachments(unread=True)
    for attachment_id in unread:
        words = await asyncio.to_thread(words_of, storage.path(attachment_id))
        async with database.writing() as connection:
            await Notes(connection).learn(attachment_id, words)


def words_of(path: Path) -> str:
    """The text of a file; none where it is no text, or is gone."""
    try:
        with path.open("rb") as file:
            data = file.read(READ_BYTES)
    except FileNotFoundError:
        return ""
    # A character that the limit has cut in two is no reason to take a text for none.
    text = data.decode(errors="ignore" if len(data) == READ_BYTES else "replace")
    return "" if "\0" in text or "\ufffd" in text else text.strip()
