"""Which handler answers, what its parameters are, and which routes cannot be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from cello import App, routing
from cello.routing import (
    AlphaConstraint,
    AlphanumConstraint,
    Constraint,
    IntConstraint,
    RegexConstraint,
    UuidConstraint,
)
from serving import Server, Stopped, run_source

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Reply, Serve

#: Each handler answers with its own name and its parameters.
ROUTES = r"""
    from cello import App
    from cello.routing import AlphaConstraint, AlphanumConstraint, IntConstraint, RegexConstraint, UuidConstraint

    app = App()

    def named(name):
        def handler(request):
            return [name, request.params]
        return handler

    app.get("/")(named("root"))

    app.get("/users/{name}")(named("by name"))
    app.get("/users/{id:int}")(named("by id"))
    app.get("/users/{key:uuid}")(named("by key"))
    app.get("/users/me")(named("me"))
    app.delete("/users/{id:int}")(named("delete"))

    app.get("/files/{*path}")(named("files"))
    app.get("/files/{name}.txt")(named("text file"))
    app.get("/files/readme")(named("readme"))

    app.get("/a/{x}/c")(named("a x c"))
    app.get("/{y}/b/d")(named("y b d"))

    app.get("/slash")(named("without"))
    app.get("/slash/")(named("with"))
    app.get("/closed/{x}/")(named("closed"))

    app.get("/in/path/{a:alpha}/{b:alphanum}/{c:regex([a-z]{2,3}|\\d/)}")(named("in the path"))
    app.get(
        "/beside/it/{a}/{b}/{c}",
        constraints={"a": AlphaConstraint(), "b": AlphanumConstraint(), "c": RegexConstraint(r"[a-z]{2,3}|\d/")},
    )(named("beside it"))

    for method in ("get", "post", "put", "patch", "delete", "options"):
        path = "/every/{id}"
        getattr(app, method)(path, constraints={"id": IntConstraint()})(named(method))
        getattr(app, method)(path, constraints={"id": UuidConstraint()})(named(method + " by key"))
    app.head("/every/{id:int}")(lambda: "")
    app.route("/every/{id}/more", methods=["get", "PURGE"], constraints={"id": IntConstraint()})(named("more"))

    app.get("/größe/{maß}")(named("größe"))

    app.run()
"""
KEY = "018f5a3c-7d2e-7abc-8def-0123456789ab"


def answers(server: Server, *paths: str) -> list[Any]:
    """What each path is answered by, or the status where it is no handler's."""
    replies = [server.get(path) for path in paths]
    return [reply.json() if reply.status == 200 else reply.status for reply in replies]


def is_problem(reply: Reply, status: int) -> bool:
    """Whether an answer is an error in the form of RFC 9457 with a request id."""
    body = reply.json()
    is_problem = reply.headers["content-type"] == "application/problem+json"
    return is_problem and (reply.status, body["status"]) == (status, status) and len(body["request_id"]) == 36


def test_exact_goes_before_parameter_and_parameter_before_catch_all(serve: Serve) -> None:
    server = serve(ROUTES)
    assert answers(server, "/", "/users/me", "/users/you") == [
        ["root", {}],
        ["me", {}],
        ["by name", {"name": "you"}],
    ]
    assert answers(server, "/files/readme", "/files/a.txt", "/files/a.md", "/files/a/b.txt") == [
        ["readme", {}],
        ["text file", {"name": "a"}],
        ["files", {"path": "a.md"}],
        ["files", {"path": "a/b.txt"}],
    ]


def test_a_way_that_leads_nowhere_is_gone_back(serve: Serve) -> None:
    assert answers(serve(ROUTES), "/a/b/c", "/a/b/d", "/a/b/e") == [
        ["a x c", {"x": "b"}],
        ["y b d", {"y": "a"}],
        404,
    ]


def test_a_constraint_that_fails_leaves_the_path_to_the_next_route(serve: Serve) -> None:
    assert answers(serve(ROUTES), "/users/7", "/users/-7", f"/users/{KEY}", f"/users/{KEY.upper()}", "/users/7x") == [
        ["by id", {"id": "7"}],
        ["by id", {"id": "-7"}],
        ["by key", {"key": KEY}],
        ["by key", {"key": KEY.upper()}],
        ["by name", {"name": "7x"}],
    ]


@pytest.mark.parametrize("prefix", ["/in/path", "/beside/it"])
def test_constraints_in_the_path_and_beside_it_are_the_same(serve: Serve, prefix: str) -> None:
    name = prefix.strip("/").replace("/", " the " if "in" in prefix else " ")
    fitting = {"a": "Ab", "b": "a1", "c": "xyz"}
    assert answers(
        serve(ROUTES),
        f"{prefix}/Ab/a1/xyz",
        f"{prefix}/Ab/a1/5%2F",
        f"{prefix}/a1/a1/xyz",
        f"{prefix}/Ab/a-1/xyz",
        f"{prefix}/Ab/a1/wxyz",
        f"{prefix}/%C3%A9/a1/xyz",
    ) == [[name, fitting], [name, {**fitting, "c": "5/"}], 404, 404, 404, 404]


def test_every_decorator_takes_constraints(serve: Serve) -> None:
    server = serve(ROUTES)
    for method in ("get", "post", "put", "patch", "delete", "options"):
        assert server.request(method.upper(), "/every/7").json() == [method, {"id": "7"}]
        assert server.request(method.upper(), f"/every/{KEY}").json() == [f"{method} by key", {"id": KEY}]
        assert is_problem(server.request(method.upper(), "/every/seven"), 404)
    assert server.request("HEAD", "/every/7").headers["content-type"] == "text/plain; charset=utf-8"
    assert server.request("HEAD", f"/every/{KEY}").headers["content-type"] == "application/json"
    assert server.request("PURGE", "/every/7/more").json() == ["more", {"id": "7"}]
    assert server.request("PURGE", "/every/x/more").status == 404


def test_a_parameter_is_decoded_after_the_path_was_split(serve: Serve) -> None:
    assert answers(serve(ROUTES), "/users/a%20b%2Fc", "/files/a%2Fb/c%3F", "/users/%37", "/users/%ff%C3%A9") == [
        ["by name", {"name": "a b/c"}],
        ["files", {"path": "a/b/c?"}],
        ["by id", {"id": "7"}],
        ["by name", {"name": "\ufffdé"}],
    ]


def test_the_text_of_a_path_is_decoded(serve: Serve) -> None:
    server = serve(ROUTES)
    expected = [["größe", {"maß": "ü"}]]
    assert answers(server, "/gr%C3%B6%C3%9Fe/%C3%BC") == expected
    assert answers(server, "/gr%c3%b6%c3%9fe/%c3%bc") == expected
    assert answers(server, "/%75sers/m%65") == [["me", {}]]


def test_the_text_of_a_path_may_be_sent_as_utf8(serve: Serve) -> None:
    server = serve(ROUTES)
    raw = server.exchange("GET /größe/ü HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert raw.endswith('["größe",{"maß":"ü"}]'.encode())


def test_a_slash_at_the_end_matters_only_where_both_are_registered(serve: Serve) -> None:
    assert answers(serve(ROUTES), "/slash", "/slash/", "/users/me/", "/users/7/", "/closed/1", "/closed/1/") == [
        ["without", {}],
        ["with", {}],
        ["me", {}],
        ["by id", {"id": "7"}],
        ["closed", {"x": "1"}],
        ["closed", {"x": "1"}],
    ]


def test_a_catch_all_keeps_its_slashes_and_is_never_empty(serve: Serve) -> None:
    assert answers(serve(ROUTES), "/files/a/", "/files//", "/files/", "/files") == [
        ["files", {"path": "a/"}],
        ["files", {"path": "/"}],
        404,
        404,
    ]


def test_empty_segments_are_segments(serve: Serve) -> None:
    assert answers(serve(ROUTES), "//", "/users//", "/users//me", "//users/me", "/slash//") == [404] * 5


def test_an_unknown_path_is_a_404_and_an_unknown_method_a_405_with_allow(serve: Serve) -> None:
    server = serve(ROUTES)
    assert is_problem(server.get("/nowhere"), 404)
    refused = server.request("PATCH", "/users/7")
    assert is_problem(refused, 405)
    assert refused.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
    # What the constraint of DELETE does not let through does not answer DELETE.
    assert server.request("DELETE", "/users/seven").headers["allow"] == "GET, HEAD, OPTIONS"
    assert server.request("TRACE", "/").status == 405


def test_a_method_is_looked_for_in_every_route_of_the_path(serve: Serve) -> None:
    server = serve(
        """
        from cello import App

        app = App()
        app.get("/users/me")(lambda request: "me")
        app.delete("/users/{id}")(lambda request: request.params["id"])
        app.post("/{*path}")(lambda request: request.params["path"])
        app.get("/slash")(lambda request: "get")
        app.post("/slash/")(lambda request: "post")
        app.run()
        """
    )
    assert server.get("/users/me").body == b"me"
    assert server.request("DELETE", "/users/me").body == b"me"
    assert server.post("/users/me", b"").body == b"users/me"
    assert (server.post("/slash", b"").body, server.get("/slash/").body) == (b"post", b"get")
    assert server.request("PUT", "/users/me").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"


def test_head_and_options_are_automatic(serve: Serve) -> None:
    server = serve(ROUTES)
    head = server.request("HEAD", "/users/me")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(b'["me",{}]')))
    options = server.request("OPTIONS", "/users/7")
    assert (options.status, options.body, options.headers["allow"]) == (204, b"", "DELETE, GET, HEAD, OPTIONS")
    assert is_problem(server.request("OPTIONS", "/nowhere"), 404)


def test_what_no_route_answers_stands_in_the_access_log_too(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("from cello import App\n\napp = App()\napp.get('/')(lambda: 'root')\napp.run()\n")
    server = Server.run([sys.executable, str(script), "--port", "0"], tmp_path)
    try:
        server.get("/nowhere")
        server.request("PUT", "/")
        server.request("OPTIONS", "/")
    finally:
        stopped = server.stop()
    for words in ("GET /nowhere → 404", "PUT / → 405", "OPTIONS / → 204"):
        assert words in stopped.stdout


# --- routes that cannot be


def start(folder: Path, *lines: str) -> Stopped:
    """Starts an application with these lines, of which the first is the fifth of its file."""
    source = "\n".join(
        ["from cello import App", "from cello.routing import *", "app = App()", "def one(): ...", *lines]
    )
    return run_source(folder, source + "\napp.run()\n")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("users", 'must start with "/"'),
        ("", 'must start with "/"'),
        ("/{id", "opens a brace that it does not close"),
        ("/{id:regex([a-z]{2})", "opens a brace that it does not close"),
        ("/id}", "closes a brace that it did not open"),
        ("/{}", "has a parameter without a name"),
        ("/{id}/{id}", 'has two parameters "id"'),
        ("/{user-id}", 'has a parameter "user-id": a name has letters, digits and "_", and no digit first'),
        ("/{a}{b}", 'has a second parameter after {a} in one segment: put a "/" between them'),
        ("/{*rest}/x", "goes on after {*rest}, which takes all the rest: it can only stand at the end"),
        ("/x{*rest}", "has text beside {*rest}: it can only be a segment of its own"),
        ("/x?y", 'has a "?", with which the path of a request ends'),
        (
            "/{id:integer}",
            'constrains "id", but there is no constraint "integer": use int, uuid, alpha, alphanum or regex(…)',
        ),
        ("/{id:regex([)}", 'constrains "id", but the regex "[" cannot be used: unclosed character class'),
    ],
)
def test_a_path_that_cannot_be_one_is_refused_by_file_and_line(tmp_path: Path, path: str, words: str) -> None:
    stopped = start(tmp_path, "@app.get('/fine')", "def fine(): ...", f"@app.get({path!r})", "def other(): ...")
    said = f'cello: the path "{path}" {words}\n  {tmp_path / "app.py"}:7 in other\n      @app.get({path!r})\n'
    assert stopped == Stopped(3, "", said)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ("{'key': IntConstraint()}", 'the path "/{id}/{n:int}" has no parameter "key" to constrain'),
        ("{'n': IntConstraint()}", 'the path "/{id}/{n:int}" constrains "n", but it is constrained twice'),
        (
            "{'id': RegexConstraint('(')}",
            'the path "/{id}/{n:int}" constrains "id", but the regex "(" cannot be used: unclosed group',
        ),
        (
            "{'id': 'int'}",
            "'int' is no constraint for 'id' of GET /{id}/{n:int}: use one of cello.routing, as IntConstraint()",
        ),
    ],
)
def test_a_constraint_that_cannot_be_one_is_refused_by_file_and_line(
    tmp_path: Path, constraints: str, words: str
) -> None:
    route = f"@app.get('/{{id}}/{{n:int}}', constraints={constraints})"
    stopped = start(tmp_path, route, "def other(): ...")
    assert stopped == Stopped(3, "", f"cello: {words}\n  {tmp_path / 'app.py'}:5 in other\n      {route}\n")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'/a/{x}'", "'/a/{y}'"),
        ("'/a/{x:int}'", "'/a/{y}', constraints={'y': IntConstraint()}"),
        ("'/a/{x:regex([ab])}'", "'/a/{y}', constraints={'y': RegexConstraint('[ab]')}"),
        ("'/{x}/{*rest}'", "'/{y}/{*path}'"),
        ("'/a%20b/'", "'/a b/'"),
    ],
)
def test_routes_that_answer_the_same_requests_are_refused_by_file_and_line(
    tmp_path: Path, first: str, second: str
) -> None:
    stopped = start(tmp_path, f"@app.put({first})", "def one(): ...", f"@app.put({second})", "def two(): ...")
    paths = [arguments.split("'")[1] for arguments in (first, second)]
    script = tmp_path / "app.py"
    words = (
        f"PUT {paths[1]} has two handlers, since it answers what PUT {paths[0]} answers: take one of them away, or "
        f"give it another path or method\n  {script}:5 in one\n      @app.put({first})\n"
        f"  {script}:7 in two\n      @app.put({second})"
    )
    assert stopped == Stopped(3, "", f"cello: {words}\n")


def test_routes_of_one_shape_with_other_constraints_slashes_or_methods_are_no_conflict(serve: Serve) -> None:
    server = serve(
        """
        from cello import App

        app = App()
        for path in ("/a/{x}", "/a/{y:int}", "/a/{z:alpha}", "/a/{x}/", "/a/{x}.txt"):
            app.get(path)(lambda request, path=path: path)
            app.post(path)(lambda request, path=path: path)
        app.run()
        """
    )
    assert [server.get(path).body for path in ("/a/-", "/a/7", "/a/b", "/a/-/", "/a/b.txt")] == [
        b"/a/{x}",
        b"/a/{y:int}",
        b"/a/{z:alpha}",
        b"/a/{x}/",
        b"/a/{x}.txt",
    ]


# --- what is refused where it is written


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ([], "a route answers at least one method"),
        ("GET", r"methods='GET' is one str: write a list, methods=\['GET'\]"),
        (["GET", ""], "'' is no HTTP method"),
        (["GET POST"], "'GET POST' is no HTTP method"),
        (["GÉT"], "'GÉT' is no HTTP method"),
        ([None], "None is no HTTP method"),
        (["connect"], "no route answers CONNECT: its target is a host"),
        (["TRACE"], "no route answers TRACE: it would show"),
    ],
)
def test_methods_that_cannot_be_are_refused_at_once(methods: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        App().route("/", methods=methods)


def test_methods_are_taken_in_either_case_and_each_once() -> None:
    app = App()
    app.route("/", methods=["get", "GET", "m-search"])(print)
    assert [route.method for route in app._routes] == ["GET", "M-SEARCH"]


def test_without_methods_a_route_answers_get() -> None:
    app = App()
    app.route("/")(print)
    app.route("/none", None)(print)
    app.route("/named", methods=None)(print)
    assert [route.method for route in app._routes] == ["GET"] * 3


def test_a_decorator_without_its_path_is_refused_at_once() -> None:
    def handler() -> None: ...

    with pytest.raises(TypeError, match=r'is no path: a route is written with its path, as @app.get\("/handler"\)'):
        App().get(handler)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_constraints_are_values() -> None:
    constraints = [
        IntConstraint(),
        UuidConstraint(),
        AlphaConstraint(),
        AlphanumConstraint(),
        RegexConstraint("a"),
        RegexConstraint("b"),
    ]
    assert {type(constraint).__name__ for constraint in constraints} == {*routing.__all__} - {"Constraint"}
    assert len({*constraints, IntConstraint(), RegexConstraint("a")}) == len(constraints)
    assert all(isinstance(constraint, Constraint) for constraint in constraints)
    assert [repr(constraint) for constraint in constraints[::4]] == ["IntConstraint()", "RegexConstraint('a')"]
