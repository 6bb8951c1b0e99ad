"""How many requests a key has in a time, over all workers."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cello._kernel import Limit, SharedLimit
from cello._shared_names import Kept, Unserved

if TYPE_CHECKING:
    from cello._kernel import Arena, Decision

__all__ = ["FixedWindow", "RateLimit", "SlidingWindow", "TokenBucket", "nanoseconds"]

_log = logging.getLogger("cello")


@dataclass(frozen=True)
class TokenBucket:
    """Allows `capacity` requests at once, and one more each time the `capacity`-th part of `fill_s` has passed.

    Units: `fill_s` is the seconds in which an empty bucket is full again, 73 years at most.
    Errors: TypeError or ValueError for what cannot be kept.
    Source: the generic cell rate algorithm, ITU-T I.371 annex A.
    """

    capacity: int
    fill_s: float

    def __post_init__(self) -> None:
        native(self)


@dataclass(frozen=True)
class FixedWindow:
    """Allows `requests` in a window, which begins at a key's first request, and then anew.

    Units: `window_s` is seconds, a millisecond to 7 days; `requests` are 1 to 4,294,967,295.
    Errors: TypeError or ValueError for what cannot be kept.
    """

    requests: int
    window_s: float

    def __post_init__(self) -> None:
        native(self)


@dataclass(frozen=True)
class SlidingWindow:
    """Allows `requests` in any window, as far as two counts tell.

    Windows follow on a key's first request. The count of the last one is weighed by the part of it that is left.
    Units: `window_s` is seconds, a millisecond to 7 days; `requests` are 1 to 65,535.
    Errors: TypeError or ValueError for what cannot be kept.
    """

    requests: int
    window_s: float

    def __post_init__(self) -> None:
        native(self)


class RateLimit(Kept):
    """A limit that all workers decide as one, for each key by itself.

    Keys that find no room, since `keys` are limited at the moment, share one limit together.
    """

    def __init__(self, space: str, name: str, limit: TokenBucket | FixedWindow | SlidingWindow, keys: int) -> None:
        self._limit = native(limit)
        self._kind = _kind(limit)
        super().__init__("rate limit", space, name, f", {limit!r} for {keys:,} keys")
        self.limit: TokenBucket | FixedWindow | SlidingWindow = limit
        self.keys: int = keys
        self._states: SharedLimit | Unserved = Unserved(self._words)
        self._has_told = False

    def decide(self, key: str | bytes, cost: int = 1) -> Decision:
        """Counts a request of a key, if it is within the limit, in one indivisible step.

        Units: it counts for `cost` requests: for all of them, or for none.
        Errors: TypeError for a key that is neither str nor bytes; ValueError for a cost below 1, and for one that the
        limit never allows; RuntimeError before the server starts.
        """
        decision: Decision = self._states.decide(key, cost)
        if decision.is_shared and not self._has_told:
            self._has_told = True
            _log.warning("%s is full: keys that find no place share one limit", self._words)
        return decision

    def _open(self, arena: Arena) -> None:
        # What a state means depends on the kind: another kind has other memory.
        self._states = SharedLimit(arena, f"{self._kind} {self._key}", self.keys, self._limit)
        self._has_told = False


def native(limit: TokenBucket | FixedWindow | SlidingWindow) -> Limit:
    """A limit as the kernel has it.

    Errors: TypeError or ValueError for what cannot be kept.
    """
    if isinstance(limit, TokenBucket):
        requests, time_s, names = limit.capacity, limit.fill_s, ("capacity", "fill_s")
    elif isinstance(limit, FixedWindow | SlidingWindow):  # pyright: ignore[reportUnnecessaryIsInstance] - as written
        requests, time_s, names = limit.requests, limit.window_s, ("requests", "window_s")
    else:
        raise TypeError(f"{limit!r} is no limit: use TokenBucket, FixedWindow or SlidingWindow of cello.shared")
    if not isinstance(requests, int) or isinstance(requests, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{names[0]} is {requests!r}: use an int")
    if not 0 <= requests < 1 << 63:
        raise ValueError(f"{names[0]} is {requests}: use a number of requests")
    return Limit(_kind(limit), requests, nanoseconds(time_s, names[1]))


def nanoseconds(time_s: object, what: str) -> int:
    """A time, of up to three centuries.

    Errors: TypeError or ValueError for what is none.
    """
    if not isinstance(time_s, int | float) or isinstance(time_s, bool):
        raise TypeError(f"{what} is {time_s!r}: use seconds")
    if not (math.isfinite(time_s) and 0 < time_s < 1e10):
        raise ValueError(f"{what} is {time_s!r}: use seconds, more than 0")
    return min(round(time_s * 1e9), (1 << 63) - 1)


def _kind(limit: TokenBucket | FixedWindow | SlidingWindow) -> str:
    kinds = {TokenBucket: "token bucket", FixedWindow: "fixed window", SlidingWindow: "sliding window"}
    return kinds[type(limit)]
