"""The examples: the smallest application, started in each way there is, and the demo, as the README has it."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Launch

ROOT = Path(__file__).parent.parent
HELLO = ROOT / "examples/hello"
OPTIONS = ["--port", "0", "--no-logs"]

COMMANDS = {
    "python app.py": [sys.executable, "app.py", *OPTIONS],
    "python examples/hello/app.py": [sys.executable, "examples/hello/app.py", *OPTIONS],
    "python -m cello run app:app": [sys.executable, "-m", "cello", "run", "app:app", *OPTIONS],
    "cello run app": [str(Path(sys.executable).with_name("cello")), "run", "app", *OPTIONS],
}


@pytest.fixture(params=COMMANDS)
def hello(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The smallest application, started in each way there is."""
    command = COMMANDS[request.param]
    server = Server.run(command, ROOT if "examples" in request.param else HELLO)
    yield server
    server.end()


def test_the_smallest_application_answers_however_it_is_started(hello: Server) -> None:
    home = hello.get("/")
    assert (home.status, home.headers["content-type"]) == (200, "application/json")
    assert home.json() == {"message": "Hello, Cello!"}

    assert hello.get("/users/7").json() == {"id": "7", "name": "Alice"}

    echo = hello.post("/echo", b'{"a": [1, 2.5]}')
    assert (echo.status, echo.json()) == (201, {"you sent": {"a": [1, 2.5]}})

    broken = hello.get("/broken")
    assert (broken.status, broken.headers["content-type"]) == (500, "application/problem+json")
    problem = broken.json()
    assert problem["detail"] == "RuntimeError: on purpose: see what the client gets, and what the log says"

    plain = hello.get("/plain")
    assert (plain.body, plain.headers["content-type"]) == (b"Any text.\n", "text/plain; charset=utf-8")

    stopped = hello.stop()
    assert (stopped.exit_code, stopped.stdout) == (0, f"Cello running at {hello.url}\n")
    assert f"GET /broken failed (request {problem['request_id']})" in stopped.stderr
    assert "RuntimeError: on purpose" in stopped.stderr


def test_a_body_that_is_no_json_is_the_clients_error_in_the_smallest_application_too() -> None:
    server = Server.run(COMMANDS["python app.py"], HELLO)
    try:
        refused = server.post("/echo", b"{")
        assert (refused.status, refused.json()["title"]) == (400, "Bad Request")
    finally:
        server.end()


def curls() -> dict[str, list[str]]:
    """The README's calls of curl: their options, by path."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^curl .*$", (ROOT / "README.md").read_text(), re.MULTILINE):
        _, *options, address = shlex.split(line, comments=True)
        found[address.removeprefix("localhost:8000")] = options
    return found


def demo_command() -> list[str]:
    """What `hatch run demo` starts once everything is built."""
    scripts = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]["default"]["scripts"]
    built, command = scripts["demo"]
    assert built == "build"
    exec_, python, path, arguments = command.split()
    assert (exec_, python, arguments) == ("exec", "python", "{args}")
    assert f"hatch run demo    # serves {Path(path).parent} at http" in (ROOT / "README.md").read_text()
    return [sys.executable, str(ROOT / path), *OPTIONS]


def test_the_demo_answers_as_the_readme_says(launch: Launch, tmp_path: Path) -> None:
    demo = launch(*demo_command(), environment={"NOTES_FOLDER": str(tmp_path / "notes")})
    commands = curls()
    note, found, notes, export = commands
    assert list(commands.values()) == [["-i"], ["-i"], ["-i", "--json", '{"title": " "}'], ["-N"]]

    home = demo.get("/")
    assert (home.status, home.headers["content-type"]) == (200, "text/html; charset=utf-8")

    shown = demo.get(note)
    assert (shown.json()["title"], shown.headers["etag"]) == ("Bach, Suite No. 1 in G major", '"1"')

    assert len(demo.get(found).json()["items"]) == 2

    refused = demo.request("POST", notes, commands[notes][-1].encode(), {"content-type": "application/json"})
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/title"]

    exported = demo.get(export)
    assert exported.headers["transfer-encoding"] == "chunked"
    assert [json.loads(line)["id"] for line in exported.body.splitlines()] == list(range(1, 49))

    stopped = demo.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_every_example_has_its_tests() -> None:
    assert [path.name for path in sorted(HELLO.parent.iterdir()) if path.is_dir()] == ["hello", "notes", "plugins"]
    assert list(HELLO.parent.glob("notes/tests/test_*.py"))
