"""The interpreters that the project supports, as they are found on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PYTHONS", "interpreter", "run_python"]

ROOT = Path(__file__).parent.parent
PYTHONS = ["3.12", "3.13"]
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


def run_python(version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs an interpreter of that version on what this checkout has built; skips where there is none."""
    path = interpreter(version)
    if path is None:
        pytest.skip(f"no Python {version} with its own tests: pyenv install {version}, or libpython{version}-testsuite")
    result = subprocess.run(
        [path, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "packages/cello-core/src")},
    )
    print(result.stdout, result.stderr)
    return result
