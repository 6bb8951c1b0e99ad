"""What is done when a request has been answered: its endings, and then its work in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from inspect import isawaitable
from typing import TYPE_CHECKING

from cello._counts import DONE
from cello._failure import shown_path
from cello._trace import fold

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cello._counts import BackgroundCounts
    from cello._kernel import Request

__all__ = ["end"]

#: What endings may take when the client has left, in seconds: nobody waits for them, and nothing cancels them.
ABANDONED_TIMEOUT_S = 5.0

_log = logging.getLogger("cello")


async def end(counts: BackgroundCounts, request: Request, error: BaseException | None) -> None:
    """Does what is left once the answer is out: what was given to `Request._at_end`, the last first, and after that
    what was given to `Request._in_background`, which is counted. One that fails is logged, and the others go on.
    """
    await request._sent()
    endings, background = request._take_later()
    while endings or background:
        async with asyncio.timeout(ABANDONED_TIMEOUT_S if request.disconnected() else None):
            for function in reversed(endings):
                try:
                    await _result(function, error)
                except Exception as failure:
                    _log_failure(request, "the end of a dependency", failure)
        for function in background:
            await _work(counts, request, function)
        endings, background = request._take_later()


async def _work(counts: BackgroundCounts, request: Request, function: Callable[[], Any]) -> None:
    counts.running += 1
    try:
        result = await _result(function)
        if isinstance(result, Generator | AsyncGenerator):
            raise TypeError("the function has a yield, and only made a generator: nothing of it has run")
    except BaseException as error:
        counts.failed += 1
        if not isinstance(error, Exception):
            raise
        _log_failure(request, "work in the background", error)
    else:
        counts.completed += result is not DONE
    finally:
        counts.running -= 1


async def _result(function: Callable[..., Any], *arguments: object) -> object:
    result = function(*arguments)
    return await result if isawaitable(result) else result


def _log_failure(request: Request, what: str, error: Exception) -> None:
    words = "%s %s: %s failed (request %s)\n%s"
    _log.error(words, request.method, shown_path(request), what, request.request_id, fold(error))
