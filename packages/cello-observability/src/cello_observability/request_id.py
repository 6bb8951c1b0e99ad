"""Request ids: told in a header field of each answer, and taken from trusted proxies."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cello.plugin import configured

from cello_observability.config import RequestIdConfig

if TYPE_CHECKING:
    from cello import App, Request, Response
    from cello.middleware import CallNext, SyncCallNext

__all__ = ["RequestIdMiddleware", "enable"]


class RequestIdMiddleware:
    """Takes the id that a trusted proxy gives a request, and puts the request's id into its context.

    It is a middleware of both kinds: a chain of `def` stays one.
    """

    def __init__(self, header: str = "X-Request-ID", *, takes_incoming: bool = True) -> None:
        self._header = header
        self._takes_incoming = takes_incoming

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        """The answer of what stands further in."""
        self._identify(request)
        return await call_next(request)

    def call_sync(self, request: Request, call_next: SyncCallNext) -> Response:
        """The same, where nothing is to be awaited."""
        self._identify(request)
        return call_next(request)

    def _identify(self, request: Request) -> None:
        if self._takes_incoming and request.is_from_trusted_proxy:
            given = request.headers.get_all(self._header)
            # Of several nobody knows which one the proxy has written.
            if len(given) == 1:
                with suppress(ValueError):  # it keeps its own
                    request.request_id = given[0]
        request.set_context("request_id", request.request_id)


def enable(app: App, header: str | None = None, *, takes_incoming: bool | None = None) -> App:
    """Has every answer tell the id of its request, in the header field `header`, `X-Request-ID` unless it is given.

    The id is the request's own, a UUIDv7, or what a trusted proxy has sent in that field, if it can be one:
    `app.set_trusted_proxies` says who is trusted, and with `takes_incoming=False` nobody is. It is
    `request.request_id`, stands in `request.context["request_id"]`, in the bodies of errors and in logs.

    Errors: TypeError or ValueError for a name that is none; StartError where a mounted application says it.
    """
    config = configured("request_id", RequestIdConfig, header=header, takes_incoming=takes_incoming)
    app.set_request_id_header(config.header)
    middleware = RequestIdMiddleware(config.header, takes_incoming=config.takes_incoming)
    return app.add_middleware(middleware, name="request_id")
