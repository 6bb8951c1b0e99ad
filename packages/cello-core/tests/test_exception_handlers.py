"""Exception handlers and hooks: who answers for an exception, and what is called before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._answers import Answers
from cello.errors import CelloError, HTTPError, MalformedJSON, NotFound

if TYPE_CHECKING:
    from serving import Serve

ANSWERED = """
    import asyncio
    from cello import App, Blueprint, Response
    from cello.errors import Conflict, HTTPError, NotFound

    app, blueprint = App(), Blueprint("/b")

    class Special(ValueError): ...

    @app.exception_handler(ValueError)
    def value(request, exc):
        return Response.json({"value": str(exc)}, status=400)

    @app.exception_handler(LookupError)
    async def lookup(request, exc):
        await asyncio.sleep(0)
        return {"lookup": type(exc).__name__}

    @app.exception_handler(404)
    def missing(request, exc):
        return {"missing": request.path, "detail": exc.detail}

    @app.exception_handler(405)
    @app.exception_handler(413)
    @app.exception_handler(415)
    @app.exception_handler(422)
    def refused(request, exc):
        return {"status": exc.status}

    @blueprint.exception_handler(ValueError)
    def of_blueprint(request, exc):
        return {"blueprint": str(exc)}, 418

    def raises(error):
        def handler():
            raise error
        return handler

    app.get("/value")(raises(ValueError("bad")))
    app.get("/special")(raises(Special("special")))
    app.get("/key")(raises(KeyError("k")))
    app.get("/index")(raises(IndexError()))
    app.get("/gone")(raises(NotFound("Gone.")))
    app.get("/conflict")(raises(Conflict("Taken.")))
    app.get("/status")(raises(HTTPError(422, "No.")))
    app.get("/zero")(raises(ZeroDivisionError()))
    blueprint.get("/value")(raises(ValueError("bad")))
    blueprint.get("/key")(raises(KeyError("k")))

    @app.get("/async")
    async def waiting():
        await asyncio.sleep(0)
        raise ValueError("later")

    blueprint.exception_handler(413)(lambda request, exc: {"too large for": request.params["name"]})
    blueprint.post("/body/{name}", body_limit=4)(lambda: "taken")

    @app.post("/body", body_limit=4)
    def body(request):
        request.form()

    app.register_blueprint(blueprint)
    app.run(debug=False)
"""


def test_an_exception_is_answered_for_by_the_most_specific_class(serve: Serve) -> None:
    server = serve(ANSWERED)
    answers = {
        path: (answer.status, answer.json())
        for path in ("/value", "/special", "/async", "/key", "/index", "/gone", "/status")
        for answer in [server.get(path)]
    }
    assert answers == {
        "/value": (400, {"value": "bad"}),
        "/special": (400, {"value": "special"}),
        "/async": (400, {"value": "later"}),
        "/key": (500, {"lookup": "KeyError"}),
        "/index": (500, {"lookup": "IndexError"}),
        "/gone": (404, {"missing": "/gone", "detail": "Gone."}),
        "/status": (422, {"status": 422}),
    }


def test_a_blueprint_answers_before_the_application(serve: Serve) -> None:
    server = serve(ANSWERED)
    answer = server.get("/b/value")
    assert (answer.status, answer.json()) == (418, {"blueprint": "bad"})
    assert server.get("/b/key").json() == {"lookup": "KeyError"}


def test_what_nobody_answers_for_is_answered_as_ever(serve: Serve) -> None:
    server = serve(ANSWERED)
    assert server.get("/conflict").json()["detail"] == "Taken."
    assert server.get("/zero").status == 500


def test_what_the_kernel_refuses_reaches_exception_handlers(serve: Serve) -> None:
    server = serve(ANSWERED)
    assert server.get("/nowhere").json() == {"missing": "/nowhere", "detail": "No route has this path."}
    for answer in (
        server.get("/body"),
        server.post("/body", b"12345"),
        server.post("/body", b"x=1", {"content-type": "a/b"}),
    ):
        assert answer.json() == {"status": answer.status}
    assert server.get("/body").status == 405
    of_blueprint = server.post("/b/body/violin", b"12345")
    assert (of_blueprint.status, of_blueprint.json()) == (413, {"too large for": "violin"})
    multipart = server.post("/body", b"xx", {"content-type": "multipart/form-data"})
    assert multipart.status == 400  # for which there is none


def test_an_answer_that_is_no_response_has_the_header_fields_of_its_exception(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, Response
        from cello.errors import HTTPError, TooManyRequests

        app = App()

        @app.exception_handler(405)
        def no_such_method(request, exc):
            return {"no": request.method}

        @app.exception_handler(HTTPError)
        async def other(request, exc):
            return {"tuple": ({}, 429, {"retry-after": "9"}), "other": ({}, 400)}.get(
                request.path[1:], Response.text("", status=429)
            )

        def turn_away():
            raise TooManyRequests(retry_after_s=3, headers=[("x-a", "1"), ("x-a", "2")])

        for path in ("/tuple", "/other", "/response"):
            app.get(path)(turn_away)
        app.run()
        """
    )
    assert server.post("/tuple", b"").headers["allow"] == "GET, HEAD, OPTIONS"
    told = {path: server.get(path) for path in ("/tuple", "/other", "/response")}
    assert [(answer.status, answer.headers.get("retry-after")) for answer in told.values()] == [
        (429, "9"),
        (400, None),
        (429, None),
    ]
    assert server.exchange(b"GET /tuple HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").count(b"x-a: ") == 2


def test_errors_before_routing_reach_no_exception_handler(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app = App()
        app.exception_handler(400)(lambda request, exc: "seen")
        app.exception_handler(Exception)(lambda request, exc: "seen")
        app.run()
        """
    )
    for head in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"nonsense\r\n\r\n"):
        answer = server.exchange(head)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"seen" not in answer


LAST_RESORT = """
    import sys
    from cello import App
    from cello.errors import NotFound

    app = App()

    @app.exception_handler(500 if "status" in sys.argv else Exception)
    async def last_resort(request, exc):
        return {"sorry": type(exc).__name__}

    @app.get("/zero")
    def zero():
        return 1 / 0

    @app.get("/unjson")
    def unjson():
        return object()

    @app.get("/calm")
    def calm():
        raise NotFound()

    app.run(debug=False)
"""


@pytest.mark.parametrize("argument", ["class", "status"])
def test_the_last_resort_answers_a_500_which_is_logged_all_the_same(serve: Serve, argument: str) -> None:
    server = serve(LAST_RESORT, argument)
    answer = server.get("/zero")
    assert (answer.status, answer.json()) == (500, {"sorry": "ZeroDivisionError"})
    assert server.get("/unjson").json() == {"sorry": "TypeError"}
    calm = server.get("/calm")
    assert calm.status == 404
    assert ("sorry" in calm.json()) == (argument == "class")
    stderr = server.stop().stderr
    assert stderr.count("GET /zero failed") == 1
    assert "ZeroDivisionError" in stderr
    assert "/calm failed" not in stderr


FAILING = """
    import sys
    from cello import App, Blueprint

    app, blueprint = App(), Blueprint("/b")

    @app.exception_handler(Exception)
    def last_resort(request, exc):
        if request.path.startswith("/b"):
            return {"last resort": str(exc)}
        raise LookupError("the handler failed")

    @blueprint.exception_handler(ValueError)
    def failing(request, exc):
        raise RuntimeError("the blueprint's failed")

    @app.use
    async def middleware(request, call_next):
        return await call_next(request)

    @app.exception_handler(KeyError)
    def forgets(request, exc):
        pass

    @app.get("/value")
    @blueprint.get("/value")
    def fails():
        raise ValueError("the first")

    @app.get("/key")
    def key():
        raise KeyError("k")

    app.register_blueprint(blueprint)
    app.run(debug=False)
"""


def test_an_exception_handler_that_fails_is_a_500_logged_with_both(serve: Serve) -> None:
    server = serve(FAILING)
    answer = server.get("/value")
    assert (answer.status, answer.json()["title"]) == (500, "Internal Server Error")
    stderr = server.stop().stderr
    assert stderr.index("ValueError: the first") < stderr.index("LookupError: the handler failed")
    assert stderr.count("GET /value failed") == 1


def test_one_of_a_blueprint_that_fails_is_answered_for_by_the_application(serve: Serve) -> None:
    server = serve(FAILING)
    assert server.get("/b/value").json() == {"last resort": "the blueprint's failed"}


def test_one_may_raise_an_error_of_ours_which_is_told_and_not_logged(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, Blueprint
        from cello.errors import NotFound

        app, blueprint = App(), Blueprint("/b")

        @blueprint.exception_handler(LookupError)
        def not_there(request, exc):
            raise NotFound(str(exc))

        @blueprint.get("/")
        async def missing():
            raise LookupError("There is no such note.")

        app.register_blueprint(blueprint)
        app.run(debug=False)
        """
    )
    problem = server.get("/b").json()
    assert (problem["status"], problem["detail"], problem["instance"]) == (404, "There is no such note.", "/b")
    assert problem["request_id"]
    assert server.stop().stderr == ""


def test_one_that_forgets_to_return_is_a_failure(serve: Serve) -> None:
    server = serve(FAILING)
    assert server.get("/key").status == 500
    assert "the exception handler forgets " in server.stop().stderr


def test_what_middleware_raises_reaches_the_exception_handlers_of_its_scope(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, Blueprint
        from cello.errors import Unauthorized

        app, blueprint = App(), Blueprint("/b")

        @app.use
        async def who(request, call_next):
            if request.path == "/closed":
                raise Unauthorized("Who are you?")
            response = await call_next(request)
            response.headers["x-status"] = str(response.status)
            return response

        @blueprint.use
        async def broken(request, call_next):
            raise ValueError("of the middleware")

        app.exception_handler(401)(lambda request, exc: {"who": exc.detail})
        app.exception_handler(ValueError)(lambda request, exc: ({"value": str(exc)}, 400))
        blueprint.get("/")(lambda: "never")
        app.get("/closed")(lambda: "never")
        app.register_blueprint(blueprint)
        app.run()
        """
    )
    closed = server.get("/closed")
    assert (closed.status, closed.json()) == (401, {"who": "Who are you?"})
    value = server.get("/b/")
    assert (value.status, value.json()) == (400, {"value": "of the middleware"})
    assert value.headers["x-status"] == "400"  # the application's middleware saw the answer


def table(*subjects: type[Exception] | int) -> Answers:
    return Answers({subject: (lambda _request, _error, s=subject: s) for subject in subjects})  # type: ignore[misc]


@pytest.mark.parametrize(
    ("subjects", "error", "chosen"),
    [
        ([Exception, LookupError, KeyError], KeyError(), KeyError),
        ([Exception, LookupError], KeyError(), LookupError),
        ([500, Exception], KeyError(), Exception),
        ([500], KeyError(), 500),
        ([404, HTTPError, NotFound], NotFound(), NotFound),
        ([404, HTTPError], NotFound(), 404),
        ([404, CelloError], HTTPError(404), 404),
        ([HTTPError, Exception, 400], NotFound(), HTTPError),
        ([500], NotFound(), None),
        ([500], HTTPError(500), 500),
        ([400, ValueError], MalformedJSON("x"), 400),
        ([ValueError], MalformedJSON("x"), ValueError),
        ([KeyError], ValueError(), None),
    ],
)
def test_the_most_specific_is_chosen(subjects: list[Any], error: Exception, chosen: Any) -> None:
    found = table(*subjects).find(error)
    assert (found and found.function(None, error)) == chosen  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("subject", "kind", "words"),
    [
        ("404", TypeError, "'404' is no exception"),
        (BaseException, TypeError, "is no exception"),
        (True, TypeError, "is no exception"),
        (200, ValueError, "no exception has the status 200: use 400 to 599"),
    ],
)
def test_what_is_no_exception_is_refused_at_once(subject: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        App().exception_handler(subject)


def test_a_function_that_cannot_be_called_so_is_refused_at_once() -> None:
    app: Any = App()
    for decorate, words in (
        (app.exception_handler(ValueError), r"is to take \(request, exc\)"),
        (app.before_request, r"the before_request function .* is to take \(request\)"),
        (app.after_request, r"the after_request function .* is to take \(request, response\)"),
    ):
        with pytest.raises(TypeError, match=words):
            decorate(lambda: None)
        with pytest.raises(TypeError, match="7 is no"):
            decorate(7)


HOOKS = """
    import asyncio
    from cello import App, Blueprint, Response

    app, blueprint = App(), Blueprint("/b")

    @app.before_request
    async def first(request):
        await asyncio.sleep(0)
        request.context["seen"] = ["first"]

    @app.before_request
    def second(request):
        request.context["seen"].append("second")
        if request.path == "/stopped":
            return {"stopped": True}, 202

    @blueprint.before_request
    def third(request):
        request.context["seen"].append("third")

    @app.after_request
    def last(request, response):
        response.headers["x-last"] = response.headers.get("x-after", "nothing")

    @app.after_request
    async def replaces(request, response):
        if request.path == "/replaced":
            return "replaced", 201
        if request.path == "/broken":
            raise ValueError("after")
        response.headers["x-after"] = str(response.status)

    @app.exception_handler(ValueError)
    def handle(request, exc):
        return {"value": str(exc)}, 400

    @app.get("/plain")
    @app.get("/stopped")
    @app.get("/replaced")
    @app.get("/broken")
    @blueprint.get("/plain")
    def plain(request):
        return request.context["seen"]

    @app.get("/value")
    def value():
        raise ValueError("x")

    app.register_blueprint(blueprint)
    app.run(debug=False)
"""


def test_hooks_are_called_before_and_after_each_request(serve: Serve) -> None:
    server = serve(HOOKS)
    plain = server.get("/plain")
    assert (plain.json(), plain.headers["x-after"], plain.headers["x-last"]) == (["first", "second"], "200", "200")
    assert server.get("/b/plain").json() == ["first", "second", "third"]
    refused = server.get("/nowhere")
    assert refused.status == 404


def test_a_hook_may_answer_in_place_of_the_handler_or_of_its_answer(serve: Serve) -> None:
    server = serve(HOOKS)
    stopped = server.get("/stopped")
    assert (stopped.status, stopped.json(), stopped.headers["x-after"]) == (202, {"stopped": True}, "202")
    replaced = server.get("/replaced")
    assert (replaced.status, replaced.body, replaced.headers["x-last"]) == (201, b"replaced", "nothing")


def test_what_an_exception_handler_answers_passes_the_hooks_and_what_a_hook_raises_reaches_it(serve: Serve) -> None:
    server = serve(HOOKS)
    handled = server.get("/value")
    assert (handled.status, handled.headers["x-after"]) == (400, "400")
    broken = server.get("/broken")
    assert (broken.status, broken.json()) == (400, {"value": "after"})
