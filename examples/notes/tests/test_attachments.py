"""Attachments: to the disk while they arrive, back whole or in part, and found by the search."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from cello.testing import TestClient
from notes import create_app

MIB = 1 << 20


def attach(client: TestClient, name: str, data: bytes, content_type: str = "text/plain", note: int = 1) -> int:
    response = client.post(f"/api/notes/{note}/attachments", files={"file": (name, data, content_type)})
    assert response.status_code == 201
    (attached,) = response.json()
    assert (attached["name"], attached["size_bytes"]) == (name, len(data))
    return int(attached["id"])


def stored(folder: Path) -> list[int]:
    return sorted(path.stat().st_size for path in (folder / "attachments").iterdir())


def test_a_file_comes_back_as_it_was_sent(client: TestClient) -> None:
    data = os.urandom(3 * MIB)
    number = attach(client, "Aufnahme größer „laut“.wav", data, "audio/wav")
    kept = client.get(f"/api/attachments/{number}")
    assert kept.content == data
    assert kept.headers["content-type"] == "audio/wav"
    exact = f"filename*=UTF-8''{quote('Aufnahme größer „laut“.wav')}"
    assert kept.headers["content-disposition"] == f'attachment; filename="Aufnahme gr__er _laut_.wav"; {exact}'
    assert kept.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-", 206, b"89"),
        ("bytes=10-", 416, None),
        ("lines=1-", 200, b"0123456789"),
    ],
)
def test_a_part_of_a_file_can_be_had(client: TestClient, asked: str, status: int, content: bytes | None) -> None:
    number = attach(client, "digits.txt", b"0123456789")
    part = client.get(f"/api/attachments/{number}", headers={"range": asked})
    assert part.status_code == status
    assert content is None or part.content == content


def test_a_download_goes_on_where_the_file_is_still_the_same(client: TestClient) -> None:
    number = attach(client, "digits.txt", b"0123456789")
    path = f"/api/attachments/{number}"
    etag = client.get(path).headers["etag"]
    rest = {"range": "bytes=4-"}
    assert client.get(path, headers={**rest, "if-range": etag}).content == b"456789"
    assert client.get(path, headers={**rest, "if-range": '"other"'}).content == b"0123456789"
    assert client.get(path, headers={"if-none-match": etag}).status_code == 304


def test_several_files_come_in_one_form(client: TestClient) -> None:
    files = [("file", (f"{number}.txt", b"x" * number, "text/plain")) for number in (1, 2)]
    attached = client.post("/api/notes/1/attachments", files=files).json()
    assert [(file["name"], file["size_bytes"]) for file in attached] == [("1.txt", 1), ("2.txt", 2)]
    assert client.get("/api/notes/1").json()["attachments"][-1]["id"] == attached[-1]["id"]


def test_the_words_of_a_text_are_found_once_it_was_read(client: TestClient) -> None:
    attach(client, "fingering.txt", "Daumenaufsatz ab Takt zwölf".encode())
    attach(client, "picture.bin", b"\x89PNG\0\1 daumenkino")
    # They are read after the answers: until then nobody knows.
    while None in (searchable := [file["is_searchable"] for file in client.get("/api/notes/1").json()["attachments"]]):
        pass
    assert searchable == [True, False]
    found = client.get("/api/notes", params={"q": "daumen"}).json()["items"]
    assert [(item["id"], item["excerpt"][1::2]) for item in found] == [(1, ["Daumenaufsatz"])]


def test_a_file_that_is_removed_is_gone_from_the_disk_and_from_the_search(client: TestClient, folder: Path) -> None:
    before = stored(folder)
    number = attach(client, "xylophone.txt", b"xylophone")
    assert client.delete(f"/api/attachments/{number}").status_code == 204
    assert client.get(f"/api/attachments/{number}").status_code == 404
    assert client.get("/api/notes?q=xylophone").json()["total"] == 0
    assert stored(folder) == before


def test_a_note_takes_its_files_with_it(client: TestClient, folder: Path) -> None:
    before = stored(folder)
    client.post("/api/notes", json={"title": "Short"})
    attach(client, "a.txt", b"a", note=49)
    assert client.delete("/api/notes/49", headers={"if-match": "*"}).status_code == 204
    assert client.get("/api/notes/49").status_code == 404
    assert stored(folder) == before


def test_the_name_of_a_file_is_no_path(client: TestClient, folder: Path) -> None:
    attached = client.post("/api/notes/1/attachments", files={"file": ("../../evil.txt", b"x")}).json()
    assert attached[0]["name"] == "evil.txt"
    assert not list(folder.parent.rglob("evil*"))


def test_a_form_without_a_file_says_what_is_missing(client: TestClient) -> None:
    refused = client.post("/api/notes/1/attachments", files={"text": (None, b"no file")})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/file")


def test_what_is_no_form_is_refused(client: TestClient) -> None:
    assert client.post("/api/notes/1/attachments", json={"file": "x"}).status_code == 415


def test_a_file_for_no_note_is_refused(client: TestClient) -> None:
    assert client.post("/api/notes/99/attachments", files={"file": ("a", b"a")}).status_code == 404


def test_an_upload_that_breaks_off_leaves_nothing(folder: Path) -> None:
    with TestClient(create_app(folder)) as client, client.connect() as connection:
        before = stored(folder)
        connection.send(
            b"POST /api/notes/1/attachments HTTP/1.1\r\nHost: notes\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="half.txt"\r\n\r\n' + b"x" * 100_000
        )
        while len(stored(folder)) == len(before):
            pass
        connection.shut_down_sending()
        connection.receive_all()
    assert stored(folder) == before
