"""How much work in the background was done."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DONE", "BackgroundCounts"]

#: What work returns that was done before its turn came: it is not counted.
DONE = object()


@dataclass
class BackgroundCounts:
    """Work in the background that a server has called since it started, one for each function that was added.

    Units: functions: `running` have begun and not ended, `completed` have returned, `failed` have raised or were
    cancelled.
    """

    running: int = field(default_factory=int)
    completed: int = field(default_factory=int)
    failed: int = field(default_factory=int)
