"""Request ids in the header of each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cello import App, Request, Response
    from cello.middleware import CallNext

__all__ = ["RequestIdMiddleware", "enable"]


class RequestIdMiddleware:
    """Gives each answer the id of its request."""

    def __init__(self, header: str = "X-Request-ID") -> None:
        self._header = header

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        """The answer of what stands further in, with the header."""
        response = await call_next(request)
        response.headers[self._header] = request.request_id
        return response


def enable(app: App, header: str = "X-Request-ID") -> App:
    """Gives each answer the id of its request, in a header field of this name."""
    return app.add_middleware(RequestIdMiddleware(header), name="request_id")
