#!/usr/bin/env python3
"""Writes what the families declare into cello-core: the catalogue of their names, and the stub for type checkers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import generated
from projects import Project, projects

if TYPE_CHECKING:
    from pathlib import Path

    from cello._plugins.declaration import Declaration

__all__ = ["texts"]

CATALOGUE = '''\
"""What the families of the framework bring: by kind and name, which family. Generated from what they declare."""

from __future__ import annotations

__all__ = ["CATALOGUE"]

CATALOGUE: dict[str, dict[str, str]] = {'''


def texts(root: Path) -> dict[Path, str]:
    """Both files, of the families as they are in the working copy."""
    package = root / "packages/cello-core/src/cello"
    sys.path.insert(0, str(package.parent))
    from cello._plugins import stubs

    families = {project.family: project for project in projects(root) if project.family}
    found = {family: declared(project) for family, project in families.items()}
    every = [one for declarations in found.values() for one in declarations]
    return {
        package / "_plugins/catalogue.py": catalogue(found),
        package / "_contrib.pyi": stubs.families(every),
    }


def declared(project: Project) -> tuple[Declaration, ...]:
    """What a family declares.

    Errors: RuntimeError for a plugin that fails.
    """
    sys.path.insert(0, str(project.folder / "src"))
    from cello._plugins.opening import opened
    from cello._plugins.scan import Entry

    found: list[Declaration] = []
    for name, target in project.table["entry-points"]["cello"].items():
        plugin = opened(Entry(name, target, project.name, project.table["version"]))
        if plugin.state != "active":
            raise RuntimeError(f"{project.name}: {plugin.reason}\n{plugin.trace}")
        found.extend(plugin.declarations)
    return tuple(found)


def catalogue(found: dict[str, tuple[Declaration, ...]]) -> str:
    """The catalogue's text."""
    kinds: dict[str, dict[str, str]] = {}
    for family, declarations in found.items():
        for one in declarations:
            kinds.setdefault(one.kind.value, {})[one.name] = family
    lines = [CATALOGUE]
    for kind, names in sorted(kinds.items()):
        lines.append(f'    "{kind}": {{')
        lines += [f'        "{name}": "{family}",' for name, family in sorted(names.items())]
        lines.append("    },")
    return "\n".join([*lines, "}", ""]) if kinds else f"{CATALOGUE}}}\n"


if __name__ == "__main__":
    sys.exit(generated.run(__doc__, texts))
