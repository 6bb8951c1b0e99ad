"""Middleware: what stands around handlers, and in which order.

A middleware is a function, or an object that can be called, of two arguments: the request, and `call_next`, which
gives the Response of what stands further in. It returns that, or a Response of its own.

An object whose `__call__` is `async def` may have a `call_sync` that does the same as a `def`: that one is called where
all that stands around a handler is `def`, and the handler too, so that it needs no task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum

from cello._kernel import Request, Response

__all__ = ["CallNext", "Middleware", "Phase", "SyncCallNext"]


class Phase(IntEnum):
    """Where among an application's middleware one stands: each phase encloses those after it."""

    #: What concerns the connection and the address: who is asking, and for which host.
    EDGE = 1
    #: What watches: logs, metrics, traces.
    OBSERVE = 2
    #: What turns away before anything costs: limits of rate, foreign origins.
    SHIELD = 3
    #: What finds out who the client is: sessions, tokens.
    IDENTIFY = 4
    #: What decides whether it may.
    PERMIT = 5
    #: What changes requests and responses.
    TRANSFORM = 6


#: What an `async def` middleware calls, and awaits, for the response of what stands further in.
type CallNext = Callable[[Request], Awaitable[Response]]

#: What a `def` middleware calls for the response of what stands further in.
type SyncCallNext = Callable[[Request], Response]

#: A middleware: `async def` or `def`, of the request and what to call next.
type Middleware = Callable[[Request, CallNext], Awaitable[Response]] | Callable[[Request, SyncCallNext], Response]
