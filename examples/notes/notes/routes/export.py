"""All notes as one file: read from the cursor as fast as the client takes them, and no faster."""

import csv
import io
from collections.abc import AsyncIterator

from cello import Blueprint, Response

from notes.dependencies import WholeNotes
from notes.store import Notes

blueprint = Blueprint("/export", tags=["export"])


@blueprint.get("/notes.ndjson", summary="All notes, a JSON document a line")
def ndjson(notes: WholeNotes) -> Response:
    return Response.stream(notes.documents(), "application/x-ndjson", headers=keep_as("notes.ndjson"))


@blueprint.get("/notes.csv", summary="All notes, as a table")
def table(notes: WholeNotes) -> Response:
    return Response.stream(comma_separated(notes), "text/csv; charset=utf-8", headers=keep_as("notes.csv"))


async def comma_separated(notes: Notes) -> AsyncIterator[str]:
    """The notes as RFC 4180 has them."""
    line = io.StringIO()
    writer = csv.writer(line)
    async for row in notes.rows():
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def keep_as(name: str) -> dict[str, str]:
    """Has browsers keep an answer as a file."""
    return {"content-disposition": f'attachment; filename="{name}"'}
