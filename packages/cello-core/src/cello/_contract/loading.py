"""Whether a plugin loads, and what is imported by that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._contract.process import Case

__all__ = ["active", "declared", "lazy"]


def active(case: Case) -> Iterator[str]:
    """Why it is not loaded, where it is not."""
    from cello._plugins import installed

    for plugin in installed().all:
        if plugin.name in case.names and plugin.state != "active":
            yield f"the plugin {plugin.name} of {plugin.distribution} ({plugin.target}) {plugin.state}: {plugin.reason}"


def declared(_: Case) -> Iterator[str]:
    """Nothing is wrong: it is asked for what is declared."""
    yield from ()


def lazy(case: Case) -> Iterator[str]:
    """What is imported beside the module that declares."""
    from cello import App
    from cello._plugins import installed
    from cello.plugin import hookimpl

    assert hookimpl  # what plugins import of the framework's is none of their own
    App(autoload=False)
    before = {*sys.modules}
    targets = {plugin.target.partition(":")[0] for plugin in installed().all if plugin.name in case.names}
    wanted = {name for target in targets for name in _above(target)}
    free = {*sys.stdlib_module_names, "cello", "pluggy"}
    for name in sorted({*sys.modules} - before - wanted):
        top = name.partition(".")[0]
        if top not in free and not name.startswith("_"):
            whose = "own" if top in case.packages else "somebody else's"
            words = "import it in the functions that need it, and name targets as strings"
            yield f"declaring imports {name}, which is {whose}: {words}"


def _above(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
