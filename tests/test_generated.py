"""The generators: one version everywhere, extras that follow the families, a bill of what is compiled in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import declared
import extras
import generated
import pytest
import sbom
import versions
from cello._plugins.catalogue import CATALOGUE
from projects import ROOT, Project, projects, version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of the repository as the generators of versions and extras look at."""
    names = ["Cargo.toml", "Cargo.lock"]
    for path in [*(ROOT / name for name in names), *ROOT.glob("crates/*/Cargo.toml"), *ROOT.glob("packages/*/*.toml")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def family(name: str, *names: str) -> Project:
    """A family that is made up, with extras of its own."""
    entry_points = {"cello": {name: f"cello_{name}.plugin"}}
    table = {
        "name": f"cello-{name}",
        "entry-points": entry_points,
        "optional-dependencies": {extra: [f"client-of-{extra}"] for extra in names},
    }
    return Project(ROOT / f"packages/cello-{name}", {"project": table})


def test_what_is_generated_is_up_to_date() -> None:
    texts = [*versions.texts(ROOT).items(), *extras.texts(ROOT).items(), *sbom.texts(ROOT).items()]
    texts += declared.texts(ROOT).items()
    assert len(texts) >= 5
    assert not generated.stale(dict(texts))


def test_one_line_changes_the_version_of_everything(checkout: Path) -> None:
    manifest = checkout / "Cargo.toml"
    now = version()
    manifest.write_text(manifest.read_text().replace(f'version = "{now}"', 'version = "7.0.1"', 1))
    for generate in (versions.texts, extras.texts):
        for path, text in generate(checkout).items():
            path.write_text(text)

    assert {project.table["version"] for project in projects(checkout)} == {"7.0.1"}
    pins = [line for project in projects(checkout) for line in project.table["dependencies"] if "cello-" in line]
    assert pins
    assert all(line.endswith("==7.0.1") for line in pins)
    locked = tomllib.loads((checkout / "Cargo.lock").read_text())["package"]
    ours = {package["name"] for package in locked if package["version"] == "7.0.1"}
    assert ours == {path.parent.name for path in ROOT.glob("crates/*/Cargo.toml")}
    assert not generated.stale({**versions.texts(checkout), **extras.texts(checkout)})


def test_only_the_version_changes_where_the_version_does(checkout: Path) -> None:
    before = {path: path.read_text() for path in versions.texts(checkout)}
    manifest = checkout / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace(version(), "7.0.1", 1))
    after = versions.texts(checkout)
    assert before.keys() == after.keys()
    for path, text in before.items():
        changed = {one for one in text.splitlines() if one not in after[path].splitlines()}
        assert changed
        assert all(re.search(r'^version = |"cello-[^"]*==', line) for line in changed), path


def test_an_extra_appears_with_the_family_that_is_called_so() -> None:
    assert extras.extras([], "2.0.0") == {"full": []}
    assert extras.extras([family("observability"), family("web")], "2.0.0") == {
        "web": ["cello-web==2.0.0"],
        "observability": ["cello-observability==2.0.0"],
        "full": ["cello-observability==2.0.0", "cello-web==2.0.0"],
    }


def test_what_a_family_has_as_an_extra_is_one_of_the_framework_where_it_is_a_name_of_those() -> None:
    found = [family("data", "postgres", "redis", "spare"), family("realtime", "redis")]
    assert extras.extras(found, "2.0.0") == {
        "realtime": ["cello-realtime==2.0.0"],
        "data": ["cello-data==2.0.0"],
        "postgres": ["cello-data[postgres]==2.0.0"],
        "redis": ["cello-data[redis]==2.0.0", "cello-realtime[redis]==2.0.0"],
        "full": ["cello-data[postgres,redis,spare]==2.0.0", "cello-realtime[redis]==2.0.0"],
    }


def test_a_family_whose_name_is_no_extra_is_refused() -> None:
    with pytest.raises(ValueError, match="cello-kazoo: no extra has the name of the family"):
        extras.extras([family("web"), family("kazoo")], "2.0.0")


def test_a_module_appears_with_the_family_that_has_it(tmp_path: Path) -> None:
    security, data = replace(family("security"), folder=tmp_path / "a"), replace(family("data"), folder=tmp_path / "b")
    assert not declared.modules([security, data])
    for path in (
        "a/src/cello_security/guards.py",
        "a/src/cello_security/tokens.py",
        "b/src/cello_data/database/__init__.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    have = declared.modules([security, data])
    assert have == {"database": data, "guards": security}
    names = {path.name for path in declared.forwarders(tmp_path, have)}
    assert names == {"database.py", "database.pyi", "guards.py", "guards.pyi"}
    assert '    "module": {\n        "database": "data",\n        "guards": "security",\n' in declared.catalogue(
        {}, have
    )
    (tmp_path / "b/src/cello_data/guards.py").touch()
    with pytest.raises(ValueError, match="cello-security and cello-data have a module guards: rename one"):
        declared.modules([security, data])


def test_no_module_of_a_family_hides_one_of_the_core_and_none_is_left_of_a_family_that_has_it_no_longer() -> None:
    folder = ROOT / "packages/cello-core/src/cello"
    there = {path.stem: path.read_text() for path in folder.glob("*.py")}
    forwarding = {name for name, text in there.items() if "\nforward(" in text}
    assert forwarding == set(CATALOGUE.get("module", {}))
    assert len(there) > len(forwarding) + 16
    assert not set(declared.MODULES) & (set(there) - forwarding)


@pytest.mark.parametrize("count", [0, 2])
def test_the_framework_has_one_table_of_extras(checkout: Path, count: int) -> None:
    path = checkout / "packages/cello-framework/pyproject.toml"
    table = "[project.optional-dependencies]\n"
    path.write_text(path.read_text().replace(table, "# none\n" if count == 0 else table * count))
    with pytest.raises((ValueError, tomllib.TOMLDecodeError)):
        extras.texts(checkout)


def test_a_stale_file_fails_the_check_by_name_and_is_written_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generated, "ROOT", tmp_path)

    def texts(root: Path) -> dict[Path, str]:
        return {root / "page.md": "now\n"}

    monkeypatch.setattr(sys, "argv", ["tool", "--check"])
    assert generated.run("A tool.", texts) == 1
    assert capsys.readouterr().err == "page.md is not up to date: hatch run gen\n"
    assert not (tmp_path / "page.md").exists()

    monkeypatch.setattr(sys, "argv", ["tool"])
    assert generated.run("A tool.", texts) == 0
    assert (tmp_path / "page.md").read_text() == "now\n"

    monkeypatch.setattr(sys, "argv", ["tool", "--check"])
    assert generated.run("A tool.", texts) == 0


def bill() -> dict[str, Any]:
    """The bill of materials of the core."""
    found: dict[str, Any] = json.loads((ROOT / "packages/cello-core/cello-core.cdx.json").read_text())
    return found


def test_the_bill_names_every_crate_that_is_compiled_in_and_none_of_the_compilers() -> None:
    components = {component["name"]: component for component in bill()["components"]}
    direct = tomllib.loads((ROOT / "crates/cello-kernel/Cargo.toml").read_text())["dependencies"]
    assert {"cello-kernel", "cello-py", "pyo3", *direct} <= components.keys()
    assert not {"proptest", "pyo3-macros", "syn", "windows-sys"} & components.keys()
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    versions_locked = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    for component in components.values():
        checksum = versions_locked[component["name"], component["version"]]
        assert [one["content"] for one in component.get("hashes", [])] == ([checksum] if checksum else [])
        assert component["licenses"][0]["expression"]


def test_the_bills_graph_is_whole() -> None:
    written = bill()
    root = written["metadata"]["component"]["bom-ref"]
    references = [root, *(component["bom-ref"] for component in written["components"])]
    assert len(references) == len(set(references)) > 20
    graph = {entry["ref"]: entry["dependsOn"] for entry in written["dependencies"]}
    assert graph.keys() == set(references)
    seen: set[str] = set()
    left = [root]
    while left:
        reference = left.pop()
        if reference not in seen:
            seen.add(reference)
            left += graph[reference]
    assert seen == set(references)


def test_the_bill_names_no_machine() -> None:
    text = (ROOT / "packages/cello-core/cello-core.cdx.json").read_text()
    assert not re.search(r"file:|://|/home|/root|\\\\|timestamp|serialNumber", text)


@pytest.mark.parametrize("tool", ["versions", "extras", "sbom", "declared", "wheels"])
def test_a_tool_says_what_it_does(tool: str) -> None:
    command = [sys.executable, str(ROOT / f"tools/{tool}.py"), "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"usage: {tool}.py")
