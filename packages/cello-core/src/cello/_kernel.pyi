"""The native half of cello-core: what `crates/cello-py` exports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context
from socket import socket
from typing import Any, Literal, Protocol, Self, TypeVarTuple, final

from typing_extensions import disjoint_base

from cello._awaitable import AwaitableBytes, AwaitableStr
from cello.app import App

__all__ = [
    "BUILD_PROFILE",
    "Acceptor",
    "BindError",
    "Handle",
    "Listener",
    "LoopCore",
    "Request",
    "Response",
    "RouteError",
    "Server",
    "StreamTransport",
    "TimerHandle",
    "__version__",
    "_panic",
]

_Arguments = TypeVarTuple("_Arguments")

__version__: str
BUILD_PROFILE: Literal["dev", "release"]

def _panic() -> None:
    """Panics: what a panic of native code does to a request cannot be tested without one. Not in release builds."""

class BindError(OSError):
    """An address cannot be listened on; the words say why."""

class RouteError(ValueError):
    """A route cannot be one: its words, its index, and that of the route that has its place, or None."""

@final
class Request:
    """One HTTP request."""

    @property
    def method(self) -> str:
        """The method, as it was sent: "GET"."""
    @property
    def path(self) -> str:
        """The path, percent-decoded: "/users/7". The query is not part of it."""
    @property
    def params(self) -> dict[str, str]:
        """What the path's parameters matched, percent-decoded, by name."""
    @property
    def app(self) -> App:
        """The application that serves the request."""
    @property
    def request_id(self) -> str:
        """The request's identity in logs and errors, a UUIDv7."""
    def body(self) -> AwaitableBytes:
        """The whole body. May be awaited, and must be where the route streams its body."""
    def text(self) -> AwaitableStr:
        """The whole body as text: UTF-8, U+FFFD in place of what is none. May be awaited, as `body()`."""
    def json(self) -> Any:
        """The body, parsed as JSON. May be awaited, as `body()`, but where it is true, false or null.

        Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400.
        """
    def body_async(self) -> Awaitable[bytes]:
        """`body()`, to be awaited."""
    def text_async(self) -> Awaitable[str]:
        """`text()`, to be awaited."""
    def json_async(self) -> Awaitable[Any]:
        """`json()`, to be awaited."""
    def disconnected(self) -> bool:
        """Whether the client has left: it closed its end, or the connection is over."""
    def stream(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it arrives, where the route streams it; else in one."""

@final
class Response:
    """A response with its status, header fields and body."""

    @staticmethod
    def json(
        data: object, status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> Response:
        """A response whose body is `data` as JSON.

        Errors: TypeError or ValueError where `data` is no JSON, ValueError for a bad status or header field.
        """
    @staticmethod
    def text(
        content: str, status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> Response:
        """A response whose body is `content` as plain text in UTF-8.

        Errors: ValueError for a bad status or header field.
        """
    @property
    def status(self) -> int:
        """The HTTP status."""

@final
class Handle:
    """The handle of `call_soon`: asyncio.Handle's interface."""

    def cancel(self) -> None:
        """Keep the callback from running, if it has not run."""
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
    def get_context(self) -> Context | None:
        """The context the callback is to run in; None once it ran."""

@final
class TimerHandle:
    """The handle of `call_later` and `call_at`: asyncio.TimerHandle's interface."""

    def cancel(self) -> None:
        """Keep the callback from running, if it has not run."""
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
    def when(self) -> float:
        """When the callback is due, in seconds of the loop's clock."""
    def get_context(self) -> Context | None:
        """The context the callback is to run in; None once it ran."""
    def __lt__(self, other: TimerHandle, /) -> bool: ...
    def __le__(self, other: TimerHandle, /) -> bool: ...
    def __gt__(self, other: TimerHandle, /) -> bool: ...
    def __ge__(self, other: TimerHandle, /) -> bool: ...

@disjoint_base
class LoopCore:
    """The native half of `cello`'s event loop: first in its bases, before `asyncio.SelectorEventLoop`.

    What it says to return as asyncio's handles are `Handle` and `TimerHandle`, which have their interface.
    """

    def __new__(cls, *_args: object, **_kwargs: object) -> Self: ...
    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback(*args)` at the next turn."""
    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback(*args)` at the next turn, from any thread."""
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` in `delay` seconds."""
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` when the loop's clock shows `when` seconds."""
    def time(self) -> float:
        """The loop's clock, in seconds: that of time.monotonic()."""
    def get_debug(self) -> bool:
        """Whether the loop is in debug mode; asked for every task that is made."""
    def is_running(self) -> bool:
        """Whether the loop runs; asked for every task that is started eagerly."""
    def _note_debug(self, enabled: bool) -> None: ...
    def _add_callback(self, handle: asyncio.Handle) -> None:
        """Queue an asyncio.Handle: the door through which the standard selector's callbacks come."""
    @staticmethod
    def _is_forked_while_running() -> bool:
        """Whether this process was forked off by a thread while that ran a loop: to tokio it runs one for ever."""
    def _run_native(self, selector: int) -> None:
        """Run turns until a stop is requested; `selector` is the descriptor of the standard selector."""
    def _stop_native(self) -> None:
        """End the run after the turn it is at."""
    def _open_streams(self) -> list[StreamTransport]:
        """The transports that are open."""
    def _close_native(self) -> None:
        """Drop every connection, timer and callback, and what they hold."""
    def _open_stream(
        self,
        sock: socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
        extra: dict[str, Any] | None,
        server: asyncio.AbstractServer | None,
    ) -> StreamTransport:
        """A transport over a duplicate of `sock`. Once the protocol was told of the connection, `waiter` is done."""
    def _accept_on(
        self,
        sock: socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        server: asyncio.AbstractServer | None,
        backlog: int,
    ) -> Acceptor:
        """Accepts connections on the listening `sock`, at most `backlog` in a turn."""

@final
class Acceptor:
    """Accepts on one socket, until it is closed."""

    def close(self) -> None:
        """Accept no more. The socket itself stays open."""
    def _try_again(self) -> None: ...

@final
class StreamTransport(asyncio.Transport):
    """asyncio's transport of a connected socket, TCP or Unix."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection: `peername`, `sockname`, `socket`."""
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol receive from now on."""
    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol; None once the connection is lost."""
    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be."""
    def is_reading(self) -> bool:
        """Whether the protocol is given what comes."""
    def pause_reading(self) -> None:
        """Receive nothing for the time being."""
    def resume_reading(self) -> None:
        """Receive again."""
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send `data`; what the system does not take at once waits."""
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Send each of `list_of_data`, in as few packets as the system makes of them."""
    def can_write_eof(self) -> bool:
        """Whether write_eof() is supported: it is."""
    def write_eof(self) -> None:
        """Tell the peer that nothing more will be sent, after what waits."""
    def close(self) -> None:
        """Close the connection after what waits was sent."""
    def abort(self) -> None:
        """Close the connection now, whatever waits."""
    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The bytes at which the protocol is resumed, and over which it is paused."""
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the bytes over which the protocol is paused, and at which it is resumed.

        Errors: ValueError unless high >= low >= 0.
        """
    def _force_close(self, exc: BaseException | None) -> None:
        """Close the connection now, and tell the protocol why."""
    def _make_empty_waiter(self) -> asyncio.Future[None]:
        """A future that is done when nothing waits to be sent. Nothing can be written until _reset_empty_waiter()."""
    def _reset_empty_waiter(self) -> None: ...
    @property
    def _sock(self) -> socket:
        """The socket as Python sees it."""
    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """asyncio's own sendfile(), where it has to read the file itself, makes its futures of it."""
    @property
    def _protocol_paused(self) -> bool: ...
    @property
    def _sendfile_compatible(self) -> object: ...
    @property
    def _start_tls_compatible(self) -> bool: ...

@final
class Listener:
    """A bound socket that a server is to accept on."""

    @staticmethod
    def bind(host: str, port: int) -> Listener:
        """Bind `host` and `port`; port 0 takes any that is free.

        Errors: OSError, with words for the user.
        """
    @property
    def address(self) -> tuple[str, int]:
        """Host and port, with the port that was given where 0 was asked for."""

class _Hooks(Protocol):
    @property
    def on_error(self) -> Callable[[Request, BaseException], Response]: ...
    @property
    def on_broken(self) -> Callable[[Request, BaseException], object]: ...
    @property
    def on_drained(self) -> Callable[[], object]: ...

class _Route(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def handler(self) -> Callable[..., object]: ...
    @property
    def is_async(self) -> bool: ...
    @property
    def takes_request(self) -> bool: ...
    @property
    def streams_body(self) -> bool: ...
    @property
    def body_limit_bytes(self) -> int | None: ...
    @property
    def constraints(self) -> Sequence[tuple[str, str]]: ...

@final
class Server:
    """Serves an application on a loop."""

    def __new__(
        cls,
        event_loop: asyncio.AbstractEventLoop,
        *,
        app: App,
        routes: Sequence[_Route],
        hooks: _Hooks,
        access_log: bool,
    ) -> Server:
        """Prepare to serve `routes`.

        Errors: RouteError with its words and the index of the route, for a path that cannot be one or is taken.
        """
    def start(self, listener: Listener) -> None:
        """Accept connections on `listener`. Each request's context is a copy of the one this is called in.

        Errors: RuntimeError where the server was started before, or its loop never ran.
        """
    def stop(self, deadline_s: float) -> None:
        """Stop accepting, let each connection finish the request it is at, close the rest after `deadline_s` seconds.

        `on_drained` is called when the last one is closed.
        """
