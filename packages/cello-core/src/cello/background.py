"""Work that is done after the answer."""

from __future__ import annotations

import builtins
from collections import deque
from functools import partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, cast, overload

from cello._counts import DONE, BackgroundCounts
from cello._current import current_request
from cello._handler import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BackgroundCounts", "BackgroundTasks"]


class BackgroundTasks:
    """Work for after the answer: made in a handler, or whatever a handler calls, and not returned.

    Each piece is called once the last byte of the answer was taken, or the client has gone, one after the other in the
    order they were added, in the task and the context of the request; a failure is logged, and the next goes on. The
    server waits for them when it stops.

    Errors: RuntimeError outside a request.
    """

    def __init__(self) -> None:
        request = current_request()
        if request is None:
            raise RuntimeError(
                "BackgroundTasks() belongs to a request: make it in a handler, or in what one calls, and import it at "
                "the top of a module"
            )
        self._request = request
        self._waiting: deque[Callable[[], Any]] = deque()

    @overload
    def add_task(self, function: Callable[..., Any], arguments: list[Any], /) -> None: ...
    @overload
    def add_task[**P](self, function: Callable[P, Any], *arguments: P.args, **keywords: P.kwargs) -> None: ...
    def add_task(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        """Adds `function(*arguments, **keywords)`; `async def` or `def`.

        `add_task(function, [first, second])`, one list and nothing else, is the older form, where the items of the list
        are the arguments: unless the function takes exactly one, which is the list then. A list of one item is not what
        a function takes whose annotation says another class, `to: str`: it gets the item.
        Errors: TypeError for what cannot be called.
        """
        if not callable(function):
            raise TypeError(f"{name_of(function)} is no function: give one and what to call it with, add_task(send, 7)")
        if len(arguments) == 1 and not keywords and type(arguments[0]) is list:
            arguments = _of_list(function, cast("list[object]", arguments[0]))
        self._waiting.append(partial(function, *arguments, **keywords))
        self._request._in_background(self._next)

    def pending_count(self) -> int:
        """How many have not begun."""
        return len(self._waiting)

    async def run_all(self) -> None:
        """Calls now what has not begun, in the order it was added; after the answer it is not called again.

        Errors: ExceptionGroup of what was raised, once all were called.
        """
        from inspect import isawaitable

        errors: list[Exception] = []
        while self._waiting:
            try:
                result = self._next()
                if isawaitable(result):
                    await result
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("work in the background failed", errors)

    def _next(self) -> Any:
        return self._waiting.popleft()() if self._waiting else DONE


def _of_list(function: Callable[..., Any], items: list[object]) -> tuple[object, ...]:
    """What a function is called with that was given one list."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin without a signature
        return tuple(items)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return tuple(items)
    said = positional[0].annotation
    # With `from __future__ import annotations` it is the name.
    kind = vars(builtins).get(said) if isinstance(said, str) else said
    if not isinstance(kind, type) or isinstance(kind, GenericAlias) or kind is inspect.Parameter.empty:
        return (items,)
    return tuple(items) if not issubclass(list, kind) and len(items) == 1 else (items,)
