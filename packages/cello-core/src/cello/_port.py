"""Addresses, as a person is told of them: where it is listened, and who has a port that is taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["taken", "url"]

_LISTENING = "0A"
#: Of a longer command the beginning is told.
_CHARACTERS = 80


def url(host: str, port: int) -> str:
    """The address as a browser takes it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def taken(error: Exception, port: int) -> str:
    """The words of an address that cannot be listened on; where its port is taken, with the process that has it."""
    return f"{error}{_holder(port) if 'is in use' in str(error) else ''}"


def _holder(port: int) -> str:
    """The process that listens on a port, for the end of a message; empty where the system does not say.

    Source: proc_net(5), proc_pid_fd(5).
    """
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
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
        try:
            with open(f"/proc/net/{family}") as table:
                rows = [line.split() for line in table][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                yield row[9]


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
