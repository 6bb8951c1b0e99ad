"""Workers that are replaced for what they have used up: memory, and the time that they may make no progress."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cello._kernel import Arena
    from cello._supervisor_worker import Worker

__all__ = ["Limits", "mebibytes"]

#: How often memory is looked at.
MEMORY_INTERVAL_S = 2.0
#: How often progress is looked at, in parts of the time that there may be none.
LOOKS = 4
MOST_INTERVAL_S = 2.0
#: How long a worker may take to tell what it does and end, before it is killed.
DUMP_S = 5.0

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Limits:
    """What each worker of a server may take, looked at now and then where it was asked for.

    Units: `rss_bytes` is resident memory, `timeout_s` the time without progress; 0 for no limit.
    """

    def __init__(self, arena: Arena, tell: Callable[[str], None], rss_bytes: int, timeout_s: float) -> None:
        self._arena = arena
        self._tell = tell
        self._rss_bytes = rss_bytes
        self._timeout_s = timeout_s
        intervals = [MEMORY_INTERVAL_S] if rss_bytes else []
        intervals += [min(timeout_s / LOOKS, MOST_INTERVAL_S)] if timeout_s else []
        self._interval_s = min(intervals, default=None)
        #: When it is time to look; None for never.
        self.looks_s: float | None = None
        self._looks_at_memory_s = 0.0
        #: Those that had too much when they began: a successor would have as much.
        self._large: set[int] = set()
        #: What was last seen of those that seemed to make no progress, by process.
        self._stuck: dict[int, float] = {}
        #: When those that were told to end for that are killed.
        self._kills_s: dict[int, float] = {}

    def welcome(self, worker: Worker) -> None:
        """A worker has begun to serve."""
        if self._interval_s is not None and self.looks_s is None:
            self.looks_s = time.monotonic() + self._interval_s
        if not self._rss_bytes:
            return
        rss_bytes = _rss_bytes(worker.pid)
        if rss_bytes > self._rss_bytes:
            self._large.add(worker.pid)
            words = (
                f"has {mebibytes(rss_bytes)} when it begins to serve, more than max_rss={mebibytes(self._rss_bytes)}"
            )
            self._tell(f"worker {worker.pid} {words}: it is not replaced for that, its successor would have as much")

    def look(self, workers: Iterable[Worker], relieve: Callable[[Worker, str], None]) -> None:
        """Looks at those that serve, if it is time to; `relieve` is told who is to be replaced and why."""
        now_s = time.monotonic()
        if self._interval_s is None or self.looks_s is None or now_s < self.looks_s:
            return
        self.looks_s = now_s + self._interval_s
        ready = [worker for worker in workers if worker.ready_s is not None]
        alive = {worker.pid for worker in ready}
        self._large &= alive
        self._kills_s = {pid: kills_s for pid, kills_s in self._kills_s.items() if pid in alive}
        if self._timeout_s:
            self._look_at_progress(ready, now_s)
        if self._rss_bytes and now_s >= self._looks_at_memory_s:
            self._looks_at_memory_s = now_s + MEMORY_INTERVAL_S
            for worker in ready:
                if worker.serves and worker.pid not in self._large:
                    rss_bytes = _rss_bytes(worker.pid)
                    if rss_bytes > self._rss_bytes:
                        relieve(
                            worker,
                            f"has {mebibytes(rss_bytes)} of memory, more than max_rss={mebibytes(self._rss_bytes)}",
                        )

    def _look_at_progress(self, workers: Iterable[Worker], now_s: float) -> None:
        stuck: dict[int, float] = {}
        for worker in workers:
            kills_s = self._kills_s.get(worker.pid)
            if kills_s is not None:
                if now_s >= kills_s:
                    worker.kill()
                continue
            progress_s = self._arena.progress_s(worker.seat)
            if progress_s is None or now_s - progress_s <= self._timeout_s:
                continue
            # Seen twice: a machine that was asleep has not given it the time to.
            if self._stuck.get(worker.pid) == progress_s:
                self._end(worker, now_s - progress_s)
                self._kills_s[worker.pid] = now_s + DUMP_S
            else:
                stuck[worker.pid] = progress_s
        self._stuck = stuck

    def _end(self, worker: Worker, since_s: float) -> None:
        self._tell(f"worker {worker.pid} has made no progress for {since_s:.1f} s, and is ended; this is what it does:")
        worker.abort("made no progress")


def _rss_bytes(pid: int) -> int:
    """The memory that a process has in use; 0 where that is not to be known."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def mebibytes(size_bytes: int) -> str:
    """A size, for a person."""
    return f"{size_bytes / (1 << 20):.0f} MiB"
