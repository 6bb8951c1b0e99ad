"""Notes: listed, searched, written, and changed by two at once."""

import re

import httpx
import pytest
from cello.testing import TestClient

HUGE = 10**30


def create(client: TestClient, title: str = "Strings", **more: object) -> httpx.Response:
    response = client.post("/api/notes", json={"title": title, **more})
    assert response.status_code == 201
    return response


def titles(response: httpx.Response) -> list[str]:
    assert response.status_code == 200
    return ["".join(item["title"]) for item in response.json()["items"]]


def test_a_new_database_has_notes_the_newest_first(client: TestClient) -> None:
    listed = client.get("/api/notes").json()
    assert (listed["page"], listed["pages"], listed["total"], len(listed["items"])) == (1, 5, 48, 10)
    times = [item["updated_at"] for item in listed["items"]]
    assert times == sorted(times, reverse=True)


def test_pages_have_every_note_once(client: TestClient) -> None:
    found = [item["id"] for page in range(1, 6) for item in client.get(f"/api/notes?page={page}").json()["items"]]
    assert sorted(found) == list(range(1, 49))
    assert client.get("/api/notes?page=6").json()["items"] == []


@pytest.mark.parametrize("query", ["page=0", "page=x", f"page={HUGE}", "size=101", f"q={'a' * 201}"])
def test_a_page_that_cannot_be_is_refused_with_the_name_of_what_is_wrong(client: TestClient, query: str) -> None:
    refused = client.get(f"/api/notes?{query}")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert [error["name"] for error in refused.json()["errors"]] == [query.partition("=")[0]]


def test_the_search_finds_the_beginnings_of_words_and_marks_them(client: TestClient) -> None:
    found = client.get("/api/notes", params={"q": "suite mino"}).json()
    assert found["total"] == 2
    assert {"".join(item["title"]) for item in found["items"]} == {
        "Bach, Suite No. 2 in D minor",
        "Bach, Suite No. 5 in C minor",
    }
    assert found["items"][0]["title"][1::2] == ["Suite", "minor"]


def test_accents_do_not_matter_to_the_search(client: TestClient) -> None:
    assert "Dvořák, Cello Concerto in B minor" in titles(client.get("/api/notes", params={"q": "DVORAK"}))


@pytest.mark.parametrize("words", ['"', "* NOT", "title:", "(", "a AND", "'; drop table notes; --", "%", "\x02", "!!"])
def test_what_is_typed_is_no_language(client: TestClient, words: str) -> None:
    assert client.get("/api/notes", params={"q": words}).status_code == 200
    assert client.get("/api/notes").json()["total"] == 48


def test_a_tag_narrows_the_list_and_the_search(client: TestClient) -> None:
    tags = client.get("/api/notes/tags").json()
    assert client.get("/api/notes", params={"tag": "bach"}).json()["total"] == tags["bach"]
    assert titles(client.get("/api/notes", params={"tag": "tuning", "q": "suite"})) == ["Bach, Suite No. 5 in C minor"]


def test_a_note_that_is_created_has_an_address_and_is_found_at_once(client: TestClient) -> None:
    created = create(client, " Zither ", body="Not a cello.", tags=["Other ", "plucked", "other"])
    assert (created.headers["location"], created.headers["etag"]) == ("/api/notes/49", '"1"')
    note = created.json()
    assert (note["title"], note["tags"], note["version"]) == ("Zither", ["other", "plucked"], 1)
    shown = client.get(created.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (note, '"1"')
    assert titles(client.get("/api/notes?q=zither")) == ["Zither"]


def test_all_that_is_wrong_with_a_note_is_told_at_once_with_its_place(client: TestClient) -> None:
    refused = client.post("/api/notes", json={"title": "  ", "body": "b" * 20_001, "tags": ["t" * 25]})
    assert refused.status_code == 422
    assert {error["pointer"]: error["detail"] for error in refused.json()["errors"]} == {
        "#/title": "A note needs a title.",
        "#/body": "A note has at most 20,000 characters.",
        "#/tags": "A tag has at most 24 characters.",
    }


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ("{}", 422, ["#/title"]),
        ('{"title": 3, "tags": "x"}', 422, ["#/title", "#/tags"]),
        ("[]", 422, ["#"]),
        ("{", 400, None),
    ],
)
def test_what_is_no_note_is_refused(client: TestClient, body: str, status: int, pointers: list[str] | None) -> None:
    refused = client.post("/api/notes", content=body, headers={"content-type": "application/json"})
    problem = refused.json()
    assert (refused.status_code, problem["status"]) == (status, status)
    assert [error["pointer"] for error in problem.get("errors", [])] == (pointers or [])


def test_a_change_makes_a_new_version_that_the_search_knows(client: TestClient) -> None:
    note = create(client).json()
    changed = client.put("/api/notes/49", json={"title": "Gut strings"}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["updated_at"] > note["updated_at"]
    assert titles(client.get("/api/notes?q=gut")) == ["Gut strings"]


def test_of_two_who_change_a_note_the_second_is_given_what_the_first_made_of_it(client: TestClient) -> None:
    create(client)
    first = client.put("/api/notes/49", json={"title": "First"}, headers={"if-match": '"1"'})
    second = client.put("/api/notes/49", json={"title": "Second"}, headers={"if-match": '"1"'})
    assert (second.status_code, second.headers["etag"]) == (412, '"2"')
    assert second.json()["current"] == first.json()
    again = client.put("/api/notes/49", json={"title": "Second"}, headers={"if-match": second.headers["etag"]})
    assert (again.status_code, again.json()["title"]) == (200, "Second")


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"1"', 200), ("*", 200), ('"7", "1"', 200), ('W/"1"', 412), ('"2"', 412), ("1", 412), (f'"{HUGE}"', 412)],
)
def test_what_if_match_may_say(client: TestClient, if_match: str, status: int) -> None:
    create(client)
    changed = client.put("/api/notes/49", json={"title": "Other"}, headers={"if-match": if_match})
    assert changed.status_code == status


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_whoever_does_not_say_what_was_seen_is_asked_to(client: TestClient, method: str) -> None:
    refused = client.request(method, "/api/notes/1", json={"title": "Blind"})
    assert refused.status_code == 428
    assert "If-Match" in refused.json()["detail"]


def test_a_note_that_is_deleted_is_gone_everywhere(client: TestClient) -> None:
    create(client, "Hurdy-gurdy")
    assert client.delete("/api/notes/49", headers={"if-match": '"2"'}).status_code == 412
    gone = client.delete("/api/notes/49", headers={"if-match": '"1"'})
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get("/api/notes/49").status_code == 404
    assert titles(client.get("/api/notes?q=hurdy")) == []


@pytest.mark.parametrize(("note", "status"), [("49", 404), ("0", 422), (str(HUGE), 422), ("one", 404)])
def test_a_note_that_is_not_there_is_a_problem_with_a_request_id(client: TestClient, note: str, status: int) -> None:
    missing = client.get(f"/api/notes/{note}")
    assert (missing.status_code, missing.headers["content-type"]) == (status, "application/problem+json")
    assert re.fullmatch(r"[0-9a-f-]{36}", missing.json()["request_id"])


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 201), ("none", 201), ("cross-site", 403), ("same-site", 403)]
)
def test_pages_of_other_sites_cannot_write(client: TestClient, site: str, status: int) -> None:
    written = client.post("/api/notes", json={"title": "Hello"}, headers={"sec-fetch-site": site})
    assert written.status_code == status
