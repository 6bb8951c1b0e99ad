"""Files that are watched: which of those in a folder they are, and what has become of them since the last look.

A look at all of them is what decides. The system's word that something has happened (`cello._watch_notice`) only says
when a look is worth it: it may come too often, and from folders of other machines not at all.
"""

from __future__ import annotations

import os
import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Watch"]

#: Code and templates; of these, names that begin with a dot are an editor's own.
_WATCHED = tuple(f"[!.]*.{ending}" for ending in ("py", "html", "htm", "jinja", "jinja2", "j2", "mako", "tpl"))
#: Folders whose files are not the application's, and files that only such folders have.
_LEFT_OUT = (".*", "__pycache__", "node_modules", "site-packages")
_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
#: More than any application has: the folder is that of all projects, or of a whole machine.
_MOST_FOLDERS = 10_000


class Patterns:
    """Patterns of `fnmatch`: of names, or where they have a slash of paths in the folder that is watched."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = list(patterns)
        self._names = _either(one for one in given if "/" not in one)
        self._paths = _either(one.removeprefix("./") for one in given if "/" in one)

    def match(self, name: str, path: str) -> bool:
        """Whether any is for what has this name, and this path."""
        return bool((self._names and self._names(name)) or (self._paths and self._paths(path)))


class Watch:
    """A folder, and what of its files was seen.

    Shape: `include` are patterns of files that are watched beside code and templates, `exclude` those of files and
    folders that are not; `files` are watched wherever they are, whether or not they are there yet.
    """

    def __init__(
        self, folder: str, include: Iterable[str] = (), exclude: Iterable[str] = (), files: Iterable[str] = ()
    ) -> None:
        self.folder = folder
        #: Called with each folder before it is looked into.
        self.before_folder: Callable[[str], object] = _nothing
        #: Whether there are so many folders in it that the others are left out.
        self.is_cut = False
        self._wanted = Patterns([*_WATCHED, *include])
        self._unwanted = Patterns(exclude)
        self._left_out = Patterns([*_LEFT_OUT, *exclude])
        self._others: dict[str, None] = {path: None for path in files if not self._is_left_out(path)}
        self._seen = self._look()

    def add(self, paths: Iterable[str]) -> None:
        """Watches these files as well, wherever they are, but for those that are left out."""
        for path in paths:
            if path not in self._seen and not self._is_left_out(path) and (seen := _seen(path)) is not None:
                self._others[path] = None
                self._seen[path] = seen

    def changes(self) -> list[str]:
        """The files that were changed, were made or are gone since the last time, by names for a person."""
        before, self._seen = self._seen, self._look()
        changed = [path for path, seen in self._seen.items() if before.get(path) != seen]
        changed += [path for path in before if path not in self._seen]
        return sorted(map(self._told, changed))

    def concerns(self, folder: str, name: str, *, is_folder: bool) -> bool:
        """Whether something that has happened to a name in a folder may be a change."""
        path = os.path.join(folder, name)
        if path in self._others:
            return True
        inner = self._told(path)
        if is_folder:
            return not self._left_out.match(name, inner)
        return self._wanted.match(name, inner) and not self._unwanted.match(name, inner)

    def _is_left_out(self, path: str) -> bool:
        """Whether a file is one of those, or in a folder of those, that somebody does not want watched."""
        inner = self._told(path)
        while inner not in ("", "/"):
            if self._unwanted.match(os.path.basename(inner), inner):
                return True
            inner = os.path.dirname(inner)
        return False

    def _look(self) -> dict[str, tuple[int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}
        for name, entry in self._entries():
            if not self._wanted.match(entry.name, name) or self._unwanted.match(entry.name, name):
                continue
            if (seen := _seen(entry.path)) is not None:
                found[entry.path] = seen
        for path in self._others:
            self.before_folder(os.path.dirname(path))
            if path not in found and (seen := _seen(path)) is not None:
                found[path] = seen
        return found

    def _entries(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """All files, those nearer to the top first, each with its path from there."""
        waiting = [(self.folder, "")]
        for count, (folder, prefix) in enumerate(waiting):
            self.is_cut = count == _MOST_FOLDERS
            if self.is_cut:
                return
            self.before_folder(folder)
            try:
                with os.scandir(folder) as listing:
                    entries = list(listing)
            except OSError:  # gone meanwhile, or somebody else's
                continue
            if prefix and any(entry.name in _MARKS for entry in entries):
                continue
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if not entry.is_dir(follow_symlinks=False):
                    yield name, entry
                elif not self._left_out.match(entry.name, name):
                    waiting.append((entry.path, f"{name}/"))

    def _told(self, path: str) -> str:
        """A path from the folder, or the whole of one that is elsewhere."""
        return path.removeprefix(f"{self.folder.rstrip('/')}/")


def _either(patterns: Iterable[str]) -> Callable[[str], object] | None:
    expressions = [translate(pattern) for pattern in patterns]
    return re.compile("|".join(expressions)).match if expressions else None


def _seen(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:  # gone meanwhile, or a link to nowhere
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _nothing(_folder: str) -> None:
    pass
