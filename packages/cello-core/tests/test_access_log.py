"""The lines that tell of answers on standard output, over real sockets."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._compose import compose
from cello._threads import Threads
from cello.errors import StartError
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    type Start = Callable[..., Server]

SOURCE = """
    from cello import App

    app = App()
    {configuration}

    @app.get("/users/{id}")
    def user(request):
        if given := request.get_header("x-request-id"):
            request.request_id = given
        return request.request_id

    @app.get("/fails")
    def fails():
        raise ValueError("no")

    @app.get("/health")
    @app.get("/a b")
    @app.get("/many/{*rest}")
    def others():
        return "well"

    app.run()
"""


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Start]:
    """Serves with a configuration; other than by `serve` the options say nothing of logs."""
    servers: list[Server] = []

    def start(configuration: str = "", *arguments: str) -> Server:
        script = tmp_path / "app.py"
        script.write_text(textwrap.dedent(SOURCE).replace("{configuration}", configuration))
        servers.append(Server.run([sys.executable, str(script), "--port", "0", *arguments], tmp_path))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def lines(server: Server) -> list[str]:
    """What was written after the banner, once the server has stopped."""
    stdout = server.stop().stdout
    return stdout.split("\n")[len(server.banner) :][:-1]


def objects(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(server)]


def test_without_a_word_each_answer_has_a_line_of_text(logged: Start) -> None:
    server = logged()
    server.get("/users/7?page=2")
    server.get("/nowhere")
    first, second = lines(server)
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] GET /users/7 → 200 \(\d+\.\d ms\)", first)
    assert "GET /nowhere → 404 (" in second


def test_as_json_a_line_is_an_object_that_names_the_request(logged: Start) -> None:
    server = logged('app.set_access_log("json")')
    before = datetime.now(UTC) - timedelta(seconds=1)
    request_id = server.get("/users/7?page=2").body.decode()
    server.request("HEAD", "/users/7", headers={"X-Request-ID": "given-1"})
    problem = server.get("/nowhere").json()
    server.request("POST", "/fails", b"")
    first, head, unrouted, refused = objects(server)
    assert list(first) == [
        *("timestamp", "level", "message", "method", "path", "route", "status", "duration_ms", "request_id")
    ]
    assert before < datetime.fromisoformat(first["timestamp"]) < datetime.now(UTC) + timedelta(seconds=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("timestamp"))
    assert 0 < first.pop("duration_ms") < 20_000
    assert first == {
        "level": "info",
        "message": "GET /users/7 → 200",
        "method": "GET",
        "path": "/users/7",
        "route": "/users/{id}",
        "status": 200,
        "request_id": request_id,
    }
    assert (head["method"], head["route"], head["request_id"]) == ("HEAD", "/users/{id}", "given-1")
    assert (unrouted["status"], unrouted["route"]) == (404, None)
    assert unrouted["request_id"] == problem["request_id"]
    assert (refused["status"], refused["route"]) == (405, None)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_client_writes_nothing_but_its_part_of_a_line(logged: Start, form: str) -> None:
    server = logged(f'app.set_access_log("{form}")')
    odd = b'/many/%0A\xc2\x9b31m\xe2\x80\xa8\xe2\x80\xae\xc3\xa9"\\{}|'
    for target in (odd, b"/many/" + b"\xc2\x9b" * 3000, b"*"):
        method = b"OPTIONS" if target == b"*" else b"GET"
        assert server.first_answer(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    server.request("A" * 500, "/")
    written = lines(server)
    assert len(written) == 4
    assert all(len(line.encode()) < 4096 for line in written)
    first, long, star, unknown = (json.loads(line)["message"] if form == "json" else line for line in written)
    assert " /many/%0A%C2%9B31m%E2%80%A8%E2%80%AE%C3%A9%22%5C{}| → 200" in first
    assert "%C2%9B%C2%… → 200" in long
    assert "OPTIONS * → " in star
    assert f"{'A' * 64}… / → 40" in unknown


def test_bytes_that_a_target_cannot_have_do_not_come_to_the_log(logged: Start) -> None:
    server = logged()
    for odd in (b"\x1b", b"\x00", b"\x7f", b"\x9b", b"\r"):
        server.exchange(b"GET /many/" + odd + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    written = "\n".join(lines(server))
    assert written.replace("\n", "").isprintable()


def test_what_is_skipped_is_not_written_and_failures_always_are(logged: Start) -> None:
    server = logged('app.set_access_log(sample_rate=0, skip=["/health", "/a b"])')
    for path in ("/health", "/a%20b", "/users/7", "/nowhere", "/fails"):
        server.get(path)
    (only,) = lines(server)
    assert "GET /fails → 500" in only
    server = logged('app.set_access_log(skip=["/health", "/a b"])')
    for path in ("/health", "/%68ealth", "/a%20b", "/health/"):
        server.get(path)
    (only,) = lines(server)
    assert "GET /health/ → 200" in only


def test_who_says_how_it_is_has_it_in_production_too_unless_the_server_says_otherwise(logged: Start) -> None:
    production = ("--env", "production", "--workers", "1")
    for configuration, arguments, count in (
        ("", production, 0),
        ('app.set_access_log("json")', production, 1),
        ('app.set_access_log("json")', (*production, "--no-logs"), 0),
    ):
        server = logged(configuration, *arguments)
        server.get("/health")
        assert len(lines(server)) == count


def test_the_lines_of_workers_stay_whole(logged: Start) -> None:
    server = logged('app.set_access_log("json")', "--workers", "2")
    for number in range(8):  # of which a pipe that nobody reads holds twice as many
        server.get(f"/many/{number}/{'x' * 5000}")
    told = objects(server)
    assert sorted(int(line["path"].split("/")[2]) for line in told) == [*range(8)]


def test_a_log_that_cannot_be_is_refused() -> None:
    app: Any = App()
    for arguments, kind, words in (
        ({"format": "xml"}, ValueError, 'there is no access log of the form \'xml\': use "text" or "json"'),
        ({"sample_rate": "1"}, TypeError, "sample_rate='1' is no number"),
        ({"sample_rate": True}, TypeError, "sample_rate=True is no number"),
        ({"sample_rate": 1.5}, ValueError, "sample_rate=1.5 cannot be: it is a part of all, 0 to 1"),
        ({"sample_rate": float("nan")}, ValueError, "sample_rate=nan cannot be"),
        ({"skip": "/health"}, TypeError, "the paths to skip are a list: give ['/health']"),
        ({"skip": [7]}, TypeError, "7 is no path to skip: use a str"),
        ({"skip": ["health"]}, ValueError, "'health' is no path to skip: a path begins with \"/\""),
    ):
        with pytest.raises(kind, match=re.escape(words)):
            app.set_access_log(**arguments)
    assert app._access_log is None
    assert app.set_access_log("json") is app


def test_a_mounted_application_does_not_say_how_the_log_is() -> None:
    app, sub = App(), App().set_access_log()
    app.mount("/sub", sub)
    with pytest.raises(StartError, match="a mounted application says set_access_log, which is for the whole server"):
        compose(app, Threads(1))
