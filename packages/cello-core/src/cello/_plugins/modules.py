"""`import cello.x`: modules of the families under the names of the framework, and what is said of those not there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["Unknown", "forward"]


def forward(name: str, target: str) -> None:
    """Has `cello.name` be the module of a family that stands behind it.

    Errors: ModuleNotFoundError where the family is not installed, is disabled or has failed, with what to do; those of
    the module's own import.
    """
    from importlib import import_module

    from cello._plugins.catalogue import CATALOGUE
    from cello._plugins.loading import installed
    from cello._plugins.missing import whence

    plugins = installed()
    package = target.partition(".")[0]
    family = CATALOGUE["module"][name]
    if any(plugin.name == family for plugin in plugins.active):
        try:
            sys.modules[f"cello.{name}"] = import_module(target)
        except ModuleNotFoundError as error:
            if error.name not in (package, target):
                raise
        else:
            return
    # The name is not that of `cello.x`: of one that is missing Python would say nothing but that.
    raise ModuleNotFoundError(whence("module", name, plugins), name=package) from None


class Unknown:
    """Is asked for a module where no other finder has it, and says what was meant."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        """Finds nothing.

        Errors: ModuleNotFoundError for a public name right under `cello`, where it can be told what was meant: of any
        other Python says that there is no such module.
        """
        above, _, own = name.rpartition(".")
        if above == "cello" and not own.startswith("_") and (words := _meant(own)):
            raise ModuleNotFoundError(f"No module named {name!r}: {words}", name=name)


def _meant(name: str) -> str:
    from difflib import get_close_matches
    from pkgutil import iter_modules

    import cello
    from cello._plugins.scan import scan

    known = [module.name for module in iter_modules(cello.__path__) if not module.name.startswith("_")]
    if close := get_close_matches(name, known, 1):
        return f"did you mean cello.{close[0]}?"
    for entry in scan():
        package = entry.target.partition(":")[0].partition(".")[0]
        if name in (entry.name, package):
            return f"what the plugin {entry.name} has is imported by its own name, {package}"
    return ""
