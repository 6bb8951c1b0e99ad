"""What the workers of a server have done."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from cello._kernel import Arena

__all__ = ["WorkerCounts"]


@dataclass(frozen=True)
class WorkerCounts:
    """What the workers of one slot have done, one after the other, since the server started.

    Units: `slot` is from 0. `requests` were answered, refused ones too; `connections` were taken; `restarts` is how
    many successors have begun to serve. `pid` is the process that serves there, `started_at` when it began, in UTC;
    both are None while none does.
    """

    slot: int
    pid: int | None
    requests: int
    connections: int
    restarts: int
    started_at: datetime | None


def counts(arena: Arena) -> list[WorkerCounts]:
    """Those of all slots that ever had a worker, in their order."""
    from datetime import UTC, datetime

    found: list[WorkerCounts] = []
    for slot, requests, connections, starts, holder in arena.slots():
        pid, began_s = holder if holder is not None and _exists(holder[0]) else (None, 0.0)
        started_at = None if pid is None else datetime.fromtimestamp(began_s, UTC)
        found.append(WorkerCounts(slot, pid, requests, connections, starts - 1, started_at))
    return found


def _exists(pid: int) -> bool:
    """Whether there is a process of this number: one that was killed could not say that it left."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
