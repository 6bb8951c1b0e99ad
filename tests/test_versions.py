"""One version: of every distribution and crate, of the module, and of the change log."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import cello

ROOT = Path(__file__).parent.parent
PROJECTS = sorted(ROOT.glob("packages/*/pyproject.toml"))
CRATES = sorted(ROOT.glob("crates/*/Cargo.toml"))


def toml(path: Path) -> dict[str, Any]:
    """A file of TOML, parsed."""
    return tomllib.loads(path.read_text())


def test_every_distribution_has_the_version_of_the_module() -> None:
    versions = {path.parent.name: toml(path)["project"]["version"] for path in PROJECTS}
    assert {"cello-core", "cello-framework"} <= set(versions)
    assert set(versions.values()) == {cello.__version__}


def test_every_crate_has_the_version_of_the_workspace() -> None:
    assert toml(ROOT / "Cargo.toml")["workspace"]["package"]["version"] == cello.__version__
    versions = {path.parent.name: toml(path)["package"]["version"] for path in CRATES}
    assert {"cello-kernel", "cello-py"} <= set(versions)
    assert all(version == {"workspace": True} for version in versions.values())


def test_the_locked_crates_have_it_too() -> None:
    locked = {package["name"]: package["version"] for package in toml(ROOT / "Cargo.lock")["package"]}
    ours = {path.parent.name for path in CRATES}
    assert ours
    assert {locked[name] for name in ours} == {cello.__version__}


def test_distributions_depend_on_each_other_at_exactly_this_version() -> None:
    names = {path.parent.name for path in PROJECTS}
    pins: list[str] = []
    for path in PROJECTS:
        project = toml(path)["project"]
        assert project["name"] == path.parent.name
        extras = project.get("optional-dependencies", {}).values()
        for line in [*project.get("dependencies", []), *(line for extra in extras for line in extra)]:
            name = re.split(r"[\s\[=<>!~;]", line)[0]
            if name in names - {path.parent.name}:
                pins.append(line)
    assert pins
    assert all(re.fullmatch(rf"[a-z-]+(\[[a-z,-]+\])?=={re.escape(cello.__version__)}", line) for line in pins)


def test_the_top_of_the_change_log_is_this_version() -> None:
    tops = re.findall(r"^## (\S+), (unreleased|\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert tops
    assert tops[0][0] == cello.__version__


def test_the_command_line_says_this_version() -> None:
    result = subprocess.run([sys.executable, "-m", "cello", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"cello {cello.__version__}\n"


def test_every_distribution_wants_the_same_python() -> None:
    wanted = {toml(path)["project"]["requires-python"] for path in PROJECTS}
    assert len(wanted) == 1
    assert wanted == {toml(ROOT / "hatch.toml")["envs"]["default"]["python"]}
    lowest = wanted.pop().removeprefix(">=")
    assert (ROOT / ".python-version").read_text().strip() == lowest
    assert f"Python {lowest} or newer" in (ROOT / "README.md").read_text()
    tools = toml(ROOT / "pyproject.toml")["tool"]
    assert tools["ruff"]["target-version"] == f"py{lowest.replace('.', '')}"
    assert tools["mypy"]["python_version"] == tools["pyright"]["pythonVersion"] == lowest
    assert any(f"abi3-py{lowest.replace('.', '')}" in line for line in (ROOT / "Cargo.toml").read_text().splitlines())
