"""The export: every note, as a stream."""

import csv
import io
import json

from cello.testing import TestClient


def test_every_note_is_a_line_of_json(client: TestClient) -> None:
    exported = client.get("/api/export/notes.ndjson")
    assert exported.headers["content-type"] == "application/x-ndjson"
    assert exported.headers["content-disposition"] == 'attachment; filename="notes.ndjson"'
    assert "content-length" not in exported.headers
    notes = [json.loads(line) for line in exported.text.splitlines()]
    assert [note["id"] for note in notes] == list(range(1, 49))
    shown = client.get("/api/notes/16").json()
    assert notes[15] == {name: value for name, value in shown.items() if name != "attachments"}


def test_every_note_is_a_row_of_a_table(client: TestClient) -> None:
    client.post("/api/notes", json={"title": 'With "quotes", commas', "body": "and\nlines"})
    exported = client.get("/api/export/notes.csv")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(exported.text, newline="")))
    assert len(rows) == 49
    assert (rows[-1]["title"], rows[-1]["body"]) == ('With "quotes", commas', "and\nlines")


def test_whoever_reads_slowly_keeps_nobody_from_writing(client: TestClient) -> None:
    for number in range(200):
        client.post("/api/notes", json={"title": f"Long {number}", "body": "x" * 20_000})
    with client.stream("GET", "/api/export/notes.ndjson") as export:
        lines = export.iter_lines()
        assert json.loads(next(lines))["id"] == 1
        assert client.post("/api/notes", json={"title": "Meanwhile"}).status_code == 201
        # What is exported is what was there when the export began.
        assert sum(1 for _ in lines) == 247
