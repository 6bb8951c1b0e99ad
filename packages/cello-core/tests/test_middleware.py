"""Middleware: what it sees and may do, where it stands, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Blueprint, Response
from cello._compose import compose
from cello._middleware import in_order
from cello._threads import Threads
from cello.errors import StartError
from cello.middleware import Phase
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from cello import Request
    from serving import Serve

SCOPES = """
    from cello import App, Blueprint, Response

    app, outer, inner = App(), Blueprint("/outer"), Blueprint("/inner")

    def note(name):
        async def middleware(request, call_next):
            request.context.setdefault("walk", []).append(name)
            response = await call_next(request)
            response.headers["x-walk"] = f"{response.headers.get('x-walk', '')} {name}".strip()
            return response
        return middleware

    app.use(note("first")).use(note("second"))
    outer.use(note("outer"))
    inner.use(note("inner"))

    @inner.get("/def", middleware=[note("route"), note("closest")])
    def in_place(request):
        return request.context["walk"]

    @outer.get("/async")
    async def waiting(request):
        return request.context["walk"]

    @app.get("/plain")
    def plain(request):
        return request.context["walk"]

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.run()
"""


def test_middleware_encloses_what_is_further_in(serve: Serve) -> None:
    server = serve(SCOPES)
    expected = {
        "/outer/inner/def": ["first", "second", "outer", "inner", "route", "closest"],
        "/outer/async": ["first", "second", "outer"],
        "/plain": ["first", "second"],
    }
    for path, walk in expected.items():
        answer = server.get(path)
        assert answer.json() == walk
        assert answer.headers["x-walk"].split() == walk[::-1]


KINDS = """
    import contextvars
    from cello import App, Response

    app = App()
    place = contextvars.ContextVar("place", default="")

    async def function(request, call_next):
        place.set(place.get() + "function ")
        return await call_next(request)

    class Class:
        async def __call__(self, request, next_one):
            place.set(place.get() + "class ")
            return await next_one(request)

    class Instance:
        def __init__(self, word):
            self.word = word

        async def __call__(self, request, /, call_next):
            place.set(place.get() + self.word)
            return await call_next(request)

    async def positional(request, call_next, /):
        place.set(place.get() + "positional ")
        return await call_next(request)

    async def with_more(request, call_next, word="more ", *, other="other "):
        place.set(place.get() + word + other)
        return await call_next(request)

    class Method:
        async def named(self, request, call_next, word="method "):
            place.set(place.get() + word)
            return await call_next(request)

    async def any_arguments(*arguments):
        place.set(place.get() + "any ")
        request, call_next = arguments
        return await call_next(request)

    app.use(function).use(Class).use(Instance("instance ")).use(positional).use(any_arguments)
    app.use(with_more).use(Method().named)

    @app.get("/")
    def handler():
        return place.get()

    @app.get("/stream")
    async def stream():
        async def pieces():
            yield place.get()
        return pieces()

    app.run()
"""


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_every_kind_of_middleware_is_called_in_the_context_of_the_request(serve: Serve, path: str) -> None:
    server = serve(KINDS)
    assert server.get(path).body == b"function class instance positional any more other method "
    assert (
        server.get(path).body == b"function class instance positional any more other method "
    )  # nothing of the first is left


def test_a_middleware_that_is_used_twice_calls_what_is_next_each_time(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app, sub = App(), App()

        async def count(request, call_next):
            request.context["count"] = request.context.get("count", 0) + 1
            return await call_next(request)

        app.use(count).use(count)
        sub.use(count)
        for one in (app, sub):
            one.get("/")(lambda request: request.context["count"])
        app.mount("/sub", sub)
        app.run()
        """
    )
    assert (server.get("/").json(), server.get("/sub/").json()) == (2, 3)


POWERS = """
    import asyncio
    from cello import App, Response
    from cello.errors import Forbidden

    app = App()

    @app.use
    async def powers(request, call_next):
        match request.path:
            case "/short":
                return Response.text("not asked", status=203)
            case "/forbidden":
                raise Forbidden("Not here.")
            case "/caught":
                try:
                    return await call_next(request)
                except ZeroDivisionError as error:
                    return Response.text(f"caught {error}", status=418)
            case "/twice":
                await call_next(request)
            case "/none":
                await call_next(request)
                return None
            case "/late":
                response = await call_next(request)
                await asyncio.sleep(0)
                response.status = 202
                return response
        response = await call_next(request)
        if request.path == "/wrapped":
            async def louder():
                async for piece in pieces():
                    yield piece.upper()
            return Response.stream(louder(), headers=response.headers)
        response.set_header("x-seen", str(response.status))
        return response

    async def pieces():
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    calls = []

    @app.get("/short")
    @app.get("/late")
    @app.get("/none")
    @app.get("/twice")
    def plain():
        calls.append(1)
        return {"calls": len(calls)}

    @app.get("/tuple")
    def with_status():
        return "made", 201, {"x-own": "yes"}

    @app.get("/caught")
    @app.get("/uncaught")
    async def fails():
        return 1 / 0

    @app.get("/wrapped")
    @app.get("/streamed")
    async def streamed():
        return Response.stream(pieces(), content_type="text/csv")

    @app.get("/forbidden")
    def never(): ...

    app.run(debug=False)
"""


def test_middleware_answers_itself_changes_the_answer_or_catches_the_exception(serve: Serve) -> None:
    server = serve(POWERS)
    answers = {path: server.get(path) for path in ("/short", "/caught", "/uncaught", "/tuple", "/twice", "/forbidden")}
    assert {path: answer.status for path, answer in answers.items()} == {
        "/short": 203,
        "/caught": 418,
        "/uncaught": 500,
        "/tuple": 201,
        "/twice": 200,
        "/forbidden": 403,
    }
    assert answers["/caught"].body == b"caught division by zero"
    assert (answers["/tuple"].headers["x-own"], answers["/tuple"].headers["x-seen"]) == ("yes", "201")
    assert answers["/twice"].json() == {"calls": 2}
    assert answers["/forbidden"].json()["detail"] == "Not here."
    assert (server.get("/late").status, server.get("/late").status) == (202, 202)


def test_a_stream_passes_through_middleware_and_may_be_replaced(serve: Serve) -> None:
    server = serve(POWERS)
    streamed, wrapped = server.get("/streamed"), server.get("/wrapped")
    assert (streamed.body, streamed.headers["x-seen"]) == (b"ab", "200")
    assert (wrapped.body, wrapped.headers["content-type"]) == (b"AB", "text/csv")


def test_a_middleware_that_forgets_to_return_is_a_failure_and_no_empty_answer(serve: Serve) -> None:
    server = serve(POWERS)
    assert server.get("/none").status == 500
    stderr = server.stop().stderr
    assert "a middleware returned None: have it return what call_next() gave it, or a Response of its own" in stderr


def test_requests_that_are_refused_pass_the_applications_middleware_too(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app = App()

        @app.use
        async def watch(request, call_next):
            try:
                response = await call_next(request)
            except Exception as error:
                print(type(error).__name__, flush=True)
                raise
            response.headers["x-watched"] = str(response.status)
            return response

        @app.post("/small", body_limit=4)
        def small(): ...

        @app.get("/number")
        def number(page: int): ...

        @app.get("/fails")
        def fails():
            raise ValueError("no answer yet")

        app.run()
        """
    )
    nothing = server.get("/nothing")
    assert (nothing.status, nothing.json()["detail"]) == (404, "No route has this path.")
    assert nothing.headers["content-type"] == "application/problem+json"
    refused = server.get("/small")
    assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")
    answers = (
        nothing,
        refused,
        server.post("/small", b"12345"),
        server.request("OPTIONS", "/small"),
        server.get("/number"),
    )
    assert [answer.headers["x-watched"] for answer in answers] == ["404", "405", "413", "204", "422"]
    assert [answer.status for answer in answers] == [404, 405, 413, 204, 422]
    assert server.get("/fails").status == 500
    assert server.next_line() == "ValueError"


SYNC = """
    import asyncio, sys
    from cello import App, Response

    app = App()

    def timing(request, call_next):
        response = call_next(request)
        response.headers["x-task"] = str(asyncio._get_running_loop() is not None and asyncio.current_task() is not None)
        return response

    async def outermost(request, call_next):
        response = await call_next(request)
        response.headers["x-outermost"] = "yes"
        return response

    if "waiting" in sys.argv:
        app.use(outermost)
    app.use(timing)

    @app.get("/")
    def handler(request):
        return {}

    app.run()
"""


def test_a_chain_of_def_needs_no_task(serve: Serve) -> None:
    assert serve(SYNC).get("/").headers["x-task"] == "False"


EITHER = """
    import asyncio
    from cello import App

    app = App()

    def has_task():
        return asyncio._get_running_loop() is not None and asyncio.current_task() is not None

    class Either:
        async def __call__(self, request, call_next):
            response = await call_next(request)
            response.headers["x-called"] = "async"
            return response

        def call_sync(self, request, call_next):
            response = call_next(request)
            response.headers["x-called"] = "sync"
            return response

    app.use(Either)

    @app.get("/def")
    def handler():
        return has_task()

    @app.get("/async")
    async def waiting():
        return has_task()

    @app.get("/within", middleware=[Either()])
    def within():
        return has_task()

    app.run()
"""


@pytest.mark.parametrize(
    ("path", "called", "has_task"),
    [("/def", "sync", False), ("/async", "async", True), ("/within", "sync", False), ("/none", "sync", None)],
)
def test_a_middleware_of_both_kinds_is_of_the_kind_that_the_others_are(
    serve: Serve, path: str, called: str, has_task: bool | None
) -> None:
    answer = serve(EITHER).get(path)
    assert answer.headers["x-called"] == called
    assert has_task is None or answer.json() is has_task


def test_a_def_middleware_may_stand_within_an_asynchronous_one(serve: Serve) -> None:
    answer = serve(SYNC, "waiting").get("/")
    assert (answer.headers["x-task"], answer.headers["x-outermost"]) == ("True", "yes")


def plans_of(app: App) -> Any:
    """What is composed of an application."""
    return compose(app, Threads(1))


def sync_middleware(request: Request, call_next: Any) -> Any:
    return call_next(request)


async def async_middleware(request: Request, call_next: Any) -> Any:
    return await call_next(request)


def test_a_def_middleware_around_an_async_handler_is_an_error_that_names_both() -> None:
    app = App()
    app.use(sync_middleware)

    @app.get("/later")
    async def later() -> None: ...

    words = (
        r"(?s)the middleware sync_middleware is a def, .* for GET /later is asynchronous: .* in sync_.* in .*later\n"
    )
    with pytest.raises(StartError, match=words):
        plans_of(app)


@pytest.mark.parametrize("kind", ["middleware", "exception handler", "before", "after", "blocking"])
def test_whatever_is_asynchronous_within_a_def_middleware_is_found(kind: str) -> None:
    app, blueprint = App(), Blueprint("/b")
    app.use(sync_middleware)

    async def waits(*_: Any) -> Any: ...

    match kind:
        case "middleware":
            blueprint.use(async_middleware)
        case "exception handler":
            blueprint.exception_handler(ValueError)(waits)
        case "before":
            blueprint.before_request(waits)
        case "after":
            blueprint.after_request(waits)
        case _:
            pass
    blueprint.get("/", blocking=kind == "blocking")(lambda: None)
    app.register_blueprint(blueprint)
    with pytest.raises(StartError, match=r"sync_middleware is a def, and what it calls next for GET /b/ is asynch"):
        plans_of(app)


def test_an_asynchronous_exception_handler_may_stand_outside_of_a_def_middleware() -> None:
    app, blueprint = App(), Blueprint("/b")

    @app.exception_handler(ValueError)
    async def handle(_request: Request, _error: ValueError) -> None: ...

    blueprint.use(sync_middleware)
    blueprint.get("/")(lambda: None)
    app.register_blueprint(blueprint)
    assert plans_of(app).plans[0].is_async


class Needs:
    def __init__(self, word: str) -> None: ...

    async def __call__(self, request: Request, call_next: Any) -> Any: ...


def takes_one(request: Request) -> Any: ...


def takes_three(request: Request, call_next: Any, more: Any) -> Any: ...


async def with_a_yield(request: Request, call_next: Any) -> Any:
    yield await call_next(request)


@pytest.mark.parametrize(
    ("middleware", "words"),
    [
        (3, r"3 is no middleware: it is a function \(request, call_next\)"),
        (takes_one, r"is to take \(request, call_next\)"),
        (takes_three, r"is to take \(request, call_next\)"),
        (Needs, "Needs cannot be made without arguments: give an instance of it"),
        (App, "no middleware"),
        (with_a_yield, r"with_a_yield is no middleware, since it has a yield: write `response = await call_next"),
    ],
)
def test_what_is_no_middleware_is_refused_at_once(middleware: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        App().use(middleware)
    with pytest.raises(TypeError, match=words):
        App().add_middleware(middleware)
    with pytest.raises(TypeError, match=words):
        App().get("/", middleware=[middleware])


def test_of_a_class_an_instance_is_made_wherever_it_is_said(serve: Serve) -> None:
    server = serve("""
        from cello import App, Blueprint

        class Count:
            def __init__(self):
                self.passed = 0

            async def __call__(self, request, call_next):
                self.passed += 1
                response = await call_next(request)
                response.headers["x-passed"] = response.headers.get("x-passed", "") + str(self.passed)
                return response

        app, api = App(), Blueprint("/api", middleware=[Count])

        @app.get("/", middleware=[Count, Count()])
        @api.get("/")
        def home():
            return "home"

        app.use(Count)
        app.register_blueprint(api)
        app.run()
    """)
    passed = [server.get(path).headers["x-passed"] for path in ("/", "/", "/api")]
    assert passed == ["111", "222", "13"]


def test_a_hook_with_a_yield_is_refused_at_once() -> None:
    def hook(request: Request) -> Any:
        yield request

    with pytest.raises(
        TypeError, match=r"hook is no before_request function, since it has a yield: write a middleware"
    ):
        App().before_request(hook)


def named(name: str) -> Any:
    """A middleware of that name."""

    async def middleware(request: Request, call_next: Any) -> Any: ...

    middleware.__name__ = name
    return middleware


def names_in_order(app: App) -> list[str]:
    ordered: list[Any] = [*in_order(app._middleware, "the application")]
    return [middleware.__name__ for middleware in ordered]


def test_phases_stand_in_their_order_and_use_within_all_of_them() -> None:
    app = App()
    app.use(named("used first")).add_middleware(named("transform"))
    for phase in reversed(Phase):
        app.add_middleware(named(phase.name.lower()), phase=phase, name=f"{phase.name.lower()} {phase}")
    app.use(named("used last"))
    order = [phase.name.lower() for phase in Phase]
    assert names_in_order(app) == [*order[:-1], "transform", "transform", "used first", "used last"]


RULES: list[tuple[str, dict[str, Any]]] = [
    ("a", {"after": ("c",)}),
    ("b", {"before": "a", "after": ["?nowhere"]}),
    ("c", {}),
    ("d", {"phase": Phase.SHIELD, "before": ["a", "used"]}),
    ("e", {"phase": Phase.SHIELD, "after": "?f"}),
    ("f", {"phase": Phase.SHIELD}),
]


@given(st.permutations(RULES))
def test_the_order_does_not_depend_on_the_order_of_registration(rules: list[tuple[str, dict[str, Any]]]) -> None:
    app = App()
    for name, rule in rules:
        app.add_middleware(named(name), **rule)
    app.use(named("used"))
    assert names_in_order(app) == ["d", "f", "e", "b", "c", "a", "used"]


CONTRADICTIONS: list[tuple[list[tuple[str, dict[str, Any]]], str]] = [
    (
        [("a", {"before": "b"}), ("b", {"before": "c"}), ("c", {"before": "a"})],
        "put in order: 'a' asks to stand before 'b', 'b' asks to stand before 'c', 'c' asks to stand before 'a'$",
    ),
    ([("a", {"before": "a"})], "'a' asks to stand before 'a'$"),
    (
        [("a", {"phase": Phase.PERMIT, "before": "b"}), ("b", {"phase": Phase.EDGE})],
        "'a' of the application asks to stand before 'b', but every middleware of EDGE stands before",
    ),
    ([("a", {"after": "used"})], "asks to stand after 'used', which was given to use"),
    ([("a", {"after": "bb"}), ("bbb", {})], "asks to stand after 'bb', which is not there: did you mean 'bbb'?"),
    ([("a", {"after": "etag"})], 'is not there: write "\\?etag" if it need not be there'),
    ([("a", {}), ("a", {"phase": Phase.EDGE})], "has two middleware of the name 'a'"),
]


@pytest.mark.parametrize(("rules", "words"), CONTRADICTIONS)
def test_a_contradiction_is_an_error_at_start_that_says_why(rules: list[tuple[str, Any]], words: str) -> None:
    app = App()
    app.use(named("used"))
    for name, rule in rules:
        app.add_middleware(named(name), **rule)
    with pytest.raises(StartError, match=words):
        plans_of(app)


def test_the_middleware_of_a_blueprint_has_an_order_of_its_own() -> None:
    app, blueprint = App(), Blueprint("api", url_prefix="/api")
    app.add_middleware(named("a"))
    blueprint.add_middleware(named("b"), after="a")
    app.register_blueprint(blueprint)
    with pytest.raises(
        StartError, match="the middleware 'b' of the blueprint api asks to stand after 'a', which is not"
    ):
        plans_of(app)


def test_a_phase_or_a_name_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"phase=1 is no phase: use one of Phase\.EDGE, Phase\.OBSERVE"):
        App().add_middleware(named("a"), phase=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="name='' is no name of a middleware"):
        App().add_middleware(named("a"), name="")
    with pytest.raises(TypeError, match="3 is no name of a middleware"):
        App().add_middleware(named("a"), before=[3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


#: How many Python frames stand above a handler, and how many functions of Python's run for a request.
FRAMES = """
    import asyncio, sys
    from cello import App, Blueprint

    app, blueprint = App(), Blueprint("/b")

    def frames_above():
        found = []
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_qualname not in ("PrivateMethods._run_once", "Handle._run"):
            found.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return found if frame else ["the loop's own frame was not found"]

    def hook(*_): ...

    async def layer(request, call_next):
        return await call_next(request)

    class Instance:
        async def __call__(self, request, call_next):
            return await call_next(request)

    def sync_layer(request, call_next):
        return call_next(request)

    if "middleware" in sys.argv:
        for _ in range(10):
            app.use(layer)
    elif "instances" in sys.argv:
        for _ in range(10):
            app.use(Instance())
    elif "def" in sys.argv:
        for _ in range(10):
            app.use(sync_layer)
    else:
        app.before_request(hook)
        app.after_request(hook)
        app.exception_handler(ValueError)(lambda request, error: "")

    @app.get("/def")
    def plain(request):
        return frames_above()

    if "def" not in sys.argv:
        @app.get("/async")
        async def waiting(request):
            await asyncio.sleep(0)
            return frames_above()

    app.run()
"""


@pytest.mark.parametrize("path", ["/def", "/async"])
def test_at_most_three_frames_stand_above_a_handler_with_hooks_and_exception_handlers(serve: Serve, path: str) -> None:
    frames = serve(FRAMES).get(path).json()
    assert 1 <= len(frames) <= 3
    assert "the loop's own frame was not found" not in frames


@pytest.mark.parametrize(
    ("kind", "path"), [("middleware", "/def"), ("middleware", "/async"), ("instances", "/async"), ("def", "/def")]
)
def test_ten_layers_are_ten_frames_beside_those_that_make_the_response_and_answer_for_errors(
    serve: Serve, kind: str, path: str
) -> None:
    frames = serve(FRAMES, kind).get(path).json()
    name = {"middleware": "layer", "instances": "Instance.__call__", "def": "sync_layer"}[kind]
    assert frames.count(name) == 10
    assert len(frames) == 12


def test_a_partial_is_a_middleware_too(serve: Serve) -> None:
    server = serve(
        """
        from functools import partial
        from cello import App
        app = App()

        async def say(word, request, call_next):
            response = await call_next(request)
            response.headers["x-word"] = word
            return response

        app.use(partial(say, "hello"))
        app.get("/")(lambda: "")
        app.run()
        """
    )
    assert server.get("/").headers["x-word"] == "hello"


def test_a_response_is_what_a_route_outside_of_any_middleware_may_give_anyhow() -> None:
    app = App()
    app.get("/")(lambda: Response.text("plain"))
    assert not plans_of(app).plans[0].gives_response


def test_a_handler_that_keeps_everybody_waiting_is_named_by_itself_whatever_is_around_it(serve: Serve) -> None:
    server = serve(
        """
        import time
        from cello import App
        app = App()

        @app.use
        async def around(request, call_next):
            return await call_next(request)

        @app.get("/")
        def sleeps():
            time.sleep(0.06)

        app.run()
        """
    )
    server.get("/")
    slow = server.stop().slow
    assert "GET / kept everybody waiting" in slow
    assert " in sleeps\n" in slow
    assert "blocking=True" in slow
