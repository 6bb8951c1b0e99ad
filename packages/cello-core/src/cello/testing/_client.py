"""Clients of httpx that serve the application they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from cello.testing._transport import CLIENT, SHUTDOWN_TIMEOUT_S, AsyncTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import SimpleNamespace

    from cello import App, LimitsConfig, TimeoutConfig
    from cello.testing._connection import AsyncConnection, Connection

__all__ = ["AsyncTestClient", "TestClient"]

#: How long a request may wait for the application, in seconds.
TIMEOUT_S = 30.0


class TestClient(httpx.Client):
    """An `httpx.Client` whose requests come to an application: `with TestClient(app) as client`.

    The block starts the application, as production does, in a thread with the loop that it has in production; its end
    ends it. There is no socket, and no signal is handled.

    Shape: `overrides` go on top of `app.dependency_overrides`, `limits` and `timeouts` in place of what the application
    has said, until the block ends. What a handler raised that nothing answers for is raised by the request, unless
    `raise_server_exceptions` is false: then it is a 500. `client` is the IP address, and port, that requests come from.
    With a `base_url` of https requests come over https. `options` are those of `httpx.Client`.
    Units: `timeout` and `shutdown_timeout_s`, for what is still going on at the end, are in seconds.
    Errors: TypeError for what is no App; StartError by the block; RuntimeError by a request outside of it.
    """

    __test__ = False

    def __init__(
        self,
        app: App,
        *,
        base_url: str = "http://testserver",
        overrides: Mapping[Callable[..., Any] | str, Any] | None = None,
        limits: LimitsConfig | None = None,
        timeouts: TimeoutConfig | None = None,
        debug: bool = False,
        client: tuple[str, int] = CLIENT,
        raise_server_exceptions: bool = True,
        follow_redirects: bool = True,
        timeout: float | httpx.Timeout | None = TIMEOUT_S,
        shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
        **options: Any,
    ) -> None:
        #: The application.
        self.app = app
        self._to_app = Transport(
            app,
            overrides=overrides,
            limits=limits,
            timeouts=timeouts,
            debug=debug,
            client=client,
            raise_server_exceptions=raise_server_exceptions,
            shutdown_timeout_s=shutdown_timeout_s,
        )
        super().__init__(
            base_url=base_url, transport=self._to_app, follow_redirects=follow_redirects, timeout=timeout, **options
        )

    @property
    def app_state(self) -> SimpleNamespace:
        """The application's `state`."""
        return self.app.state

    def connect(self) -> Connection:
        """Opens a connection for tests that write the bytes of requests themselves.

        Errors: RuntimeError outside of the block.
        """
        return self._to_app.connect()


class AsyncTestClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` whose requests come to an application: `async with AsyncTestClient(app) as client`.

    The block starts the application, as production does, in the loop that runs, of whatever kind it is; its end ends
    it. There is no thread and no socket.

    Shape, units and errors: those of `TestClient`.
    """

    __test__ = False

    def __init__(
        self,
        app: App,
        *,
        base_url: str = "http://testserver",
        overrides: Mapping[Callable[..., Any] | str, Any] | None = None,
        limits: LimitsConfig | None = None,
        timeouts: TimeoutConfig | None = None,
        debug: bool = False,
        client: tuple[str, int] = CLIENT,
        raise_server_exceptions: bool = True,
        follow_redirects: bool = True,
        timeout: float | httpx.Timeout | None = TIMEOUT_S,
        shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
        **options: Any,
    ) -> None:
        #: The application.
        self.app = app
        self._to_app = AsyncTransport(
            app,
            overrides=overrides,
            limits=limits,
            timeouts=timeouts,
            debug=debug,
            client=client,
            raise_server_exceptions=raise_server_exceptions,
            shutdown_timeout_s=shutdown_timeout_s,
        )
        super().__init__(
            base_url=base_url, transport=self._to_app, follow_redirects=follow_redirects, timeout=timeout, **options
        )

    @property
    def app_state(self) -> SimpleNamespace:
        """The application's `state`."""
        return self.app.state

    def connect(self) -> AsyncConnection:
        """Opens a connection for tests that write the bytes of requests themselves.

        Errors: RuntimeError outside of the block.
        """
        return self._to_app.connect()
