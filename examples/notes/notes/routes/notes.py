"""The notes: `/api/notes`."""

from typing import Annotated

from cello import Blueprint, Request, Response
from cello.params import Path, Query

from notes.dependencies import Disk, ReadNotes, SeenVersions, WriteNotes
from notes.model import Draft, Note, Page

blueprint = Blueprint("/notes", tags=["notes"])

#: What SQLite can count to.
type NoteId = Annotated[int, Path(ge=1, lt=2**63)]
type Words = Annotated[str, Query(max_length=200)]
type Tag = Annotated[str, Query(max_length=100)]
type Number = Annotated[int, Query(ge=1, le=1_000_000)]
type Size = Annotated[int, Query(ge=1, le=100)]


@blueprint.get("/", summary="Notes, the newest or the best match first")
async def list_notes(notes: ReadNotes, q: Words = "", tag: Tag = "", page: Number = 1, size: Size = 10) -> Page:
    return await notes.page(page, size, words=q, tag=tag)


@blueprint.get("/tags", summary="All tags, and how many notes have them")
async def list_tags(notes: ReadNotes) -> dict[str, int]:
    return await notes.tags()


@blueprint.post("/", summary="A new note")
async def create(draft: Draft, notes: WriteNotes) -> tuple[Note, int, dict[str, str]]:
    note = await notes.add(draft)
    return note, 201, {"location": f"/api/notes/{note.id}", "etag": note.etag}


@blueprint.get("/{note_id:int}", summary="One note")
async def show(note_id: NoteId, notes: ReadNotes) -> tuple[Note, int, dict[str, str]]:
    note = await notes.find(note_id)
    return note, 200, {"etag": note.etag}


@blueprint.put("/{note_id:int}", summary="Changes a note that nobody has changed meanwhile")
async def change(
    note_id: NoteId, seen: SeenVersions, draft: Draft, notes: WriteNotes
) -> tuple[Note, int, dict[str, str]]:
    note = await notes.change(note_id, draft, seen)
    return note, 200, {"etag": note.etag}


@blueprint.delete("/{note_id:int}", summary="Removes a note with its attachments")
async def remove(request: Request, note_id: NoteId, seen: SeenVersions, notes: WriteNotes, storage: Disk) -> Response:
    for attachment in await notes.remove(note_id, seen):
        request.add_background_task(storage.remove, attachment.id)
    return Response.no_content()
