"""What a client is told, and the log, when a handler raised."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from typing import TYPE_CHECKING

from cello._kernel import Response, _wants_page
from cello._mistake import frame_of
from cello._problem import printable, respond, sendable
from cello._trace import Frame, Told, render, said, tell
from cello.errors import HTTPError, MalformedJSON
from cello.validation import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from cello._kernel import Request

__all__ = ["answerer", "break_logger", "log_failure", "shown_path"]

_log = logging.getLogger("cello")


def answerer(
    debug: bool, is_over: Callable[[], bool], form: Literal["problem", "legacy"] = "problem"
) -> Callable[[Request, BaseException], Response]:
    """Makes the function that answers for an exception; with `debug` it shows the exception to the client.

    Once `is_over` says so, whoever is cancelled is cancelled by the end of the server: that is no failure.
    """
    respond_with = _legacy if form == "legacy" else _problem
    failed = "Internal Server Error" if form == "legacy" else "The server failed to answer this request."

    def answer(request: Request, error: BaseException) -> Response:
        if isinstance(error, HTTPError):
            try:
                return answer_as_asked(request, error)
            except Exception as failure:  # it was made into what cannot be sent after it was checked
                failure.__context__ = error
                error = failure
        if isinstance(error, CancelledError) and is_over():
            return respond_with(request, HTTPError(503, "The server is stopping."))
        told = log_failure(request, error)
        if not debug:
            return respond_with(request, HTTPError(500, failed))
        words = _words(error)
        if _wants_page(request):
            return _page(request, error, words, told)
        if form == "legacy":
            return respond_with(request, HTTPError(500, f"Handler error: {words}"))
        return respond_with(request, HTTPError(500, words), [printable(line) for line in render(told).splitlines()])

    def answer_as_asked(request: Request, error: HTTPError) -> Response:
        told = log_failure(request, error) if error.status == 500 else None
        if _wants_page(request):
            return _page(request, error, _said(error), told or _tell(request, error))
        return respond_with(request, error)

    return answer


def break_logger(is_over: Callable[[], bool]) -> Callable[[Request, BaseException], None]:
    """Makes the function that tells the log why a streamed body broke off: its client sees no more than a connection
    that was aborted.

    What the client has done itself by leaving is no failure, nor what the end of the server has cancelled.
    """

    def log_break(request: Request, error: BaseException) -> None:
        if isinstance(error, CancelledError) and is_over():
            return
        if isinstance(error, HTTPError) and error.status < 500 and request.disconnected():
            return
        words = "%s %s: the body broke off (request %s)\n%s"
        _log.error(words, request.method, shown_path(request), request.request_id, render(_tell(request, error)))

    return log_break


def log_failure(request: Request, error: BaseException) -> list[Told | str]:
    """Tells the log why a request failed."""
    told = _tell(request, error)
    _log.error("%s %s failed (request %s)\n%s", request.method, shown_path(request), request.request_id, render(told))
    return told


def shown_path(request: Request) -> str:
    """The path for a line of a log: what is not printable is escaped, so that no client writes lines of its own."""
    path = request.path
    return path if path.isprintable() else repr(path)[1:-1]


def _problem(request: Request, error: HTTPError, trace: list[str] | None = None) -> Response:
    members: dict[str, Any] = {
        "type": error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": request._raw_path,
        "request_id": request.request_id,
        **error.extensions,
    }
    if trace is not None:
        members["trace"] = trace
    return respond(members, error.status, error.headers)


def _legacy(_: Request, error: HTTPError, _trace: list[str] | None = None) -> Response:
    if isinstance(error, MalformedJSON):
        place = {"loc": ["body"], "msg": "Invalid JSON body", "type": "value_error.json"}
        return Response.json({"detail": [place]}, status=422, headers=error.headers)
    if isinstance(error, ValidationError):
        return Response.json({"detail": error._places()}, status=422, headers=error.headers)
    body = {**error.extensions, "error": sendable(_said(error)), "status": error.status}
    return Response.json(body, status=error.status, headers=error.headers)


def _page(request: Request, error: BaseException, words: str, told: list[Told | str]) -> Response:
    from cello._page import page

    return page(request, error, words, told)


def _said(error: HTTPError) -> str:
    return error.title if error.detail is None else error.detail


def _tell(request: Request, error: BaseException) -> list[Told | str]:
    """The exception as it is told. What no line of the user's raised is told of the handler: of what it returned."""
    try:
        told = tell(error)
        last = told[-1]
        if isinstance(last, Told) and not any(isinstance(step, Frame) for step in last.steps):
            handler = frame_of(request._endpoint)
            if handler is not None:
                last.steps.append(handler)
        return told
    except Exception:  # what is odd about an exception must not cost the client its answer
        return [Told(_words(error), [], [])]


def _words(error: BaseException) -> str:
    try:
        return said(error) or f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
