"""Handlers that keep the loop, and everybody on it, waiting."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cello._breakpoint import was_entered
from cello._handler import is_async
from cello._mistake import at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cello._plan import Plan

__all__ = ["SlowSteps"]

_log = logging.getLogger("cello")


class SlowSteps:
    """Counts the steps of handlers that took long, and names each handler once in the log."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.count = 0
        self._plans = plans
        self._named: set[int] = set()

    def note(self, route: int, took_s: float) -> None:
        """A handler of the route with this number kept the loop for `took_s` seconds, without a turn for others."""
        if was_entered():  # it was somebody at the debugger's prompt
            return
        self.count += 1
        if route in self._named or route >= len(self._plans):
            return
        self._named.add(route)
        plan = self._plans[route]
        advice = (
            "await what it waits for, or give it to asyncio.to_thread()"
            if is_async(plan.endpoint)
            else "set blocking=True, or make it an async def that awaits"
        )
        words = "%s %s kept everybody waiting for %.2f s: %s%s"
        _log.warning(words, plan.method, plan.path, took_s, advice, at(plan.endpoint))
