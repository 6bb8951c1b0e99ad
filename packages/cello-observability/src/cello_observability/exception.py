"""An exception as what JSON has: its type, its message, where it was raised, and what it came of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cello_observability.plain import cut

if TYPE_CHECKING:
    from types import TracebackType

    from cello_observability.redaction import Redaction

__all__ = ["told"]

#: Of a deeper stack the beginning is left out, of more exceptions the rest.
MOST_FRAMES = 50
MOST_EXCEPTIONS = 16


def told(error: BaseException, redaction: Redaction) -> dict[str, Any]:
    """The exception, in what JSON has. It never fails.

    Shape: `type`, `message`, and `stack`, a list of `file`, `line` and `function`, the innermost last; where they are
    there `cause` or `context`, the exception it came of, and `exceptions`, those of a group.
    """
    return _told(error, redaction, set())


def _told(error: BaseException, redaction: Redaction, seen: set[int]) -> dict[str, Any]:
    seen.add(id(error))
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    found: dict[str, Any] = {
        "type": f"{module}{kind.__qualname__}",
        "message": redaction.text(cut(_message(error))),
        "stack": _stack(error.__traceback__),
    }
    is_context = error.__cause__ is None and not error.__suppress_context__
    before = error.__context__ if is_context else error.__cause__
    if before is not None and id(before) not in seen and len(seen) < MOST_EXCEPTIONS:
        found["context" if is_context else "cause"] = _told(before, redaction, seen)
    if isinstance(error, BaseExceptionGroup):
        group = cast("tuple[BaseException, ...]", error.exceptions)  # pyright: ignore[reportUnknownMemberType] - of any type
        found["exceptions"] = [
            _told(one, redaction, seen) for one in group if id(one) not in seen and len(seen) < MOST_EXCEPTIONS
        ]
    return found


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<a message that cannot be shown>"


def _stack(trace: TracebackType | None) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append({"file": code.co_filename, "line": trace.tb_lineno, "function": code.co_qualname})
        trace = trace.tb_next
    return frames[-MOST_FRAMES:]
