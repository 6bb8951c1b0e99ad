"""One contract for all plugins: the families of the framework and the examples of strangers keep it alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import cello
import pytest
from cello._contract import RULES, Subject
from installing import Environment, package, run, wheel

ROOT = Path(__file__).parent.parent
#: The folders of everybody who brings a plugin.
PLUGINS = {
    path.parent.name: path.parent
    for path in sorted([*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("examples/plugins/*/pyproject.toml")])
    if "cello" in tomllib.loads(path.read_text())["project"].get("entry-points", {})
}
LIMELIGHT = ROOT / "examples/plugins/limelight"


def project(folder: Path) -> dict[str, Any]:
    """What a distribution says of itself."""
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def packed(folder: Path, target: Path) -> Path:
    """The wheel of a distribution, as its backend would build it."""
    table = project(folder)
    name = f"{table['name'].replace('-', '_')}-{table['version']}"
    metadata = [f"Metadata-Version: 2.4\nName: {table['name']}\nVersion: {table['version']}\n"]
    metadata += [f"Requires-Dist: {line}\n" for line in table["dependencies"]]
    entries = [f"{plugin} = {module}\n" for plugin, module in table["entry-points"]["cello"].items()]
    with zipfile.ZipFile(target / f"{name}-py3-none-any.whl", "w") as archive:
        for path in sorted(folder.glob("src/**/*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder / "src"))
        archive.writestr(f"{name}.dist-info/METADATA", "".join(metadata))
        archive.writestr(f"{name}.dist-info/entry_points.txt", "".join(["[cello]\n", *entries]))
    return target / f"{name}-py3-none-any.whl"


def test_there_are_strangers() -> None:
    assert "limelight" in PLUGINS
    assert not project(LIMELIGHT)["name"].startswith("cello")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_keeps_every_rule(tmp_path: Path, plugin: str, rule: str) -> None:
    RULES[rule](Subject(packed(PLUGINS[plugin], tmp_path), tmp_path))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_has_the_contract_among_its_tests(plugin: str) -> None:
    text = (PLUGINS[plugin] / "tests/test_plugin.py").read_text()
    (name,) = project(PLUGINS[plugin])["entry-points"]["cello"]
    assert f'test_contract = plugin_contract("{name}")' in text


def test_the_stranger_declares_something_of_each_kind() -> None:
    from cello._contract.rules import _METHODS

    text = (LIMELIGHT / "src/limelight/plugin.py").read_text()
    assert len(_METHODS) == 7
    assert all(f"    plugin.{method}(" in text for method in (*_METHODS.values(), "provider"))
    assert "def cello_startup(" in text
    assert "def cello_shutdown(" in text


def test_the_tests_of_the_stranger_pass_where_it_is_installed(tmp_path: Path) -> None:
    shutil.copytree(LIMELIGHT / "tests", tmp_path / "tests")
    shutil.copy(LIMELIGHT / "pyproject.toml", tmp_path)
    zipfile.ZipFile(packed(LIMELIGHT, tmp_path)).extractall(tmp_path / "site")
    paths = [tmp_path / "site", Path(cello.__file__).parent.parent]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # Those of the rules are above.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_limelight.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert " passed in " in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_pulled_out_no_plugin_leaves_a_trace(tmp_path: Path, plugin: str) -> None:
    table = project(PLUGINS[plugin])
    ((name, target),) = table["entry-points"]["cello"].items()
    module = target.partition(".")[0]
    environment = Environment(tmp_path)
    before = {path: path.read_bytes() for path in environment.site.rglob("*") if path.is_file()}
    stub = environment.site / "cello/_contrib_strangers.pyi"
    files = package(PLUGINS[plugin] / "src" / module, module)
    environment.install(wheel(tmp_path, table["name"], files, f"[cello]\n{name} = {target}\n"))
    (row,) = json.loads(environment.plugins("list", "--json"))["plugins"]
    assert (row["name"], row["state"]) == (name, "active")
    environment.plugins("stubs")
    assert (before[stub] == stub.read_bytes()) == table["name"].startswith("cello-")

    run("uv", "pip", "uninstall", "--quiet", "--python", environment.python, table["name"])
    told = json.loads(environment.plugins("list", "--json"))
    assert told["plugins"] == []
    if told["stubs"] == "stale":
        environment.plugins("stubs")
    found = {path: path.read_bytes() for path in environment.site.rglob("*") if path.is_file()}
    left = {path for path in found if path.suffix != ".pyc" and found[path] != before.get(path)}
    assert not left
    assert not [path for path in environment.site.rglob(f"*{module}*") if path not in before]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_stranger_builds_and_tests_it_elsewhere_and_pulled_out_it_leaves_no_trace(tmp_path: Path) -> None:
    elsewhere = tmp_path / "limelight"
    shutil.copytree(LIMELIGHT, elsewhere, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", folder=elsewhere)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    shutil.rmtree(elsewhere / "src")

    environment = Environment(tmp_path)
    before = {*environment.site.iterdir()}
    environment.install(wheel)
    run("uv", "pip", "install", "--quiet", "--python", environment.python, "pytest", "httpx")
    told = run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=elsewhere)
    assert " passed in " in told
    assert "skipped" not in told
    assert environment.plugins("check") == "limelight (limelight): as it has to be\n"

    run("uv", "pip", "uninstall", "--quiet", "--python", environment.python, "limelight")
    assert not [path for path in environment.site.rglob("*limelight*") if path not in before]
    assert "No plugins are installed." in environment.plugins("check")
    code = "import cello; print(hasattr(cello.App(), 'enable_limelight'), hasattr(cello.Request, 'flags'))"
    assert run(environment.python, "-c", code, folder=tmp_path) == "False False\n"
