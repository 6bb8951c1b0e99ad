"""The process of a rule: it has the plugin run, and writes down what is wrong with it."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cello._plugins.plugin import Plugin

__all__ = ["Case", "main"]

#: The module that finds out, by question.
_MODULES = {
    "active": "loading",
    "alone": "running",
    "conflicts": "neighbours",
    "declared": "loading",
    "lazy": "loading",
    "leaks": "leaks",
    "targets": "targets",
    "together": "neighbours",
    "trace": "trace",
}


class Case(NamedTuple):
    """What the process is asked about."""

    names: list[str]
    packages: list[str]
    distributions: list[str]
    enabling: str

    def plugins(self) -> list[Plugin]:
        """The plugins that are judged, those of them that are active."""
        from cello._plugins import installed

        return [plugin for plugin in installed().active if plugin.name in self.names]


def main(asked: dict[str, Any]) -> None:
    """Answers one question."""
    if asked["site"]:
        import site

        # Its .pth files are read, as those of what is installed are.
        site.addsitedir(asked["site"])
    case = Case(*(asked[name] for name in Case._fields))
    question = asked["question"]
    broken = list(getattr(import_module(f"cello._contract.{_MODULES[question]}"), question)(case))
    declared = [(one.kind.value, one.name) for plugin in case.plugins() for one in plugin.declarations]
    with open(asked["answer"], "w", encoding="utf-8") as file:
        json.dump({"broken": broken, "declared": declared}, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
