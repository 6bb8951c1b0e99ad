"""The application: its routes, its life, and `run()`."""

from __future__ import annotations

from types import MethodType, SimpleNamespace
from typing import TYPE_CHECKING, cast

from cello._handler import is_async, name_of, takes, yields
from cello._kernel import TrustedProxies
from cello._path import checked_prefix
from cello._plugins import given, installed
from cello._plugins.declaration import Kind
from cello._route_options import check
from cello._scope import Scope
from cello._seams import Seams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Literal, Self

    from cello import _asgi_http
    from cello._asgi import Asgi
    from cello._config import AccessLog, ClusterConfig, LimitsConfig, ThreadPoolConfig, TimeoutConfig
    from cello._contrib import AppMethods
    from cello._counts import BackgroundCounts
    from cello._kernel import Arena
    from cello._mounted_asgi import Mounted
    from cello._plugins import Plugins
    from cello._providers import Providers
    from cello._route import Route
    from cello._shared_names import Registry
    from cello._types import ASGIApp, Lifespan, ListenerDecorator
    from cello.shared import Shared
    from cello.workers import WorkerCounts

else:
    AppMethods = object

__all__ = ["App"]

_EVENTS = ("startup", "shutdown")
_ERROR_FORMS = ("problem", "legacy")


class App(Scope, AppMethods):
    """A web application.

    A handler is a function, `def` or `async def`, that takes the request or nothing. It returns a dict or list (JSON),
    a str (text), bytes, or a Response. An application takes attributes of your own, beside `state`.

    Shape: `errors` is "problem" for errors as `application/problem+json` (RFC 9457), "legacy" for the form
    `{"error": …, "status": …}` that went before it; `lifespan` is what the decorator `lifespan` takes.
    It has the methods of all plugins that are installed, and with `autoload=False` only those of `plugins`: names of
    installed ones, or modules or objects that are plugins.
    Errors: ValueError for another form of errors, TypeError for a lifespan that cannot be called, PluginError for one
    of `plugins` that is not there or fails.
    """

    def __init__(
        self,
        *,
        errors: Literal["problem", "legacy"] = "problem",
        lifespan: Lifespan | None = None,
        plugins: Iterable[object] = (),
        autoload: bool = True,
    ) -> None:
        super().__init__()
        self._plugins: Plugins = given(plugins, autoload=autoload) if plugins or not autoload else installed()
        if errors not in _ERROR_FORMS:
            raise ValueError(f"there are no errors of the form {errors!r}: use one of {', '.join(_ERROR_FORMS)}")
        self._errors: Literal["problem", "legacy"] = errors
        #: What the application keeps between requests: any attribute you set.
        self.state: SimpleNamespace = SimpleNamespace()
        self._listeners: dict[str, list[Callable[[], Any]]] = {event: [] for event in _EVENTS}
        self._lifespans: list[Lifespan] = []
        #: The applications of ASGI under it.
        self._mounted: list[Mounted] = []
        #: What is given in place of a dependency, for tests: by function, or by the name of a singleton. Read at start.
        self.dependency_overrides: dict[Callable[..., Any] | str, Any] = {}
        self._singletons: dict[str, Any] = {}
        self._seams = Seams(self._plugins)
        #: Made at start.
        self._providers: Providers | None = None
        self._trusted_proxies: TrustedProxies | None = None
        self._access_log: AccessLog | None = None
        self._request_id_header: str | None = None
        self._limits: LimitsConfig | None = None
        self._timeouts: TimeoutConfig | None = None
        self._threadpool: ThreadPoolConfig | None = None
        self._cluster: ClusterConfig | None = None
        self._body_limit: int | None = None
        self._background_tasks: BackgroundCounts | None = None
        #: What the workers share; of the last server of this process.
        self._arena: Arena | None = None
        self._shared: Registry | None = None
        self._asgi: Asgi | None = None
        self._is_ready = False
        if lifespan is not None:
            self.lifespan(lifespan)

    if not TYPE_CHECKING:  # with it, every misspelt name would be one to a type checker

        def __getattr__(self, name: str) -> Any:
            """A method that a plugin brings."""
            if name.startswith("_") or hasattr(type(self), name):  # of a property that raised it, the error is its own
                return object.__getattribute__(self, name)
            unknown = f"{type(self).__name__!r} object has no attribute {name!r}"
            try:
                function = self._plugins.load(Kind.APP_METHOD, name, unknown)
            except AttributeError as error:
                if str(error) == unknown and (words := _elsewhere(name)):
                    error = AttributeError(words, name=name)  # without the object, of which Python would name more
                raise error.with_traceback(None) from None
            if not callable(function):
                raise self._plugins.unfit(Kind.APP_METHOD, name, f"{function!r}, which cannot be called")
            return MethodType(function, self)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._plugins.names(Kind.APP_METHOD)]

    @property
    def routes(self) -> list[Route]:
        """The routes as they are now, those of blueprints and mounted applications included.

        Shape: each has `method`, `path`, `handler` and `options`, a mapping: those of the route and of the blueprints
        around it.
        """
        return [route for route, _ in self._walk("")]

    @property
    def asgi(self) -> Asgi:
        """The application for servers of others, which call it by ASGI 3; one and the same each time.

        It has all but the socket of the server: limits, routing, timeouts, streams. It starts and ends as the lifespan
        of the server says; under one that says nothing it starts with the first request, and its end is never run.
        Source: the ASGI specification 3.0.
        Example: `uvicorn app:app.asgi`, or `uvicorn app:app`, which is the same
        """
        from cello._asgi import Asgi

        if self._asgi is None:
            self._asgi = Asgi(self)
        return self._asgi

    async def __call__(self, scope: _asgi_http.Scope, receive: _asgi_http.Receive, send: _asgi_http.Send) -> None:
        """What `asgi` does, for whoever names the application itself to a server of others."""
        await self.asgi(scope, receive, send)

    @property
    def is_ready(self) -> bool:
        """Whether this process serves the application and wants requests.

        It is so from the end of the start-up to the first moment of the stop. A mounted application is as ready as the
        one that it is served with.
        """
        return self._is_ready

    @property
    def background_tasks(self) -> BackgroundCounts:
        """How much work in the background the server has done, for this application and those it is served with.

        Shape: `running`, `completed` and `failed`; a handler may return it.
        """
        from cello._counts import BackgroundCounts

        if self._background_tasks is None:
            self._background_tasks = BackgroundCounts()
        return self._background_tasks

    @property
    def shared(self) -> Shared:
        """What all workers of the server have together: counters, rate limits, numbers that expire.

        It is declared here, before the start or later. A mounted application has it together with those around it.
        Where another server serves the application, by `App.asgi`, each process has its own.
        """
        if self._shared is None:
            from cello._shared_names import Registry
            from cello.shared import Shared

            self._shared = Registry(self._arena)
            Shared(self._shared, "app")
        return self._shared.spaces["app"]

    def workers(self) -> list[WorkerCounts]:
        """What each worker of the server has done, asked in any of them; nothing before the first start.

        Shape: one for each slot, in the order of their numbers; a handler may return it. What a worker has counted
        outlives it.
        """
        from cello.workers import counts

        return [] if self._arena is None else counts(self._arena)

    def mount(self, path: str, app: App | ASGIApp, *, body_limit: int | None = None) -> Self:
        """Adds another application under a path: an App, with all that stands around its routes, or one of ASGI 3.

        For all requests under the path `request.app` is that App. Its events and lifespans come within those of this
        one. What concerns the whole server is said by the outermost application.

        One of ASGI answers every method at the path and under it where no route does; its `root_path` is the path. Its
        lifespan comes within those of this one. What stands around the handlers of this one stands around it.
        Shape: `body_limit` is the bytes that a body for an application of ASGI may have, 10 MiB unless it is given or
        said by `enable_body_limit`.
        Errors: TypeError for anything else, ValueError for a path that is none and for an application that is around
        this one. What an App says of the server is told at start.
        """
        prefix = checked_prefix(path, "a mounted application")
        if isinstance(app, App):
            if body_limit is not None:
                raise TypeError("body_limit= is for applications of ASGI: an App says enable_body_limit() itself")
            self._adopt(prefix, app)
            return self
        from cello._mounted_asgi import Mounted, checked_asgi

        check({"body_limit": body_limit}, f"the mounted application {path}", self._plugins)
        mounted = Mounted(checked_asgi(app))
        self._check_time(f"the mounted application {path}")
        self._mounted.append(mounted)
        self._routes.extend(mounted.routes(prefix, body_limit))
        return self

    def on_event(self, event: Literal["startup", "shutdown"]) -> ListenerDecorator:
        """Calls the function, `def` or `async def`, before the first request or after the last.

        Errors: ValueError for another event; TypeError for a function that takes something, or has a `yield`.
        """
        if callable(event):
            raise TypeError(f'{name_of(event)} is no event: write @app.on_event("startup")')
        if event not in _EVENTS:
            raise ValueError(f"there is no event {event!r}: use one of {', '.join(_EVENTS)}")

        def register[Function: Callable[[], Any]](listener: Function) -> Function:
            if not callable(listener):
                raise TypeError(f"{name_of(listener)} is no {event} function: it is a function that takes nothing")
            if not takes(listener, 0):
                raise TypeError(
                    f"{name_of(listener)} is no {event} function, since it takes something: use app by its name"
                )
            if yields(listener):
                raise TypeError(
                    f"{name_of(listener)} is no {event} function, since it has a yield: write @app.lifespan above it"
                )
            self._listeners[event].append(listener)
            return listener

        return register

    def lifespan[Function: Lifespan](self, function: Function) -> Function:
        """Enters what the function makes before the first request, and leaves it after the last.

        Shape: a generator function, `def` or `async def`, that yields once, or whatever makes a context manager; it
        takes the application, or nothing.
        Errors: TypeError for what cannot be called, and for an `async def` without a `yield`.
        """
        if not callable(function):
            raise TypeError(f"{function!r} is no lifespan: it is a generator function, or makes a context manager")
        if is_async(function):
            raise TypeError(
                f"{name_of(function)} is no lifespan, since it has no yield: write one where the application is to be "
                'served, or @app.on_event("startup") above it'
            )
        self._lifespans.append(function)
        return function

    def register_singleton(self, name: str, value: Any) -> Self:
        """Has `Depends(name)` give this value, in place of what the name had.

        Errors: TypeError or ValueError for what is no name.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            raise TypeError(f"{name!r} is no name of a singleton: use a str")
        if not name:
            raise ValueError("a singleton has a name")
        if self._providers is None:
            self._singletons[name] = value
        else:
            self._providers.register(name, value)
        return self

    def provide(self, protocol: type, value: object, *, name: str | None = None) -> Self:
        """Gives the application's features something of a form that they share, such as a `cello.providers.Cache`.

        Those that are mounted in it have it, too, where they have none of their own.
        Shape: `protocol` is a protocol, or any class; of several of one form all but one have a `name`.
        Errors: TypeError for what is not of that form, naming what it lacks; ValueError for a second one of that name.
        """
        self._seams.provide(protocol, value, name)
        return self

    def provided[Form](self, protocol: Callable[..., Form], *, name: str | None = None) -> Form:
        """What is provided of a form: that of the name, or else the one without a name.

        What an application provides that this one is mounted in is known once they are about to start.
        Errors: StartError where there is none; the words say what can provide it.
        """
        # Type checkers take no protocol for a type[Form], and any for what makes a Form.
        value: Form = self._seams.get(cast("type[Form]", protocol), "what asks for it", name)
        return value

    def needs(self, protocol: type, feature: str, *, name: str | None = None) -> Self:
        """Says that a feature cannot do without what is provided of a form.

        It is checked at start, when all is enabled, in whichever order: an application that lacks it does not start.
        Shape: `feature` is what needs it, for the message: "the response cache".
        Errors: TypeError for what is no class.
        """
        self._seams.need(protocol, feature, name)
        return self

    def enable_body_limit(self, max_size: int = 10 << 20) -> Self:
        """Answers 413 to a body of more than `max_size` bytes, on every route that does not say otherwise.

        It holds for forms with files and for bodies that are streamed, too.
        Errors: TypeError or ValueError for what is no number of bytes.
        """
        from cello._config import LimitsConfig

        self._body_limit = LimitsConfig(max_body_size=max_size).max_body_size
        return self

    def set_limits(self, limits: LimitsConfig) -> Self:
        """Sets what a client may cost.

        Errors: TypeError for what is no LimitsConfig.
        """
        from cello._config import LimitsConfig

        self._limits = _checked(limits, LimitsConfig)
        if limits.max_body_size != LimitsConfig().max_body_size:
            self._body_limit = limits.max_body_size
        return self

    def set_timeouts(self, timeouts: TimeoutConfig) -> Self:
        """Sets how long a client, or a handler, may take.

        Errors: TypeError for what is no TimeoutConfig.
        """
        from cello._config import TimeoutConfig

        self._timeouts = _checked(timeouts, TimeoutConfig)
        return self

    def set_threadpool(self, threads: ThreadPoolConfig) -> Self:
        """Sets how many threads there are for the handlers of routes with `blocking=True`.

        Errors: TypeError for what is no ThreadPoolConfig.
        """
        from cello._config import ThreadPoolConfig

        self._threadpool = _checked(threads, ThreadPoolConfig)
        return self

    def enable_cluster(self, config: ClusterConfig) -> Self:
        """Sets how many workers there are, and how they start and stop, where nobody who starts the server says it.

        Errors: TypeError for what is no ClusterConfig.
        """
        from cello._config import ClusterConfig

        self._cluster = _checked(config, ClusterConfig)
        return self

    enable_limits = set_limits
    enable_timeouts = set_timeouts

    def set_trusted_proxies(
        self,
        proxies: Iterable[str],
        trust_x_real_ip: bool = False,
        *,
        fields: Literal["x-forwarded", "forwarded"] | None = None,
    ) -> Self:
        """Believes these proxies, and no others, about who the client is and how it addressed the server.

        Shape: `proxies` are addresses, networks ("10.0.0.0/8"), and "unix" for whoever connects over a Unix socket.
        `fields` says what they write: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, or `Forwarded`. They have to
        set or remove each of those. With None it is the first kind where one of its fields is there, else the other.
        With `trust_x_real_ip` an `X-Real-IP` that is there is the client's address.
        Errors: ValueError that names the entry and says what is wrong with it; TypeError for a single str.
        Source: RFC 7239.
        """
        if isinstance(proxies, str):
            raise TypeError(f"the trusted proxies are a list: give [{proxies!r}]")
        self._trusted_proxies = TrustedProxies(list(proxies), trust_x_real_ip, fields)
        return self

    def set_access_log(
        self,
        format: Literal["text", "json"] = "text",  # noqa: A002 - the word that is looked for
        *,
        sample_rate: float = 1.0,
        skip: Iterable[str] = (),
    ) -> Self:
        """Has a line written to standard output for each answer, where nobody who starts the server says otherwise.

        "json" is an object a line: `timestamp` (UTC, RFC 3339), `level`, `message`, `method`, `path`, `route`,
        `status`, `duration_ms` and `request_id`.
        Units: `sample_rate` is the part of the answers that is told of, 0 to 1, drawn by chance; those of 500 and above
        always are.
        Shape: `skip` are paths, whole and decoded, whose answers are never told of.
        Errors: TypeError or ValueError for what is none of these.
        """
        from cello._config import AccessLog

        self._access_log = AccessLog.checked(format, sample_rate, skip)
        return self

    def set_request_id_header(self, name: str | None) -> Self:
        """Has every answer of the server tell the id of its request, in a header field of this name; None for none.

        It stands in all that have a request: what handlers answer, streams, and what the server answers by itself. To a
        head that cannot be parsed there is no request, and no id. A field of that name that the application has set is
        replaced.
        Errors: TypeError or ValueError for what is no name of a field, or of one with a meaning of its own.
        """
        from cello._config import checked_request_id_header

        self._request_id_header = None if name is None else checked_request_id_header(name)
        return self

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        bind: str | Sequence[str] | None = None,
        env: Literal["development", "production"] | None = None,
        debug: bool | None = None,
        workers: int | None = None,
        cpu_affinity: bool | None = None,
        shutdown_timeout: float | None = None,
        shutdown_delay: float | None = None,
        max_requests: int | None = None,
        max_requests_jitter: int | None = None,
        max_rss: int | str | None = None,
        worker_timeout: float | None = None,
        preload: bool | None = None,
        reload: bool | None = None,
        reload_include: Sequence[str] | None = None,
        reload_exclude: Sequence[str] | None = None,
        logs: bool | None = None,
    ) -> None:
        """Serves until it is told to stop, by Ctrl-C or SIGTERM.

        The command line (`--port` and its like) goes before the arguments, they before the environment (`CELLO_PORT`
        and its like, and `PORT`), that before `enable_cluster()` and `set_access_log()`, and those before the defaults:
        127.0.0.1, 8000, development, 30 seconds to stop and no delay before. In development `debug` and `logs` are on
        and there is one worker; in production they are off, and there are as many workers as CPUs. With more workers
        than one this process becomes their supervisor, and this does not return: each worker runs the command line
        again, and serves where it calls this.

        A worker is replaced, without a loss, after `max_requests` answers, by chance up to `max_requests_jitter` more
        or less (a tenth), and with more memory than `max_rss`, in bytes or as "512M". One that makes no progress for
        `worker_timeout` seconds tells what it does, and is ended. Each is off unless it is given, and has one worker
        supervised, too.

        With `preload` the application is imported once, and workers are forked off that process. With `reload` they are
        replaced when a file is saved: code, templates, and what the globs of `reload_include` match, not what those of
        `reload_exclude` do.

        Where a test or another server imports the module that calls it, that goes on at once: it is served by them.

        Units: `shutdown_timeout` in seconds, and `shutdown_delay`, for which it serves on after SIGTERM, not ready any
        more.
        Shape: `bind` is one or several of "HOST:PORT", "unix:/run/app.sock" and "fd://3", in place of host and port.
        Errors: exits with 2 for a bad option, with 3 where the application could not start.
        """
        from cello import _launch

        arguments: dict[str, Any] = {"host": host, "port": port, "bind": bind, "env": env, "debug": debug}
        arguments |= {"workers": workers, "cpu_affinity": cpu_affinity, "logs": logs}
        arguments |= {"shutdown_timeout": shutdown_timeout, "shutdown_delay": shutdown_delay}
        arguments |= {"max_requests": max_requests, "max_requests_jitter": max_requests_jitter}
        arguments |= {"max_rss": max_rss, "worker_timeout": worker_timeout, "preload": preload}
        arguments |= {"reload": reload, "reload_include": reload_include, "reload_exclude": reload_exclude}
        _launch.run(self, arguments)

    @property
    def _words(self) -> str:
        return "the application"

    def _own_plugins(self) -> Plugins:
        return self._plugins

    def _defaults(self) -> Mapping[str, Any]:
        handler_timeout_s = self._timeouts.handler_timeout if self._timeouts else None
        said = {"body_limit": self._body_limit, "timeout": handler_timeout_s}
        return {name: value for name, value in said.items() if value is not None}

    def _applications(self) -> list[App]:
        """This application and those that are mounted in it, each once, the outer ones first."""
        found = [self, *(scope for scope in self._descendants() if isinstance(scope, App))]
        return list(dict.fromkeys(found))


def _elsewhere(name: str) -> str | None:
    from cello._elsewhere import METHODS

    return f"App has no {name}: write {METHODS[name]}" if name in METHODS else None


def _checked[Config](config: Config, kind: type[Config]) -> Config:
    if not isinstance(config, kind):
        raise TypeError(f"{config!r} is no {kind.__name__}: make one, {kind.__name__}(…)")
    return config
