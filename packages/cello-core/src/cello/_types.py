"""Types that only checkers look at: nothing imports this module while an application runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from cello._kernel import Request, Response
    from cello.middleware import CallNext, SyncCallNext

__all__ = [
    "ASGIApp",
    "AnswerDecorator",
    "AsyncMiddleware",
    "HandlerDecorator",
    "Lasting",
    "Lifespan",
    "ListenerDecorator",
    "Message",
    "RequestAttribute",
    "SyncMiddleware",
    "Words",
]

#: What a lifespan makes: a generator, or a context manager of either kind.
type Lasting = (
    Iterator[Any] | AsyncIterator[Any] | AbstractContextManager[Any, Any] | AbstractAsyncContextManager[Any, Any]
)

#: A lifespan takes the application, of whatever subclass, or nothing.
type Lifespan = Callable[[Any], Lasting] | Callable[[], Lasting]

#: An application of ASGI 3, called with scope, receive and send: each framework has types of its own for them.
type ASGIApp = Callable[[Any, Any, Any], Awaitable[Any]]

#: What an application of ASGI receives and sends.
type Message = MutableMapping[str, Any]


class Words(Protocol):
    """Several words. A str, which is one, is none: it cannot be asked whether it has whatever object in it."""

    def __contains__(self, word: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> str: ...
    def __iter__(self) -> Iterator[str]: ...


class HandlerDecorator(Protocol):
    """Gives a handler back as it is."""

    def __call__[Function: Callable[..., Any]](self, handler: Function, /) -> Function: ...


class ListenerDecorator(Protocol):
    """Gives a function of the life cycle back as it is."""

    def __call__[Function: Callable[[], Any]](self, listener: Function, /) -> Function: ...


class AnswerDecorator[Failure](Protocol):
    """Gives an exception handler back, which takes the request and what it answers for.

    What it gives may answer for anything, so that decorators can be stacked.
    """

    def __call__[Result](
        self, function: Callable[[Request, Failure], Result], /
    ) -> Callable[[Request, Any], Result]: ...


class AsyncMiddleware(Protocol):
    """Instances of a class are `async def` middleware."""

    def __call__(self, request: Request, call_next: CallNext, /) -> Awaitable[Response]: ...


class SyncMiddleware(Protocol):
    """Instances of a class are `def` middleware."""

    def __call__(self, request: Request, call_next: SyncCallNext, /) -> Response: ...


class RequestAttribute[Result]:
    """An attribute of requests that a plugin provides: what its function of the request returns."""

    def __init__(self, function: Callable[[Request], Result], /) -> None:
        self._function = function

    def __get__(self, request: Request, kind: type | None = None) -> Result:
        return self._function(request)
