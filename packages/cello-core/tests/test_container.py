"""The command of a project's image as process 1 of a container, which is what namespaces of a process make."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cello
import pytest
from cello._project import make
from serving import Stopped, read_all
from supervised import children_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving import Launch, Server

NAME = "string_quartet"

#: What the tests ask beside what the project answers.
ROUTES = """

import asyncio, os, pathlib, subprocess


@app.get("/who")
def who():
    status = pathlib.Path("/proc/self/status").read_text()
    return {"pid": os.getpid(), "parent": os.getppid(), "user": os.getuid(), "status": status}


@app.get("/slow")
async def slow():
    print("in flight", flush=True)
    while not pathlib.Path("finish").exists():
        await asyncio.sleep(0.01)
    return "done"


@app.get("/orphans")
def orphans():
    subprocess.run(["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.01 & done"], check=True)


@app.get("/processes")
def processes():
    return sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
"""


def container() -> list[str]:
    """What runs a command as process 1, and as somebody who is not root."""
    spaces = ["unshare", "--pid", "--fork", "--mount-proc"]
    if os.getuid() != 0:
        way = [*spaces, "--user", "--map-current-user"]
    else:
        # To read where root reads is the one thing that is left to it: the interpreter may be root's.
        kept = "-all,+dac_read_search"
        sets = [f"--{name}={kept}" for name in ("bounding-set", "inh-caps", "ambient-caps")]
        way = [*spaces, "setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--no-new-privs", *sets]
    if any(shutil.which(program) is None for program in ("unshare", "setpriv")):
        pytest.skip("util-linux is not installed")
    tried = subprocess.run([*way, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"namespaces are not allowed here: {tried.stderr.strip()}")
    return way


class Image(Protocol):
    """Runs the command of a project's image, with the image's environment and more."""

    def __call__(self, environment: Mapping[str, str]) -> Server: ...


@pytest.fixture
def image(launch: Launch, tmp_path: Path) -> Iterator[Image]:
    """Containers; what is still running at the end of the test is ended."""
    servers: list[Server] = []

    def start(environment: Mapping[str, str]) -> Server:
        servers.append(started(launch, tmp_path, environment))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            os.kill(process_1(server), signal.SIGKILL)  # and so all that are in there with it


def started(launch: Launch, folder: Path, environment: Mapping[str, str]) -> Server:
    """A project is made, and its image's command run."""
    project = folder / "project"
    make(NAME, str(project))
    with (project / "src" / NAME / "app.py").open("a") as app:
        app.write(ROUTES)
    text = (project / "Dockerfile").read_text()
    (program, *words) = json.loads(re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)[-1])
    assert program == "cello"
    (variables,) = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    of_image = dict(variable.split("=", 1) for variable in variables.split() if not variable.startswith("PATH="))
    assert of_image["CELLO_HOST"] == "0.0.0.0"
    source = f"{Path(cello.__file__).parent.parent}{os.pathsep}{project / 'src'}"
    return launch(
        *container(),
        *(sys.executable, "-m", "cello", *words),
        environment={**of_image, "PYTHONPATH": source, "CELLO_PORT": "0", **environment},
    )


def process_1(server: Server) -> int:
    """The number that process 1 has outside."""
    (child,) = children_of(server)
    return child


ALONE_AND_SUPERVISED = pytest.mark.parametrize("workers", ["1", "2"])


@ALONE_AND_SUPERVISED
def test_the_server_is_process_1_and_not_root(image: Image, workers: str) -> None:
    server = image({"CELLO_WORKERS": workers})
    who = server.get("/who").json()
    assert (who["pid"] if workers == "1" else who["parent"]) == 1
    assert who["user"] != 0
    assert re.search(r"^CapEff:\s0*4?$", who["status"], re.MULTILINE), "it may do more than read"
    os.kill(process_1(server), signal.SIGTERM)
    assert server.wait() == Stopped(0, server.banner[-1], "")


@ALONE_AND_SUPERVISED
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_before_process_1_ends(
    image: Image, tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    server = image({"CELLO_WORKERS": workers})
    with server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "in flight"
        os.kill(process_1(server), number)
        wait_until(server.is_closed)
        assert server.process.poll() is None
        (tmp_path / "finish").touch()
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\ndone")
    stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_a_supervisor_that_is_process_1_waits_for_orphans_too(image: Image) -> None:
    server = image({"CELLO_WORKERS": "2"})
    assert len(server.get("/processes").json()) == 3
    for _ in range(3):
        assert server.get("/orphans").status == 200
    wait_until(lambda: len(server.get("/processes").json()) == 3)
    os.kill(process_1(server), signal.SIGTERM)
    assert server.wait() == Stopped(0, server.banner[-1], "")
