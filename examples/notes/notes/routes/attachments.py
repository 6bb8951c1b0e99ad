"""The files of notes: uploaded straight to the disk, downloaded whole or in part."""

from typing import Annotated

from cello import Blueprint, Request, Response
from cello.params import Path
from cello.validation import ValidationError

from notes import indexing
from notes.dependencies import Db, Disk, ReadNotes, WriteNotes
from notes.model import Attachment
from notes.routes.notes import NoteId
from notes.store import Notes

blueprint = Blueprint(tags=["attachments"])

type AttachmentId = Annotated[int, Path(ge=1, lt=2**63)]
UPLOAD_LIMIT = 256 << 20


@blueprint.post("/notes/{note_id:int}/attachments", stream=True, body_limit=UPLOAD_LIMIT, summary="Attaches files")
async def upload(request: Request, note_id: NoteId, database: Db, storage: Disk) -> tuple[list[Attachment], int]:
    # An upload takes as long as its client likes, so that no connection is kept for it.
    async with database.reading() as connection:
        await Notes(connection).find(note_id)
    attached: list[Attachment] = []
    async for part in request.parts():
        if not part.filename:
            continue
        async with storage.receive(part) as received, database.writing() as connection:
            kind, size_bytes = part.content_type or "application/octet-stream", received.stat().st_size
            file = await Notes(connection).attach(note_id, part.filename, kind, size_bytes)
            storage.keep(received, file.id)
        attached.append(file)
    if not attached:
        raise ValidationError("No file was sent.", errors=[{"in": "form", "pointer": "#/file", "detail": "is missing"}])
    request.add_background_task(indexing.catch_up, database, storage)
    return attached, 201


@blueprint.get("/attachments/{attachment_id:int}", summary="A file, or the part of it that a Range asks for")
async def download(attachment_id: AttachmentId, notes: ReadNotes, storage: Disk) -> Response:
    file = await notes.find_attachment(attachment_id)
    headers = {"cache-control": "no-cache"}
    return Response.file(storage.path(file.id), file.name, content_type=file.content_type, headers=headers)


@blueprint.delete("/attachments/{attachment_id:int}", summary="Removes a file")
async def remove(request: Request, attachment_id: AttachmentId, notes: WriteNotes, storage: Disk) -> Response:
    file = await notes.detach(attachment_id)
    request.add_background_task(storage.remove, file.id)
    return Response.no_content()
