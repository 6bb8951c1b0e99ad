"""The demo, as the README has it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def demo(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The demo, started in each way there is."""
    command = COMMANDS[request.param]
    server = Server.run(command, ROOT if "examples" in request.param else HELLO)
    yield server
    server.end()


def curls() -> dict[str, list[str]]:
    """The README's calls of curl: their arguments before the address, by path."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^curl .*$", (ROOT / "README.md").read_text(), re.MULTILINE):
        _, *options, address = shlex.split(line, comments=True)
        found[address.removeprefix("localhost:8000")] = options
    return found


def test_the_demo_answers_as_the_readme_says(demo: Server) -> None:
    commands = curls()
    assert set(commands) == {"/", "/users/7", "/echo", "/broken"}

    assert commands["/"] == ["-i"]
    home = demo.get("/")
    assert (home.status, home.headers["content-type"]) == (200, "application/json")
    assert home.json() == {"message": "Hello, Cello!"}

    assert demo.get("/users/7").json() == {"id": "7", "name": "Alice"}

    flags, data = commands["/echo"][:-1], commands["/echo"][-1]
    assert flags == ["-i", "-d"]
    echo = demo.post("/echo", data.encode())
    assert (echo.status, echo.json()) == (201, {"you sent": {"a": [1, 2.5]}})

    broken = demo.get("/broken")
    assert (broken.status, broken.headers["content-type"]) == (500, "application/problem+json")
    problem = broken.json()
    assert problem["detail"] == "RuntimeError: on purpose: see what the client gets, and what the log says"

    plain = demo.get("/plain")
    assert (plain.body, plain.headers["content-type"]) == (b"Any text.\n", "text/plain; charset=utf-8")

    stopped = demo.stop()
    assert (stopped.exit_code, stopped.stdout) == (0, f"Cello running at {demo.url}\n")
    assert f"GET /broken failed (request {problem['request_id']})" in stopped.stderr
    assert "RuntimeError: on purpose" in stopped.stderr


def test_a_body_that_is_no_json_is_the_clients_error_in_the_demo_too() -> None:
    server = Server.run(COMMANDS["python app.py"], HELLO)
    try:
        refused = server.post("/echo", b"{")
        assert (refused.status, refused.json()["title"]) == (400, "Bad Request")
    finally:
        server.end()


def test_every_example_has_a_test_here() -> None:
    assert [path.name for path in sorted(HELLO.parent.iterdir()) if path.is_dir()] == ["hello"]
