"""`cello new`: a project whose own lint, types and tests pass as they are."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import cello
import pytest
from cello._project import checked_name, make
from cello.errors import OptionError
from serving import Stopped, run_to_its_end

if TYPE_CHECKING:
    from serving import Launch

BIN = Path(sys.executable).parent
PATIENCE_S = 50
NAME, DISTRIBUTION = "string_quartet", "string-quartet"

FILES = {
    ".dockerignore",
    ".github/workflows/ci.yml",
    ".gitignore",
    "Dockerfile",
    "README.md",
    f"deploy/{DISTRIBUTION}.service",
    "pyproject.toml",
    f"src/{NAME}/__init__.py",
    f"src/{NAME}/app.py",
    f"src/{NAME}/py.typed",
    f"src/{NAME}/settings.py",
    "tests/test_app.py",
    "tests/test_settings.py",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, as it was made."""
    make(NAME, str(tmp_path / "project"))
    return tmp_path / "project"


def new(folder: Path, *words: str) -> Stopped:
    """Runs the command."""
    return run_to_its_end(folder, sys.executable, "-m", "cello", "new", *words)


def files_of(folder: Path) -> set[str]:
    """The files of a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_made_in_a_folder_of_its_name(tmp_path: Path) -> None:
    made = new(tmp_path, NAME)
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout.startswith(f"{NAME} has a new project of {len(FILES)} files. What to do next:\n")
    assert files_of(tmp_path) == {f"{NAME}/{path}" for path in FILES}


def test_a_project_is_made_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "deep/er"):
        assert new(tmp_path, NAME, "--path", folder).exit_code == 0
        assert files_of(tmp_path / folder) == FILES


def test_nothing_is_left_to_be_filled_in(project: Path) -> None:
    for path in FILES:
        text = (project / path).read_text()
        assert not re.search(r"@\w+@|NAME\b|DISTRIBUTION", text.replace(f"{NAME.upper()}_", "")), path
        assert text.endswith("\n") or not text


def test_nothing_that_is_there_is_changed(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "notes.txt").write_text("mine")
    refused = new(tmp_path, NAME)
    assert refused == Stopped(2, "", f"cello: {NAME} is not empty: a project is made in a folder of its own\n")
    assert files_of(tmp_path) == {f"{NAME}/notes.txt"}
    (tmp_path / "file").write_text("mine")
    assert new(tmp_path, NAME, "--path", "file") == Stopped(2, "", "cello: file cannot have a project: File exists\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-shop", "is no name of a project: use small letters, digits and single underscores, such as my_shop"),
        ("Shop", "is no name of a project: use small letters, digits and single underscores, such as shop"),
        ("2shops", "is no name of a project: use small letters, digits and single underscores, such as shops"),
        ("shop_", "is no name of a project: use small letters, digits and single underscores, such as shop"),
        ("größe", "is no name of a project: use small letters, digits and single underscores, such as gr_e"),
        ("../shop", "is no name of a project: use small letters, digits and single underscores, such as shop"),
        ("é", "is no name of a project: use small letters, digits and single underscores"),
        ("", "is no name of a project: use small letters, digits and single underscores"),
        ("class", "is a word of Python's: call the project something else"),
        ("json", "is a module of Python's standard library: call the project something else"),
        ("tests", "is a folder of every project: call the project something else"),
        ("cello", "is a module that can be imported already: call the project something else"),
        ("pytest", "is a module that can be imported already: call the project something else"),
    ],
)
def test_a_name_that_cannot_be_or_is_taken_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OptionError) as refused:
        checked_name(name)
    assert str(refused.value) == f"{name!r} {words}"
    assert not [*tmp_path.iterdir()]


def test_a_refused_name_ends_the_command_with_2(tmp_path: Path) -> None:
    refused = new(tmp_path, "json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert not [*tmp_path.iterdir()]


def check(project: Path, *command: str) -> str:
    """Runs one of the project's own commands, which is to succeed; what it says."""
    source = str(Path(cello.__file__).parent.parent)
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        # As an installed distribution is found.
        "PYTHONPATH": source,
        "MYPYPATH": source,
        # What else is installed here is no part of the project.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_its_style_is_what_it_says(project: Path) -> None:
    assert "All checks passed!" in check(project, "ruff", "check", "--no-cache", ".")
    assert "6 files already formatted" in check(project, "ruff", "format", "--no-cache", "--check", ".")


def test_its_types_are_strict(project: Path) -> None:
    assert "Success: no issues found in 5 source files" in check(project, "mypy")
    assert "0 errors, 0 warnings" in check(project, "pyright", "--pythonpath", sys.executable)


def test_its_tests_pass(project: Path) -> None:
    assert "7 passed" in check(project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    # The guide to testing has it installed.
    asynchronous = ("-p", "pytest_asyncio.plugin")
    assert "7 passed" in check(project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *asynchronous)


def test_it_is_served_by_the_command_that_its_readme_names(project: Path, launch: Launch) -> None:
    assert f"`cello run {NAME}.app:app`" in (project / "README.md").read_text()
    command = (sys.executable, "-m", "cello", "run", f"{NAME}.app:app", "--port", "0", "--no-logs")
    source = f"{Path(cello.__file__).parent.parent}{os.pathsep}{project / 'src'}"
    server = launch(*command, environment={"PYTHONPATH": source, f"{NAME.upper()}_GREETING": "Salut"})
    assert server.get("/?name=Ada").json() == {"message": "Salut, Ada!"}
    assert server.stop().exit_code == 0


def test_a_setting_that_cannot_be_ends_it_at_start_with_its_variable(project: Path) -> None:
    source = f"{Path(cello.__file__).parent.parent}{os.pathsep}{project / 'src'}"
    done = subprocess.run(
        [sys.executable, "-m", "cello", "run", f"{NAME}.app"],
        env={**os.environ, "PYTHONPATH": source, f"{NAME.upper()}_GREETING": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 3
    assert f"SettingsError: {NAME.upper()}_GREETING is '': give it a text, or leave it out for 'Hello'" in done.stderr


def test_its_commands_are_those_that_its_continuous_integration_runs(project: Path) -> None:
    workflow = (project / ".github/workflows/ci.yml").read_text()
    ran = re.findall(r"^      - run: (.*)$", workflow, re.MULTILINE)
    assert ran[1:] == [
        "pip install --editable . --group dev",
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "pyright",
        "pytest",
    ]
    told = (project / "README.md").read_text()
    assert all(command in told for command in ran[1:])
    assert tomllib.loads((project / "pyproject.toml").read_text())["dependency-groups"].keys() == {"dev"}


def test_it_depends_on_the_framework_of_this_version(project: Path) -> None:
    (dependency,) = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    major, minor = cello.__version__.split(".")[:2]
    assert dependency == f"cello-framework>={major}.{minor},<{int(major) + 1}"


def test_its_container_runs_the_server_itself_and_asks_after_its_health(project: Path) -> None:
    text = (project / "Dockerfile").read_text()
    commands = [json.loads(words) for words in re.findall(r"^(?:HEALTHCHECK .*)?CMD (\[.*\])$", text, re.MULTILINE)]
    (python, _, code), run = commands
    assert (python, run) == ("python", ["cello", "run", f"{NAME}.app:app"])
    assert "/health" in code
    ast.parse(code)
    assert re.findall("^FROM .* AS build$", text, re.MULTILINE)
    assert text.index("\nUSER ") < text.index("\nCMD ")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    assert {name for words in copied for name in words.split()} == {"pyproject.toml", "README.md", "src"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_its_unit_is_one(project: Path, tmp_path: Path) -> None:
    text = (project / f"deploy/{DISTRIBUTION}.service").read_text()
    command = f"ExecStart=/opt/{DISTRIBUTION}/bin/cello run {NAME}.app:app"
    assert command in text
    unit = tmp_path / f"{DISTRIBUTION}.service"
    # A program that is there, as the unit's own is once it is installed.
    unit.write_text(text.replace(command, "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")
