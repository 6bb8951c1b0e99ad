"""What a new database begins with: the notebook of somebody who learns the cello."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notes.database import Database
from notes.model import Draft
from notes.storage import Storage
from notes.store import Notes

SEED = Path(__file__).with_name("seed.json")
#: Marks a database that was filled, so that notes that were removed stay so.
PLANTED = 1


async def plant(database: Database, storage: Storage) -> None:
    """Fills a database that is new, and clears the storage of what belongs to no note."""
    async with database.writing() as connection:
        notes = Notes(connection)
        async with connection.execute("pragma user_version") as cursor:
            row = await cursor.fetchone()
        if row is not None and row[0] != PLANTED:
            written = json.loads(SEED.read_text())
            time = datetime.now(UTC) - timedelta(days=len(written))
            for entry in written:
                time += timedelta(hours=23, minutes=17)
                note = await notes.add(Draft(entry["title"], entry["body"], entry["tags"]), time)
                for name, text in entry.get("attachments", {}).items():
                    data = text.encode()
                    file = await notes.attach(note.id, name, "text/plain", len(data))
                    storage.path(file.id).write_bytes(data)
            await connection.execute(f"pragma user_version = {PLANTED}")
        storage.keep_only(await notes.attachments())
