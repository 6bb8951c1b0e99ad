"""What forms are made of on Python's side."""

from __future__ import annotations

from io import BufferedReader
from typing import TYPE_CHECKING

from cello._awaitable import Awaitable

if TYPE_CHECKING:
    from cello._kernel import UploadedFile

__all__ = ["Files", "Size", "TemporaryFile"]


class Size(int):
    """The size of an uploaded file, in bytes: `size` and `size()` are the same."""

    __slots__ = ()

    def __call__(self) -> int:
        """The same number."""
        return int(self)


class Files(Awaitable, list["UploadedFile"]):
    """Uploaded files, in the order they were sent."""

    __slots__ = ()


class TemporaryFile(BufferedReader):
    """The content of an uploaded file that is on disk."""

    def __del__(self) -> None:
        """Closes it: nobody is to be warned of a file that goes with its form."""
        self.close()
