"""The task of a request: one that nobody can tell from a new one serves again.

To make a task, to enter it among all tasks and to take it away is a third of what an asynchronous handler costs. Native
code (`crates/cello-py/src/relay.rs`) has a task that is through with its request wait for the next one, unless somebody
may know it: has a reference to it, strong or weak, or has asked more of it than what leaves no trace.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from typing import TYPE_CHECKING, NamedTuple

from cello._asyncio_private import enter_eager_task, forget_task, leave_eager_task, swap_current_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cello._kernel import Relay

__all__ = ["CALLS", "RequestTask"]

#: What may be asked of a task, and leaves no trace. Not its name: one that was seen, as in a line of a log, is that of
#: one request.
HARMLESS = frozenset({"__class__", "cancelled", "cancelling", "done", "get_loop", "uncancel"})


class RequestTask(asyncio.Task[None]):
    """A task that notes whether anything was asked of it that could be seen later."""

    __slots__ = ("_relay",)

    _relay: Relay

    def __getattribute__(self, name: str) -> Any:
        """Every method and attribute goes through here, but for those that asyncio's own code uses."""
        if name not in HARMLESS:
            relay_of(self).touch()
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        """A task has room for anybody's attributes."""
        relay_of(self).touch()
        super().__setattr__(name, value)


class TaskCalls(NamedTuple):
    """What native code calls for it."""

    task_type: type[RequestTask]
    #: `(task, relay)`, once for each.
    tie: Callable[[RequestTask, Relay], None]
    swap_current: Callable[[asyncio.AbstractEventLoop, asyncio.Task[Any] | None], asyncio.Task[Any] | None]
    enter: Callable[[asyncio.Task[Any]], None]
    leave: Callable[[asyncio.Task[Any]], None]
    forget: Callable[[asyncio.Task[Any]], None]
    count_references: Callable[[object], int]
    count_weak: Callable[[object], int]


#: The place of a task's relay, which is read without the task's knowing.
PLACE: Any = vars(RequestTask)["_relay"]


def relay_of(task: RequestTask) -> Relay:
    """What has the task serve one request after another."""
    relay: Relay = PLACE.__get__(task)
    return relay


def tie(task: RequestTask, relay: Relay) -> None:
    """Has the relay know what is asked of the task."""
    PLACE.__set__(task, relay)


#: None where Python keeps its tasks in another way than is known here: each request has a new one then.
CALLS = (
    TaskCalls(
        RequestTask,
        tie,
        swap_current_task,
        enter_eager_task,
        leave_eager_task,
        forget_task,
        sys.getrefcount,
        weakref.getweakrefcount,
    )
    if sys.version_info < (3, 14)
    else None
)
