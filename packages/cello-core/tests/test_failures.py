"""What clients and the log are told when something goes wrong."""

from __future__ import annotations

import textwrap
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from cello._trace import fold
from cello.errors import BadRequest, CelloError, HTTPError, MalformedJSON
from serving import Reply, Server, Stopped, run_source

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve


def start(serve: Serve, source: str, *arguments: str) -> Server:
    """Serves `app` with the routes of the source, in production unless the arguments say otherwise."""
    preamble = "import asyncio, json\nfrom cello import App, Response\nfrom cello.errors import *\napp = App()\n"
    return serve(
        f"{preamble}{textwrap.dedent(source)}\napp.run()\n", "--env", "production", "--workers", "1", *arguments
    )


def script_of(server: Server) -> str:
    """The file that a server was started from."""
    arguments: Any = server.process.args
    return next(str(word) for word in arguments if word.endswith("app.py"))


def is_silent_500(reply: Reply) -> bool:
    """Whether an answer is a 500 that gives nothing away."""
    problem = reply.json()
    request_id = problem.pop("request_id")
    return (
        reply.status == 500
        and reply.headers["content-type"] == "application/problem+json"
        and uuid.UUID(request_id).version == 7
        and problem.keys() == {"type", "title", "status", "detail", "instance"}
        and problem["detail"] == "The server failed to answer this request."
    )


# --- exceptions


def test_an_exception_is_a_500_and_its_request_id_finds_the_trace_in_the_log(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/orders/{id}")
        def order(request):
            return find(request.params["id"])

        def find(id):
            return json.loads("{" + id)
        """,
    )
    reply = server.get("/orders/caf%C3%A9?secret=1")
    problem = reply.json()
    request_id = problem["request_id"]
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert problem == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The server failed to answer this request.",
        "instance": "/orders/caf%C3%A9",
        "request_id": request_id,
    }
    assert uuid.UUID(request_id).version == 7
    path = script_of(server)
    assert server.stop().stderr.splitlines() == [
        f"GET /orders/café failed (request {request_id})",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        f"  {path}:8 in order",
        '      return find(request.params["id"])',
        f"  {path}:11 in find",
        '      return json.loads("{" + id)',
        "  … 3 frames in json",
    ]


def test_a_client_writes_no_lines_of_its_own_into_the_log(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/orders/{id}")
        def order(request):
            request.add_background_task(int, "no number")
            raise ValueError("no")
        """,
    )
    server.get("/orders/%0AGET%20%2Fother%20failed%1B%5B31m%E2%80%A8")
    stderr = server.stop().stderr
    path = r"/orders/\nGET /other failed\x1b[31m\u2028"
    assert f"GET {path} failed (request " in stderr
    assert f"GET {path}: work in the background failed (request " in stderr
    assert "\x1b" not in stderr
    assert "\nGET /other" not in stderr


@pytest.mark.parametrize(
    "handler",
    [
        "def handler():\n    raise LookupError('no')",
        "async def handler():\n    raise LookupError('no')",
        "async def handler():\n    await asyncio.sleep(0)\n    raise LookupError('no')",
    ],
    ids=["sync", "async", "after an await"],
)
def test_debug_shows_the_exception_and_its_lines_to_the_client(serve: Serve, handler: str) -> None:
    server = start(serve, f"@app.get('/')\n{handler}", "--debug")
    problem = server.get("/").json()
    lines = [line.strip() for line in problem.pop("trace")]
    problem.pop("request_id")
    assert problem == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "LookupError: no",
        "instance": "/",
    }
    assert lines[0] == "LookupError: no"
    assert lines[-1] == "raise LookupError('no')"
    assert lines[-2].startswith(f"{script_of(server)}:")
    assert lines[-2].endswith(" in handler")


@pytest.mark.parametrize(
    "raised",
    [
        "KeyError('x')",
        "type('Odd', (BaseException,), {})('odd')",
        "asyncio.CancelledError()",
        "GeneratorExit()",
        "StopIteration(1)",
        "MemoryError()",
        "ExceptionGroup('several', [ValueError(1)])",
    ],
)
def test_whatever_a_handler_raises_is_a_500_and_nobody_else_notices(serve: Serve, raised: str) -> None:
    server = start(
        serve,
        f"""
        @app.get("/sync")
        def sync_handler():
            raise {raised}

        @app.get("/async")
        async def async_handler():
            raise {raised}

        @app.get("/later")
        async def async_handler_after_an_await():
            await asyncio.sleep(0.001)
            raise {raised}

        @app.get("/fine")
        async def fine():
            await asyncio.sleep(0.001)
            return str(asyncio.current_task().cancelling())
        """,
    )
    # On one connection, which outlives them all.
    connection = server.connect()
    paths = ["/sync", "/fine", "/async", "/fine", "/later", "/fine"]
    with connection, connection.makefile("rb") as answers:
        for path in paths:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            status = answers.readline().split()[1]
            head = iter(answers.readline, b"\r\n")
            length = next(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length"))
            for _ in head:
                pass
            body = answers.read(length)
            assert (status, body) == (b"200", b"0") if path == "/fine" else status == b"500"
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert stopped.stderr.count(" failed (request ") == 3
    assert "Traceback" not in stopped.stderr


@pytest.mark.parametrize(
    "error",
    ["ValueError('\\ud800')", "type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()"],
    ids=["a lone surrogate", "no words"],
)
@pytest.mark.parametrize("mode", [(), ("--debug",)], ids=["production", "debug"])
def test_an_exception_that_cannot_be_printed_is_a_500_like_any_other(
    serve: Serve, error: str, mode: tuple[str, ...]
) -> None:
    server = start(serve, f"@app.get('/')\ndef handler():\n    raise {error}", *mode)
    reply = server.get("/")
    assert reply.status == 500
    assert ("trace" in reply.json()) == bool(mode)
    stopped = server.stop()
    assert stopped.stderr.startswith(f"GET / failed (request {reply.json()['request_id']})\n")
    assert "Traceback" not in stopped.stderr


# --- errors that are answers


def test_http_errors_are_answers_with_their_own_status_and_words(serve: Serve) -> None:
    server = start(
        serve,
        """
        class OutOfStock(HTTPError):
            def __init__(self, name):
                super().__init__(409, f"There is no {name} left.")

        @app.get("/http")
        def http():
            raise HTTPError(404, "There is no such order.")

        @app.get("/bad")
        async def bad():
            raise BadRequest("A page is a number.")

        @app.get("/own")
        async def own():
            await asyncio.sleep(0)
            raise OutOfStock("violin")

        @app.get("/odd")
        def odd():
            raise HTTPError(599, "Odd.")
        """,
    )
    answers = [server.get(path) for path in ("/http", "/bad", "/own", "/odd")]
    assert [answer.headers["content-type"] for answer in answers] == ["application/problem+json"] * 4
    problems = [answer.json() for answer in answers]
    assert [(problem["status"], problem["title"], problem["detail"]) for problem in problems] == [
        (404, "Not Found", "There is no such order."),
        (400, "Bad Request", "A page is a number."),
        (409, "Conflict", "There is no violin left."),
        (599, "Error", "Odd."),
    ]
    assert [answer.status for answer in answers] == [404, 400, 409, 599]
    assert [problem["instance"] for problem in problems] == ["/http", "/bad", "/own", "/odd"]
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_malformed_json_is_a_400_with_its_position_unless_the_handler_takes_it(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.post("/strict")
        def strict(request):
            return request.json()

        @app.post("/lenient")
        async def lenient(request):
            try:
                return request.json()
            except ValueError as error:
                return [type(error).__name__, error.status]
        """,
    )
    reply = server.post("/strict", b'{"a":\n  1 2}')
    assert (reply.status, reply.json()["detail"]) == (
        400,
        "The body cannot be read as JSON: ',' or '}' is expected at line 2, column 5 (byte 10).",
    )
    assert server.post("/lenient", b"[").json() == ["MalformedJSON", 400]
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_every_error_of_the_framework_is_a_cello_error() -> None:
    assert issubclass(HTTPError, CelloError)
    assert issubclass(BadRequest, HTTPError)
    assert issubclass(MalformedJSON, BadRequest)
    assert issubclass(MalformedJSON, ValueError)
    assert (MalformedJSON("no").status, MalformedJSON("no").detail, str(MalformedJSON("no"))) == (400, "no", "no")


# --- what cannot be an answer


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("object()", "TypeError: $: a value of type object has no JSON form"),
        ("{'a': {1j}}", "TypeError: $.a[0]: a value of type complex has no JSON form"),
        ("[float('nan')]", "ValueError: $[0]: nan has no JSON form: use None"),
        ("{b'': 2}", "TypeError: $[\"b''\"]: a key of type bytes has no JSON form: use a str"),
        (
            "({'a': 1}, {'b': 2})",
            "TypeError: a handler returned (dict, dict): use (body, status), (body, status, headers), or a list",
        ),
    ],
    ids=["object", "complex", "NaN", "key of bytes", "tuple"],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_cannot_be_an_answer_is_a_500_and_the_log_says_why(
    serve: Serve, value: str, words: str, kind: str
) -> None:
    server = start(serve, f"@app.get('/')\n{kind} handler():\n    return {value}")
    reply = server.get("/")
    assert is_silent_500(reply)
    lines = server.stop().stderr.splitlines()
    assert lines[0] == f"GET / failed (request {reply.json()['request_id']})"
    assert lines[1].startswith(words)
    assert lines[2:] == [f"  {script_of(server)}:5 in handler", "      @app.get('/')"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("Response.text('x', status=99)", "ValueError: 99 is no status"),
        ("Response.text('x', headers={'a b': 'c'})", 'ValueError: "a b" is no name of a header field'),
        ("Response.text('x', headers={'a': 'b\\r\\nc: d'})", 'ValueError: the value of the header field "a"'),
        ("Response.json({}, headers={'content-length': '1'})", 'ValueError: the header field "content-length"'),
    ],
    ids=["status", "header name", "header value", "framing"],
)
def test_a_response_that_cannot_be_sent_is_refused_where_it_is_made(serve: Serve, made: str, words: str) -> None:
    server = start(serve, f"@app.get('/')\ndef handler():\n    return {made}")
    assert is_silent_500(server.get("/"))
    lines = server.stop().stderr.splitlines()
    assert lines[1].startswith(words)
    assert lines[2:] == [f"  {script_of(server)}:7 in handler", f"      return {made}"]


# --- native panics


def test_a_panic_of_native_code_is_a_500_for_its_request_alone(serve: Serve) -> None:
    server = start(
        serve,
        """
        from cello._kernel import _panic

        def panic():
            try:
                _panic()
            except Exception:
                return "an ordinary exception"

        @app.get("/sync")
        def sync_handler():
            return panic()

        @app.get("/async")
        async def async_handler():
            return panic()

        @app.get("/later")
        async def async_handler_after_an_await():
            await asyncio.sleep(0)
            return panic()

        @app.get("/callback")
        async def callback():
            reported = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().set_exception_handler(
                lambda loop, report: reported.set_result(type(report["exception"]).__name__)
            )
            asyncio.get_running_loop().call_soon(panic)
            try:
                return await reported
            finally:
                asyncio.get_running_loop().set_exception_handler(None)

        @app.get("/caught")
        def caught():
            try:
                panic()
            except BaseException as error:
                return type(error).__module__ + "." + type(error).__name__

        @app.get("/fine")
        async def fine():
            await asyncio.sleep(0)
            return str(asyncio.current_task().cancelling())
        """,
    )
    assert server.get("/caught").body == b"pyo3_runtime.PanicException"
    for path in ("/sync", "/async", "/later"):
        reply = server.get(path)
        assert is_silent_500(reply)
        assert server.get("/fine").body == b"0"
    assert server.get("/callback").body in (b"RuntimeError", b"PanicException")
    assert server.get("/fine").body == b"0"
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert stopped.stderr.count(" failed (request ") == 3
    assert stopped.stderr.count("native code panicked: as a test wants it") == 3


# --- applications that cannot start


def test_two_handlers_for_one_route_are_refused_by_file_and_line(tmp_path: Path) -> None:
    stopped = run_source(
        tmp_path,
        """
        from cello import App

        app = App()

        @app.get("/orders")
        def first():
            return 1

        @app.route("/orders", methods=["POST", "get"])
        async def second():
            return 2

        app.run()
        """,
    )
    script = tmp_path / "app.py"
    words = (
        "cello: GET /orders has two handlers: take one of them away, or give it another path or method\n"
        f"  {script}:6 in first\n"
        '      @app.get("/orders")\n'
        f"  {script}:10 in second\n"
        '      @app.route("/orders", methods=["POST", "get"])\n'
    )
    assert stopped == Stopped(3, "", words)


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [("request, name", "name"), ("request, *, a, b=1, c", "a"), ("*, one", "one"), ("a, b, /", "b")],
)
def test_a_handler_that_wants_what_nothing_provides_is_refused_by_file_and_line(
    tmp_path: Path, parameters: str, missing: str
) -> None:
    stopped = run_source(
        tmp_path,
        f"""
        from cello import App

        app = App()

        @app.get("/orders/{{id}}")
        def order({parameters}):
            return 1

        app.run()
        """,
    )
    words = (
        f"cello: GET /orders/{{id}}: it wants {missing}, which nothing provides: annotate it, have the path name it, "
        "or make it a dependency with Depends()\n"
        f'  {tmp_path / "app.py"}:6 in order\n      @app.get("/orders/{{id}}")\n'
    )
    assert stopped == Stopped(3, "", words)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("orders", 'the path "orders" must start with "/"'),
        ("/{id}{name}", 'the path "/{id}{name}"'),
        ("/{*rest}/x", 'the path "/{*rest}/x"'),
    ],
)
def test_a_path_that_cannot_be_one_is_refused(tmp_path: Path, path: str, words: str) -> None:
    stopped = run_source(
        tmp_path,
        f"""
        from cello import App

        app = App()

        @app.get("{path}")
        def order():
            return 1

        app.run()
        """,
    )
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert stopped.stderr.startswith(f"cello: {words}")
    assert stopped.stderr.endswith(f'\n  {tmp_path / "app.py"}:6 in order\n      @app.get("{path}")\n')
    assert len(stopped.stderr.splitlines()) == 3


# --- traces


def raised(code: str) -> BaseException:
    """What the code raises; its lines stand in a file named shop.py."""
    try:
        exec(compile(textwrap.dedent(code), "shop.py", "exec"), {})
    except BaseException as error:
        assert error.__traceback__ is not None
        return error.with_traceback(error.__traceback__.tb_next)
    raise AssertionError("it raised nothing")


def test_a_trace_names_the_lines_of_the_user_outermost_first() -> None:
    error = raised(
        """
        class Shop:
            def open(self):
                raise KeyError("door")

        def main():
            Shop().open()

        main()
        """
    )
    assert fold(error).splitlines() == [
        "KeyError: 'door'",
        "  shop.py:9 in <module>",
        "  shop.py:7 in main",
        "  shop.py:4 in Shop.open",
    ]


def test_frames_of_libraries_are_folded_and_counted_where_they_stand() -> None:
    error = raised(
        """
        import functools, json

        def hook(pairs):
            return json.loads("{")

        json.loads("{}", object_hook=hook)
        """
    )
    lines = fold(error).splitlines()
    assert lines[1:] == [
        "  shop.py:7 in <module>",
        "  … 3 frames in json",
        "  shop.py:5 in hook",
        "  … 3 frames in json",
    ]


def test_one_frame_is_one_frame_and_modules_are_named_once() -> None:
    error = raised("import concurrent.futures\nconcurrent.futures.Future().result(timeout=0)")
    assert fold(error).splitlines()[1:] == ["  shop.py:2 in <module>", "  … 1 frame in concurrent"]


def test_a_cause_stands_before_what_it_led_to() -> None:
    error = raised(
        """
        try:
            try:
                {}["a"]
            except KeyError as first:
                raise ValueError("b") from first
        except ValueError:
            raise TypeError("c")
        """
    )
    assert fold(error).splitlines() == [
        "KeyError: 'a'",
        "  shop.py:4 in <module>",
        "which led to",
        "ValueError: b",
        "  shop.py:6 in <module>",
        "which led to",
        "TypeError: c",
        "  shop.py:8 in <module>",
    ]


def test_a_context_that_was_suppressed_is_left_out() -> None:
    error = raised(
        """
        try:
            {}["a"]
        except KeyError:
            raise ValueError("b") from None
        """
    )
    assert fold(error).splitlines() == ["ValueError: b", "  shop.py:5 in <module>"]


def test_causes_that_go_round_in_a_circle_are_told_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert fold(first) == "ValueError: second\nwhich led to\nValueError: first"


def test_of_a_long_chain_both_ends_are_told() -> None:
    error = ValueError("0")
    for number in range(1, 1200):
        previous, error = error, ValueError(str(number))
        error.__context__ = previous
    lines = fold(error).splitlines()
    assert lines[:4] == ["ValueError: 0", "which led to", "ValueError: 1", "which led to"]
    assert lines[20] == "… 1180 more exceptions"
    assert lines[-1] == "ValueError: 1199"
    assert len(lines) == 41


def test_what_is_in_an_exception_group_is_told_inside_it() -> None:
    # Only the group's own words were.
    error = raised(
        """
        def fail(words):
            raise LookupError(words)

        def attempt(words):
            try:
                fail(words)
            except LookupError as error:
                return error

        raise ExceptionGroup("two", [attempt("a"), ExceptionGroup("one", [attempt("b")])])
        """
    )
    assert fold(error).splitlines() == [
        "ExceptionGroup: two (2 sub-exceptions)",
        "  shop.py:11 in <module>",
        "  1 of 2:",
        "    LookupError: a",
        "      shop.py:7 in attempt",
        "      shop.py:3 in fail",
        "  2 of 2:",
        "    ExceptionGroup: one (1 sub-exception)",
        "      1 of 1:",
        "        LookupError: b",
        "          shop.py:7 in attempt",
        "          shop.py:3 in fail",
    ]


def test_notes_and_places_in_malformed_sources_are_kept() -> None:
    error = raised("compile('def f(:', 'menu.py', 'exec')")
    error.add_note("while reading the menu")
    lines = fold(error).splitlines()
    assert lines[0] == '  File "menu.py", line 1'
    assert lines[-3:] == ["SyntaxError: invalid syntax", "while reading the menu", "  shop.py:1 in <module>"]


def test_a_handler_that_keeps_everybody_waiting_is_named_in_the_context_of_its_request(serve: Serve) -> None:
    server = serve("""
        import asyncio, logging, time
        from contextvars import ContextVar
        from cello import App

        app = App()
        name = ContextVar("name", default="none")
        told = []

        class Told(logging.Handler):
            def emit(self, record):
                if "kept everybody waiting" in record.msg:
                    told.append(f"{record.args[1]} in {name.get()}")

        logging.getLogger("cello").addHandler(Told())

        @app.get("/def")
        def in_place():
            name.set("its own")
            time.sleep(0.06)

        @app.get("/first")
        async def at_first():
            name.set("its own")
            time.sleep(0.06)

        @app.get("/later")
        async def later():
            name.set("its own")
            await asyncio.sleep(0)
            time.sleep(0.06)

        @app.get("/told")
        def tell():
            return told

        app.run(logs=False)
    """)
    for path in ("/def", "/first", "/later"):
        server.get(path)
    assert server.get("/told").json() == ["/def in its own", "/first in its own", "/later in its own"]


def test_a_handler_that_keeps_everybody_waiting_is_named_once_with_advice(serve: Serve) -> None:
    server = serve("""
        import asyncio, time
        from cello import App

        app = App()

        @app.get("/def")
        def slow_def(request):
            time.sleep(0.06)
            return "x"

        @app.get("/async")
        async def slow_async(request):
            await asyncio.sleep(0)
            time.sleep(0.06)
            return "x"

        @app.get("/waits")
        async def waits(request):
            await asyncio.sleep(0.06)
            return "x"

        app.run()
    """)
    for path in ("/def", "/async", "/waits") * 2:
        assert server.get(path).status == 200
    stderr = server.stop().slow
    assert stderr.count("GET /def") == 1
    assert stderr.count("GET /async") == 1
    assert "GET /def kept everybody waiting for 0.0" in stderr
    assert " in slow_def\n" in stderr
    assert "make it an async def that awaits" in stderr
    assert "GET /async kept everybody waiting" in stderr
    assert "asyncio.to_thread()" in stderr
