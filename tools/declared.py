#!/usr/bin/env python3
"""Writes what the families have into cello-core: the catalogue of names, a stub for type checkers, their modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import generated
from projects import Project, projects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cello._plugins.declaration import Declaration

__all__ = ["MODULES", "texts"]

#: Every module of a family that may be one of `cello`. It appears with the family that has it.
MODULES = [
    "cqrs",
    "database",
    "eventsourcing",
    "graphql",
    "grpc",
    "guards",
    "health",
    "messaging",
    "oauth2",
    "saga",
    "telemetry",
]

ENDS = (".py", "/__init__.py")

FORWARD = '''\
"""`{package}.{name}` under the name of the framework. Written by `hatch run gen`."""

from cello._plugins.modules import forward

forward("{name}", "{package}.{name}")
'''

FORWARD_STUB = '''\
"""`{package}.{name}` under the name of the framework. Written by `hatch run gen`."""

from {package}.{name} import *
'''

CATALOGUE = '''\
"""What the families of the framework bring: by kind and name, which family. Written by `hatch run gen`."""

from __future__ import annotations

__all__ = ["CATALOGUE"]

CATALOGUE: dict[str, dict[str, str]] = {'''


def texts(root: Path) -> dict[Path, str]:
    """All of it, of the families as they are in the working copy."""
    package = root / "packages/cello-core/src/cello"
    sys.path.insert(0, str(package.parent))
    from cello._plugins import stubs

    families = {project.family: project for project in projects(root) if project.family}
    found = {family: declared(project) for family, project in families.items()}
    every = [one for declarations in found.values() for one in declarations]
    have = modules(families.values())
    return {
        package / "_plugins/catalogue.py": catalogue(found, have),
        package / "_contrib.pyi": stubs.families(every),
        **forwarders(package, have),
    }


def modules(families: Iterable[Project]) -> dict[str, Project]:
    """Whose each module is.

    Errors: ValueError for one that two families have.
    """
    found: dict[str, Project] = {}
    for project in families:
        for name in MODULES:
            if any((project.folder / "src" / _package(project) / f"{name}{end}").exists() for end in ENDS):
                if name in found:
                    raise ValueError(f"{found[name].name} and {project.name} have a module {name}: rename one of them")
                found[name] = project
    return found


def forwarders(package: Path, have: Mapping[str, Project]) -> dict[Path, str]:
    """The files of these modules, and what type checkers read in their place."""
    found: dict[Path, str] = {}
    for name, project in have.items():
        words = {"name": name, "package": _package(project)}
        found[package / f"{name}.py"] = FORWARD.format(**words)
        found[package / f"{name}.pyi"] = FORWARD_STUB.format(**words)
    return found


def _package(project: Project) -> str:
    return project.name.replace("-", "_")


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


def catalogue(found: Mapping[str, Iterable[Declaration]], have: Mapping[str, Project]) -> str:
    """The catalogue's text."""
    kinds: dict[str, dict[str, str]] = {}
    for family, declarations in found.items():
        for one in declarations:
            kinds.setdefault(one.kind.value, {})[one.name] = family
    for name, project in have.items():
        kinds.setdefault("module", {})[name] = str(project.family)
    lines = [CATALOGUE]
    for kind, names in sorted(kinds.items()):
        lines.append(f'    "{kind}": {{')
        lines += [f'        "{name}": "{family}",' for name, family in sorted(names.items())]
        lines.append("    },")
    return "\n".join([*lines, "}", ""]) if kinds else f"{CATALOGUE}}}\n"


if __name__ == "__main__":
    sys.exit(generated.run(__doc__, texts))
