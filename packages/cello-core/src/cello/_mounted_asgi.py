"""Applications of ASGI as handlers: each answers all that is under a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cello._config import LimitsConfig
from cello._handler import takes, where
from cello._mounted_request import MountedRequest
from cello._route import Route

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from cello._kernel import Request, Response
    from cello._types import ASGIApp

__all__ = ["Mounted", "checked_asgi"]

#: The rest of the path, as the middleware around it sees it among `request.params`.
_REST = "{*mounted_path}"


def checked_asgi(app: object) -> ASGIApp:
    """An application of ASGI, if it can be one.

    Errors: TypeError, which says what to do with one of WSGI or of the first ASGI.
    """
    if not callable(app):
        raise TypeError(f"{app!r} is no application: mount an App, or one of ASGI")
    if takes(app, 3):
        return cast("ASGIApp", app)
    if takes(app, 2):
        raise TypeError(
            f"{where(app)} takes two arguments, as applications of WSGI do: mount it by an adapter, "
            "WSGIMiddleware(app) of the package a2wsgi"
        )
    raise TypeError(f"{where(app)} is no application of ASGI 3: it is to take (scope, receive, send)")


class Mounted:
    """An application of ASGI under a path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        #: What its lifespan left for its requests, each of which has a copy.
        self.state: dict[str, Any] = {}
        #: Of the requests that it is at: asyncio itself would forget them.
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def words(self) -> str:
        """What it is called in a message."""
        return f"the mounted application {where(self.app)}"

    def routes(self, prefix: str, body_limit_bytes: int | None) -> Iterator[Route]:
        """What answers for it: at the prefix itself, and under it."""
        options: dict[str, Any] = {"stream": True, "cancel_on_disconnect": False}
        if body_limit_bytes is not None:
            options["body_limit"] = body_limit_bytes
        yield Route("*", prefix or "/", Door(self, is_under=False), options)
        yield Route("*", f"{prefix}/{_REST}", Door(self, is_under=True), options)


class Door:
    """The handler of a mounted application's requests."""

    #: As of bodies that are not streamed: the application may gather what it is given.
    default_body_limit_bytes = LimitsConfig().max_body_size

    def __init__(self, mounted: Mounted, *, is_under: bool) -> None:
        self._mounted = mounted
        self._is_under = is_under
        #: What a message names in its place, as of a functools.partial.
        self.func = mounted.app

    async def __call__(self, request: Request) -> Response:
        """Has the application answer.

        Errors: what it raised before it answered; RuntimeError where it did not answer.
        """
        return await MountedRequest(request, self._mounted).answer(is_under=self._is_under)
