#!/usr/bin/env python3
"""Writes the extras of cello-framework: a name for each family that there is, and for what families have as extras."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import generated
from projects import Project, projects, version

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMES", "extras", "texts"]

#: Every name that there may be, in the order of the table. It appears with the family that has it.
NAMES = [
    "web",
    "security",
    "realtime",
    "data",
    "postgres",
    "mysql",
    "sqlite",
    "redis",
    "protocols",
    "graphql",
    "grpc",
    "kafka",
    "rabbitmq",
    "sqs",
    "patterns",
    "observability",
    "full",
]

TABLE = re.compile(r"^\[project\.optional-dependencies\]\n(?:[^\[\n].*\n)*", re.MULTILINE)


def extras(found: list[Project], now: str) -> dict[str, list[str]]:
    """What each extra asks for, at exactly this version.

    Errors: ValueError for a family whose name is none of `NAMES`.
    """
    families = [project for project in found if project.family]
    if unknown := sorted(project.name for project in families if project.family not in NAMES):
        raise ValueError(f"{', '.join(unknown)}: no extra has the name of the family; give it a place in {__file__}")
    asked = {name: wanted(families, name, now) for name in NAMES if name != "full"}
    full = [pin(project, sorted(project.extras), now) for project in families]
    return {**{name: lines for name, lines in asked.items() if lines}, "full": full}


def wanted(families: list[Project], name: str, now: str) -> list[str]:
    """What stands behind a name: the family that is called so, or those that have an extra of that name."""
    own = [pin(project, [], now) for project in families if project.family == name]
    return own or [pin(project, [name], now) for project in families if name in project.extras]


def pin(project: Project, names: list[str], now: str) -> str:
    """A distribution with extras of its own."""
    return f"{project.name}{f'[{",".join(names)}]' if names else ''}=={now}"


def texts(root: Path) -> dict[Path, str]:
    """The framework's pyproject.toml, with the table as it has to be."""
    path = root / "packages/cello-framework/pyproject.toml"
    rows = [f"{name} = {json.dumps(lines)}" for name, lines in extras(projects(root), version(root)).items()]
    table = "\n".join(["[project.optional-dependencies]", *rows, ""])
    text, count = TABLE.subn(lambda _: table, path.read_text())
    if count != 1:
        raise ValueError(f"{path}: one table [project.optional-dependencies] is needed, and there are {count}")
    return {path: text}


if __name__ == "__main__":
    sys.exit(generated.run(__doc__, texts))
