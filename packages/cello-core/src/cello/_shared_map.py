"""A number for each key, which all workers read and write, and which expires."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from cello._kernel import SharedNumbers
from cello._shared_limits import nanoseconds
from cello._shared_names import Kept, Unserved
from cello.errors import CelloError

if TYPE_CHECKING:
    from cello._kernel import Arena

__all__ = ["ExpiringMap", "MapFull"]

_log = logging.getLogger("cello")


class MapFull(CelloError):
    """The map has no room for another key, until one of those it has expires."""


class ExpiringMap(Kept):
    """A number for each key, which is forgotten `lifetime_s` seconds after it was last written.

    Each method is one indivisible step over all workers. What has not expired is never given up for another key.
    Units: numbers are 0 to 4,294,967,294; keys are str, as UTF-8, or bytes.
    Errors: TypeError for other keys; RuntimeError before the server starts.
    """

    def __init__(self, space: str, name: str, lifetime_s: float, keys: int) -> None:
        self._lifetime_ns = nanoseconds(lifetime_s, "lifetime_s")
        SharedNumbers.check_lifetime(self._lifetime_ns)
        super().__init__("expiring map", space, name, f" of {lifetime_s} s for {keys:,} keys")
        self.lifetime_s: float = lifetime_s
        self.keys: int = keys
        self._numbers: SharedNumbers | Unserved = Unserved(self._words)
        self._has_told = False

    def get(self, key: str | bytes) -> int | None:
        """A key's number; None where it has none, or it has expired."""
        number: int | None = self._numbers.get(key)
        return number

    def add(self, key: str | bytes, count: int = 1) -> int:
        """Adds to a key's number, which is 0 where there is none, and gives the sum: the greatest number at most.

        Errors: ValueError for a count that is no such number; MapFull.
        """
        number = self._numbers.add(key, count)
        return self._refuse() if number is None else number

    def set(self, key: str | bytes, number: int) -> None:
        """Writes a key's number, whatever it was.

        Errors: ValueError for what is no such number; MapFull.
        """
        if not self._numbers.set(key, number):
            self._refuse()

    def replace(self, key: str | bytes, old: int | None, new: int) -> bool:
        """Writes a key's number if it is `old`, None for none at all, and says whether it was.

        Of all who replace the same at the same time, one does.
        Errors: ValueError for what is no such number; MapFull.
        """
        was_old = self._numbers.replace(key, old, new)
        return self._refuse() if was_old is None else was_old

    def discard(self, key: str | bytes) -> None:
        """Takes a key's number away. Its room is free once it would have expired."""
        self._numbers.set(key, None)

    def _refuse(self) -> NoReturn:
        words = f"{self._words} is full: a new key finds room when another has expired"
        if not self._has_told:
            self._has_told = True
            _log.warning("%s", words)
        raise MapFull(words)

    def _open(self, arena: Arena) -> None:
        self._numbers = SharedNumbers(arena, f"expiring map {self._key}", self.keys, self._lifetime_ns)
        self._has_told = False
