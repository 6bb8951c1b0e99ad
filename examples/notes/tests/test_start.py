"""Starting again: what was written stays, and what a crash left behind is put right."""

import sqlite3
from contextlib import closing
from pathlib import Path

from cello.testing import TestClient
from notes import create_app


def test_notes_outlive_the_service_and_are_seeded_once(folder: Path) -> None:
    with TestClient(create_app(folder), headers={"if-match": "*"}) as client:
        assert {client.delete(f"/api/notes/{note}").status_code for note in range(2, 49)} == {204}
    with TestClient(create_app(folder)) as client:
        assert [item["id"] for item in client.get("/api/notes").json()["items"]] == [1]


def test_what_a_crash_left_behind_is_put_right(folder: Path) -> None:
    files = folder / "attachments"
    with TestClient(create_app(folder)):
        kept = sorted(path.name for path in files.iterdir())
    (files / "tmphalf").write_bytes(b"an upload that was never finished")
    with closing(sqlite3.connect(folder / "notes.db", isolation_level=None)) as database:
        database.execute("update attachments set words = null where name = 'scales.txt'")
    with TestClient(create_app(folder)) as client:
        found = client.get("/api/notes", params={"q": "metronome add 4"}).json()
    assert ["".join(item["title"]) for item in found["items"]] == ["Scales this month"]
    assert sorted(path.name for path in files.iterdir()) == kept
