"""The unit of a project: what it starts, how that is reloaded, and how long it may take to stop."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cello
import pytest
from cello._config import SHUTDOWN_TIMEOUT_S
from cello._project import make
from cello._supervisor_cluster import Cluster
from serving import PATIENCE_S

if TYPE_CHECKING:
    from serving import Launch

NAME, DISTRIBUTION = "string_quartet", "string-quartet"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, as it was made."""
    make(NAME, str(tmp_path / "project"))
    return tmp_path / "project"


def unit_of(project: Path) -> dict[str, list[str]]:
    """The values of each name of the project's unit."""
    found: dict[str, list[str]] = {}
    text = (project / f"deploy/{DISTRIBUTION}.service").read_text()
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_a_reload_replaces_the_workers_that_it_starts(project: Path, launch: Launch) -> None:
    unit = unit_of(project)
    program, *words = unit["ExecStart"][0].split()
    assert program == f"/opt/{DISTRIBUTION}/bin/cello"
    assert unit["ExecReload"] == ["kill -HUP $MAINPID"]
    variables = dict(each.split("=", 1) for value in unit["Environment"] for each in value.split())
    source = f"{Path(cello.__file__).parent.parent}{os.pathsep}{project / 'src'}"
    server = launch(
        *(sys.executable, "-m", "cello", *words),
        environment={**variables, "PYTHONPATH": source, "CELLO_PORT": "0"},
    )
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    before = set(children.read_text().split())
    assert len(before) >= 2
    server.send_signal(signal.SIGHUP)
    give_up_s = time.monotonic() + PATIENCE_S
    while before & set(children.read_text().split()):
        assert time.monotonic() < give_up_s
        assert server.get("/health").json() == {"status": "ok"}
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stdout) == (0, server.banner[-1])
    assert len(re.findall("takes the place of", stopped.stderr)) == len(before)


def test_it_may_take_as_long_to_stop_as_the_server_takes_at_most(project: Path) -> None:
    unit = unit_of(project)
    most_s = Cluster(cpu_affinity=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S, max_restarts=None).kill_after_s
    assert int(unit["TimeoutStopSec"][0]) > most_s
    assert unit["KillMode"] == ["mixed"], "or every worker is told to stop by somebody else"
    guide = (Path(__file__).parents[3] / "docs/guides/deploy.md").read_text()
    told = re.findall(r"(?:--stop-timeout |stop_grace_period: |terminationGracePeriodSeconds: )(\d+)", guide)
    readme = re.findall(r"--stop-timeout (\d+)", (project / "README.md").read_text())
    assert len(told) >= 4
    assert {int(seconds) > most_s for seconds in told + readme} == {True}
