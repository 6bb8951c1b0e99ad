"""Requests that the kernel refuses, as exceptions: so exception handlers and middleware see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._kernel import Response
from cello.errors import MethodNotAllowed, ServiceUnavailable, _of_status

if TYPE_CHECKING:
    from cello._kernel import Request

__all__ = ["refuse"]


def refuse(request: Request) -> Response:
    """The handler of refused requests: raises what the kernel has against one. OPTIONS it answers.

    Errors: HTTPError.
    """
    refusal = request._refusal
    assert refusal is not None
    status, detail, allow = refusal
    if status == 204:
        return Response.no_content(headers={"allow": allow or ""})
    if status == 405:
        raise MethodNotAllowed(detail, allow=(allow or "").split(", "))
    if status == 503:
        raise ServiceUnavailable(detail, retry_after_s=1)
    raise _of_status(status, detail)
