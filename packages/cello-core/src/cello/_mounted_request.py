"""A request as an application of ASGI has it: what it receives, and what becomes of what it sends.

The application runs in a task of its own, which goes on when it has answered, and when its client has left: it is told
so, and decides itself. What it sends becomes a `Response`, so that whatever is around it sees one.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cello._failure import log_failure
from cello._kernel import _raw_response
from cello.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from cello._kernel import Request, Response
    from cello._mounted_asgi import Mounted
    from cello._types import Message

__all__ = ["MountedRequest"]

#: In 2.4 the application is told by an OSError of `send` that its client has left; in this it is told by `receive`,
#: which frameworks wait for while they stream, so that they end at once and not at their next piece.
_SPEC_VERSION = "2.3"

#: What waits of a streamed body: at so many bytes the application waits, too.
_ROOM_BYTES = 64 << 10

#: Their answers have no body (RFC 9110 §15).
_BODILESS = frozenset((204, 205, 304))

_log = logging.getLogger("cello")


class _Unfinished(RuntimeError):
    """The application is over, and its answer is not."""


class Start(NamedTuple):
    """The head of an answer, as it was sent."""

    status: int
    headers: Iterable[Iterable[bytes]]


class MountedRequest:
    """One request, and its answer while it is sent: an async iterator of its pieces."""

    __slots__ = (
        "_answered",
        "_arrived",
        "_body",
        "_error",
        "_gathered",
        "_is_complete",
        "_is_gone",
        "_is_received",
        "_is_streaming",
        "_is_told",
        "_left_bytes",
        "_loop",
        "_mounted",
        "_promised_bytes",
        "_request",
        "_response",
        "_room",
        "_start",
        "_waiting_bytes",
    )

    def __init__(self, request: Request, mounted: Mounted) -> None:
        self._request = request
        self._mounted = mounted
        self._loop = asyncio.get_running_loop()
        #: The body of the request, and how much of it is still to come; None where its length is not known.
        self._body: AsyncIterator[bytes] | None = None
        self._left_bytes: int | None = None
        self._is_received = False
        self._start: Start | None = None
        self._response: Response | None = None
        #: What the application raised and nobody was told of.
        self._error: BaseException | None = None
        #: The handler waits for the response, or for the end of the application.
        self._answered: asyncio.Future[None] | None = None
        #: The pieces of the answer are sent as they come, and are not dropped.
        self._is_streaming = False
        #: How much of the answer is still promised; None where no length was.
        self._promised_bytes: int | None = None
        self._gathered: list[bytes] = []
        self._waiting_bytes = 0
        #: The next piece is waited for.
        self._arrived: asyncio.Future[None] | None = None
        self._room: asyncio.Event | None = None
        self._is_complete = False
        #: Nobody takes what is sent.
        self._is_gone = False
        #: The application knows that its client has left.
        self._is_told = False

    async def answer(self, *, is_under: bool) -> Response:
        """Starts the application, and waits for its answer: all of it, or what its pieces follow.

        Errors: what it raised before; RuntimeError where it did not answer.
        """
        request, mounted = self._request, self._mounted
        request._follow()
        scope = request._asgi_scope(is_under)
        scope["asgi"] = {"version": "3.0", "spec_version": _SPEC_VERSION}
        scope["extensions"] = {"http.response.pathsend": {}}
        scope["state"] = mounted.state.copy()
        task = asyncio.Task(self._run(scope), loop=self._loop, eager_start=True, context=copy_context())
        if not task.done():
            mounted.tasks.add(task)
            if self._response is None and self._error is None:
                self._answered = self._loop.create_future()
                try:
                    await self._answered
                except asyncio.CancelledError:
                    self._give_up()
                    task.cancel()
                    raise
        if self._error is not None and self._response is None:
            error, self._error = self._error, None
            raise error
        assert self._response is not None
        if self._is_streaming:
            request._at_end(self._end)
        return self._response

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._mounted.app(scope, self._receive, self._send)
            if not self._is_complete:
                what = "it had answered" if self._response is None else "its answer was complete"
                raise _Unfinished(f"{self._mounted.words} returned before {what}")
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)
        finally:
            self._mounted.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _receive(self) -> Message:
        """ASGI's `receive`."""
        if self._is_received or self._is_complete or self._is_gone:
            await self._request._sent()
            return self._disconnect()
        if self._body is None:
            self._body = self._request.stream()
            self._left_bytes = self._request.content_length
        try:
            piece = await anext(self._body)
        except StopAsyncIteration:
            self._is_received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        except HTTPError as error:  # it broke off, took too long, or is too large
            self._is_received = True
            if self._response is None and not self._is_complete:
                self._give_up()
                self._error = error
                _wake(self._answered)
            return self._disconnect()
        if self._left_bytes is not None:
            self._left_bytes -= len(piece)
            self._is_received = self._left_bytes <= 0
        return {"type": "http.request", "body": piece, "more_body": not self._is_received}

    def _disconnect(self) -> Message:
        self._is_told = self._is_told or not self._is_complete
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        """ASGI's `send`: returns when there is room for more, and of the last when the client has it.

        Errors: RuntimeError for a message that cannot be at this point; TypeError and ValueError for one that is none.
        """
        kind = message["type"]
        if self._is_complete:
            raise RuntimeError(f"{self._mounted.words} sent {kind!r} after its answer was complete")
        if kind == "http.response.body":
            if self._start is None:
                raise RuntimeError(f"{self._mounted.words} sent {kind!r} before 'http.response.start'")
            await self._take(self._start, _bytes(message.get("body", b"")), bool(message.get("more_body", False)))
        elif kind == "http.response.start":
            if self._start is not None:
                raise RuntimeError(f"{self._mounted.words} sent {kind!r} twice")
            if message.get("trailers"):
                raise RuntimeError(f"{self._mounted.words} has trailers, which are not among the extensions")
            self._start = Start(message["status"], message.get("headers", ()))
        elif kind == "http.response.pathsend":
            if self._start is None or self._response is not None:
                raise RuntimeError(f"{self._mounted.words} sent {kind!r} where the only body of an answer is to be")
            await self._take(self._start, str(message["path"]), more=False)
        else:
            raise RuntimeError(f"{self._mounted.words} sent {kind!r}, which answers no request")

    async def _take(self, start: Start, body: bytes | str, more: bool) -> None:
        if self._is_gone:
            self._is_complete = not more
            await asyncio.sleep(0)  # whoever sends on and on is not to keep all others waiting
            return
        if self._response is None:
            self._respond(start, body, more)
        elif self._is_streaming and isinstance(body, bytes):
            self._push(body)
        if not more:
            self._complete()
            if self._answered is None:
                # The handler has it when this suspends, and its client mostly by the next turn: to be told so would
                # cost more than to look.
                await asyncio.sleep(0)
            if not self._request._is_sent():
                await self._request._sent()
        elif self._room is not None:
            await self._room.wait()

    def _respond(self, start: Start, body: bytes | str, more: bool) -> None:
        is_bodiless = start.status in _BODILESS or self._request.method == "HEAD"
        self._is_streaming = more and not is_bodiless
        response = _raw_response(start.status, start.headers, self if self._is_streaming else body, is_bodiless)
        if self._is_streaming:
            promised = response.headers.get("content-length")
            self._promised_bytes = None if promised is None else int(promised)
            self._room = asyncio.Event()
            assert isinstance(body, bytes)
            self._push(body)
        self._response = response
        _wake(self._answered)

    def _push(self, piece: bytes) -> None:
        if self._promised_bytes is not None:
            self._promised_bytes -= len(piece)
            if self._promised_bytes < 0:
                raise RuntimeError(f"{self._mounted.words} sent more than its content-length promises")
        assert self._room is not None
        if piece:
            self._gathered.append(piece)
            self._waiting_bytes += len(piece)
            _wake(self._arrived)
        if self._waiting_bytes < _ROOM_BYTES:
            self._room.set()
        else:
            self._room.clear()

    def _complete(self) -> None:
        if self._promised_bytes:
            raise RuntimeError(f"{self._mounted.words} sent less than its content-length promises")
        self._is_complete = True
        _wake(self._arrived)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._gathered:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._is_complete:
                raise StopAsyncIteration
            self._arrived = self._loop.create_future()
            await self._arrived
        piece = self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered)
        self._gathered.clear()
        self._waiting_bytes = 0
        if self._room is not None:
            self._room.set()
        return piece

    async def aclose(self) -> None:
        """Nobody takes the rest of the answer."""
        self._give_up()

    def _end(self, _: BaseException | None) -> None:
        if not self._is_complete:
            self._give_up()

    def _give_up(self) -> None:
        self._is_gone = True
        self._gathered.clear()
        if self._room is not None:
            self._room.set()

    def _fail(self, error: BaseException) -> None:
        """Tells of what the application raised: the client, the connection, or at least the log."""
        if self._is_complete:
            if not isinstance(error, asyncio.CancelledError):
                log_failure(self._request, error)
            return
        if self._is_gone or self._is_told:
            if not isinstance(error, asyncio.CancelledError | _Unfinished):
                _log.info("%s failed after its client had left", self._mounted.words, exc_info=error)
            error = asyncio.CancelledError()  # which is no failure of a request that nobody waits for
        if self._error is None:
            self._error = error
        _wake(self._answered if self._response is None else self._arrived)


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(cast("bytearray", body))
    raise TypeError(f"a body of ASGI is bytes, not {type(body).__name__}")


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
