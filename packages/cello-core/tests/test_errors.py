"""Errors over the wire: those that the framework raises, and those that handlers do."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
import re
import textwrap
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import cello
import pytest
from cello import App, ProblemDetails, errors
from cello._page import _shown
from cello._trace import fold
from cello.errors import (
    BadRequest,
    HTTPError,
    InternalServerError,
    MalformedJSON,
    MethodNotAllowed,
)
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from serving import Reply, Serve, Server

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

STANDARD = {"type", "title", "status", "detail", "instance", "request_id"}


def start(serve: Serve, source: str, *arguments: str, form: str = "problem") -> Server:
    """Serves `app` with the routes of the source, in production unless the arguments say otherwise."""
    preamble = (
        "import asyncio, json, time\nfrom cello import App, ProblemDetails, Response\nfrom cello.errors import *\n"
        f"app = App(errors={form!r})\n"
    )
    return serve(
        f"{preamble}{textwrap.dedent(source)}\napp.run()\n", "--env", "production", "--workers", "1", *arguments
    )


def raising(serve: Serve, error: str, *arguments: str, form: str = "problem") -> Server:
    """Serves an application whose one handler raises what the expression makes."""
    source = "@app.route('/', methods=['GET', 'POST'])\ndef handler(request):\n    raise " + error
    return start(serve, source, *arguments, form=form)


def problem_of(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The parts of a raw answer: status, header fields, problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert fields["content-length"] == str(len(body))
    return int(lines[0].split()[1]), fields, json.loads(body)


def assert_problem(answer: bytes, status: int) -> dict[str, str]:
    """Checks what all refusals have, and gives the header fields."""
    found, fields, problem = problem_of(answer)
    assert (found, problem["status"], problem["type"]) == (status, status, "about:blank")
    assert fields["content-type"] == "application/problem+json"
    assert re.fullmatch(r"[0-9a-f-]{36}", problem["request_id"])
    assert problem["detail"].endswith(".")
    assert problem.keys() | {"instance"} == STANDARD
    return fields


# --- what the framework itself refuses


ROUTES = "@app.post('/post')\ndef post(request):\n    return request.json()"

NO_HEADS = {"no head": b"hello\r\n\r\n", "no host": b"GET / HTTP/1.1\r\n\r\n"}

REFUSED = {
    "400 no JSON": (b"POST /post HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n[", 400),
    "404": (b"GET /caf%C3%A9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    "405": (b"GET /post HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405),
    "413": (b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
    "414": (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "431 fields": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 120 + b"\r\n", 431),
    "431": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED)
def test_what_the_framework_refuses_is_a_problem(serve: Serve, request_bytes: bytes, status: int) -> None:
    server = start(serve, ROUTES)
    fields = assert_problem(server.first_answer(request_bytes), status)
    assert ("allow" in fields) == (status == 405)
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


@pytest.mark.parametrize("request_bytes", NO_HEADS.values(), ids=NO_HEADS)
def test_a_head_that_is_none_is_refused_with_a_problem(serve: Serve, request_bytes: bytes) -> None:
    server = start(serve, ROUTES)
    assert "allow" not in assert_problem(server.exchange(request_bytes), 400)
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_the_connection_of_a_request_that_was_not_read_to_its_end_is_closed(serve: Serve) -> None:
    server = start(serve, ROUTES)
    for request_bytes in (*NO_HEADS.values(), REFUSED["413"][0], REFUSED["414"][0], REFUSED["431"][0]):
        _, fields, _ = problem_of(server.exchange(request_bytes))
        assert fields["connection"] == "close"


def test_a_head_that_cannot_be_parsed_is_refused_after_the_answers_before_it(serve: Serve) -> None:
    server = start(serve, "@app.get('/')\ndef handler():\n    return Response.text('', status=400)")
    good = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = server.exchange(good + good + b"GET / HTTP/1.1\r\nno field\r\n\r\n").split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"400"] * 3
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers[:2]] == [b"", b""]
    assert problem_of(b"HTTP/1.1 " + answers[2])[2]["title"] == "Bad Request"


def test_the_preface_of_http_2_is_not_answered_with_a_second_body(serve: Serve) -> None:
    server = start(serve, "@app.get('/')\ndef handler():\n    return Response.text('', status=400)")
    received = server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    first, _, rest = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400 ")
    assert b"content-length: 0" in first
    assert rest == b"" or problem_of(rest)[0] == 400


@pytest.mark.parametrize("path", ["/", "/nowhere"], ids=["raised", "native"])
@pytest.mark.parametrize("mode", [(), ("--debug",)], ids=["production", "debug"])
@pytest.mark.parametrize("accept", [BROWSER, {}], ids=["browser", "machine"])
def test_an_error_for_head_has_the_header_fields_and_no_body(
    serve: Serve, path: str, mode: tuple[str, ...], accept: dict[str, str]
) -> None:
    server = raising(serve, "Gone('It is gone.', headers={'x-more': 'yes'})", *mode)
    got, headed = (server.request(method, path, headers=accept) for method in ("GET", "HEAD"))
    assert headed.body == b""
    assert headed.status == got.status
    assert headed.headers.keys() == got.headers.keys()
    assert headed.headers["content-type"] == got.headers["content-type"]
    assert headed.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


# --- exceptions for handlers


NAMED = {
    "BadRequest": 400,
    "MalformedJSON": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "NotAcceptable": 406,
    "RequestTimeout": 408,
    "Conflict": 409,
    "Gone": 410,
    "LengthRequired": 411,
    "PreconditionFailed": 412,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "RangeNotSatisfiable": 416,
    "UnprocessableContent": 422,
    "PreconditionRequired": 428,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "BadGateway": 502,
    "ServiceUnavailable": 503,
    "GatewayTimeout": 504,
}


def test_every_named_error_has_its_status_and_takes_what_an_http_error_takes() -> None:
    every = {name for name in errors.__all__ if issubclass(getattr(errors, name), HTTPError)}
    assert every == {*NAMED, "HTTPError", "MethodNotAllowed"}
    more: dict[str, Any] = {"type": "/t", "title": "T", "headers": {"a": "b"}, "extensions": {"c": 1}}
    for name, status in NAMED.items():
        kind: Any = getattr(errors, name)
        assert (kind().status, kind().detail, str(kind("no"))) == (status, None, "no")
        assert str(kind()) == kind().title
        error = kind("no", **more)
        assert (error.type, error.title, error.extensions) == ("/t", "T", {"c": 1})
        assert error.headers[0] == ("a", "b")
    assert MethodNotAllowed(allow=["GET", "PUT"]).headers == (("allow", "GET, PUT"),)
    assert MethodNotAllowed(allow="GET").headers == (("allow", "GET"),)


def test_an_http_error_says_all_it_was_given(serve: Serve) -> None:
    server = raising(
        serve,
        "HTTPError(402, 'Your credit is 30.', type='https://example.org/credit', title='No credit',"
        " headers=[('x-a', '1'), ('x-b', '2')], extensions={'credit': 30, 'accounts': ['/a', '/b']})",
    )
    reply = server.get("/?secret=1")
    problem = reply.json()
    assert (reply.status, reply.headers["x-a"], reply.headers["x-b"]) == (402, "1", "2")
    assert reply.headers["content-type"] == "application/problem+json"
    assert problem.pop("request_id")
    assert problem == {
        "type": "https://example.org/credit",
        "title": "No credit",
        "status": 402,
        "detail": "Your credit is 30.",
        "instance": "/",
        "credit": 30,
        "accounts": ["/a", "/b"],
    }
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


@pytest.mark.parametrize("layer", ["", "app.before_request(lambda request: None)"])
def test_the_instance_is_the_path_as_it_was_sent_whoever_refuses_it(serve: Serve, layer: str) -> None:
    server = serve(f"""
        from cello import App
        from cello.errors import NotFound

        app = App()
        {layer}

        @app.get("/raised/{{name}}")
        def raised(request):
            raise NotFound(request.params["name"])

        app.run()
    """)
    for path in ("/raised/a%20b%2Fc%22", "/nowhere/a%20b%2Fc%22", "/raised/%C3%BC", "/nowhere/%C3%BC"):
        assert server.get(f"{path}?secret=1").json()["instance"] == path


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        ("Unauthorized()", {"www-authenticate": "Bearer"}),
        ("Unauthorized(challenge='Basic realm=\"x\"')", {"www-authenticate": 'Basic realm="x"'}),
        ("MethodNotAllowed(allow=('GET', 'PUT'))", {"allow": "GET, PUT"}),
        ("RangeNotSatisfiable(length_bytes=10)", {"content-range": "bytes */10"}),
        ("TooManyRequests(retry_after_s=1.2)", {"retry-after": "2"}),
        ("ServiceUnavailable(retry_after_s=0, headers={'x': 'y'})", {"retry-after": "0", "x": "y"}),
    ],
)
def test_an_error_brings_the_header_fields_that_belong_to_its_status(
    serve: Serve, error: str, fields: dict[str, str]
) -> None:
    reply = raising(serve, error).get("/")
    assert reply.status == eval(error, errors.__dict__).status
    assert fields.items() <= reply.headers.items()
    assert "detail" not in reply.json()


def test_the_status_line_has_the_phrase_of_the_title(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/{status:int}")
        def handler(request):
            raise HTTPError(request.get_param_int("status"))

        @app.get("/returned/{status:int}")
        def returned(request):
            return Response.error(request.get_param_int("status"))
        """,
    )
    for status, title in ((412, b"Precondition Failed"), (413, b"Content Too Large"), (422, b"Unprocessable Content")):
        for path in (f"/{status}", f"/returned/{status}"):
            answer = server.exchange(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 %d %b\r\n" % (status, title))
            assert problem_of(answer)[2]["title"] == title.decode()


def test_unprocessable_content_points_at_what_is_wrong(serve: Serve) -> None:
    server = raising(
        serve,
        "UnprocessableContent('Two things are wrong.', errors=[{'detail': 'must be positive', 'pointer': '#/age'},"
        " {'detail': 'is no colour', 'pointer': '#/a~1b/0'}, {'detail': 'is late'}], extensions={'more': True})",
    )
    problem = server.get("/").json()
    assert (problem["status"], problem["title"], problem["more"]) == (422, "Unprocessable Content", True)
    assert problem["errors"] == [
        {"detail": "must be positive", "pointer": "#/age"},
        {"detail": "is no colour", "pointer": "#/a~1b/0"},
        {"detail": "is late"},
    ]


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        ("HTTPError(200)", ValueError, "the status of HTTPError is 200: use 400 to 599"),
        ("HTTPError(600)", ValueError, "the status of HTTPError is 600: use 400 to 599"),
        ("HTTPError(True)", TypeError, "the status of HTTPError is an int, not bool"),
        ('HTTPError("404")', TypeError, "the status of HTTPError is an int, not str"),
        ('NotFound({"a": 1})', TypeError, "the detail of NotFound is a str, not dict"),
        ("NotFound(title=1)", TypeError, "the title of NotFound is a str, not int"),
        ("NotFound(type=None)", TypeError, "the type of NotFound is a str, not NoneType"),
        ('NotFound(headers={"a": "b\\r\\nc: d"})', ValueError, 'the value of the header field "a"'),
        ('NotFound(headers={"a b": "c"})', ValueError, '"a b" is no name of a header field'),
        ('NotFound(headers={"Content-Length": "1"})', ValueError, 'the header field "Content-Length"'),
        ('NotFound(headers={"Content-Type": "text/html"})', ValueError, "cannot have Content-Type"),
        ('NotFound(headers="a: b")', TypeError, "a mapping of str to str, or pairs"),
        ('NotFound(headers={"a": 1})', TypeError, "a mapping of str to str, or pairs"),
        ('Unauthorized(challenge="a\\nb")', ValueError, 'the value of the header field "www-authenticate"'),
        ('NotFound(extensions={"status": 200})', ValueError, "cannot have an extension 'status'"),
        ('NotFound(extensions={"request_id": 1})', ValueError, "cannot have an extension 'request_id'"),
        ('NotFound(extensions={"a": object()})', TypeError, "the extension 'a' of NotFound is no JSON: "),
        ('NotFound(extensions={"a": "\\ud800"})', ValueError, "the extension 'a' of NotFound is no JSON: "),
        ("NotFound(extensions={1: 1})", TypeError, "the extension 1 of NotFound has no name: use a str"),
        ("TooManyRequests(retry_after_s=-1)", ValueError, "retry_after_s is -1"),
        ('ServiceUnavailable(retry_after_s=float("nan"))', ValueError, "retry_after_s is nan"),
        ("RangeNotSatisfiable(length_bytes=-1)", ValueError, "length_bytes is -1"),
        ('UnprocessableContent(errors=[{"pointer": "#/a"}])', TypeError, "the detail of an error is a str"),
        ('UnprocessableContent(errors=[{"detail": "a", "pointer": "/a"}])', ValueError, "'/a' is no pointer"),
        ('UnprocessableContent(errors=[{"detail": "a", "pointer": "#a"}])', ValueError, "'#a' is no pointer"),
    ],
)
def test_an_error_that_cannot_be_sent_is_refused_where_it_is_made(make: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=re.escape(words)) as caught:
        eval(make, errors.__dict__)
    assert caught.type is kind


def test_an_error_survives_pickling_and_copying() -> None:
    for error in [
        HTTPError(418, "no", headers={"a": "b"}, extensions={"c": [1]}),
        MethodNotAllowed(allow=["GET"]),
        MalformedJSON("no"),
    ]:
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is type(error)
            assert vars(twin) == vars(error)
            assert str(twin) == str(error)


@given(st.text(alphabet=st.characters(), max_size=50), st.text(alphabet=st.characters(), max_size=50))
def test_any_text_can_be_a_detail_and_a_title(detail: str, title: str) -> None:
    assert HTTPError(400, detail, title=title).detail == detail
    body = json.loads(ProblemDetails("about:blank", title, 400, detail).to_json())
    assert body["detail"] == detail.encode(errors="backslashreplace").decode()
    assert body["title"] == title.encode(errors="backslashreplace").decode()


@pytest.mark.parametrize("form", ["problem", "legacy"])
def test_odd_and_endless_words_are_sent_as_far_as_they_can_be(serve: Serve, form: str) -> None:
    server = start(
        serve,
        """
        @app.get("/odd")
        def odd():
            raise BadRequest("\\x00\\x1b[31m\\ud800\\u202e")

        @app.get("/long")
        def long():
            raise BadRequest("é" * 100_000, title="t" * 100_000)
        """,
        form=form,
    )
    member = "error" if form == "legacy" else "detail"
    assert server.get("/odd").json()[member] == "\x00\x1b[31m\\ud800\u202e"
    words = server.get("/long").json()[member]
    assert words == "é" * 9_999 + "…"
    assert server.stop().stderr == ""


def test_a_500_on_purpose_is_logged_once_with_its_cause_and_told_in_its_own_words(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/")
        def handler():
            try:
                json.loads("{")
            except ValueError as error:
                raise InternalServerError("The shop's catalogue is broken.") from error
        """,
    )
    problem = server.get("/").json()
    assert problem["detail"] == "The shop's catalogue is broken."
    assert problem.keys() == STANDARD
    log = server.stop().stderr
    assert log.count(f"failed (request {problem['request_id']})") == 1
    assert "json.decoder.JSONDecodeError" in log
    assert "cello.errors.InternalServerError: The shop's catalogue is broken." in log


def test_an_error_that_was_spoilt_after_it_was_made_is_a_500_that_is_logged(serve: Serve) -> None:
    server = start(
        serve,
        """
        class Spoilt(HTTPError):
            def __init__(self):
                pass

        @app.get("/bare")
        def bare():
            raise Spoilt()

        @app.get("/changed")
        def changed():
            error = Conflict("secret")
            error.extensions["a"] = object()
            raise error
        """,
    )
    for path in ("/bare", "/changed"):
        reply = server.get(path)
        assert (reply.status, reply.json()["detail"]) == (500, "The server failed to answer this request.")
    log = server.stop().stderr
    assert log.count(" failed (request ") == 2
    assert "in changed\n      raise error\nwhich led to\nTypeError: " in log


# --- nothing of an exception leaves the house


LEAKY = """
    class Loud(Exception):
        def __repr__(self):
            raise RuntimeError("hush-repr")

    def cause():
        raise KeyError("hush-cause")

    def fail(kind):
        try:
            cause()
        except KeyError as error:
            failure = {
                "plain": ValueError("hush-plain"),
                "loud": Loud("hush-loud"),
                "group": ExceptionGroup("hush-group", [ValueError("hush-member"), Loud("hush-member")]),
                "mute": type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})(),
                "hushed": type("HushError", (BaseException,), {})("hush"),
                "os": FileNotFoundError(2, "hush-os", "/etc/hush"),
            }[kind]
            failure.add_note("hush-note")
            raise failure from error

    @app.get("/sync/{kind}")
    def handler(request):
        fail(request.params["kind"])

    @app.get("/async/{kind}")
    async def other(request):
        await asyncio.sleep(0)
        fail(request.params["kind"])
"""


@pytest.mark.parametrize("form", ["problem", "legacy"])
def test_outside_debug_a_client_learns_nothing_of_an_exception(serve: Serve, form: str) -> None:
    server = start(serve, LEAKY, form=form)
    kinds = ("plain", "loud", "group", "mute", "hushed", "os")
    for path in [f"/{way}/{kind}" for way in ("sync", "async") for kind in kinds]:
        for headers in ({}, BROWSER):
            reply = server.request("GET", path, headers=headers)
            assert reply.status == 500
            assert reply.headers["content-type"].endswith("json")
            told = reply.json()
            told.pop("instance", None)
            words = json.dumps([told, reply.headers]).lower()
            assert not [word for word in ("hush", "error:", ".py", "line", "loud", "trace", "mute") if word in words]
    assert server.stop().stderr.count(" failed (request ") == 24


def test_exceptions_of_any_shape_are_told_within_bounds() -> None:
    nested: Exception = ValueError("innermost")
    for _ in range(500):
        nested = ExceptionGroup[Exception]("g", [nested])
    assert len(fold(nested).splitlines()) < 50
    wide = fold(ExceptionGroup("g", [ValueError(str(number)) for number in range(10_000)])).splitlines()
    assert wide[-1] == "  … 9990 more exceptions"
    assert len(wide) < 50

    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    lines = fold(caught.value).splitlines()
    assert re.fullmatch(r"  … the same \d+ more times", lines[-1])
    assert len(lines) < 15

    def back() -> None:
        forth()

    def forth() -> None:
        back()

    with pytest.raises(RecursionError) as caught:
        back()
    lines = fold(caught.value).splitlines()
    assert any(re.fullmatch(r"  … \d+ more frames", line) for line in lines)
    assert len(lines) < 250


# --- pages, in debug


HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "p", "h1", "h2"),
    *("code", "pre", "span", "mark", "table", "tr", "th", "td"),
}


class Elements(HTMLParser):
    """The elements of a page and their attributes, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def page_of(server: Server, path: str = "/", headers: dict[str, str] | None = None) -> str:
    """The page of an error, whose promises are checked."""
    reply = server.request("GET", path, headers={**BROWSER, **(headers or {})})
    html = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["vary"] == "accept"
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = reply.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "prefers-color-scheme:dark" in style
    assert not re.search(r"url\(|@import", style)
    elements = Elements()
    elements.feed(html)
    assert {"h1", "style"} <= elements.tags <= HARMLESS
    assert elements.attributes == {"charset", "class", "content", "lang", "name"}
    assert reply.headers["content-length"] == str(len(reply.body))
    return html.replace(style, "")


def test_a_browser_gets_a_page_in_debug_with_the_failing_line_on_top(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/orders/{id}")
        def order(request):
            return find(request.params["id"])

        def find(id):
            # the line before
            return json.loads("{" + id)
            # the line after
        """,
        "--debug",
    )
    html = page_of(server, "/orders/7")
    text = re.sub(r"<[^>]*>", "\n", html)
    assert "500 Internal Server Error" in text
    assert "JSONDecodeError: Expecting property name" in text
    assert "GET /orders/7" in text
    (marked, second) = re.findall(r"<mark>(.*?)</mark>", html)
    assert re.fullmatch(r" +\d+ +return json\.loads\(&quot;\{&quot; \+ id\)", marked)
    assert "return find(" in second
    assert "# the line before" in text
    assert "# the line after" in text
    assert "… 3 frames in json" in text
    request_id = re.findall(r"Request <code>([0-9a-f-]{36})</code>", html)
    assert server.stop().stderr.startswith(f"GET /orders/7 failed (request {request_id[0]})\n")


def test_a_page_tells_causes_groups_and_notes(serve: Serve) -> None:
    server = start(serve, LEAKY, "--debug")
    text = re.sub(r"<[^>]*>", "\n", page_of(server, "/sync/group"))
    words = [
        "ExceptionGroup: hush-group",
        "hush-note",
        "1 of 2:",
        "ValueError: hush-member",
        "which came of",
        "KeyError",
    ]
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert "ZeroDivisionError" not in page_of(server, "/sync/mute")
    assert "Loud: hush-loud" in page_of(server, "/async/loud")


def test_nothing_in_a_page_is_anything_but_text(serve: Serve) -> None:
    attack = "</code></h1><script>alert(1)</script><img src=x onerror='alert(2)'>\""
    source = f"""
        attack = {attack!r} + "\\ud800\\x00"
        @app.get("/{{rest}}")
        def handler():
            error = type(attack.replace("\\ud800", "").replace("\\x00", ""), (Exception,), {{}})(attack)
            error.add_note(attack)
            scope = {{}}
            exec(compile("def f():\\n raise error", attack.replace("\\x00", ""), "exec"), {{"error": error}}, scope)
            scope["f"]()
    """
    server = start(serve, source, "--debug")
    html = page_of(server, "/%3Cb%3E'&", {"x-attack": attack, "user-agent": "<b>"})
    # The type's name, the words, the note, the file's name and the header field, the first two in the heading too.
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 7
    assert "<code>GET /%3Cb%3E&#x27;&amp;</code>" in html
    assert "<code>GET /no/&#x27;&amp;</code>" in page_of(server, "/no/'&")


def test_a_page_shows_the_header_fields_without_secrets(serve: Serve) -> None:
    server = raising(serve, "ValueError()", "--debug")
    headers = {
        "Authorization": "Bearer hush",
        "Cookie": "session=hush",
        "X-Api-Key": "hush",
        "X-Csrf-Token": "hush",
        "Referer": "http://x/reset?token=hush",
        "X-Plain": "plain",
        "X-Long": "x" * 2000,
    }
    html = page_of(server, "/?password=hush", headers)
    assert "hush" not in html
    assert html.count("•••") == 4
    assert "<th>x-plain</th><td>plain</td>" in html
    assert "<td>http://x/reset?…</td>" in html
    assert "x" * 500 + "…" in html
    assert _shown("proxy-authorization", "a") == _shown("set-cookie", "a") == _shown("x-secret", "a") == "•••"


def test_an_http_error_is_a_page_with_its_header_fields_and_members(serve: Serve) -> None:
    error = "UnprocessableContent('Not <so>.', errors=[{'detail': '<b>'}], headers={'x-more': 'yes'})"
    server = raising(serve, error, "--debug")
    reply = server.request("GET", "/", headers=BROWSER)
    assert (reply.status, reply.headers["x-more"]) == (422, "yes")
    html = page_of(server)
    assert "<h1>Not &lt;so&gt;.</h1>" in html
    assert "<h2>errors</h2>" in html
    assert "&lt;b&gt;" in html
    assert server.stop().stderr == ""


@pytest.mark.parametrize("path", ["/nowhere", "/post"], ids=["404", "405"])
def test_native_refusals_are_pages_in_debug_too(serve: Serve, path: str) -> None:
    server = start(serve, ROUTES, "--debug")
    html = page_of(server, path)
    assert f"<code>GET {path}</code>" in html
    assert ("405 Method Not Allowed" in html) == (path == "/post")
    reply = server.request("GET", path, headers=BROWSER)
    assert reply.headers.get("allow") == ("OPTIONS, POST" if path == "/post" else None)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html", "text/html;q=0.1, */*"])
def test_whoever_does_not_prefer_a_page_gets_none(serve: Serve, accept: str) -> None:
    server = raising(serve, "ValueError('no')", "--debug")
    for path in ("/", "/nowhere"):
        reply = server.request("GET", path, headers={"Accept": accept})
        assert reply.headers["content-type"] == "application/problem+json"
        assert "trace" in reply.json() or path == "/nowhere"


@pytest.mark.parametrize("error", ["ValueError('no')", "NotFound()"])
def test_outside_debug_a_browser_gets_the_problem(serve: Serve, error: str) -> None:
    server = raising(serve, error)
    for path in ("/", "/nowhere"):
        reply = server.request("GET", path, headers=BROWSER)
        assert reply.headers["content-type"] == "application/problem+json"


# --- the older forms


def pair_of(reply: Reply) -> tuple[int, str]:
    """What a golden test compares."""
    assert reply.headers["content-type"] == "application/json"
    return reply.status, reply.body.decode()


NOT_JSON = '{"detail":[{"loc":["body"],"msg":"Invalid JSON body","type":"value_error.json"}]}'


def test_the_legacy_form_of_an_unknown_route(serve: Serve) -> None:
    server = start(serve, ROUTES, form="legacy")
    assert pair_of(server.get("/nope")) == (404, '{"error":"Not Found: GET /nope","status":404}')
    assert pair_of(server.request("DELETE", "/nope")) == (404, '{"error":"Not Found: DELETE /nope","status":404}')


def test_the_legacy_form_of_another_method(serve: Serve) -> None:
    reply = start(serve, ROUTES, form="legacy").get("/post")
    assert pair_of(reply) == (405, '{"error":"Method Not Allowed: GET /post","status":405}')
    assert reply.headers["allow"] == "OPTIONS, POST"


def test_the_legacy_form_of_malformed_json(serve: Serve) -> None:
    server = start(serve, ROUTES, form="legacy")
    assert pair_of(server.post("/post", b"[")) == (422, NOT_JSON)
    assert server.stop().stderr == ""


def test_the_legacy_form_of_an_exception(serve: Serve) -> None:
    expected = (500, '{"error":"Internal Server Error","status":500}')
    assert pair_of(raising(serve, "ValueError('msg')", form="legacy").get("/")) == expected


def test_the_legacy_form_of_an_exception_in_debug(serve: Serve) -> None:
    expected = (500, '{"error":"Handler error: ValueError: msg","status":500}')
    assert pair_of(raising(serve, "ValueError('msg')", "--debug", form="legacy").get("/")) == expected


def test_the_legacy_form_of_a_body_that_is_too_long(serve: Serve) -> None:
    received = start(serve, ROUTES, form="legacy").first_answer(REFUSED["413"][0])
    status, fields, body = problem_of(received)
    assert (status, fields["content-type"]) == (413, "application/json")
    assert body == {"error": "Payload Too Large: request body exceeds limit", "status": 413}


def test_the_legacy_form_of_a_head_that_cannot_be_parsed(serve: Serve) -> None:
    status, fields, body = problem_of(start(serve, ROUTES, form="legacy").exchange(b"hello\r\n\r\n"))
    assert (status, fields["content-type"], fields["connection"]) == (400, "application/json", "close")
    assert body == {"error": "The head of the request is not well-formed (RFC 9112).", "status": 400}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("NotFound('There is no such order.')", (404, '{"error":"There is no such order.","status":404}')),
        ("Forbidden()", (403, '{"error":"Forbidden","status":403}')),
        ("Conflict('no', extensions={'by': 'x'})", (409, '{"by":"x","error":"no","status":409}')),
    ],
)
def test_the_legacy_form_of_an_http_error(serve: Serve, error: str, expected: tuple[int, str]) -> None:
    assert pair_of(raising(serve, error, form="legacy").get("/")) == expected


def test_another_form_of_errors_is_refused() -> None:
    wrong: Any = "xml"
    with pytest.raises(ValueError, match="there are no errors of the form 'xml': use one of problem, legacy"):
        App(errors=wrong)
    positional: Any = App
    with pytest.raises(TypeError):
        positional("legacy")


# --- problems as values


def test_a_problem_can_be_returned(serve: Serve) -> None:
    server = start(
        serve,
        """
        SOLD_OUT = ProblemDetails("https://example.org/sold-out", "It is sold out.", 409)

        @app.get("/value")
        def value():
            return SOLD_OUT.with_extension("next_in_days", 3)

        @app.get("/bare")
        async def bare():
            await asyncio.sleep(0)
            return SOLD_OUT

        @app.get("/response")
        def response():
            return ProblemDetails("/t", "T", 503, "d", "/i").to_response()
        """,
    )
    replies = [server.get(path) for path in ("/value", "/bare", "/response")]
    assert {reply.headers["content-type"] for reply in replies} == {"application/problem+json"}
    assert [reply.status for reply in replies] == [409, 409, 503]
    sold_out = {"type": "https://example.org/sold-out", "title": "It is sold out.", "status": 409}
    assert [reply.json() for reply in replies] == [
        {**sold_out, "next_in_days": 3},
        sold_out,
        {"type": "/t", "title": "T", "status": 503, "detail": "d", "instance": "/i"},
    ]


def test_an_extension_is_in_the_copy_alone() -> None:
    problem = ProblemDetails("about:blank", "T", 400)
    longer = problem.with_extension("a", 1).with_extension("b", [None])
    assert problem.extensions == {}
    assert longer.extensions == {"a": 1, "b": [None]}
    assert longer.to_json() == '{"type":"about:blank","title":"T","status":400,"a":1,"b":[null]}'
    assert repr(longer) == "<ProblemDetails 400 'T'>"
    assert longer.to_response().status == 400


@pytest.mark.parametrize("name", ["type", "title", "status", "detail", "instance"])
def test_an_extension_cannot_take_a_standard_member_s_name(name: str) -> None:
    problem = ProblemDetails("about:blank", "T", 400)
    with pytest.raises(ValueError, match=f"a ProblemDetails cannot have an extension '{name}'"):
        problem.with_extension(name, 1)


def test_a_problem_that_cannot_be_sent_is_refused_where_it_is_made() -> None:
    wrong: Any = 4
    with pytest.raises(ValueError, match="the status of a ProblemDetails is 99: use 400 to 599"):
        ProblemDetails("about:blank", "T", 99)
    with pytest.raises(TypeError, match="the title of a ProblemDetails is a str, not int"):
        ProblemDetails("about:blank", wrong, 400)
    with pytest.raises(TypeError, match="the extension 'a' of a ProblemDetails is no JSON: "):
        ProblemDetails("about:blank", "T", 400).with_extension("a", object())


def test_what_makes_no_response_of_itself_is_a_500(serve: Serve) -> None:
    server = start(
        serve,
        """
        class Odd:
            def to_response(self):
                return self

        @app.get("/")
        def handler():
            return Odd()
        """,
    )
    assert server.get("/").status == 500
    assert "TypeError: a to_response() did not return a Response" in server.stop().stderr


def test_problems_and_errors_are_where_they_are_said_to_be() -> None:
    assert cello.ProblemDetails is ProblemDetails
    assert issubclass(MalformedJSON, BadRequest)
    assert issubclass(MalformedJSON, ValueError)
    assert InternalServerError().status == 500
