"""Which plugins are installed: the entry points in the group `cello`, read by hand.

`importlib.metadata` takes ten times as long: it parses the metadata of every distribution.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Entry", "entries_of", "scan"]

_GROUP = "cello"
_SECTION = re.compile(r"^\s*\[\s*cello\s*\]", re.MULTILINE)


class Entry(NamedTuple):
    """A plugin as its distribution names it."""

    name: str
    #: "module", or "module:attribute".
    target: str
    distribution: str
    version: str


def scan(paths: Iterable[str] | None = None) -> list[Entry]:
    """The plugins that are installed, by name; `paths` are those of `sys.path` unless they are given.

    Of a distribution that is there twice the first counts, as it does for imports.
    Source: the entry points specification and the recording of installed projects, packaging.python.org.
    """
    found: dict[str, list[Entry]] = {}
    for path in dict.fromkeys(sys.path if paths is None else paths):
        for distribution, version, text in _texts(path or os.curdir):
            found.setdefault(_normalized(distribution), list(entries_of(distribution, version, text)))
    return sorted(entry for entries in found.values() for entry in entries)


def _texts(path: str) -> Iterator[tuple[str, str, str]]:
    """Of each distribution in a folder its name, its version and its entry points, where it has any of ours."""
    try:
        names = os.listdir(path)
    except NotADirectoryError:
        yield from _texts_of_archive(path)
        return
    except OSError:
        return
    for name in names:
        stem, kind = os.path.splitext(name)
        if kind not in (".dist-info", ".egg-info"):
            continue
        text = _read(os.path.join(path, name, "entry_points.txt"))
        if not _SECTION.search(text):
            text = ""
        distribution, _, version = stem.partition("-")
        yield distribution.replace("_", "-"), version, text


def _texts_of_archive(path: str) -> Iterator[tuple[str, str, str]]:
    from importlib.metadata import distributions

    for one in distributions(path=[path]):
        yield one.metadata["Name"], one.version, one.read_text("entry_points.txt") or ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def entries_of(distribution: str, version: str, text: str) -> Iterator[Entry]:
    """The entries of our group in the text of a distribution's entry points."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group == _GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield Entry(name.strip(), target.partition("[")[0].strip(), distribution, version)


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
