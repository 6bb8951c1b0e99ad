"""What handlers return, as layers around them see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._kernel import Response, _to_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["responder", "to_response", "with_status"]

#: A Response of what was returned.
to_response = _to_response


def responder(status: int | None) -> Callable[[Any], Response]:
    """What makes a Response of what is returned, of that status where the value has none of its own."""
    return _to_response if status is None else lambda value: _to_response(with_status(value, status))


def with_status(value: object, status: int) -> Any:
    """The value with a status, where it has none of its own: a Response has one, and so has a tuple."""
    kind = type(value)
    return value if kind is Response or kind is tuple or hasattr(kind, "to_response") else (value, status)
