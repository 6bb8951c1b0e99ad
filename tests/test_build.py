"""The guard in `conftest.py`: a change of the kernel is never tested against a stale build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of the repository as the guard looks at, with a build younger than its sources and one empty test."""
    helpers = [path for path in (ROOT / "tests").iterdir() if path.is_file() and not path.name.startswith("test_")]
    for path in (ROOT / "conftest.py", ROOT / "pyproject.toml", *helpers):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    (tmp_path / "tests/test_nothing.py").write_text("def test_nothing() -> None: ...\n")
    sources = [tmp_path / "crates/a/src/lib.rs", tmp_path / "crates/b/src/deep/file.rs"]
    for number, path in enumerate([*sources, built(tmp_path)]):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    return tmp_path


def built(checkout: Path) -> Path:
    """The native module."""
    return checkout / "packages/cello-core/src/cello/_kernel.abi3.so"


def run(checkout: Path) -> tuple[int, str]:
    """Runs the tests there; the exit code, and all that was said."""
    options = ["-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/test_nothing.py"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    return result.returncode, result.stdout + result.stderr


def test_with_a_build_younger_than_its_sources_the_tests_run(checkout: Path) -> None:
    code, said = run(checkout)
    assert code == pytest.ExitCode.OK, said
    assert "1 passed" in said


@pytest.mark.parametrize("changed", ["crates/a/src/lib.rs", "crates/b/src/deep/file.rs"])
def test_with_a_source_younger_than_the_build_no_test_runs(checkout: Path, changed: str) -> None:
    (checkout / changed).touch()
    code, said = run(checkout)
    assert code == pytest.ExitCode.USAGE_ERROR, said
    assert "the native kernel is older than its sources: `hatch run build`" in said
    assert "passed" not in said


def test_without_a_build_no_test_runs(checkout: Path) -> None:
    built(checkout).unlink()
    code, said = run(checkout)
    assert code == pytest.ExitCode.USAGE_ERROR, said
    assert "hatch run build" in said
