"""The distributions, as they are built: alone in fresh environments."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from projects import ROOT, projects, version
from wheel_building import build, run
from wheel_environments import Environment
from wheels import content_complaints, core_complaints, extra_complaints

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_building import Built

# The first of them builds a release.
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Every wheel and sdist of this checkout."""
    return build(tmp_path_factory.mktemp("dist"))


def test_every_wheel_and_every_sdist_holds_what_it_should_and_nothing_of_this_machine(built: Built) -> None:
    found = projects()
    assert {"cello-core", "cello-framework"} <= {project.name for project in found}
    assert not [complaint for project in found for complaint in content_complaints(built, project)]


def test_the_core_alone_serves_and_says_where_a_missing_name_comes_from(built: Built, tmp_path: Path) -> None:
    assert not core_complaints(Environment(tmp_path / "core", built))


def test_a_stranger_is_built_elsewhere_and_keeps_the_contract_with_the_core_alone(built: Built, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "stranger", built)
    environment.install("cello-core")
    folder = tmp_path / "limelight"
    shutil.copytree(ROOT / "examples/plugins/limelight", folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    run(["uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", folder], folder=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    told = run([environment.folder / "bin/cello", "plugins", "check", wheel], folder=tmp_path)
    assert told == f"{wheel}: as it has to be\n"
    run(["uv", "pip", "install", "--quiet", "--no-deps", "--python", environment.python, wheel], folder=tmp_path)
    assert environment.installed() == (["cello-core"], ["limelight"])


def test_the_extra_full_brings_every_family_with_its_types_and_commands(built: Built, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "full", built)
    assert not extra_complaints(environment, "full")
    assert environment.installed()[1] == sorted(project.family for project in projects() if project.family)

    profile = environment.run("import cello._kernel as kernel; print(kernel.BUILD_PROFILE, kernel.__version__)")
    assert profile.split() == ["release", version()]

    typed = ROOT / "tests/annotations/accepted/routes.py"
    run([sys.executable, "-m", "mypy", "--strict", "--python-executable", environment.python, typed], folder=tmp_path)
    run([sys.executable, "-m", "pyright", "--pythonpath", environment.python, typed], folder=tmp_path)

    run([environment.folder / "bin/cello", "new", "quartet"], folder=tmp_path)
    templates = (ROOT / "packages/cello-core/src/cello/_templates/project").rglob("*.template")
    assert len([path for path in (tmp_path / "quartet").rglob("*") if path.is_file()]) == len([*templates])
