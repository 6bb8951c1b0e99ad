#!/usr/bin/env python3
"""Writes the version of Cargo.toml into every distribution, their pins of each other, and Cargo.lock."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import generated
from projects import projects, version

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["texts"]

VERSION = re.compile(r'^(version = )"[^"]*"$', re.MULTILINE)
PIN = re.compile(r'("cello-[a-z-]+(?:\[[a-z,-]+\])?==)[^"]*"')


def texts(root: Path) -> dict[Path, str]:
    """Each file that holds the version, as it has to be."""
    now = version(root)
    found = {project.folder / "pyproject.toml": project for project in projects(root)}
    written = {path: PIN.sub(rf'\g<1>{now}"', VERSION.sub(rf'\1"{now}"', path.read_text(), count=1)) for path in found}
    return {**written, root / "Cargo.lock": locked(root, now)}


def locked(root: Path, now: str) -> str:
    """Cargo.lock, in which the crates of the workspace have the version."""
    names = "|".join(sorted(path.parent.name for path in root.glob("crates/*/Cargo.toml")))
    entry = re.compile(rf'^(\[\[package\]\]\nname = "(?:{names})"\nversion = )"[^"]*"$', re.MULTILINE)
    return entry.sub(rf'\1"{now}"', (root / "Cargo.lock").read_text())


if __name__ == "__main__":
    sys.exit(generated.run(__doc__, texts))
