"""The file of the configuration: which one it is, and what stands in it on which line."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._document import is_object
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["File", "overlooked", "settings_file", "settings_paths"]

_OWN, _SHARED = "cello.toml", "pyproject.toml"
_TOOL = re.compile(r"^\s*\[\s*tool\s*\.\s*[\"']?cello[\"']?\s*[.\]]", re.MULTILINE)
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
_KEY = re.compile(r"\s*([\w\"'.\s-]+?)\s*=")


class File(NamedTuple):
    """A file of the configuration, as it was read."""

    #: As it is told: relative where it is in the working directory.
    name: str
    #: What stands before the names of its sections: "tool.cello.".
    prefix: str
    sections: Mapping[str, Any]
    text: str

    def place(self, section: str, key: str | None = None) -> str:
        """Where a section or one of its keys is written: "cello.toml:3", without the line where that is not known."""
        line = self._line(f"{self.prefix}{section}", key)
        return self.name if line is None else f"{self.name}:{line}"

    def _line(self, section: str, key: str | None) -> int | None:
        """The line, where the section is written as a table of its own; it need not be, as an inline table is not."""
        current = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if found := _HEADER.fullmatch(line):
                current = re.sub(r"[\s\"']", "", found[1])
                if key is None and current == section:
                    return number
            elif key is not None and current == section:
                found = _KEY.match(line)
                if found and re.sub(r"[\s\"']", "", found[1]).partition(".")[0] == key:
                    return number
        return None


def settings_file() -> File | None:
    """The file: the one that CELLO_CONFIG names, or else cello.toml of the working directory, or else pyproject.toml
    there with its [tool.cello]. Each is read once in a process.

    Errors: OptionError for one that is not there, cannot be read, or is no TOML.
    """
    named = os.environ.get("CELLO_CONFIG")
    if named:
        if not os.path.isfile(named):
            raise OptionError(f"CELLO_CONFIG is {named!r}: there is no such file")
        return _read(os.path.abspath(named), named)
    for name in (_OWN, _SHARED):
        if os.path.isfile(name):
            file = _read(os.path.abspath(name), name)
            if file is not None:
                return file
    return None


def settings_paths() -> list[str]:
    """The files that the configuration may stand in, there or not, by their whole paths."""
    named = os.environ.get("CELLO_CONFIG")
    return [os.path.abspath(name) for name in ([named] if named else [_OWN, _SHARED])]


def overlooked() -> str | None:
    """What is told of a [tool.cello] that is not read, since another file is; None where there is none."""
    file = settings_file()
    if file is None or os.path.abspath(file.name) == os.path.abspath(_SHARED) or not os.path.isfile(_SHARED):
        return None
    with open(_SHARED, encoding="utf-8", errors="replace") as shared:
        if not _TOOL.search(shared.read()):
            return None
    return f"[tool.cello] of {_SHARED} is not read: {file.name} is the file of the configuration"


@cache
def _read(path: str, name: str) -> File | None:
    try:
        with open(path, encoding="utf-8") as opened:
            text = opened.read()
    except OSError as error:
        raise OptionError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OptionError(f"{name} cannot be read: it is not UTF-8") from None
    is_shared = os.path.basename(path) == _SHARED
    if is_shared and "cello" not in text:
        return None
    import tomllib

    try:
        document: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{name} is no TOML: {error}") from None
    prefix = ""
    if is_shared:
        tool = document.get("tool")
        document = tool.get("cello") if is_object(tool) else None
        if document is None:
            return None
        prefix = "tool.cello."
    if not is_object(document):
        kind = type(document).__name__
        raise OptionError(
            f"{name}: {prefix.rstrip('.')} is {kind}, and no table: it is one of sections, [tool.cello.…]"
        )
    return File(name, prefix, document, text)
