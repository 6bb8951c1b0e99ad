"""What stands under `packages/`: the distributions, their one version, and which of them are families."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Project", "projects", "version"]

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Project:
    """A distribution of the workspace."""

    folder: Path
    #: Its `pyproject.toml`, parsed.
    settings: dict[str, Any]

    @property
    def table(self) -> dict[str, Any]:
        """What it says of itself: the table `project`."""
        table: dict[str, Any] = self.settings["project"]
        return table

    @property
    def name(self) -> str:
        """Its name, with hyphens."""
        name: str = self.table["name"]
        return name

    @property
    def extras(self) -> dict[str, list[str]]:
        """Its own extras, with what each of them asks for."""
        extras: dict[str, list[str]] = self.table.get("optional-dependencies", {})
        return extras

    @property
    def family(self) -> str | None:
        """The name of its family, where it brings one: it is a plugin."""
        return self.name.removeprefix("cello-") if "cello" in self.table.get("entry-points", {}) else None

    @property
    def is_native(self) -> bool:
        """Whether its wheel holds a module that is compiled."""
        backend: str = self.settings["build-system"]["build-backend"]
        return backend == "maturin"

    @property
    def packages(self) -> list[str]:
        """The import packages in its wheel."""
        return sorted(path.parent.name for path in self.folder.glob("src/*/__init__.py"))


def projects(root: Path = ROOT) -> list[Project]:
    """Every distribution, by name."""
    files = sorted(root.glob("packages/*/pyproject.toml"))
    return [Project(path.parent, tomllib.loads(path.read_text())) for path in files]


def version(root: Path = ROOT) -> str:
    """The version of everything, which stands in the workspace's Cargo.toml."""
    found: str = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    return found
