"""One request of ASGI's: asked over a connection in memory, answered with what comes back."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
    from contextvars import Context
    from typing import Any

    from cello._kernel import ClientExchange, Response
    from cello._serving import Serving
    from cello._types import Message

    type Scope = MutableMapping[str, Any]
    type Receive = Callable[[], Awaitable[Message]]
    type Send = Callable[[Message], Awaitable[None]]

__all__ = ["answer"]

#: When a client that is not answered yet is first looked after, in seconds: a task for that would cost a quick answer
#: more than its handler.
LISTEN_AFTER_S = 0.05

#: What a path has as it is (RFC 3986 §3.3).
_UNQUOTED = "/:@!$&'()*+,;="
#: What says that a body comes.
_FRAMING = (b"content-length", b"transfer-encoding")
_NOTHING = object()


class Asked(NamedTuple):
    """A request, as the kernel takes it from another server."""

    method: str
    #: Path and query.
    target: bytes
    headers: Iterable[Sequence[bytes]]
    has_body: bool
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    is_secure: bool
    #: What the handler is called in; None for a copy of the server's.
    context: Context | None
    #: What goes before the target's path in the URL, percent-encoded.
    root_path: str


class Gone(Exception):
    """The exchange is over, and its answer is not whole."""


async def answer(serving: Serving, base: Context, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers one request.

    Errors: RuntimeError for an answer that broke off, so that the server breaks off, too.
    """
    headers = list(scope["headers"])
    first = None
    has_body = any(name in _FRAMING for name, _ in headers)
    if not has_body:
        # HTTP/2 has bodies that no field speaks of.
        first = await receive()
        if first["type"] != "http.request":
            return
        has_body = bool(first.get("body")) or first.get("more_body", False)
    try:
        exchange = serving.server.exchange(_asked(scope, headers, has_body, _context(base)))
    except ValueError as error:
        # With more than the words of an encoding's error nobody is helped.
        words = "The path has characters that cannot be sent." if isinstance(error, UnicodeError) else str(error)
        await _refuse(send, serving.refusal(words))
        return
    inbound = Inbound(exchange, receive)
    try:
        if has_body:
            inbound.feed(first)
        else:
            inbound.listen_soon()
        await _relay(exchange, send)
    except Gone:
        if inbound.failure is not None:
            raise inbound.failure from None
        if not inbound.has_left:
            raise RuntimeError(
                "the answer broke off: its handler failed, which is in the log, or the server stops"
            ) from None
    finally:
        inbound.close()
        exchange.close()


async def _relay(exchange: ClientExchange, send: Send) -> None:
    """Sends the answer as it comes: the next piece is asked for when the server has taken the one before."""
    status, headers = await _polled(exchange.poll_head)
    more = True
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while more:
            body, more = await _polled(exchange.poll_body)
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except OSError:
        return  # the client has gone, and the server said so


async def _polled[Part: tuple[Any, ...]](poll: Callable[[], Part | asyncio.Future[None]]) -> Part:
    """What comes of the answer, when it has come."""
    try:
        while not isinstance(part := poll(), tuple):
            await part
    except ConnectionError:
        raise Gone from None
    return part


async def _refuse(send: Send, response: Response) -> None:
    body = response.body()
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Inbound:
    """What comes of a client while it is answered: its body, and that it has gone."""

    def __init__(self, exchange: ClientExchange, receive: Receive) -> None:
        self._exchange = exchange
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: Whether the client has gone.
        self.has_left = False
        #: What `receive()` raised.
        self.failure: Exception | None = None

    def feed(self, first: Message | None) -> None:
        """Brings the body, of which the first message may be here, as the handler takes it."""
        # What is here is brought at once: for most bodies the task is over before it is scheduled.
        self._task = asyncio.Task(self._feed(first), loop=asyncio.get_running_loop(), eager_start=True)

    def listen_soon(self) -> None:
        """Looks after the client, if the answer takes so long."""
        self._timer = asyncio.get_running_loop().call_later(LISTEN_AFTER_S, self._listen)

    def close(self) -> None:
        """Lets the client be."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _listen(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _feed(self, message: Message | None) -> None:
        try:
            while True:
                if message is None:
                    message = await self._receive()
                if message["type"] != "http.request":
                    self._leave()
                    return
                is_last = not message.get("more_body", False)
                piece = bytes(message.get("body", b""))
                is_wanted = not (piece or is_last) or await self._is_wanted_after(piece, is_last)
                if is_last or not is_wanted:
                    break
                message = None
        except ConnectionError:
            return  # the exchange is over
        except Exception as error:
            self._fail(error)
            return
        self.listen_soon()

    async def _is_wanted_after(self, piece: bytes, is_last: bool) -> bool:
        while not isinstance(is_wanted := self._exchange.poll_feed(piece, is_last), bool):
            await is_wanted
        return is_wanted

    async def _watch(self) -> None:
        try:
            while (await self._receive())["type"] == "http.request":
                pass  # of a body that nobody wants
        except Exception as error:
            self._fail(error)
        else:
            self._leave()

    def _leave(self) -> None:
        self.has_left = True
        self._exchange.close()

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._exchange.close()


def _asked(scope: Scope, headers: list[Sequence[bytes]], has_body: bool, context: Context | None) -> Asked:
    client = _address(scope.get("client"))
    root: str = scope.get("root_path", "").rstrip("/")
    quoted = quote(root, safe=_UNQUOTED) if root else ""
    return Asked(
        scope["method"],
        _target(scope, root, quoted),
        headers,
        has_body,
        None if client is None else (client[0], client[1] or 0),
        _address(scope.get("server")),
        scope.get("scheme") in ("https", "wss"),
        context,
        # What was not sent so is no part of what the client asked for.
        quoted if quoted.startswith("/") else "",
    )


def _address(pair: Sequence[Any] | None) -> tuple[str, int | None] | None:
    """Host and port: there are servers that give the number as text, and sockets that have none."""
    if not pair:
        return None
    port = str(pair[1])
    return str(pair[0]), int(port) if port.isdecimal() and int(port) < 1 << 16 else None


def _target(scope: Scope, root: str, quoted: str) -> bytes:
    """Path and query as they were sent, without the path that the application is under."""
    path: str = scope["path"]
    raw: bytes = (scope.get("raw_path") or b"").partition(b"?")[0]
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
        above = quoted.encode()
        raw = raw[len(above) :] if raw.startswith(above) else b""
    target = raw or quote(path, safe=_UNQUOTED).encode() or b"/"
    query: bytes = scope.get("query_string") or b""
    return b"%b?%b" % (target, query) if query else target


def _context(base: Context) -> Context | None:
    """The context of the application's start, with what the server has set for this request."""
    context = None
    for variable, value in copy_context().items():
        if base.get(variable, _NOTHING) is not value:
            if context is None:
                context = base.copy()
            context.run(variable.set, value)
    return context
