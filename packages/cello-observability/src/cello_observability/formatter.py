"""Log records as lines: an object of JSON each, or text for reading.

They are formatters of `logging` as any other, and work without the rest of this package.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from cello import current_request

from cello_observability.exception import told
from cello_observability.plain import cut, plain
from cello_observability.redaction import Redaction
from cello_observability.trace_context import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cello import Request

__all__ = ["FIELDS", "JsonFormatter", "TextFormatter"]

#: The names of what a line has by itself, in their order.
FIELDS = (
    *("timestamp", "level", "logger", "message", "request_id", "method", "path", "route", "user"),
    *("trace_id", "span_id", "exception", "stack"),
)
#: What a record has without anybody's `extra=`.
_OF_RECORDS = {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName"}

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


class _Formatter(logging.Formatter):
    """What both have in common: the fields of a record."""

    def __init__(
        self,
        *,
        redact: Iterable[str] = (),
        include_trace_id: bool = True,
        user: Callable[[Request], object] | None = None,
    ) -> None:
        super().__init__()
        self._redaction = Redaction(redact)
        self._include_trace_id = include_trace_id
        self._user = user or _user

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line has, by name: that of the record, of the request it was made in, and of its `extra=`."""
        redaction = self._redaction
        found: dict[str, Any] = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redaction.text(cut(_message(record))),
        }
        request = current_request()
        if request is not None:
            self._add_request(found, request)
        if record.exc_info and record.exc_info[1] is not None:
            found["exception"] = told(record.exc_info[1], redaction)
        if record.stack_info:
            found["stack"] = redaction.text(cut(record.stack_info))
        extras = {name: value for name, value in vars(record).items() if name not in _OF_RECORDS}
        if extras:
            for name, value in _as_object(plain(extras, redaction)).items():
                found[f"extra_{name}" if name in FIELDS else name] = value
        return found

    def _add_request(self, found: dict[str, Any], request: Request) -> None:
        found["request_id"] = str.__str__(request.request_id)
        found["method"] = cut(request.method, 64)
        found["path"] = self._redaction.text(cut(request.path, 1024))
        found["route"] = request.route
        try:
            user = self._user(request)
        except Exception:
            user = None
        if user is not None:
            found["user"] = plain(user, self._redaction)
        if self._include_trace_id:
            given = request.headers.get_all("traceparent")
            # Of several none counts (W3C Trace Context §3.2).
            if len(given) == 1 and (trace := parse(given[0])) is not None:
                found["trace_id"], found["span_id"] = trace


class JsonFormatter(_Formatter):
    """A record as an object of JSON, on one line of ASCII.

    Shape: `redact` are further names of values that are not to be shown; `user` says of a request who asks.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        return _encode(self.fields(record))


class TextFormatter(_Formatter):
    """A record as a line for reading; of a message of several lines, and of an exception, the others are indented.

    Shape: as `JsonFormatter`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The lines, without the last end."""
        found = self.fields(record)
        head = f"{found.pop('timestamp')} {found.pop('level').upper():<8} {found.pop('logger')}: "
        first, *others = _printable(found.pop("message")).split("\n")
        exception, stack = found.pop("exception", None), found.pop("stack", None)
        pairs = "".join(f" {_printable(name)}={_word(value)}" for name, value in found.items() if value is not None)
        lines = [f"{head}{first}{pairs}", *others]
        if exception is not None:
            lines += _printable("\n".join(_lines(exception))).split("\n")
        if stack is not None:
            lines += _printable(stack).split("\n")
        return "\n    ".join(lines)


def _user(request: Request) -> object:
    """Who the request's context says that asks: its "user", or of that the id."""
    user: Any = request.get_context("user")
    if user is None or isinstance(user, (str, int)):
        return user
    if isinstance(user, dict):
        claims = cast("dict[object, object]", user)
        return claims.get("id", claims.get("sub"))
    return getattr(user, "id", None)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        return f"{record.msg!s} (its arguments do not fit: {type(error).__name__})"


def _timestamp(created_s: float) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    second, milliseconds = divmod(int(created_s * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _second(since_the_epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_the_epoch))


def _as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"extra": value}  # pyright: ignore[reportUnknownVariableType] - of JSON


def _printable(text: str) -> str:
    """The text without what steers a terminal; ends of lines stay."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _word(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and value and not set(value) & set(" =\"'"):
        return value
    return _encode(value)


def _lines(exception: dict[str, Any], words: str = "") -> list[str]:
    """An exception, and what came before it, as lines."""
    lines = [f"{words}{exception['type']}: {exception['message']}"]
    lines += [f"  {frame['file']}:{frame['line']} in {frame['function']}" for frame in exception["stack"]]
    for key, before in (("cause", "because of "), ("context", "while there was ")):
        if key in exception:
            lines += _lines(exception[key], before)
    for one in exception.get("exceptions", ()):
        lines += [f"  {line}" for line in _lines(one, "with ")]
    return lines
