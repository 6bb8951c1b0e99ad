"""Files that are generated: written, or compared with what they have to be."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from projects import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["run"]


def stale(texts: Mapping[Path, str]) -> list[Path]:
    """The files that are not what they have to be."""
    return [path for path, text in texts.items() if not path.exists() or path.read_text() != text]


def run(description: str | None, generate: Callable[[Path], Mapping[Path, str]]) -> int:
    """The command line of a generator, which gives the text of each file it owns; the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="fail where a file is not what would be written")
    options = parser.parse_args()
    texts = generate(ROOT)
    found = stale(texts)
    for path in found:
        if options.check:
            print(f"{path.relative_to(ROOT)} is not up to date: hatch run gen", file=sys.stderr)
        else:
            path.write_text(texts[path])
            print(f"{path.relative_to(ROOT)} is written")
    return 1 if options.check and found else 0
