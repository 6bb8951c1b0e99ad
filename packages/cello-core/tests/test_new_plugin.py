"""`cello plugins new`: a plugin whose own lint, types, tests and wheel pass as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import cello
import pytest
from cello._project import make_plugin
from installing import Environment
from serving import Stopped, run_to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 50
NAME, DISTRIBUTION = "string_quartet", "string-quartet"

FILES = {
    ".github/workflows/ci.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    f"src/{NAME}/__init__.py",
    f"src/{NAME}/config.py",
    f"src/{NAME}/feature.py",
    f"src/{NAME}/plugin.py",
    f"src/{NAME}/py.typed",
    f"tests/test_{NAME}.py",
}


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin, as it was made."""
    make_plugin(NAME, str(tmp_path / "plugin"), "MIT")
    return tmp_path / "plugin"


@pytest.fixture
def new(tmp_path: Path) -> Callable[..., Stopped]:
    """Runs the command."""
    return lambda *words: run_to_its_end(tmp_path, sys.executable, "-m", "cello", "plugins", "new", *words)


def files_of(folder: Path) -> set[str]:
    """The files of a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def check(plugin: Path, *command: str) -> str:
    """Runs one of the plugin's own commands, which is to succeed; what it says."""
    source = str(Path(cello.__file__).parent.parent)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # As an installed distribution is found.
        "PYTHONPATH": source,
        "MYPYPATH": source,
        # What else is installed here is no part of the plugin.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(command, cwd=plugin, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_a_plugin_is_made_in_a_folder_of_its_name(tmp_path: Path, new: Callable[..., Stopped]) -> None:
    made = new(NAME)
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout.startswith(f"{NAME} has a new plugin of {len(FILES)} files. What to do next:\n")
    assert files_of(tmp_path) == {f"{NAME}/{path}" for path in FILES}
    assert new(NAME) == Stopped(2, "", f"cello: {NAME} is not empty: a plugin is made in a folder of its own\n")


def test_a_name_that_cannot_be_is_refused(tmp_path: Path, new: Callable[..., Stopped]) -> None:
    words = "is no name of a plugin: use small letters, digits and single underscores, such as my_plugin"
    assert new("My-Plugin") == Stopped(2, "", f"cello: 'My-Plugin' {words}\n")
    words = "is a module of Python's standard library: call the plugin something else"
    assert new("json") == Stopped(2, "", f"cello: 'json' {words}\n")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("worker", "'worker' would bring the config section 'worker', which is taken"),
        ("body_limit", "'body_limit' would bring the App method 'enable_body_limit', which is taken"),
        ("request_id", "'request_id' would bring the config section 'request_id', which is taken"),
        ("request", "'request' would be the class Request, which is the framework's"),
        ("observability", "'observability' is a plugin of cello-observability"),
    ],
)
def test_a_name_that_would_have_it_declare_what_is_taken_is_refused(
    tmp_path: Path, new: Callable[..., Stopped], name: str, words: str
) -> None:
    assert new(name) == Stopped(2, "", f"cello: {words}: call the plugin something else\n")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("license_name", ["MIT", "BSD-3-Clause", "none"])
def test_its_license_is_the_one_that_is_chosen(tmp_path: Path, new: Callable[..., Stopped], license_name: str) -> None:
    assert new(NAME, "--license", license_name).exit_code == 0
    table = tomllib.loads((tmp_path / NAME / "pyproject.toml").read_text())["project"]
    if license_name == "none":
        assert files_of(tmp_path / NAME) == FILES - {"LICENSE"}
        assert "license" not in table
    else:
        assert table["license"] == license_name
        text = (tmp_path / NAME / "LICENSE").read_text()
        assert re.search(rf"^Copyright \(c\) 20\d\d the authors of {DISTRIBUTION}$", text, re.MULTILINE)


def test_nothing_is_left_to_be_filled_in(plugin: Path) -> None:
    for path in FILES:
        text = (plugin / path).read_text()
        assert not re.search(r"@\w+@|NAME\b|DISTRIBUTION\b", text), path
        assert text.endswith("\n") or not text


def test_its_style_is_what_it_says(plugin: Path) -> None:
    assert "All checks passed!" in check(plugin, "ruff", "check", "--no-cache", ".")
    assert "6 files already formatted" in check(plugin, "ruff", "format", "--no-cache", "--check", ".")


def test_its_types_are_strict(plugin: Path) -> None:
    assert "Success: no issues found in 5 source files" in check(plugin, "mypy")
    assert "0 errors, 0 warnings" in check(plugin, "pyright", "--pythonpath", sys.executable)


def test_its_tests_pass(plugin: Path) -> None:
    assert "4 passed" in check(plugin, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


def test_its_commands_are_those_that_its_continuous_integration_runs(plugin: Path) -> None:
    workflow = (plugin / ".github/workflows/ci.yml").read_text()
    ran = re.findall(r"^      - run: (.*)$", workflow, re.MULTILINE)[1:]
    told = (plugin / "README.md").read_text()
    assert {"ruff check .", "mypy", "pyright", "pytest", "python -m build --wheel"} < {*ran}
    assert all(command in told for command in ran)


@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv here")
def test_its_wheel_is_built_and_is_a_plugin_where_it_is_installed(plugin: Path, tmp_path: Path) -> None:
    check(plugin, "uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{NAME}/py.typed", f"{NAME}/plugin.py", f"{NAME}-0.1.0.dist-info/licenses/LICENSE"} <= {*names}
    environment = Environment(tmp_path)
    environment.install(wheel)
    told = json.loads(environment.plugins("list", "--json"))["plugins"]
    assert [(row["name"], row["state"], row["distribution"]) for row in told] == [(NAME, "active", DISTRIBUTION)]
    assert environment.plugins("check", str(wheel)) == f"{wheel}: as it has to be\n"
    assert environment.plugins("check") == f"{NAME} ({DISTRIBUTION}): as it has to be\n"
    environment.plugins("stubs")
    use = tmp_path / "use.py"
    use.write_text(f"from cello import App\n\napp = App()\napp.enable_{NAME}('Hi')\napp.enable_{NAME}(7)\n")
    assert environment.mypy(use) == environment.pyright(use) == {5}
