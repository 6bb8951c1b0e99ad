"""What the system says of changes in folders (inotify): which names something has happened to.

The standard library has no call for it, the C library has. Source: inotify(7).
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Event", "Notice"]

_CLOSE_WRITE, _ATTRIB, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x4, 0x40, 0x80, 0x100, 0x200
# Not that a file was written to: it is told when whoever wrote has closed it, so that it is seldom seen half written.
_ASKED = _CLOSE_WRITE | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_ONLYDIR = 0x0100_0000
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x4000_0000
_HEAD = struct.Struct("iIII")


class Event(NamedTuple):
    """Something that has happened to a name in a folder; with no folder, so much that it was not noted."""

    folder: str
    name: str
    is_folder: bool


class Notice:
    """A descriptor that is readable when there are events.

    Errors: OSError where the system has none to give.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(None, use_errno=True)
            self._add = self._library.inotify_add_watch
            self._descriptor: int = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            raise OSError("the system has no inotify") from None
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._folders: dict[int, str] = {}
        #: Whether all folders are watched that were added: the system has a limit for them.
        self.is_whole = True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self._descriptor)

    def add(self, folder: str) -> None:
        """Watches a folder; one that is watched already, under its name of now."""
        number = self._add(self._descriptor, os.fsencode(folder), _ASKED | _ONLYDIR)
        if number >= 0:
            self._folders[number] = folder
        elif os.path.isdir(folder):
            self.is_whole = False

    def hear(self) -> Iterator[Event]:
        """What has happened since the last time."""
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return
            place = 0
            while place < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, place)
                place += _HEAD.size + length
                if mask & _OVERFLOW:
                    yield Event("", "", is_folder=True)
                elif mask & _IGNORED:
                    self._folders.pop(number, None)
                elif number in self._folders:
                    name = os.fsdecode(data[place - length : place].rstrip(b"\0"))
                    yield Event(self._folders[number], name, is_folder=bool(mask & _ISDIR))
