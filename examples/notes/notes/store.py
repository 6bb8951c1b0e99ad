"""Notes in the database: all of their SQL."""

import json
import re
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from sqlite3 import Row

from notes.database import Connection
from notes.model import Attachment, Draft, Note, NotFoundError, OutdatedError, Page, Summary

#: What FTS5 puts around what it has found: characters that nobody types.
OPEN, CLOSE = "\x02", "\x03"

NEWEST = """
    select id, title, substr(body, 1, 160) as excerpt, '' as in_files, tags, updated_at,
        (select count(*) from attachments where note_id = notes.id) as attachments
    from notes
    where :tag = '' or exists (select 1 from json_each(tags) where value = :tag)
    order by updated_at desc, id desc
"""
FOUND = """
    select id, highlight(search, 0, :open, :close) as title, notes.tags, notes.updated_at,
        snippet(search, 1, :open, :close, '…', 24) as excerpt, snippet(search, 2, :open, :close, '…', 24) as in_files,
        (select count(*) from attachments where note_id = notes.id) as attachments
    from search join notes on notes.id = search.rowid
    where search match :words and (:tag = '' or exists (select 1 from json_each(notes.tags) where value = :tag))
    order by bm25(search, 8, 2, 1), notes.id desc
"""


class Notes:
    """The notes, as one connection sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(self, number: int, size: int, *, words: str = "", tag: str = "") -> Page:
        """The notes that have all the words, or begin with them, the best first; without words the newest."""
        query = FOUND if words.strip() else NEWEST
        given = {"words": prefixes(words), "tag": tag, "open": OPEN, "close": CLOSE}
        total = (await self._row(f"select count(*) as total from ({query})", given))["total"]
        rows = await self._connection.execute_fetchall(
            f"{query} limit :size offset :start", {**given, "size": size, "start": (number - 1) * size}
        )
        return Page(items=[summary(row) for row in rows], page=number, pages=-(-total // size), total=total)

    async def find(self, note_id: int) -> Note:
        """One note. NotFoundError where there is none."""
        row = await self._row("select * from notes where id = ?", (note_id,))
        files = await self._connection.execute_fetchall(
            "select * from attachments where note_id = ? order by id", (note_id,)
        )
        return Note(
            id=row["id"],
            title=row["title"],
            body=row["body"],
            tags=json.loads(row["tags"]),
            version=row["version"],
            created_at=datetime.fromisoformat(row["created_at"]),
            updated_at=datetime.fromisoformat(row["updated_at"]),
            attachments=[attachment(file) for file in files],
        )

    async def add(self, draft: Draft, at: datetime | None = None) -> Note:
        """Adds a note, as of now unless another time is given."""
        time = (at or datetime.now(UTC)).isoformat()
        row = await self._row(
            "insert into notes (title, body, tags, created_at, updated_at) values (?, ?, ?, ?, ?) returning id",
            (draft.title, draft.body, json.dumps(draft.tags), time, time),
        )
        return await self.find(row["id"])

    async def change(self, note_id: int, draft: Draft, seen: Container[int]) -> Note:
        """Changes a note whose version is one that the client has seen; else OutdatedError."""
        await self._check(note_id, seen)
        await self._connection.execute(
            "update notes set title = ?, body = ?, tags = ?, updated_at = ?, version = version + 1 where id = ?",
            (draft.title, draft.body, json.dumps(draft.tags), datetime.now(UTC).isoformat(), note_id),
        )
        return await self.find(note_id)

    async def remove(self, note_id: int, seen: Container[int]) -> list[Attachment]:
        """Removes a note as `change` changes one, and with it its attachments, which it gives."""
        note = await self._check(note_id, seen)
        await self._connection.execute("delete from notes where id = ?", (note_id,))
        return note.attachments

    async def tags(self) -> dict[str, int]:
        """All tags, and how many notes have them."""
        rows = await self._connection.execute_fetchall(
            "select value, count(*) as notes from notes, json_each(tags) group by value order by notes desc, value"
        )
        return {row["value"]: row["notes"] for row in rows}

    async def attach(self, note_id: int, name: str, content_type: str, size_bytes: int) -> Attachment:
        """Adds an attachment to a note. What is in it is not known yet."""
        await self.find(note_id)
        row = await self._row(
            "insert into attachments (note_id, name, content_type, size_bytes, created_at)"
            " values (?, ?, ?, ?, ?) returning id",
            (note_id, name, content_type, size_bytes, datetime.now(UTC).isoformat()),
        )
        return await self.find_attachment(row["id"])

    async def find_attachment(self, attachment_id: int) -> Attachment:
        """One attachment. NotFoundError where there is none."""
        return attachment(await self._row("select * from attachments where id = ?", (attachment_id,)))

    async def detach(self, attachment_id: int) -> Attachment:
        """Removes an attachment, which it gives."""
        removed = await self.find_attachment(attachment_id)
        await self._connection.execute("delete from attachments where id = ?", (attachment_id,))
        return removed

    async def attachments(self, *, unread: bool = False) -> list[int]:
        """The ids of all attachments, or of those that nobody has looked into."""
        rows = await self._connection.execute_fetchall(
            "select id from attachments where not ? or words is null", (unread,)
        )
        return [row["id"] for row in rows]

    async def learn(self, attachment_id: int, words: str) -> None:
        """Has the search find a note by the words of its attachment."""
        await self._connection.execute("update attachments set words = ? where id = ?", (words, attachment_id))

    async def documents(self) -> AsyncIterator[str]:
        """All notes, each a line of JSON that SQLite has written."""
        query = """
            select json_object('id', id, 'title', title, 'body', body, 'tags', json(tags), 'version', version,
                'created_at', created_at, 'updated_at', updated_at) || char(10)
            from notes order by id
        """
        async with self._connection.execute(query) as cursor:
            async for (line,) in cursor:
                yield line

    async def rows(self) -> AsyncIterator[Iterable[object]]:
        """All notes as rows of a table, the names of the columns first."""
        query = "select id, title, body, tags, version, created_at, updated_at from notes order by id"
        async with self._connection.execute(query) as cursor:
            yield [column[0] for column in cursor.description]
            async for row in cursor:
                yield row

    async def _check(self, note_id: int, seen: Container[int]) -> Note:
        note = await self.find(note_id)
        if note.version not in seen:
            raise OutdatedError(note)
        return note

    async def _row(self, query: str, given: Mapping[str, object] | Sequence[object]) -> Row:
        async with self._connection.execute(query, given) as cursor:
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError("There is no such note or attachment.")
        return row


def prefixes(words: str) -> str:
    """What a reader types, as FTS5 wants it: beginnings of words, in quotes, where nothing is an operator."""
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", words)) or '""'


def summary(row: Row) -> Summary:
    """A row of a list."""
    excerpt = next((text for text in (row["excerpt"], row["in_files"]) if OPEN in text), row["excerpt"])
    return Summary(
        id=row["id"],
        title=pieces(row["title"]),
        excerpt=pieces(excerpt),
        tags=json.loads(row["tags"]),
        attachments=row["attachments"],
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )


def pieces(text: str) -> list[str]:
    """A text that FTS5 has marked, in pieces: every second one is what it has found."""
    return re.split(f"[{OPEN}{CLOSE}]", text)


def attachment(row: Row) -> Attachment:
    """A row of the attachments."""
    return Attachment(
        id=row["id"],
        note_id=row["note_id"],
        name=row["name"],
        content_type=row["content_type"],
        size_bytes=row["size_bytes"],
        is_searchable=None if row["words"] is None else row["words"] != "",
        created_at=datetime.fromisoformat(row["created_at"]),
    )
