"""The request that is being handled, for whoever is called without it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from cello._kernel import _note_current

if TYPE_CHECKING:
    from cello._kernel import Request

__all__ = ["current_request"]

_current: ContextVar[Request | None] = ContextVar("cello.current_request", default=None)
# Noting it costs each request a call, so it is not done before somebody asks for it: by importing this.
_note_current(_current.set)


def current_request() -> Request | None:
    """The request whose context this is called in; None outside of a request.

    It is known to all that a request runs: middleware, dependencies, handlers, streamed bodies, work in the background,
    and the tasks and threads that were given a copy of its context. Only requests that begin after the import are
    known: import it at the top of a module.
    """
    return _current.get()
