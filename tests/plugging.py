"""Plugins for tests: installed in a folder of their own, or given to an application as they are."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from cello.plugin import Registrar, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

__all__ = ["install", "module", "plugin_of"]


def install(folder: Path, name: str, source: str, *, distribution: str = "", **modules: str) -> str:
    """Puts a plugin into a folder that is to be on `sys.path`, as an installer does; the name of its package.

    Shape: `source` is its `plugin.py`; what is given by name are further modules of the package.
    """
    distribution = distribution or f"cello-{name}"
    package = distribution.replace("-", "_")
    information = folder / f"{package}-1.0.dist-info"
    (folder / package).mkdir(parents=True)
    information.mkdir()
    (folder / package / "__init__.py").touch()
    for word, text in {"plugin": source, **modules}.items():
        (folder / package / f"{word}.py").write_text(text)
    (information / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[cello]\n{name} = {package}.plugin\n")
    return package


@contextmanager
def module(name: str, **contents: Any) -> Generator[ModuleType]:
    """A module that can be imported, for targets to name."""
    made = ModuleType(name)
    vars(made).update(contents)
    sys.modules[name] = made
    try:
        yield made
    finally:
        del sys.modules[name]


def plugin_of(register: Callable[[Registrar], None], **hooks: Callable[..., Any]) -> Any:
    """A plugin for `App(plugins=[…])`, with what it declares and further hooks."""

    def cello_register(plugin: Registrar) -> None:
        register(plugin)

    marked = {name: hookimpl(function) for name, function in hooks.items()}
    return SimpleNamespace(CELLO_API=1, cello_register=hookimpl(cello_register), **marked)
