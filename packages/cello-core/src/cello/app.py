"""The application: routes, life-cycle events, and `run()`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from cello._handler import Route, where
from cello._kernel import TrustedProxies
from cello._methods import method_names
from cello._route_options import check
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import Any, Literal, Self, Unpack

    from cello._route_options import RouteOptions

    type Handler = Callable[..., Any]
    type Decorator = Callable[[Handler], Handler]
    type Listener = Callable[[], Awaitable[None] | None]

__all__ = ["App"]

_EVENTS = ("startup", "shutdown")
_ERROR_FORMS = ("problem", "legacy")


class App:
    """A web application.

    A handler is a function, `def` or `async def`, that takes the request or nothing. It returns a dict or list (JSON),
    a str (text), bytes, or a Response.

    Shape: `errors` is "problem" for errors as `application/problem+json` (RFC 9457), "legacy" for the form
    `{"error": …, "status": …}` that went before it.
    Errors: ValueError for another form of errors.
    """

    def __init__(self, *, errors: Literal["problem", "legacy"] = "problem") -> None:
        if errors not in _ERROR_FORMS:
            raise ValueError(f"there are no errors of the form {errors!r}: use one of {', '.join(_ERROR_FORMS)}")
        self._errors: Literal["problem", "legacy"] = errors
        #: What the application keeps between requests: any attribute you set.
        self.state = SimpleNamespace()
        self._routes: list[Route] = []
        self._listeners: dict[str, list[Listener]] = {event: [] for event in _EVENTS}
        self._trusted_proxies: TrustedProxies | None = None

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers GET, and HEAD, at `path`; `{name}` in it is a parameter, `{*name}` the rest of the path.

        `{id:int}`, or `constraints={"id": IntConstraint()}`, answers where the parameter is that (`cello.routing`).
        """
        return self.route(path, methods=["GET"], **options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers POST at `path`."""
        return self.route(path, methods=["POST"], **options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers PUT at `path`."""
        return self.route(path, methods=["PUT"], **options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers PATCH at `path`."""
        return self.route(path, methods=["PATCH"], **options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers DELETE at `path`."""
        return self.route(path, methods=["DELETE"], **options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers HEAD at `path`, in place of the GET handler."""
        return self.route(path, methods=["HEAD"], **options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Decorator:
        """Answers OPTIONS at `path`, in place of the automatic list of methods."""
        return self.route(path, methods=["OPTIONS"], **options)

    def route(self, path: str, methods: Sequence[str] = ("GET",), **options: Unpack[RouteOptions]) -> Decorator:
        """Answers each of `methods` at `path`.

        Errors: TypeError where the path is no str, for an option that there is not, and where what is decorated cannot
        be called; ValueError for methods that cannot be. Anything wrong with the path is told at start.
        """
        if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a decorator without parentheses
            raise TypeError(f'{path!r} is no path: a route is written with its path, as @app.get("/users")')
        names = method_names(methods)
        check(options, path)

        def register(handler: Handler) -> Handler:
            if not callable(handler):
                raise TypeError(f"{handler!r} is no handler of {path}: a handler is a function")
            self._routes.extend(Route(name, path, handler, options) for name in names)
            return handler

        return register

    def on_event(self, event: Literal["startup", "shutdown"]) -> Callable[[Listener], Listener]:
        """Calls the function, `def` or `async def`, before the first request or after the last.

        Errors: ValueError for another event.
        """
        if event not in _EVENTS:
            raise ValueError(f"there is no event {event!r}: use one of {', '.join(_EVENTS)}")

        def register(listener: Listener) -> Listener:
            self._listeners[event].append(listener)
            return listener

        return register

    def set_trusted_proxies(
        self,
        proxies: Iterable[str],
        trust_x_real_ip: bool = False,
        *,
        fields: Literal["x-forwarded", "forwarded"] = "x-forwarded",
    ) -> Self:
        """Believes these proxies, and no others, about who the client is and how it addressed the server.

        Shape: `proxies` are addresses, networks ("10.0.0.0/8"), and "unix" for whoever connects over a Unix socket.
        `fields` says what they write: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, or `Forwarded`. They have to
        set or remove each of those. With `trust_x_real_ip` an `X-Real-IP` that is there is the client's address.
        Errors: ValueError that names the entry and says what is wrong with it; TypeError for a single str.
        Source: RFC 7239.
        """
        if isinstance(proxies, str):
            raise TypeError(f"the trusted proxies are a list: give [{proxies!r}]")
        self._trusted_proxies = TrustedProxies(list(proxies), trust_x_real_ip, fields)
        return self

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        env: Literal["development", "production"] | None = None,
        debug: bool | None = None,
        logs: bool | None = None,
    ) -> None:
        """Serves until it is told to stop, by Ctrl-C or SIGTERM.

        The command line (`--host --port --env --debug --no-logs`) goes before the arguments, they before the
        environment (`CELLO_HOST`, `CELLO_PORT` or `PORT`, `CELLO_ENV`, `CELLO_DEBUG`, `CELLO_LOGS`), that before the
        defaults: 127.0.0.1, 8000, development. In development `debug` and `logs` are on, in production off.

        Errors: exits with 2 for a bad option, with 3 where the application could not start.
        """
        from cello import _launch

        _launch.run(self, {"host": host, "port": port, "env": env, "debug": debug, "logs": logs})

    async def _emit(self, event: str) -> None:
        """Calls the listeners of an event; at shut-down in reverse order, and the others where one fails."""
        listeners = self._listeners[event]
        failure: StartError | None = None
        for listener in listeners if event == "startup" else reversed(listeners):
            try:
                awaitable = listener()
                if awaitable is not None:
                    await awaitable
            except Exception as error:
                failure = failure or StartError(f"the {event} function {where(listener)} failed")
                failure.__cause__ = failure.__cause__ or error
                if event == "startup":
                    break
        if failure is not None:
            raise failure
