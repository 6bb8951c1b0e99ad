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
    return sorted({entry for entries in found.values() for entry in entries})


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
        yield *_named(stem), text


def _texts_of_archive(path: str) -> Iterator[tuple[str, str, str]]:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            for name in archive.namelist():
                folder, _, file = name.partition("/")
                stem, kind = os.path.splitext(folder)
                if kind in (".dist-info", ".egg-info") and file == "entry_points.txt":
                    yield *_named(stem), archive.read(name).decode(errors="replace")
    except (OSError, BadZipFile):
        return


def _named(stem: str) -> tuple[str, str]:
    """The name and the version that a folder of information is called after, as "cello_x-2.0-py3.12" is."""
    distribution, version, *_ = *stem.split("-"), ""
    return distribution.replace("_", "-"), version


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
            yield Entry(name.strip(), "".join(target.partition("[")[0].split()), distribution, version)


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
