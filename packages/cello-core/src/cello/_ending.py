"""What is done when a request has been answered: its endings, and then its work in the background."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cello._kernel import Request

__all__ = ["end"]

#: What endings may take when the client has left, in seconds: nobody waits for them, and nothing cancels them.
ABANDONED_TIMEOUT_S = 5.0

_log = logging.getLogger("cello")


async def end(request: Request, error: BaseException | None) -> None:
    """Does what is left once the answer is out: what was given to `Request._at_end`, the last first, and after that
    what was given to `Request._in_background`. One that fails is logged, and the others go on.
    """
    await request._sent()
    endings, background = request._take_later()
    while endings or background:
        async with asyncio.timeout(ABANDONED_TIMEOUT_S if request.disconnected() else None):
            for function in reversed(endings):
                await _call(request, "the end of a dependency", function, error)
        for function in background:
            await _call(request, "work in the background", function)
        endings, background = request._take_later()


async def _call(request: Request, what: str, function: Callable[..., Any], *arguments: object) -> None:
    try:
        awaitable = function(*arguments)
        if awaitable is not None:
            await awaitable
    except Exception:
        _log.exception("%s %s: %s failed (request %s)", request.method, request.path, what, request.request_id)
