"""What a handler may return, and what becomes of it."""

from __future__ import annotations

import http.client
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Serve, Server


def start(serve: Serve, source: str) -> Server:
    """Serves `app` with the routes of the source."""
    preamble = "import http\nfrom cello import App, Response\napp = App()\n"
    return serve(f"{preamble}{textwrap.dedent(source)}\napp.run()\n", "--env", "production", "--workers", "1")


JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

VALUES: dict[str, tuple[int, str | None, bytes]] = {
    "{'a': 1}": (200, JSON, b'{"a":1}'),
    "[1, 'é']": (200, JSON, '[1,"é"]'.encode()),
    "7": (200, JSON, b"7"),
    "1.5": (200, JSON, b"1.5"),
    "True": (200, JSON, b"true"),
    "None": (200, JSON, b"null"),
    "__import__('collections').OrderedDict(b=1, a=2)": (200, JSON, b'{"b":1,"a":2}'),
    "'plain'": (200, TEXT, b"plain"),
    "''": (200, TEXT, b""),
    "type('Words', (str,), {})('of a subclass')": (200, TEXT, b"of a subclass"),
    "b'\\x00\\xff'": (200, BYTES, b"\x00\xff"),
    "bytearray(b'\\xfe')": (200, BYTES, b"\xfe"),
    "memoryview(b'\\xfd\\x00\\xfc')[::2]": (200, BYTES, b"\xfd\xfc"),
    "type('Raw', (bytes,), {})(b'\\xfb')": (200, BYTES, b"\xfb"),
    "({'a': 1}, 201)": (201, JSON, b'{"a":1}'),
    "('gone', 410)": (410, TEXT, b"gone"),
    "(b'\\xff', http.HTTPStatus.ACCEPTED)": (202, BYTES, b"\xff"),
    "(None, 204)": (204, None, b""),
    "('', 304)": (304, None, b""),
    "(None, 201)": (201, JSON, b"null"),
    "([1], 200, {'content-type': 'application/x+json'})": (200, "application/x+json", b"[1]"),
    "(Response.text('x'), 203)": (203, TEXT, b"x"),
    "(Response.text('x'), 200, {'content-type': 'text/x'})": (200, "text/x", b"x"),
}


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_a_handler_returns_becomes_the_answer_to_get_and_to_head(serve: Serve, kind: str) -> None:
    routes = [f"@app.get('/{index}')\n{kind} handler():\n    return {value}" for index, value in enumerate(VALUES)]
    server = start(serve, "\n".join(routes))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.connect()
    socket = connection.sock
    for index, (value, (status, content_type, body)) in enumerate(VALUES.items()):
        for method in ("GET", "HEAD"):
            connection.request(method, f"/{index}")
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("content-type")) == (status, content_type), value
            assert answer.read() == (body if method == "GET" else b""), value
            assert connection.sock is socket, value
    connection.close()


def test_a_tuple_s_status_and_fields_go_before_a_response_s_own_and_leave_it_as_it_was(serve: Serve) -> None:
    server = start(
        serve,
        """
        made = Response.text("x", status=202, headers=[("x-a", "1"), ("x-a", "2"), ("x-b", "3")])
        made.set_cookie("a", "1")

        @app.get("/over")
        def over():
            return made, 203, [("X-A", "4"), ("x-a", "5"), ("set-cookie", "b=2")]

        @app.get("/made")
        def as_it_was():
            return made
        """,
    )
    cookie = "SET-COOKIE: a=1; Path=/; SameSite=Lax"
    assert fields_of(server, "/over") == ["203", cookie, "SET-COOKIE: b=2", "X-A: 4", "X-A: 5", "X-B: 3"]
    assert fields_of(server, "/made") == ["202", cookie, "X-A: 1", "X-A: 2", "X-B: 3"]


def fields_of(server: Server, path: str) -> list[str]:
    """The status of an answer, and those of its fields that the application set."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    pairs = [(name.upper(), value) for name, value in answer.getheaders()]
    connection.close()
    return [str(answer.status), *sorted(f"{name}: {value}" for name, value in pairs if name.startswith(("X-", "SET-")))]


TUPLE = "use (body, status), (body, status, headers), or a list"
ADVISED = "has no JSON form: make it a dict, or its class a dataclass"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("()", f"TypeError: a handler returned (): {TUPLE}"),
        ("('a',)", f"TypeError: a handler returned (str): {TUPLE}"),
        ("('a', 'b')", f"TypeError: a handler returned (str, str): {TUPLE}"),
        ("('a', True)", f"TypeError: a handler returned (str, bool): {TUPLE}"),
        ("('a', {'x': 'y'})", f"TypeError: a handler returned (str, dict): {TUPLE}"),
        ("(('a', 200), 200)", f"TypeError: a handler returned (tuple, int): {TUPLE}"),
        ("(1, 2, 3, 4, 5)", f"TypeError: a handler returned (int, int, int, int, …): {TUPLE}"),
        ("('a', 1)", "ValueError: 1 is no status of a response: use 200 to 999"),
        ("('a', 10 ** 30)", "ValueError: 9223372036854775807 is no status of a response: use 200 to 999"),
        (
            "('a', 204)",
            "ValueError: a response with the status 204 has no body (RFC 9110 §15): leave the body out, or take "
            "another status",
        ),
        (
            "(Response.text('a'), 304)",
            "ValueError: a response with the status 304 has no body (RFC 9110 §15): leave the body out, or take "
            "another status",
        ),
        (
            "('a', 200, {'connection': 'close'})",
            'ValueError: the header field "connection" is the server\'s own to set',
        ),
        (
            "('a', 200, 3)",
            "TypeError: header fields are a mapping or pairs of str and str, and this is of type int",
        ),
        ("(object(), 200)", f"TypeError: $: a value of type object {ADVISED}"),
        ("Response", "TypeError: $: the class Response has no JSON form: call it, as in Response()"),
    ],
    ids=lambda value: value if value.startswith(("(", "Response")) else "",
)
def test_what_is_no_answer_is_a_500_and_the_log_says_what_was_returned(serve: Serve, value: str, words: str) -> None:
    server = start(serve, f"@app.get('/')\ndef handler():\n    return {value}")
    assert server.get("/").status == 500
    _, told, place, source = server.stop().stderr.splitlines()
    assert (told, source) == (words, "      @app.get('/')")
    assert place.endswith("app.py:4 in handler")


@pytest.mark.parametrize("layers", ["", ", middleware=[pass_on]"])
def test_an_error_that_is_returned_is_a_500_that_says_to_raise_it(serve: Serve, layers: str) -> None:
    server = start(
        serve,
        f"""
        from cello.errors import NotFound

        def pass_on(request, call_next):
            return call_next(request)

        @app.get("/"{layers})
        def handler():
            return NotFound("There is none.")

        @app.get("/tuple"{layers})
        def with_a_status():
            return ValueError("none"), 404
        """,
    )
    assert [server.get(path).status for path in ("/", "/tuple")] == [500, 500]
    told = [line for line in server.stop().stderr.splitlines() if line.startswith("TypeError")]
    assert told == [
        "TypeError: a handler returned NotFound, an exception: write `raise NotFound(…)`",
        "TypeError: a handler returned ValueError, an exception: write `raise ValueError(…)`",
    ]


def test_who_forgets_to_await_is_told(serve: Serve) -> None:
    server = start(
        serve,
        """
        import warnings
        warnings.simplefilter("ignore")

        async def find():
            return 1

        @app.get("/")
        def handler():
            return find()
        """,
    )
    assert server.get("/").status == 500
    _, told, place, _ = server.stop().stderr.splitlines()
    assert told == (
        "TypeError: a handler returned find(), which was not awaited: write `return await …`, in an `async def`"
    )
    assert place.endswith("app.py:11 in handler")
