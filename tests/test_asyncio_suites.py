"""CPython's own asyncio tests, run by each interpreter that is supported, against Cello's loop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
RUNNER = ROOT / "conformance" / "asyncio_suites.py"
EXCEPTIONS = ROOT / "conformance" / "asyncio_exceptions.toml"

PYTHONS = ["3.12", "3.13"]
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

HAS_TESTS = "import sys, test.test_asyncio; print(sys.version_info[0], sys.version_info[1], sep='.')"


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter of a version may be; pyenv's own are no names on PATH unless they are chosen."""
    yield sys.executable
    if path := shutil.which(f"python{version}"):
        yield path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True))
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"):
        found = subprocess.run([uv, "python", "find", "--no-project", version], capture_output=True, text=True)
        yield from found.stdout.split("\n")[:1]


@cache
def interpreter(version: str) -> str | None:
    """An interpreter of a version that came with its own tests."""
    for path in filter(None, candidates(version)):
        probe = subprocess.run([path, "-c", HAS_TESTS], capture_output=True, text=True)
        if probe.stdout.strip() == version:
            return path
    return None


def run(version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the suites by an interpreter of that version, on what this checkout has built."""
    path = interpreter(version)
    if path is None:
        pytest.skip(f"no Python {version} with its own tests: pyenv install {version}, or libpython{version}-testsuite")
    result = subprocess.run(
        [path, str(RUNNER), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "packages/cello-core/src")},
    )
    print(result.stdout, result.stderr)
    return result


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
