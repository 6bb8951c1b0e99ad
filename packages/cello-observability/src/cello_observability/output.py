"""Where lines go: one write for each."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["Output"]


class Output:
    """Standard output, standard error, or a file that is appended to.

    A file that was moved away meanwhile, as logs are rotated, is made anew.
    Errors: OSError for a file that cannot be opened.
    """

    def __init__(self, place: str) -> None:
        self._path: str | None = None
        self._stream: TextIO | None = None
        self._descriptor: int | None = None
        #: Of the file that is open: its device and its number there.
        self._identity = (0, 0)
        if place in ("stdout", "stderr"):
            self._stream = sys.stdout if place == "stdout" else sys.stderr
            self._descriptor = _descriptor_of(self._stream)
        else:
            self._path = os.path.abspath(place)
            self._descriptor = _opened(self._path)
            self._identity = _identity(os.fstat(self._descriptor))

    def write(self, line: str) -> None:
        """Writes a line, with its end.

        Errors: OSError, and ValueError for a stream that is closed.
        """
        if self._descriptor is None:
            if self._stream is not None:
                self._stream.write(line)
                self._stream.flush()
            return
        if self._path is not None and not self._is_at(self._path):
            fresh = _opened(self._path)
            os.close(self._descriptor)
            self._descriptor, self._identity = fresh, _identity(os.fstat(fresh))
        left = line.encode(errors="backslashreplace")
        # A pipe takes a long line in several pieces.
        while left:
            left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        """Closes a file; the standard streams are not ours."""
        if self._path is not None and self._descriptor is not None:
            os.close(self._descriptor)
            self._path = self._descriptor = None

    def _is_at(self, path: str) -> bool:
        """Whether the file that is open is still the one of that path."""
        try:
            return _identity(os.stat(path)) == self._identity
        except FileNotFoundError:
            return False


def _descriptor_of(stream: TextIO | None) -> int | None:
    """The descriptor under a stream; None of one in memory."""
    try:
        return None if stream is None else stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _identity(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino
