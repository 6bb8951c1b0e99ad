"""The native half of cello-core: what `crates/cello-py` exports."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from selectors import BaseSelector
from typing import Any, Literal, Self, TypeVarTuple, final

from typing_extensions import disjoint_base

from cello.app import App

__all__ = [
    "BUILD_PROFILE",
    "BindError",
    "Handle",
    "Listener",
    "LoopCore",
    "Request",
    "Response",
    "RouteError",
    "Server",
    "TimerHandle",
    "__version__",
]

_Arguments = TypeVarTuple("_Arguments")

__version__: str
BUILD_PROFILE: Literal["dev", "release"]

class BindError(OSError):
    """An address cannot be listened on; the words say why."""

class RouteError(ValueError):
    """A route cannot be one: its words, and its index."""

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
    def body(self) -> bytes:
        """The whole body."""
    def json(self) -> Any:
        """The body, parsed as JSON.

        Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400.
        """

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
    def _run_native(self, selector: BaseSelector) -> None:
        """Run turns until a stop is requested."""
    def _stop_native(self) -> None:
        """End the run after the turn it is at."""
    def _close_native(self) -> None:
        """Drop every connection, timer and callback, and what they hold."""

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

@final
class Server:
    """Serves an application on a loop."""

    def __new__(
        cls,
        event_loop: asyncio.AbstractEventLoop,
        *,
        app: App,
        routes: Sequence[tuple[str, str, Callable[..., object], bool, bool]],
        on_error: Callable[[Request, BaseException], Response],
        on_drained: Callable[[], object],
        access_log: bool,
    ) -> Server:
        """Prepare to serve `routes`.

        Errors: RouteError with its words and the index of the route, for a path that cannot be one.
        """
    def start(self, listener: Listener) -> None:
        """Accept connections on `listener`. Each request's context is a copy of the one this is called in.

        Errors: RuntimeError where the server was started before, or its loop never ran.
        """
    def stop(self, deadline_s: float) -> None:
        """Stop accepting, let each connection finish the request it is at, close the rest after `deadline_s` seconds.

        `on_drained` is called when the last one is closed.
        """
