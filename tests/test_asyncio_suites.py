"""CPython's own asyncio tests, run by each interpreter that is supported, against Cello's loop."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from interpreters import PYTHONS, run_python

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parent.parent
RUNNER = ROOT / "conformance" / "asyncio_suites.py"
EXCEPTIONS = ROOT / "conformance" / "asyncio_exceptions.toml"

MODULES = [
    "test_events",
    "test_streams",
    "test_sock_lowlevel",
    "test_server",
    "test_buffered_proto",
    "test_ssl",
    "test_sslproto",
    "test_subprocess",
    "test_unix_events",
    "test_sendfile",
]
EXCUSED = 0


def run(version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the suites by an interpreter of that version."""
    return run_python(version, str(RUNNER), *arguments)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("version", PYTHONS)
def test_the_loop_passes_what_cpython_asks_of_its_own(version: str, module: str) -> None:
    result = run(version, module)
    assert result.returncode == 0
    verdict = re.search(r"^asyncio-([a-z0-9-]+): (\d+)/(\d+)$", result.stdout, re.MULTILINE)
    assert verdict is not None
    assert f"test_{verdict[1].replace('-', '_')}" == module
    passed, total = int(verdict[2]), int(verdict[3])
    assert total > 0
    assert passed >= 0.99 * total


def test_an_excused_case_that_passes_fails_the_run(tmp_path: Path) -> None:
    case = "BufferedProtocolSelectorTests.test_buffered_proto_create_connection"
    exceptions = tmp_path / "exceptions.toml"
    exceptions.write_text(f'[[test_buffered_proto]]\ncase = "{case}"\npython = {PYTHONS}\nreason = "none"\n')
    result = run(PYTHONS[0], "test_buffered_proto", "--exceptions", str(exceptions))
    assert f"{case} passes" in result.stdout
    assert result.returncode == 1


def test_the_excused_cases_only_grow_fewer_and_each_has_its_reason() -> None:
    entries = [entry for listed in tomllib.loads(EXCEPTIONS.read_text()).values() for entry in listed]
    assert len(entries) == EXCUSED, "the number here goes down with the list, and never up"
    assert all(entry["reason"] and entry["python"] and {*entry["python"]} <= {*PYTHONS} for entry in entries)
