"""A worker's place among those of its server: the memory that they share, and a seat in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._kernel import Arena
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._kernel import Seat

__all__ = ["Place"]


def _nothing() -> None:
    pass


class Place:
    """Where a server counts what it does, and after how many answers it tells that it wants to be replaced."""

    def __init__(self, arena: Arena, seat: Seat) -> None:
        self.arena = arena
        self.seat = seat
        #: In answers; 0 for never.
        self.wears_after = 0
        self.on_worn: Callable[[], object] = _nothing

    @classmethod
    def own(cls) -> Place:
        """That of a process without a supervisor, which shares with nobody.

        Errors: StartError.
        """
        try:
            arena = Arena.create()
            return cls(arena, arena.sit(0, 0, False))
        except OSError as error:
            raise StartError(f"the memory for what is counted is not to be had: {error}") from None

    @classmethod
    def handed(cls, descriptor: int, slot: int, seat: int, *, shows_progress: bool) -> Place:
        """That which the supervisor has chosen. The descriptor is the caller's.

        Errors: StartError where another version of the framework has made the memory.
        """
        try:
            arena = Arena.open(descriptor)
            return cls(arena, arena.sit(slot, seat, shows_progress))
        except OSError as error:
            raise StartError(f"the memory that workers share cannot be used: {error}") from None
