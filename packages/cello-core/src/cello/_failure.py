"""What a client is told, and the log, when a handler raised."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from cello._kernel import Response
from cello._trace import fold
from cello.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._kernel import Request

__all__ = ["answerer", "log_break"]

_log = logging.getLogger("cello")


def answerer(debug: bool, is_over: Callable[[], bool]) -> Callable[[Request, BaseException], Response]:
    """Makes the function that answers for an exception; with `debug` it shows the exception to the client.

    Once `is_over` says so, whoever is cancelled is cancelled by the end of the server: that is no failure.
    """

    def answer(request: Request, error: BaseException) -> Response:
        if isinstance(error, HTTPError):
            return _problem(request, error.status, error.detail)
        if isinstance(error, CancelledError) and is_over():
            return _problem(request, 503, "The server is stopping.")
        trace = fold(error)
        _log.error("%s %s failed (request %s)\n%s", request.method, request.path, request.request_id, trace)
        if debug:
            return _problem(request, 500, _words(error), trace=[_printable(line) for line in trace.splitlines()])
        return _problem(request, 500, "The server failed to answer this request.")

    return answer


def log_break(request: Request, error: BaseException) -> None:
    """Tells the log why a streamed body broke off: its client sees no more than a connection that was aborted."""
    words = "%s %s: the body broke off (request %s)\n%s"
    _log.error(words, request.method, request.path, request.request_id, fold(error))


def _problem(request: Request, status: int, detail: str, **more: Any) -> Response:
    from http import HTTPStatus

    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": _printable(detail),
        "instance": request.path,
        "request_id": request.request_id,
        **more,
    }
    return Response.json(body, status=status, headers={"content-type": "application/problem+json"})


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _printable(text: str) -> str:
    """The text with escapes in place of lone surrogates, which no encoding has."""
    return text.encode(errors="backslashreplace").decode()
