"""The layers: what each may know of the others, and the rules that `ARCHITECTURE.md` gives to all code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
CRATES = sorted(path.parent for path in ROOT.glob("crates/*/Cargo.toml"))
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))

KERNEL = ROOT / "crates/cello-kernel"
CROSSING = ROOT / "crates/cello-py"
CORE = ROOT / "packages/cello-core"
FRAMEWORK = ROOT / "packages/cello-framework"
OBSERVABILITY = ROOT / "packages/cello-observability"
#: The families: each knows the core and no other.
FAMILIES = [OBSERVABILITY]

#: A comment, or a literal of text or of one character: what a search for code has to leave out.
RUST_WORDS = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | b?"(?:\\.|[^"\\])*" | r(\#*)".*?"\1 | b?'(?:\\.[^']*|[^\\'])'""", re.VERBOSE | re.DOTALL
)


def toml(path: Path) -> dict[str, Any]:
    """A file of TOML, parsed."""
    return tomllib.loads(path.read_text())


def rust_files(crate: Path) -> list[Path]:
    """The sources of a crate."""
    found = sorted((crate / "src").rglob("*.rs"))
    assert found
    return found


def code_of(path: Path) -> str:
    """A Rust file with comments and literals blanked out, line for line, and without its unit tests."""
    code = RUST_WORDS.sub(lambda words: "\n" * words[0].count("\n"), path.read_text())
    code, _, tests = code.partition("#[cfg(test)]\n")
    assert not tests or (tests.startswith("mod tests {\n") and tests.index("\n}\n") == len(tests) - 3), path
    return code


def dependencies(crate: Path) -> set[str]:
    """What a crate names as its dependencies, of every kind."""
    manifest = toml(crate / "Cargo.toml")
    tables = [manifest.get(kind, {}) for kind in ("dependencies", "dev-dependencies", "build-dependencies")]
    return {name for table in tables for name in table}


def locked_dependencies(name: str) -> set[str]:
    """Everything that a crate is built with, however far down."""
    packages = {package["name"]: package for package in toml(ROOT / "Cargo.lock")["package"]}
    found: set[str] = set()
    left = [name]
    while left:
        for line in packages[left.pop()].get("dependencies", []):
            dependency = line.partition(" ")[0]
            if dependency not in found:
                found.add(dependency)
                left.append(dependency)
    return found


def imported(path: Path) -> set[str]:
    """The modules that a Python file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return found


def test_the_crates_and_packages_are_those_of_the_architecture() -> None:
    assert CRATES == [KERNEL, CROSSING]
    assert sorted([CORE, FRAMEWORK, *FAMILIES]) == PACKAGES
    chain = " ← ".join([KERNEL.name, CROSSING.name, CORE.name, "families", FRAMEWORK.name])
    assert chain in (ROOT / "ARCHITECTURE.md").read_text()


def test_the_kernel_knows_nothing_of_python() -> None:
    named, locked = dependencies(KERNEL), locked_dependencies("cello-kernel")
    assert {"hyper", "tokio"} <= named
    assert {"hyper", "mio"} <= locked
    assert not [name for name in named | locked if "py" in name]
    for path in rust_files(KERNEL):
        assert not re.search(r"pyo3|python|asyncio|\bpy\b|\bgil\b", code_of(path), re.IGNORECASE), path


def test_only_the_crossing_uses_pyo3() -> None:
    assert [crate for crate in CRATES if "pyo3" in dependencies(crate)] == [CROSSING]
    assert any("pyo3" in code_of(path) for path in rust_files(CROSSING))
    assert [crate for crate in CRATES if "cello-kernel" in dependencies(crate)] == [CROSSING]


def test_the_crossing_knows_nothing_of_the_application() -> None:
    text = {path: path.read_text() for path in rust_files(CROSSING)}
    modules = {module for source in text.values() for module in re.findall(r'"(cello\.[a-z_.]+)"', source)}
    assert "cello._kernel" in modules
    known = ["_kernel", "_awaitable", "_form", "_request_task", "_values", "errors"]
    assert modules <= {f"cello.{name}" for name in known}
    for path, source in text.items():
        assert not re.search(r"cello\.app|\bApp\b", source), path


def test_the_core_imports_the_standard_library_and_itself() -> None:
    files = sorted((CORE / "src").rglob("*.py"))
    modules = {module for path in files for module in imported(path)}
    assert {"asyncio", "cello._kernel"} <= modules
    foreign = {module for module in modules if module.partition(".")[0] not in {*sys.stdlib_module_names, "cello"}}
    assert foreign == {"httpcore", "httpx", "pluggy", "pytest", "pytest_asyncio"}
    foreign.remove("pluggy")
    for path in files:
        # What tests are made of is imported by what is for tests alone, and that by nothing else.
        is_for_tests = path.parent.name == "testing" or path.name == "_pytest.py"
        # The shell asks an application as tests do, where httpx happens to be there.
        taken = foreign if path.name == "_shell.py" else {*foreign, "cello.testing", "cello._contract"}
        if path.parts[-2:] == ("_plugins", "check.py"):  # it holds a wheel to the contract
            taken = taken - {"cello._contract"}
        assert is_for_tests or path.parent.name == "_contract" or not imported(path) & taken, path
    assert toml(CORE / "pyproject.toml")["project"]["dependencies"] == ["pluggy>=1.6"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_knows_public_names_of_the_core_and_no_other_family(family: Path) -> None:
    package = family.name.replace("-", "_")
    files = sorted((family / "src").rglob("*.py"))
    modules = {module for path in files for module in imported(path)}
    assert "cello.plugin" in modules
    assert not [module for module in modules if module.startswith("cello.") and "._" in module]
    foreign = {module.partition(".")[0] for module in modules} - {*sys.stdlib_module_names, "cello", package}
    dependencies = toml(family / "pyproject.toml")["project"]["dependencies"]
    assert foreign | {"cello-core"} == {re.split(r"[\s\[=<>!~;]", line)[0] for line in dependencies}


def test_the_framework_has_no_code_and_depends_on_the_core_alone() -> None:
    names = {path.relative_to(FRAMEWORK).as_posix() for path in FRAMEWORK.rglob("*") if path.is_file()}
    assert names == {"LICENSE", "README.md", "pyproject.toml"}
    project = toml(FRAMEWORK / "pyproject.toml")["project"]
    assert [line.partition("==")[0] for line in project["dependencies"]] == ["cello-core"]


def test_pyright_checks_every_package_and_its_tests() -> None:
    settings = toml(ROOT / "pyproject.toml")["tool"]
    included: list[str] = settings["pyright"]["include"]
    # Of a glob nobody sees what it leaves out.
    assert not [name for name in included if set("*?[") & set(name)]
    folders = [folder for kind in ("src", "tests") for folder in ROOT.glob(f"packages/*/{kind}")]
    holding = {folder.relative_to(ROOT).as_posix() for folder in folders if any(folder.rglob("*.py"))}
    assert {f"packages/{CORE.name}/src", f"packages/{CORE.name}/tests"} <= holding <= set(included)
    assert all((ROOT / name).exists() for name in included)
    # The wrong uses are left out, by both checkers, and nothing else is.
    assert settings["pyright"]["exclude"] == ["tests/annotations/rejected"]
    assert settings["mypy"]["exclude"] == ["^tests/annotations/rejected/"]


def unsafe_rule() -> set[Path]:
    """The files that `ARCHITECTURE.md` allows `unsafe` in."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rule = re.search(r"^- `unsafe` stands in .*?(?=^- |\Z)", text, re.DOTALL | re.MULTILINE)
    assert rule
    return {ROOT / name for name in re.findall(r"`(\S+\.rs)`", rule[0])}


def test_unsafe_stands_only_where_the_architecture_says() -> None:
    assert toml(ROOT / "Cargo.toml")["workspace"]["lints"]["rust"]["unsafe_code"] == "deny"
    assert all(toml(crate / "Cargo.toml")["lints"] == {"workspace": True} for crate in CRATES)
    files = [path for crate in CRATES for path in rust_files(crate)]
    using = {path for path in files if re.search(r"\bunsafe\b", code_of(path))}
    assert using
    assert using == unsafe_rule()


def test_each_use_of_unsafe_says_why_it_is_sound() -> None:
    uses = 0
    for crate in CRATES:
        for path in rust_files(crate):
            lines = path.read_text().splitlines()
            for number, line in enumerate(code_of(path).splitlines()):
                if not re.search(r"\bunsafe\b", line):
                    continue
                uses += 1
                above = number
                while lines[above - 1].lstrip().startswith("//"):
                    above -= 1
                reason = "\n".join(lines[above:number])
                assert "// SAFETY: " in reason, f"{path}:{number + 1}"
    assert uses


@pytest.mark.parametrize(
    "forbidden",
    [r"\.unwrap(_unchecked)?\(\)", r"\bstatic\s+mut\b", r"#!?\[allow\("],
    ids=["unwrap", "static mut", "allow"],
)
def test_no_crate_has_what_contributing_forbids(forbidden: str) -> None:
    files = [path for crate in CRATES for path in rust_files(crate)]
    # What is looked for would be found, were it there: these are in nearly every file.
    assert sum(bool(re.search(r"\.lock\(\)|\buse\s+std\b", code_of(path))) for path in files) > len(files) / 3
    assert not [path for path in files if re.search(forbidden, code_of(path))]
