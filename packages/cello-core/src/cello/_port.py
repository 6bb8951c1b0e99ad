"""Addresses, as a person is told of them: where it is listened, and who has one that is taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["holder_of_path", "holder_of_port", "listing", "url"]

_LISTENING = "0A"
_LISTENING_UNIX = "00010000"
#: Of a longer command the beginning is told.
_CHARACTERS = 80


def url(host: str, port: int) -> str:
    """The address as a browser takes it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listing(names: Sequence[str]) -> str:
    """Several places in a sentence."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def holder_of_port(port: int) -> str:
    """The process that listens on a port, for the end of a message; empty where the system does not say.

    Source: proc_net(5), proc_pid_fd(5).
    """
    return _holder(_inodes(port))


def holder_of_path(path: str) -> str:
    """The same of a Unix socket, by its path or its name."""
    return _holder(_inodes_of(path))


def _holder(inodes: Iterator[str]) -> str:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in filter(str.isdigit, _names("/proc") if wanted else ()):
        for descriptor in _names(f"/proc/{process}/fd"):
            try:
                if os.readlink(f"/proc/{process}/fd/{descriptor}") in wanted:
                    return f"\n  by process {process}{_command(process)}"
            except OSError:  # closed meanwhile
                continue
    return ""


def _inodes(port: int) -> Iterator[str]:
    for family in ("tcp", "tcp6"):
        for row in _rows(family):
            if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                yield row[9]


def _inodes_of(path: str) -> Iterator[str]:
    for row in _rows("unix"):
        if row[3] == _LISTENING_UNIX and " ".join(row[7:]) in (path, os.path.abspath(path)):
            yield row[6]


def _rows(family: str) -> list[list[str]]:
    try:
        with open(f"/proc/net/{family}", errors="surrogateescape") as table:
            return [line.split() for line in table][1:]
    except OSError:
        return []


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # another user's, or ended meanwhile
        return []


def _command(process: str) -> str:
    try:
        with open(f"/proc/{process}/cmdline", errors="backslashreplace") as arguments:
            command = arguments.read().rstrip("\0").replace("\0", " ")
    except OSError:
        return ""
    shown = "".join(character if character.isprintable() else "?" for character in command)
    return f": {shown if len(shown) <= _CHARACTERS else f'{shown[:_CHARACTERS]}…'}"
