"""The public surface: complete, documented, and cheap to import."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cello
import cello.errors
import pytest
from cello._route import Placed

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(cello.__file__).parent
#: Of these there is only what the stub says.
STUBS = {"_kernel", "_contrib", "_contrib_strangers"}
NAMES = {module.name for module in pkgutil.iter_modules([str(FOLDER)])} - {"__main__", *STUBS}
MODULES = sorted(f"cello.{name}" for name in NAMES)


def public_modules() -> list[ModuleType]:
    """The modules whose names have no underscore."""
    names = [name for name in MODULES if not name.rpartition(".")[2].startswith("_")]
    assert names == [
        "cello.app",
        "cello.background",
        "cello.blueprint",
        "cello.dependencies",
        "cello.errors",
        "cello.json",
        "cello.loop",
        "cello.middleware",
        "cello.params",
        "cello.plugin",
        "cello.providers",
        "cello.routing",
        "cello.shared",
        "cello.testing",
        "cello.validation",
        "cello.workers",
    ]
    return [cello, *(importlib.import_module(name) for name in names)]


def public_objects() -> Iterator[tuple[str, Any]]:
    """Everything that is public and can have a docstring: modules, classes, functions, and what classes define."""
    for module in public_modules():
        yield module.__name__, module
        for name in module.__all__:
            value = getattr(module, name)
            if name == "__version__":
                continue
            yield f"{module.__name__}.{name}", value
            if isinstance(value, type):
                ours = [kind for kind in value.__mro__ if kind.__module__.startswith("cello")]
                for attribute in dict.fromkeys(name for kind in ours for name in vars(kind)):
                    is_field = isinstance(vars(value).get(attribute), type(Placed.route))  # of a named tuple
                    if not attribute.startswith("_") and not is_field:
                        yield f"{module.__name__}.{name}.{attribute}", getattr(value, attribute)


@pytest.mark.parametrize("name", ["cello", *MODULES])
def test_what_a_module_lists_as_public_is_there(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__
    assert len(set(module.__all__)) == len(module.__all__)
    assert not [missing for missing in module.__all__ if not hasattr(module, missing)]


def test_what_public_modules_list_is_sorted() -> None:
    assert len(public_modules()) == 17
    for module in public_modules():
        assert module.__all__ == sorted(module.__all__)


def test_what_cello_exports_is_listed_completely() -> None:
    names = {name for name, value in vars(cello).items() if not isinstance(value, ModuleType)} | {*cello._LAZY}
    public = {name for name in names if not name.startswith("_")} - {"TYPE_CHECKING"}
    assert public == {
        "App",
        "BackgroundTasks",
        "Blueprint",
        "ClusterConfig",
        "Depends",
        "FormData",
        "LimitsConfig",
        "ProblemDetails",
        "Request",
        "Response",
        "ThreadPoolConfig",
        "TimeoutConfig",
        "UploadedFile",
        "current_request",
    }
    assert set(cello.__all__) == public | {"__version__"}


def test_every_exception_is_listed_and_stands_in_the_drawn_tree() -> None:
    defined = {name for name, value in vars(cello.errors).items() if isinstance(value, type)}
    assert "CelloError" in defined
    assert set(cello.errors.__all__) == defined
    assert all(issubclass(getattr(cello.errors, name), cello.errors.CelloError) for name in defined)
    tree = cello.errors.__doc__ or ""
    assert not [name for name in defined if name not in tree]


def test_every_public_name_is_documented() -> None:
    objects = dict(public_objects())
    assert {"cello", "cello.App.get", "cello.Request.json", "cello.Response.text", "cello.errors.HTTPError"} <= {
        *objects
    }
    undocumented = [name for name, value in objects.items() if not (value.__doc__ or "").strip()]
    assert not undocumented


def test_the_first_line_of_a_docstring_is_a_sentence() -> None:
    lines = {name: (inspect.getdoc(value) or "").partition("\n")[0] for name, value in public_objects()}
    assert len(lines) > 30
    assert not {name: line for name, line in lines.items() if not line.endswith(".")}


def test_every_module_opens_with_what_lives_there() -> None:
    files = sorted(FOLDER.glob("*.py")) + sorted(FOLDER.glob("*.pyi"))
    assert len(files) > 10
    assert not [path.name for path in files if not ast.get_docstring(ast.parse(path.read_text()))]


def fresh(code: str) -> str:
    """What a fresh interpreter prints that has nothing but the standard library and cello, and no site packages."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(FOLDER.parent)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_importing_cello_imports_nothing_heavy() -> None:
    loaded = set(fresh("import cello; print(*sys.modules)").split())
    assert {"cello", "cello.app", "cello._kernel"} <= loaded
    heavy = {"argparse", "asyncio", "email", "http", "inspect", "json", "logging", "socket", "ssl", "traceback", "uuid"}
    assert not heavy & loaded


def test_importing_cello_has_no_effect_but_the_import() -> None:
    code = "import os, signal; before = signal.getsignal(2); import cello; print(signal.getsignal(2) is before, "
    assert fresh(code + "len(os.listdir('/proc/self/task')))") == "True 1\n"


def test_a_name_that_is_not_there_is_an_error_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'cello' has no attribute 'Nothing'"):
        cello.Nothing  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from cello import Nothing")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("cello.nothing")


def test_the_package_says_that_it_is_typed() -> None:
    assert (FOLDER / "py.typed").is_file()
