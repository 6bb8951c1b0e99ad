"""The wheel of a plugin, checked without anything of it being imported."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from cello._plugins.scan import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zipfile import ZipFile

__all__ = ["RULES", "Broken", "check_wheel"]

RULES = ("wheel", "entry-point", "package", "typed", "dependency", "private", "lazy")

_CORE = re.compile(r"cello[-_.]core(?![\w.-])\s*(?:\[[^]]*\])?\s*(.*)", re.IGNORECASE)

#: The functions that import what their first argument names.
_IMPORTING = ("__import__", "import_module")


class Broken(NamedTuple):
    """A rule that a wheel breaks."""

    rule: str
    #: What is wrong, where, and what to do.
    words: str


def check_wheel(path: str) -> list[Broken]:
    """The rules that a wheel breaks.

    Errors: OSError where the file cannot be read.
    """
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            return list(_broken(archive))
    except BadZipFile:
        return [Broken("wheel", "it is no wheel: build one, such as by python -m build --wheel")]


def _broken(archive: ZipFile) -> Iterator[Broken]:
    files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    information = next((name.partition("/")[0] for name in files if ".dist-info/" in name), None)
    metadata = files.get(f"{information}/METADATA", b"").decode(errors="replace")
    fields = [line.partition(": ")[::2] for line in metadata.partition("\n\n")[0].splitlines()]
    distribution = next((value for name, value in fields if name == "Name"), "")
    if not distribution:
        yield Broken("wheel", "it has no METADATA with a Name: it is no wheel as tools build them")
        return
    text = files.get(f"{information}/entry_points.txt", b"").decode(errors="replace")
    targets = [entry.target.partition(":")[0] for entry in entries_of(distribution, "", text)]
    package = re.sub(r"[-_.]+", "_", distribution).lower()
    yield from _entry_points(targets, files)
    yield from _packages(package, files)
    yield from _dependency([value for name, value in fields if name == "Requires-Dist"])
    plugins = {file for target in targets for file in _files_of(target)}
    for name, content in files.items():
        if name.endswith((".py", ".pyi")):
            yield from _imports(name, content, package, is_plugin=name in plugins)


def _entry_points(targets: Sequence[str], files: Mapping[str, bytes]) -> Iterator[Broken]:
    if not targets:
        yield Broken("entry-point", 'it has none in the group "cello": write [project.entry-points.cello]')
    for target in targets:
        if not any(name in files for name in _files_of(target)):
            yield Broken("entry-point", f"the module {target}, which an entry point names, is not in the wheel")


def _packages(package: str, files: Mapping[str, bytes]) -> Iterator[Broken]:
    found = {name.partition("/")[0].removesuffix(".py") for name in files if name.endswith((".py", ".pyi", ".so"))}
    found = {name for name in found if not name.endswith((".data", ".dist-info"))}
    for other in sorted(found - {package}):
        yield Broken("package", f"it holds {other}: name the package {package}, as the distribution is named")
    if package not in found and not found:
        yield Broken("package", f"it has no package {package}, which is the one that its distribution is named for")
    for one in sorted(found):
        if f"{one}/py.typed" not in files:
            yield Broken("typed", f"{one}/py.typed is missing: without it type checkers look at nothing of the package")


def _dependency(required: Sequence[str]) -> Iterator[Broken]:
    found = [match[1] for line in required if (match := _CORE.fullmatch(line.partition(";")[0].strip()))]
    if not found:
        yield Broken("dependency", 'it does not ask for cello-core: write "cello-core>=2,<3" under dependencies')
    elif not any(re.search("[<>=~]", versions) for versions in found):
        yield Broken("dependency", 'it asks for any cello-core: say which versions, such as "cello-core>=2,<3"')


def _imports(name: str, content: bytes, package: str, *, is_plugin: bool) -> Iterator[Broken]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        yield Broken("wheel", f"{name} cannot be parsed: {error}")
        return
    for node in ast.walk(tree):
        for line, module in _imported(node):
            first, *rest = module.split(".")
            if first == "cello" and any(part.startswith("_") and not part.startswith("__") for part in rest):
                yield Broken("private", f"{name}:{line} imports {module}, which may be another in the next version")
    for node in _run_at_import(tree) if is_plugin else ():
        for line, module in _imported(node):
            if module.partition(".")[0] in (package, ""):
                words = "name it in a string, which is imported when it is first used"
                yield Broken("lazy", f"{name}:{line} imports {module.lstrip('.')}: {words}")


def _imported(node: ast.AST) -> list[tuple[int, str]]:
    """The modules that a statement imports, with what of them, and its line; a relative one begins with a dot."""
    if isinstance(node, ast.Import):
        return [(node.lineno, alias.name) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = "" if node.level else node.module or ""
        return [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in _IMPORTING:
        named = node.args[0]
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            return [(node.lineno, named.value)]
    return []


def _run_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs while a module is imported: not what its functions do, nor what is for type checkers alone."""
    left: list[ast.AST] = [*tree.body]
    while left:
        node = left.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            left.extend(node.orelse)
            continue
        yield node
        left.extend(ast.iter_child_nodes(node))


def _files_of(module: str) -> tuple[str, str]:
    path = module.replace(".", "/")
    return f"{path}.py", f"{path}/__init__.py"
