"""What features share without knowing each other: the forms of a database, of Redis, a cache, a tracer and a meter.

Each is a protocol: an object with these methods is one, whatever its class. A feature that has one gives it to the
application, `app.provide(Cache, cache)`; a feature that cannot do without says so when it is enabled,
`app.needs(Cache, "the response cache")`, and takes it when the application has started, `app.provided(Cache)`. An
application that lacks what one of its features needs does not start.

Times are in seconds. What is asynchronous is awaited on the loop of the worker; what is not never waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import Literal

    type SpanKind = Literal["internal", "server", "client", "producer", "consumer"]

__all__ = ["Cache", "Database", "Meter", "Redis", "Span", "Tracer", "Transaction"]


class Cache(Protocol):
    """Values that expire, kept together for all who have this cache.

    A cache may lose any value at any time. What cannot be reached raises OSError, or a kind of it.
    """

    async def get(self, key: str) -> bytes | None:
        """The value; None where there is none, or it has expired."""
        ...

    async def set(self, key: str, value: bytes, *, ttl_s: float, tags: Iterable[str] = ()) -> None:
        """Keeps a value for so many seconds, more than 0, in place of the one before. `tags` are what it depends on."""
        ...

    async def add(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        """Keeps a value where there is none; whether it did. Of several who add at the same time one does."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forgets values; those that are not there are forgotten already."""
        ...

    async def invalidate(self, tags: Iterable[str]) -> None:
        """Forgets all values that have any of these tags."""
        ...


class Redis(Protocol):
    """A server of Redis, or what speaks as one, behind a pool of connections.

    What is answered is `bytes`, `int`, `None`, or a list of those. What cannot be reached raises OSError, or a kind of
    it; what the server refuses, an exception of the client's own.
    Source: redis.io, RESP.
    """

    async def execute(self, command: str, *arguments: str | bytes | float) -> Any:
        """What the server answers to a command, such as `execute("GET", "key")`."""
        ...

    async def evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | float] = ()) -> Any:
        """What a script of Lua answers, which the server runs as one step; it is sent once, and known by its hash."""
        ...

    def subscribe(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """The messages of channels, each with the name of its channel, on a connection of its own.

        It listens once it is entered. Where the connection breaks, the iterator raises OSError: what came in between
        is lost, and the caller subscribes again.
        """
        ...


class Transaction(Protocol):
    """A transaction of a database, on one connection, while its context is open.

    In a query `$1`, `$2` stand for the arguments, in every dialect.
    """

    async def execute(self, query: str, *arguments: Any) -> int:
        """Runs a statement; how many rows it has touched, -1 where the database does not say."""
        ...

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Mapping[str, Any]]:
        """The rows of a query, by the names of columns."""
        ...

    def after_commit(self, function: Callable[[], Awaitable[None] | None]) -> None:
        """Has a function called, and awaited, once the outermost transaction is committed, in the order they came.

        After a rollback none is called. What one raises is logged, and the others are called.
        """
        ...


class Database(Protocol):
    """A database of SQL behind a pool of connections.

    What cannot be reached raises OSError, or a kind of it; what the database refuses, an exception of its driver.
    """

    @property
    def dialect(self) -> str:
        """What it speaks: "postgresql", "mysql" or "sqlite", or another."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction, which is committed at the end of the context, and rolled back where that raises.

        Within another of the same task it is a part of that, which can be rolled back by itself.
        """
        ...

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, str]]]:
        """The notifications of channels, each with the name of its channel, on a connection of its own.

        It listens once it is entered. Where the connection breaks, the iterator raises OSError: what came in between
        is lost, and the caller looks at its tables and listens again.
        Errors: NotImplementedError where the database has none, so that the caller has to ask from time to time.
        Source: PostgreSQL, LISTEN and NOTIFY.
        """
        ...


class Span(Protocol):
    """A part of a trace, while its context is open."""

    def set(self, name: str, value: str | float | bool) -> None:
        """Says something of it: an attribute, by the names of OpenTelemetry's conventions."""
        ...

    def fail(self, error: BaseException) -> None:
        """Says that it failed; of what its context raises that is known."""
        ...


class Tracer(Protocol):
    """Where spans go. Nothing of it waits or raises: what cannot be sent is lost."""

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = "internal",
        traceparent: str | None = None,
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """A span, current in its context; its parent is the current one, or what a `traceparent` from outside names.

        Source: W3C Trace Context.
        """
        ...

    def traceparent(self) -> str | None:
        """What tells others of the current span, for the header field of that name; None where there is none."""
        ...


class Meter(Protocol):
    """Where measurements go. Nothing of it waits.

    Each instrument has its name once; asked for again with the same labels it is the same. Names of labels are given
    with it, and each of them when something is measured.
    Errors: ValueError for a name that has other labels, or is another instrument.
    """

    def counter(
        self, name: str, *, unit: str = "", description: str = "", labels: Sequence[str] = ()
    ) -> Callable[[float, Mapping[str, str]], None]:
        """A function that adds an amount, 0 or more, to what is counted under these labels."""
        ...

    def histogram(
        self,
        name: str,
        *,
        unit: str = "",
        description: str = "",
        labels: Sequence[str] = (),
        buckets: Sequence[float] | None = None,
    ) -> Callable[[float, Mapping[str, str]], None]:
        """A function that takes down a measurement under these labels; `buckets` are upper bounds, ascending."""
        ...

    def gauge(
        self, name: str, read: Callable[[], float], *, unit: str = "", description: str = ""
    ) -> Callable[[], None]:
        """Has a function asked for a value whenever somebody reads; a function that ends it."""
        ...
