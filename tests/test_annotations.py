"""What type checkers say of the annotations: right uses pass, each wrong one is an error on its line.

In `tests/annotations` stand files of both kinds. The linters check the right uses as all other code. The wrong ones,
each on a line marked `# rejected`, they leave out.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pages import blocks

if TYPE_CHECKING:
    type Place = tuple[str, int]

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests/annotations"
ACCEPTED = sorted(FOLDER.glob("accepted/*.py"))
REJECTED = sorted(FOLDER.glob("rejected/*.py"))
MARK = "# rejected"

pytestmark = pytest.mark.timeout(180)


def run(*command: str | Path) -> str:
    """What a checker says.

    It is to see the package that the tests import: mypy knows nothing of PYTHONPATH, and pyright, where it verifies
    types, asks the first `python` it finds.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "MYPYPATH": os.environ.get("PYTHONPATH", ""), "PATH": path}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy() -> dict[Place, str]:
    """The errors that mypy finds, by file and line."""
    found = [json.loads(line) for line in run("mypy", "--output", "json", *ACCEPTED, *REJECTED).splitlines()]
    return {
        (str(ROOT / error["file"]), error["line"]): error["message"] for error in found if error["severity"] == "error"
    }


def pyright(tmp_path: Path) -> dict[Place, str]:
    """The errors that pyright finds, by file and line, with the settings it has for all other code."""
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]
    settings = {name: value for name, value in settings.items() if name not in ("venvPath", "venv", "extraPaths")}
    settings |= {"include": [os.path.relpath(FOLDER, tmp_path)], "exclude": []}
    # What is thrown away is an error too, and would hide that a line has no other.
    settings |= {"reportUnusedExpression": False, "reportUnusedVariable": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    told = json.loads(run("pyright", "--project", tmp_path, "--pythonpath", sys.executable, "--outputjson"))
    assert told["summary"]["filesAnalyzed"] == len(ACCEPTED) + len(REJECTED)
    return {
        (error["file"], error["range"]["start"]["line"] + 1): error["message"]
        for error in told["generalDiagnostics"]
        if error["severity"] == "error"
    }


def test_every_wrong_use_is_an_error_to_mypy_and_no_right_one_is() -> None:
    check_places(mypy())


def test_every_wrong_use_is_an_error_to_pyright_and_no_right_one_is(tmp_path: Path) -> None:
    check_places(pyright(tmp_path))


def check_places(found: dict[Place, str]) -> None:
    """Fails unless the errors stand where the marks do."""
    marked = {
        (str(path), number)
        for path in (*ACCEPTED, *REJECTED)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if MARK in line
    }
    assert {file for file, _ in marked} == {str(path) for path in REJECTED}
    assert len(marked) > 200
    wrongly_rejected = {place: words for place, words in found.items() if place not in marked}
    assert not wrongly_rejected
    wrongly_accepted = marked - found.keys()
    assert not wrongly_accepted


def test_pyright_knows_the_type_of_every_public_name() -> None:
    told = json.loads(
        run("pyright", "--pythonpath", sys.executable, "--verifytypes", "cello", "--ignoreexternal", "--outputjson")
    )["typeCompleteness"]
    assert told["exportedSymbolCounts"]["withKnownType"] > 100
    assert not [symbol["name"] for symbol in told["symbols"] if not symbol["isTypeKnown"]]


def test_checkers_accept_the_example_of_the_guide() -> None:
    (example,) = blocks("docs/guides/types.md", "python")
    accepted = (FOLDER / "accepted/guide.py").read_text().replace(", assert_type", "", 1)
    assert example in accepted


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_what_checkers_accept_is_right_as_it_runs(path: Path) -> None:
    assert "assert_type" in runpy.run_path(str(path))
