"""What all workers of a server have together: counters, rate limits, and numbers that expire.

`App.shared` is where they are declared, before the server starts or while it runs. They stand in memory that outlives
each worker: a worker that is killed takes nothing with it, and one that replaces another goes on with what is there.
Nothing in it is ever locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from cello._kernel import Decision
from cello._mistake import caller
from cello._shared_counters import Counter, LabelledCounter, Reading, Room, readings
from cello._shared_limits import FixedWindow, RateLimit, SlidingWindow, TokenBucket
from cello._shared_map import ExpiringMap, MapFull
from cello._shared_names import checked_name, checked_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cello._shared_names import Registry

__all__ = [
    "Counter",
    "Decision",
    "ExpiringMap",
    "FixedWindow",
    "LabelledCounter",
    "MapFull",
    "RateLimit",
    "Reading",
    "Shared",
    "SlidingWindow",
    "TokenBucket",
]

#: A map has at least two slots of 64 bytes a key.
_KEYS = 1 << 14
_MOST_KEYS = 1 << 18
_COUNTER_BYTES = 1 << 20
_MOST_COUNTER_BYTES = 32 << 20


class Shared:
    """A name space of what all workers share: the application's own, or a plugin's.

    A name stands for one thing in it. What is declared again with the same shape is the same; with another it is an
    error that says both.
    Errors: ValueError for a name that has another shape, TypeError or ValueError for what cannot be declared. Where
    there is no room a StartError at start, and an OSError for what is declared while the server runs.
    """

    def __init__(self, registry: Registry, name: str, counter_bytes: int = _COUNTER_BYTES) -> None:
        self.name: str = name
        self._registry = registry
        self._counter_bytes = counter_bytes
        self._room = Room(name, counter_bytes)
        registry.spaces[name] = self

    @overload
    def counter(self, name: str) -> Counter: ...
    @overload
    def counter(self, name: str, labels: Iterable[str]) -> LabelledCounter: ...
    def counter(self, name: str, labels: Iterable[str] | None = None) -> Counter | LabelledCounter:
        """A count that all workers add to; with names of labels, one for each of their values.

        Shape: labels are names as Python has them, and in no order.
        """
        checked_name(name, "a counter")
        names = None if labels is None else _checked_labels(labels, name)
        self._registry.keep(self._room)
        if names is None:
            return self._registry.keep(Counter(self._room, self.name, name))
        return self._registry.keep(LabelledCounter(self._room, self.name, name, names))

    def rate_limit(
        self, name: str, limit: TokenBucket | FixedWindow | SlidingWindow, *, keys: int = _KEYS
    ) -> RateLimit:
        """A limit that all workers decide as one.

        Units: `keys` may be limited at the same time, at least; each takes 128 bytes or more.
        """
        checked_name(name, "a rate limit")
        keys = checked_size(keys, "keys", 1, _MOST_KEYS)
        return self._registry.keep(RateLimit(self.name, name, limit, keys))

    def expiring_map(self, name: str, lifetime_s: float, *, keys: int = _KEYS) -> ExpiringMap:
        """A number for each key, which is forgotten so many seconds after it was last written: a millisecond to 7 days.

        Units: `keys` may have one at the same time, at least; each takes 128 bytes or more.
        """
        checked_name(name, "an expiring map")
        keys = checked_size(keys, "keys", 1, _MOST_KEYS)
        return self._registry.keep(ExpiringMap(self.name, name, lifetime_s, keys))

    def of(self, name: str, *, counter_bytes: int | None = None) -> Shared:
        """The name space of another, say of a plugin, by the name of its distribution.

        Units: `counter_bytes` is the room for its counters, 64 bytes and more each; 1 MiB unless it is said.
        """
        checked_name(name, "a name space")
        before = self._registry.spaces.get(name)
        if counter_bytes is not None:
            checked_size(counter_bytes, "counter_bytes", 4096, _MOST_COUNTER_BYTES)
        if before is None:
            before = Shared(self._registry, name, counter_bytes or _COUNTER_BYTES)
        elif counter_bytes not in (None, before._counter_bytes):
            raise ValueError(
                f"{name!r} has {before._counter_bytes:,} bytes for its counters already: it cannot have "
                f"{counter_bytes:,}{before._room._place}{caller()}"
            )
        return before

    def readings(self) -> list[Reading]:
        """All counters of this name space that any worker has made, in the order of their names and labels.

        Errors: RuntimeError before the server starts.
        """
        return readings(self._room) if self._room._key in self._registry.kept else []

    def dropped(self) -> int:
        """How many sets of labels have found no room; 1024 stands for that many or more.

        Errors: RuntimeError before the server starts.
        """
        dropped: int = self._room.cells.dropped() if self._room._key in self._registry.kept else 0
        return dropped

    def __repr__(self) -> str:
        return f"<what is shared as {self.name!r}>"


def _checked_labels(labels: Iterable[str], name: str) -> tuple[str, ...]:
    names = (labels,) if isinstance(labels, str) else tuple(sorted(labels))
    if not names or len({*names}) < len(names):
        raise ValueError(f"the labels of the counter {name!r} are {names!r}: use one or more, each once")
    for label in names:
        if not isinstance(label, str) or not label.isidentifier():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{label!r} is no label of the counter {name!r}: use a name as Python has them")
    return names
