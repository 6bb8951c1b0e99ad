"""Counters that all workers add to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cello._kernel import SharedCells
from cello._shared_names import Kept, Unserved

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._kernel import Arena, SharedCell

__all__ = ["Counter", "LabelledCounter", "Reading", "Room", "readings"]

_log = logging.getLogger("cello")


@dataclass(frozen=True)
class Reading:
    """A counter as it is read: its name, its labels and their values, and what all workers have added."""

    name: str
    labels: dict[str, str]
    value: int


class Room(Kept):
    """The memory of all counters of a name space."""

    def __init__(self, space: str, room_bytes: int) -> None:
        super().__init__("room for counters", space, space, f" of {room_bytes:,} bytes")
        self._key = f"counters {space}"
        self._words = f"the room for the counters of {space!r}"
        self._room_bytes = room_bytes
        self.cells: SharedCells | Unserved = Unserved(f"what counts for {space!r}")
        self._arena: Arena | None = None
        self._has_told = False

    def _open(self, arena: Arena) -> None:
        if self._arena is not arena:
            self.cells = SharedCells(arena, self._key, self._room_bytes)
            self._arena = arena
            self._has_told = False

    def tell_full(self) -> None:
        """Says in the log, once, that labels find no room."""
        if not self._has_told:
            self._has_told = True
            _log.warning("%s is full: labels that find no place are counted as 'other'", self._words)


class _Unmade:
    """Stands where a cell will be, which is made when it is first used."""

    def __init__(self, make: Callable[[], SharedCell]) -> None:
        self._make = make

    def add(self, count: int) -> None:
        self._make().add(count)

    def read(self) -> int:
        return self._make().read()


class Counter(Kept):
    """A count that all workers add to, and that only grows.

    It is exact whichever workers end, and however. `label_values` are those of its labels, where it is one of a
    `LabelledCounter`.
    Units: it counts modulo 2^64.
    """

    def __init__(
        self, room: Room, space: str, name: str, labels: dict[str, str] | None = None, place: str | None = None
    ) -> None:
        super().__init__("counter", space, name, "", place)
        self.label_values: dict[str, str] = labels or {}
        self._room = room
        self._cell: SharedCell | Unserved | _Unmade = Unserved(self._words)

    def add(self, count: int = 1) -> None:
        """Adds, in one indivisible step.

        Errors: ValueError for a count that is negative, or over 64 bits; RuntimeError before the server starts.
        """
        self._cell.add(count)

    def value(self) -> int:
        """What all workers have added since the server started.

        Errors: RuntimeError before the server starts.
        """
        return self._cell.read()

    def _open(self, arena: Arena) -> None:
        self._room._open(arena)
        self._cell, _ = _cell(self._room, self.name, {})


class LabelledCounter(Kept):
    """Counters of one name, each with its values of the labels.

    Each takes memory for as long as the server runs, and there is room for so many in its name space. Labels for which
    there is none left are counted together: each of them has the value "other" then.
    """

    def __init__(self, room: Room, space: str, name: str, labels: tuple[str, ...]) -> None:
        super().__init__("counter", space, name, f" with the labels {', '.join(labels)}")
        self.label_names: tuple[str, ...] = labels
        self._space = space
        self._room = room
        self._series: dict[tuple[str, ...], Counter] = {}
        self._other = Counter(room, space, name, dict.fromkeys(labels, "other"), self._place)
        self._is_open = False

    def labels(self, /, **values: str) -> Counter:
        """The counter of these values, one for each label. Whoever adds to it often keeps it.

        What no text of UTF-8 has becomes a question mark.
        Errors: TypeError for labels that the counter does not have, for one that is left out, for what is no str.
        """
        try:
            key = tuple([values[name] for name in self.label_names])
            found = self._series.get(key) if len(values) == len(key) else None
        except (KeyError, TypeError):
            found = None
        return self._counter(values) if found is None else found

    def value(self) -> int:
        """What all workers have added, whatever the labels.

        Errors: RuntimeError before the server starts.
        """
        return sum(reading.value for reading in self.readings())

    def readings(self) -> list[Reading]:
        """Each of its counters that any worker has made, in the order of their values.

        Errors: RuntimeError before the server starts.
        """
        names = {*self.label_names}
        return [one for one in readings(self._room, self.name) if {*one.labels} == names]

    def _counter(self, values: dict[str, str]) -> Counter:
        if values.keys() != {*self.label_names}:
            raise TypeError(f"{self._words} has the labels {', '.join(self.label_names)}, not {', '.join(values)}")
        for name, value in values.items():
            if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
                raise TypeError(f"the label {name} of {self._words} is {value!r}: use a str")
        # A cell's text is UTF-8. What is the same there is to be one key here, however many spellings clients know.
        labels = {name: values[name].encode("utf-8", "replace").decode() for name in self.label_names}
        key = tuple(labels.values())
        if (found := self._series.get(key)) is not None:
            return found
        counter = Counter(self._room, self._space, self.name, labels, self._place)
        if self._is_open and not self._make(counter):
            return self._other  # what no room is kept for is no key to keep either
        self._series[key] = counter
        return counter

    def _make(self, counter: Counter) -> bool:
        """Gives a counter its cell, and says whether that is its own."""
        counter._cell, is_own = _cell(self._room, self.name, counter.label_values)
        if not is_own:
            self._room.tell_full()
        return is_own

    def _make_and_get(self, counter: Counter) -> SharedCell:
        self._make(counter)
        assert not isinstance(counter._cell, Unserved | _Unmade)
        return counter._cell

    def _open(self, arena: Arena) -> None:
        self._room._open(arena)
        # It comes first, so that there is a place for every label from now on.
        self._other._cell, _ = _cell(self._room, self.name, self._other.label_values)
        self._is_open = True
        for counter in self._series.values():
            counter._cell = _Unmade(partial(self._make_and_get, counter))


def readings(room: Room, name: str | None = None) -> list[Reading]:
    """The counters of a room, those of a name or all, in their order. What was never "other" is left out."""
    cells = room.cells.readings()
    found = [Reading(cell, dict(labels), value) for cell, labels, value in cells if name is None or cell == name]
    told = [one for one in found if one.value or not one.labels or {*one.labels.values()} != {"other"}]
    return sorted(told, key=lambda one: (one.name, [*one.labels.items()]))


def _cell(room: Room, name: str, labels: dict[str, str]) -> tuple[SharedCell, bool]:
    made = room.cells.cell(name, [*labels.items()])
    if made is None:
        raise OSError(f"{room._words}{room._shape} is full: there is no place for the counter {name!r}")
    return made
