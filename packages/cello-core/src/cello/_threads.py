"""Threads for handlers that block: `blocking=True`."""

from __future__ import annotations

import asyncio
import threading
from contextvars import Context, copy_context
from functools import wraps
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from cello.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads"]

#: How many calls may wait for a thread, for each thread; one more is answered 503.
WAITING_PER_THREAD = 16

_MISSING = object()


class Work(NamedTuple):
    """A call, the context it is made in, and who waits for it."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    context: Context
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Threads:
    """At most `size` threads, made when they are needed, which live until `close()`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._made = 0
        #: Calls that are not over: those that wait, and those in a thread.
        self._pending = 0
        self._is_closed = False

    def offloaded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one to be awaited, which is called in a thread.

        It runs in a copy of the caller's context, and what it sets there is set for the caller when it is over. It
        cannot be cancelled: whoever is cancelled meanwhile waits for its end.
        """

        @wraps(function)
        async def offloaded(*arguments: Any, **keywords: Any) -> Any:
            context = copy_context()
            try:
                return await self._run(function, arguments, keywords, context)
            finally:
                _adopt(context)

        return offloaded

    def close(self) -> None:
        """Has the threads end after what they are at. They are not waited for."""
        self._is_closed = True
        for _ in range(self._made):
            self._queue.put(None)

    async def _run(
        self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any], context: Context
    ) -> Any:
        if self._is_closed or self._pending >= self._size * (1 + WAITING_PER_THREAD):
            raise ServiceUnavailable("All threads are taken, and too many wait for one.", retry_after_s=1)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._pending += 1
        try:
            if self._pending > self._made and self._made < self._size:
                self._made += 1
                threading.Thread(target=self._work, name=f"cello-blocking-{self._made}", daemon=True).start()
            self._queue.put(Work(call, arguments, keywords, context, future, loop))
            return await _to_its_end(future)
        finally:
            self._pending -= 1

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = work.context.run(work.call, *work.arguments, **work.keywords)
            except StopIteration as stopped:  # no future takes it
                error = RuntimeError("a blocking handler raised StopIteration")
                error.__cause__ = stopped
            except BaseException as raised:
                error = raised
            try:
                work.loop.call_soon_threadsafe(_end, work.future, value, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            del work, value, error


def _end(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


async def _to_its_end(future: asyncio.Future[Any]) -> Any:
    """Waits for a future that nothing cancels; a cancellation is raised when it is done."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # it is nobody's any more
        raise cancelled
    return future.result()


def _adopt(context: Context) -> None:
    """Sets what was set in another context."""
    for variable, value in context.items():
        if variable.get(_MISSING) is not value:
            variable.set(value)
