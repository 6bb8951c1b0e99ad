"""Blueprints and mounted applications: paths, options, what stands around their handlers, and what leaks nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Blueprint
from cello._compose import compose
from cello._threads import Threads
from cello.errors import StartError
from cello.routing import IntConstraint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve

#: Snippet 1 of the documents, as it stands there.
HELLO = """
from cello import App
app = App()
@app.get("/")
def home(request): return {"message": "Hello, Cello!"}
@app.get("/users/{id}")
def get_user(request): return {"id": request.params["id"], "name": "Alice"}
app.run()                                    # prints: Cello running at http://127.0.0.1:8000
"""

#: Snippet 3 of the documents, as it stands there.
NESTED = """
users_bp = Blueprint("/users"); api = Blueprint("/api"); v1 = Blueprint("/v1")
v1.register_blueprint(users_bp); api.register_blueprint(v1); app.register_blueprint(api)   # GET /api/v1/users/{id}
"""

AROUND_NESTED = (
    "from cello import App, Blueprint\napp = App()\n",
    '\n@users_bp.get("/{id}")\ndef get_user(request): return {"id": request.params["id"]}\napp.run()\n',
)


def test_the_first_snippet_of_the_documents_runs_as_written(serve: Serve) -> None:
    server = serve(HELLO)
    assert server.get("/").json() == {"message": "Hello, Cello!"}
    assert server.get("/users/7").json() == {"id": "7", "name": "Alice"}
    assert server.banner[-1].startswith("Cello running at http://127.0.0.1:")


def test_the_nested_blueprints_of_the_documents_run_as_written(serve: Serve) -> None:
    server = serve(NESTED.join(AROUND_NESTED))
    assert server.get("/api/v1/users/7").json() == {"id": "7"}
    assert {path: server.get(path).status for path in ("/users/7", "/v1/users/7", "/api/users/7")} == {
        "/users/7": 404,
        "/v1/users/7": 404,
        "/api/users/7": 404,
    }


def paths_of(scope: App | Blueprint) -> list[tuple[str, str]]:
    routes = scope.routes if isinstance(scope, App) else scope.get_all_routes()
    return [(route[0], route[1]) for route in routes]


def test_children_may_be_registered_in_any_order_and_get_routes_later() -> None:
    app, outer, middle, inner = App(), Blueprint("/o"), Blueprint("/m"), Blueprint("/i")
    app.register_blueprint(outer)
    outer.register(middle)
    middle.register_blueprint(inner)
    inner.get("/late")(print)
    outer.get("")(print)
    outer.get("/")(print)
    assert paths_of(app) == [("GET", "/o"), ("GET", "/o/"), ("GET", "/o/m/i/late")]
    assert outer.get_all_routes() == [("GET", path, print) for path in ("/o", "/o/", "/o/m/i/late")]
    assert paths_of(inner) == [("GET", "/i/late")]


def test_one_blueprint_may_be_under_two_parents(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, Blueprint
        app, shared = App(), Blueprint("/shared")
        for name in ("a", "b"):
            parent = Blueprint(name, url_prefix=f"/{name}")

            @parent.before_request
            def note(request, name=name):
                request.context["parent"] = name

            parent.register_blueprint(shared)
            app.register_blueprint(parent)

        @shared.get("/")
        def handler(request):
            return request.context["parent"]

        app.run()
        """
    )
    assert (server.get("/a/shared/").body, server.get("/b/shared/").body) == (b"a", b"b")


@pytest.mark.parametrize(
    ("blueprint", "name", "prefix"),
    [
        (Blueprint("/p"), None, "/p"),
        (Blueprint("/p", "n"), "n", "/p"),
        (Blueprint("/p/", name="n"), "n", "/p"),
        (Blueprint(prefix="/p", name="n"), "n", "/p"),
        (Blueprint("api", url_prefix="/api/v1"), "api", "/api/v1"),
        (Blueprint(name="api", url_prefix="/api"), "api", "/api"),
        (Blueprint("api"), "api", ""),
        (Blueprint("/"), None, ""),
        (Blueprint(), None, ""),
    ],
)
def test_a_blueprint_is_spelled_by_prefix_or_by_name(blueprint: Blueprint, name: str | None, prefix: str) -> None:
    assert (blueprint.name, blueprint.prefix) == (name, prefix)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Blueprint("/a", url_prefix="/b"), TypeError, "two prefixes, '/a' and '/b'"),
        (lambda: Blueprint("a", name="b"), TypeError, "two names, 'a' and 'b'"),
        (lambda: Blueprint("a", url_prefix="b"), ValueError, 'does not start with "/": write "/b"'),
        (lambda: Blueprint(7), TypeError, "is a str, not int"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda: Blueprint("/a", summary="x"), TypeError, "'summary', which belongs to a single route"),  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        (lambda: Blueprint("/a", tag=["x"]), TypeError, "an option 'tag', .* did you mean tags?"),  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        (lambda: Blueprint("/a", guards=[]), TypeError, "an option 'guards', which nothing provides: there are "),  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        (lambda: Blueprint("/a").get("users"), ValueError, "'users' in the blueprint /a must start with"),
        (lambda: App().register_blueprint(App()), TypeError, "is no blueprint"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda: App().mount("/x", "shop"), TypeError, "is no application: mount an App, or one of ASGI"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda: App().mount("x", App()), ValueError, 'does not start with "/"'),
    ],
)
def test_a_blueprint_that_cannot_be_is_refused_at_once(make: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_a_blueprint_cannot_be_in_itself() -> None:
    a, b, c = Blueprint("/a"), Blueprint("/b"), Blueprint("/c")
    a.register_blueprint(b)
    b.register_blueprint(c)
    for outer, inner in ((a, a), (c, a), (b, a)):
        with pytest.raises(ValueError, match=f"{inner._words} is around {outer._words}"):
            outer.register_blueprint(inner)
    app, sub = App(), App()
    app.mount("/sub", sub)
    with pytest.raises(ValueError, match="the application is around the application"):
        sub.mount("/app", app)


LEAKS = """
    from cello import App, Blueprint
    from cello.errors import NotFound

    app, one, two, child = App(), Blueprint("/one"), Blueprint("/two"), Blueprint("/child")
    seen = []

    @one.use
    async def middleware(request, call_next):
        seen.append("middleware")
        return await call_next(request)

    @one.before_request
    def before(request):
        seen.append("before")

    @one.after_request
    def after(request, response):
        seen.append("after")

    @one.exception_handler(ValueError)
    def handle(request, exc):
        seen.append("handler")
        return "handled", 400

    def fails():
        raise ValueError

    for scope in (app, one, two, child):
        scope.get("/fails")(fails)

    @app.get("/seen")
    def what():
        found = seen[:]
        seen.clear()
        return found

    one.register_blueprint(child)
    app.register_blueprint(one)
    app.register_blueprint(two)
    app.run(debug=False)
"""


def test_nothing_of_a_blueprint_leaks_to_its_parent_or_its_siblings(serve: Serve) -> None:
    server = serve(LEAKS)
    assert [server.get(path).status for path in ("/fails", "/two/fails")] == [500, 500]
    assert server.get("/seen").json() == []
    for path in ("/one/fails", "/one/child/fails"):
        assert server.get(path).status == 400
        assert server.get("/seen").json() == ["middleware", "before", "handler", "after"]


def test_options_of_blueprints_and_routes_come_together() -> None:
    app = App()
    outer = Blueprint("/o", tags=["o", "x"], timeout=5, deprecated=True, constraints={"id": IntConstraint()})
    inner = Blueprint("/i", tags=["x", "i"], body_limit=10)
    inner.get("/{id}", tags=["own"], summary="S", timeout=1, description="D")(print)
    inner.post("/", timeout=None)(print)
    outer.register_blueprint(inner)
    app.register_blueprint(outer).get("/")(print)
    first, second = app.routes[1:]
    assert first.options == {
        "tags": ["o", "x", "i", "own"],
        "timeout": 1,
        "deprecated": True,
        "body_limit": 10,
        "summary": "S",
        "description": "D",
        "constraints": {"id": IntConstraint()},
    }
    assert (second.options["timeout"], second.options["constraints"]) == (None, {})
    assert app.routes[0].options == {}
    plans = compose(app, Threads(1)).plans
    assert [(plan.timeout_s, plan.body_limit_bytes, plan.constraints) for plan in plans] == [
        (None, None, ()),
        (1, 10, (("id", "int"),)),
        (None, 10, ()),
    ]


def test_a_blueprint_of_blocking_handlers_may_have_asynchronous_ones() -> None:
    app, blueprint = App(), Blueprint("/b", blocking=True)

    async def waiting() -> None: ...

    blueprint.get("/def")(lambda: None)
    blueprint.get("/async")(waiting)
    app.register_blueprint(blueprint)
    plans = compose(app, Threads(1)).plans
    assert [(plan.is_async, plan.handler is waiting) for plan in plans] == [(True, False), (True, True)]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"tags": "users"}, TypeError, "tags='users' of the route / are no list of str"),
        ({"tags": [1]}, TypeError, "are no list of str"),
        ({"summary": 1}, TypeError, "summary=1 of the route / is no str"),
        ({"deprecated": "yes"}, TypeError, "is neither True nor False"),
        ({"status": "201"}, TypeError, "is no status"),
        ({"status": 102}, ValueError, "use 200 to 599"),
        ({"timeout": 0}, ValueError, "is more than 0, and None for no limit"),
        ({"timeout": float("nan")}, ValueError, "is no number of seconds"),
        ({"timeout": float("inf")}, ValueError, "is no number of seconds"),
        ({"timeout": "5"}, TypeError, "is no number of seconds"),
        ({"blocking": 1}, TypeError, "is neither True nor False"),
        ({"cancel_on_disconnect": 0}, TypeError, "is neither True nor False"),
        ({"drain": True}, TypeError, "is no str"),
        ({"drain": "later"}, ValueError, "use finish or now"),
        ({"middleware": print}, TypeError, "is no list of middleware"),
        ({"body_limit": -1}, ValueError, "it is 0 or more"),
        ({"methods": ["GET"]}, TypeError, r"'methods', which belongs to route\(\): write @app.route\(path, methods="),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_once(options: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        App().get("/", **options)


def test_blocking_is_for_def_handlers() -> None:
    app = App()

    @app.get("/", blocking=True)
    async def waiting() -> None: ...

    with pytest.raises(StartError, match=r"waiting of GET / is an async def: blocking=True is for a def that returns"):
        compose(app, Threads(1))
    app = App()

    @app.get("/", blocking=True)
    def pieces() -> Iterator[str]:
        yield ""

    with pytest.raises(StartError, match=r"pieces of GET / is a generator, which is called piece by piece"):
        compose(app, Threads(1))


MOUNTED = """
    from cello import App, Response
    from cello.errors import NotFound

    app, sub, deep = App(), App(), App()
    app.state.name, sub.state.name, deep.state.name = "outer", "sub", "deep"
    app.db = "of the outer"

    @app.use
    async def outermost(request, call_next):
        response = await call_next(request)
        response.headers["x-outer"] = request.app.state.name
        return response

    @sub.use
    async def of_sub(request, call_next):
        response = await call_next(request)
        response.headers["x-sub"] = request.app.state.name
        return response

    @sub.exception_handler(404)
    def missing(request, exc):
        return {"missing in": request.app.state.name}

    @sub.exception_handler(413)
    def too_large(request, exc):
        return {"too large for": request.app.state.name}

    for one in (app, sub, deep):
        @one.get("/")
        def handler(request):
            return request.app.state.name

    @sub.get("/none")
    def none():
        raise NotFound()

    @sub.post("/small", body_limit=1)
    def small(): ...

    @sub.on_event("startup")
    def started():
        print("sub started", flush=True)

    sub.mount("/deep", deep)
    app.mount("/sub", sub)
    app.run()
"""


def test_a_mounted_application_keeps_what_is_its_own(serve: Serve) -> None:
    server = serve(MOUNTED)
    assert "sub started\n" in server.banner
    assert [server.get(path).body for path in ("/", "/sub/", "/sub/deep/")] == [b"outer", b"sub", b"deep"]
    answer = server.get("/sub/")
    assert (answer.headers["x-outer"], answer.headers["x-sub"]) == ("sub", "sub")
    assert "x-sub" not in server.get("/").headers


def test_a_mounted_application_answers_for_what_is_refused_under_its_path(serve: Serve) -> None:
    server = serve(MOUNTED)
    for path in ("/sub/none", "/sub/nowhere"):
        answer = server.get(path)
        assert (answer.status, answer.json()) == (404, {"missing in": "sub"})
    assert server.post("/sub/small", b"12").json() == {"too large for": "sub"}
    assert "missing in" not in server.get("/subway").json()
    assert "missing in" not in server.get("/nowhere").json()
    # An application within it is answered for by both.
    assert server.get("/sub/deep/nowhere").json() == {"missing in": "deep"}


def test_what_a_mounted_application_says_of_the_server_is_an_error_at_start() -> None:
    app, sub = App(), App()
    app.mount("/sub", sub)
    sub.set_trusted_proxies(["10.0.0.1"])
    with pytest.raises(
        StartError, match="a mounted application says set_trusted_proxies, which is for the whole server"
    ):
        compose(app, Threads(1))


def test_the_body_limit_of_a_mounted_application_holds_for_its_routes() -> None:
    app, sub = App(), App()
    app.mount("/sub", sub.enable_body_limit(5))
    app.enable_body_limit(7)
    for scope in (app, sub):
        scope.post("/")(lambda: None)
        scope.post("/own", body_limit=9)(lambda: None)
    assert [plan.body_limit_bytes for plan in compose(app, Threads(1)).plans] == [7, 9, 5, 9]
