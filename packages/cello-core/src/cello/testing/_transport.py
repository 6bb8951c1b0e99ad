"""Transports of httpx that lead to an application in memory."""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

from cello.testing._connection import AsyncConnection, Connection
from cello.testing._host import LocalHost, Terms, ThreadHost
from cello.testing._stream import AsyncBackend, AsyncStream, Backend, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
    from typing import Self

    from cello import App, LimitsConfig, TimeoutConfig

__all__ = ["AsyncTransport", "Transport"]

#: Where requests come from.
CLIENT = ("127.0.0.1", 50000)
#: How long requests may go on when a client is closed, in seconds.
SHUTDOWN_TIMEOUT_S = 5.0


class Transport(httpx.BaseTransport):
    """Serves an application in a thread, with the loop it has in production, and brings it requests.

    It is entered before the first request, which starts the application, and left after the last one, which ends it;
    an `httpx.Client(transport=…)` that is used in a `with` block does both.

    Shape: `overrides` go on top of `app.dependency_overrides`, `limits` and `timeouts` in place of the application's,
    from start to end. `client` is the IP address, and port, that requests come from.
    Units: `shutdown_timeout_s` is how long requests may go on at the end, in seconds.
    Errors: ValueError for a client with no IP address, TypeError for what is no App.
    """

    def __init__(
        self,
        app: App,
        *,
        overrides: Mapping[Callable[..., Any] | str, Any] | None = None,
        limits: LimitsConfig | None = None,
        timeouts: TimeoutConfig | None = None,
        debug: bool = False,
        client: tuple[str, int] = CLIENT,
        raise_server_exceptions: bool = True,
        shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
    ) -> None:
        terms = Terms(overrides, limits, timeouts, debug, client, raise_server_exceptions, shutdown_timeout_s)
        self._host = ThreadHost(app, terms)
        self._pool = _pool(self._host)

    def __enter__(self) -> Self:
        """Starts the application.

        Errors: StartError; RuntimeError where another client serves it.
        """
        self._host.start()
        return self

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Brings the application a request, and gives the answer once its head is there.

        Errors: those of httpx; RuntimeError where the application was not started; what the handler raised.
        """
        assert isinstance(request.stream, httpx.SyncByteStream)
        with _told_as_httpx():
            response = self._pool.handle_request(_request(request))
        if raised := _raised(response):
            response.close()
            raise raised
        assert not isinstance(response.stream, AsyncIterable)
        return _response(response, Body(response.stream))

    def connect(self) -> Connection:
        """Opens a connection of its own, for bytes.

        Errors: RuntimeError where the application was not started.
        """
        return Connection(self._host.connect())

    def close(self) -> None:
        """Closes the connections and ends the application.

        Errors: StartError where its end failed; RuntimeError where it does not end.
        """
        self._pool.close()
        self._pool = _pool(self._host)
        self._host.stop()


class AsyncTransport(httpx.AsyncBaseTransport):
    """Serves an application in the loop that runs, of whatever kind it is, and brings it requests.

    It is entered before the first request, which starts the application, and left after the last one, which ends it;
    an `httpx.AsyncClient(transport=…)` that is used in an `async with` block does both.

    Shape, units and errors: those of `Transport`.
    """

    def __init__(
        self,
        app: App,
        *,
        overrides: Mapping[Callable[..., Any] | str, Any] | None = None,
        limits: LimitsConfig | None = None,
        timeouts: TimeoutConfig | None = None,
        debug: bool = False,
        client: tuple[str, int] = CLIENT,
        raise_server_exceptions: bool = True,
        shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
    ) -> None:
        terms = Terms(overrides, limits, timeouts, debug, client, raise_server_exceptions, shutdown_timeout_s)
        self._host = LocalHost(app, terms)
        self._pool = _async_pool(self._host)

    async def __aenter__(self) -> Self:
        """Starts the application.

        Errors: StartError; RuntimeError where another client serves it, and where no loop of asyncio runs.
        """
        await self._host.start()
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Brings the application a request, and gives the answer once its head is there.

        Errors: those of httpx; RuntimeError where the application was not started, or in another loop; what the
        handler raised.
        """
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self._host.check_loop()
        with _told_as_httpx():
            response = await self._pool.handle_async_request(_request(request))
        if raised := _raised(response):
            await response.aclose()
            raise raised
        assert isinstance(response.stream, AsyncIterable)
        return _response(response, AsyncBody(response.stream))

    def connect(self) -> AsyncConnection:
        """Opens a connection of its own, for bytes.

        Errors: RuntimeError where the application was not started.
        """
        return AsyncConnection(self._host.connect())

    async def aclose(self) -> None:
        """Closes the connections and ends the application.

        Errors: StartError where its end failed.
        """
        await self._pool.aclose()
        self._pool = _async_pool(self._host)
        await self._host.stop()


class Body(httpx.SyncByteStream):
    """The body of an answer."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _told_as_httpx():
            yield from self._stream

    def close(self) -> None:
        """Lets go of what was not read: the client has gone."""
        close: Any = getattr(self._stream, "close", None)
        if close is not None:
            close()


class AsyncBody(httpx.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_as_httpx():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        """Lets go of what was not read: the client has gone."""
        close: Any = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


def _pool(host: ThreadHost) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(max_connections=None, network_backend=Backend(host))


def _async_pool(host: LocalHost) -> httpcore.AsyncConnectionPool:
    return httpcore.AsyncConnectionPool(max_connections=None, network_backend=AsyncBackend(host))


def _request(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _response(response: httpcore.Response, stream: Body | AsyncBody) -> httpx.Response:
    extensions = cast("Any", response).extensions
    return httpx.Response(response.status, headers=response.headers, stream=stream, extensions=extensions)


def _raised(response: httpcore.Response) -> Exception | None:
    """What the handler raised that answered."""
    stream = cast("Any", response).extensions.get("network_stream")
    return stream.line.raised() if isinstance(stream, Stream | AsyncStream) else None


@contextmanager
def _told_as_httpx() -> Generator[None]:
    """The errors of httpcore as those of httpx, which have the same names."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "httpcore":
            raise
        raise getattr(httpx, type(error).__name__, httpx.TransportError)(str(error)) from error
