"""What applications and blueprints have in common: routes, and what stands around them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, overload

from cello._handler import name_of
from cello._hooks import hook
from cello._methods import method_names
from cello._mistake import watch
from cello._path import join
from cello._route import Placed, Route
from cello._route_options import check, merge, within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from typing import Any, Self, Unpack

    from cello._hooks import Hook
    from cello._kernel import Request
    from cello._middleware import Standing
    from cello._plugins import Plugins
    from cello._route_options import RouteOptions
    from cello._types import AnswerDecorator, AsyncMiddleware, HandlerDecorator, SyncMiddleware, Words
    from cello.blueprint import Blueprint
    from cello.middleware import Middleware, Phase

    type Answer = Callable[[Request, Any], Any]

__all__ = ["Scope"]


class Scope:
    """Routes, blueprints, and what stands around the handlers of all of them."""

    if not TYPE_CHECKING:  # with it, what a type checker takes for the arguments would be anything

        def __new__(cls, *_: object, **__: object) -> Self:
            watch()  # before what is given can be wrong
            return super().__new__(cls)

    def __init__(self) -> None:
        self._routes: list[Route] = []
        #: Blueprints and applications, each with its prefix.
        self._children: list[tuple[str, Scope]] = []
        #: Whether it is in another.
        self._is_adopted = False
        self._middleware: list[Standing] = []
        self._answers: dict[type[Exception] | int, Answer] = {}
        self._before: list[Hook] = []
        self._after: list[Hook] = []
        #: How many servers it has been composed for, that have not ended.
        self._servers = 0

    def get(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers GET, and HEAD, at `path`; `{name}` in it is a parameter, `{*name}` the rest of the path.

        `{id:int}`, or `constraints={"id": IntConstraint()}`, answers where the parameter is that (`cello.routing`).
        """
        return self._route(path, ["GET"], options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers POST at `path`."""
        return self._route(path, ["POST"], options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers PUT at `path`."""
        return self._route(path, ["PUT"], options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers PATCH at `path`."""
        return self._route(path, ["PATCH"], options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers DELETE at `path`."""
        return self._route(path, ["DELETE"], options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers HEAD at `path`, in place of the GET handler."""
        return self._route(path, ["HEAD"], options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers OPTIONS at `path`, in place of the automatic list of methods."""
        return self._route(path, ["OPTIONS"], options)

    def route(self, path: str, methods: Words | None = ("GET",), **options: Unpack[RouteOptions]) -> HandlerDecorator:
        """Answers each of `methods` at `path`; None is GET.

        Errors: TypeError where the path is no str, for an option that there is not, and where what is decorated cannot
        be called; ValueError for methods that cannot be. Anything wrong with the path is told at start.
        """
        return self._route(path, ("GET",) if methods is None else methods, options)

    def _route(self, path: str, methods: Words, options: RouteOptions) -> HandlerDecorator:
        if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a decorator without parentheses
            name = getattr(path, "__name__", "users")
            raise TypeError(f'{name_of(path)} is no path: a route is written with its path, as @app.get("/{name}")')
        self._check_path(path)
        names = method_names(methods)
        check(options, f"the route {path}", self._own_plugins())

        def register[Function: Callable[..., Any]](handler: Function) -> Function:
            if not callable(handler):
                advice = (
                    "have the decorator below it return the function" if handler is None else "a handler is a function"
                )
                raise TypeError(f"{name_of(handler)} is no handler of {path}: {advice}")
            self._check_time(f"{names[0]} {path}")
            self._routes.extend(Route(name, path, handler, options) for name in names)
            return handler

        return register

    def register_blueprint(self, blueprint: Blueprint) -> Self:
        """Adds a blueprint's routes, those it has by now and those it gets before the start, under its prefix.

        Errors: TypeError for anything else, ValueError for a blueprint that is around this one.
        """
        from cello.blueprint import Blueprint

        if not isinstance(blueprint, Blueprint):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            raise TypeError(f"{blueprint!r} is no blueprint: make one with Blueprint(prefix)")
        self._adopt(blueprint.prefix, blueprint)
        return self

    def use(self, middleware: Middleware | type[AsyncMiddleware] | type[SyncMiddleware]) -> Self:
        """Adds a middleware within those of `add_middleware`; of several the first is the outermost.

        Of a class an instance is made.
        Errors: TypeError for what is no middleware.
        """
        from cello._middleware import standing

        self._check_time("a middleware")
        self._middleware.append(standing(middleware, None, None, (), ()))
        return self

    def add_middleware(
        self,
        middleware: Middleware | type[AsyncMiddleware] | type[SyncMiddleware],
        phase: Phase | None = None,
        before: str | Iterable[str] = (),
        after: str | Iterable[str] = (),
        name: str | None = None,
    ) -> Self:
        """Adds a middleware in its place, whenever it is added: by phase, then before and after others, then by name.

        Shape: `phase` is Phase.TRANSFORM unless it is given; `before` and `after` are names, "?name" of one that need
        not be there; `name` is that of the function or class unless it is given. Where a plugin declares the middleware
        that is named, and no phase is given, it stands where the plugin says.
        Errors: TypeError for what is no middleware. What contradicts itself is told at start.
        """
        from cello._middleware import standing
        from cello.middleware import Phase

        one = standing(middleware, name, Phase.TRANSFORM if phase is None else phase, before, after)
        self._check_time("a middleware")
        self._middleware.append(one._replace(is_placed=phase is not None or name is None))
        return self

    @overload
    def exception_handler[Failure: Exception](self, exception: type[Failure]) -> AnswerDecorator[Failure]: ...
    @overload
    def exception_handler(self, exception: int) -> AnswerDecorator[Any]: ...
    def exception_handler(self, exception: type[Exception] | int) -> AnswerDecorator[Any]:
        """Answers with the function, `def` or `async def` of `(request, exc)`, where that is raised.

        Shape: `exception` is a class, or the status of an error. It returns what a handler may; what has no status of
        its own gets the exception's, 500 where it has none.
        Errors: TypeError for what is no exception or no such function, ValueError for a status that is no error's.
        """
        from cello._answers import checked_answer, checked_subject

        subject = checked_subject(exception)

        def register[Result](function: Callable[[Request, Any], Result]) -> Callable[[Request, Any], Result]:
            self._check_time("an exception handler")
            self._answers[subject] = checked_answer(function)
            return function

        return register

    def before_request[Function: Callable[[Request], Awaitable[Any] | Any]](self, function: Function) -> Function:
        """Calls the function, `def` or `async def`, with each request before its handler.

        What it returns, unless that is None, is the answer, and the handler is not called.

        Errors: TypeError for what is no such function.
        """
        self._check_time("a before_request function")
        self._before.append(hook(function, "before_request", "request"))
        return function

    def after_request[Function: Callable[[Request, Any], Awaitable[Any] | Any]](self, function: Function) -> Function:
        """Calls the function, `def` or `async def`, with each request and its Response.

        What it returns, unless that is None, is the answer in place of the Response. The last that was given is called
        first. None is called where an exception passes that no exception handler answers for.
        Errors: TypeError for what is no such function.
        """
        self._check_time("an after_request function")
        self._after.insert(0, hook(function, "after_request", "request", "response"))
        return function

    @property
    def _words(self) -> str:
        """What it is called in a message."""
        raise NotImplementedError

    def _own_plugins(self) -> Plugins | None:
        """The plugins of an application; None of a blueprint, which has those of the application that it is in."""
        return None

    def _defaults(self) -> Mapping[str, Any]:
        """The options that routes have that do not say otherwise."""
        return {}

    def _check_path(self, path: str) -> None:
        """Checks the path of a route, where it is not checked at start."""

    def _check_time(self, what: str) -> None:
        """Checks that the application was not composed already: nothing would come of what is given to it now.

        Errors: RuntimeError.
        """
        if self._servers:
            raise RuntimeError(f"{what} comes too late, when {self._words} is served: give it before the start")

    def _adopt(self, prefix: str, child: Scope) -> None:
        if child is self or self in child._descendants():
            raise ValueError(f"{child._words} is around {self._words}: it cannot be in it, too")
        self._check_time(child._words)
        self._children.append((prefix, child))
        child._is_adopted = True

    def _descendants(self) -> Iterator[Scope]:
        for _, child in self._children:
            yield child
            yield from child._descendants()

    def _walk(
        self,
        prefix: str,
        outer: tuple[Scope, ...] = (),
        options: Mapping[str, Any] = MappingProxyType({}),
        plugins: Plugins | None = None,
    ) -> Iterator[Placed]:
        """All routes with their whole paths, all their options, and what is around them."""
        plugins = self._own_plugins() or plugins
        options = merge(options, self._defaults(), plugins)
        scopes = (*outer, self)
        for method, path, handler, own in self._routes:
            path = join(prefix, path)
            yield Placed(Route(method, path, handler, within(options, own, path, handler, plugins)), scopes)
        for child_prefix, child in self._children:
            yield from child._walk(prefix + child_prefix, scopes, options, plugins)
