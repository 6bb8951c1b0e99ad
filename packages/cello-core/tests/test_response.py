"""Responses made by hand: their kinds, their header fields and their cookies."""

from __future__ import annotations

import contextlib
import datetime
import http
import http.client
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import pytest
from cello import Response
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Serve, Server

EVERY_BYTE = bytes(range(256))

#: One route for each kind; what each answers stands in `ANSWERS`.
KINDS = """
    from cello import App, Response

    app = App()
    every_byte = bytes(range(256))
    kinds = {
        "json": lambda: Response.json({"a": [1, "é"]}, status=202),
        "text": lambda: Response.text("Grüße", status=410),
        "html": lambda: Response.html("<p>Grüße</p>"),
        "xml": lambda: Response.xml({"user": {"name": "A & B"}}, root_name="reply"),
        "xml-str": lambda: Response.xml("<as>it is</as>"),
        "xml-bytes": lambda: Response.xml(b'<?xml version="1.0" encoding="latin1"?><a>\\xe9</a>'),
        "binary": lambda: Response.binary(every_byte),
        "binary-typed": lambda: Response.binary(bytearray(every_byte), "image/x-odd", status=203),
        "binary-view": lambda: Response.binary(memoryview(every_byte)[::2]),
        "redirect": lambda: Response.redirect("/elsewhere"),
        "no-content": lambda: Response.no_content(headers={"x-done": "yes"}),
        "created": lambda: Response.created({"id": 7}, location="/users/7"),
        "created-empty": lambda: Response.created(),
        "error": lambda: Response.error(409, "It is there already."),
        "plain": lambda: Response("text", 201, {"x-a": "1"}, "text/csv"),
        "empty": lambda: Response(),
        "bytes": lambda: Response(every_byte),
        "dict": lambda: Response({"a": 1}),
    }
    for name, make in kinds.items():
        app.get(f"/{name}")(make)

    app.run()
"""

#: status, content type, body
ANSWERS: dict[str, tuple[int, str | None, bytes]] = {
    "json": (202, "application/json", '{"a":[1,"é"]}'.encode()),
    "text": (410, "text/plain; charset=utf-8", "Grüße".encode()),
    "html": (200, "text/html; charset=utf-8", "<p>Grüße</p>".encode()),
    "xml": (
        200,
        "application/xml; charset=utf-8",
        b'<?xml version="1.0" encoding="UTF-8"?><reply><user><name>A &amp; B</name></user></reply>',
    ),
    "xml-str": (200, "application/xml; charset=utf-8", b"<as>it is</as>"),
    "xml-bytes": (200, "application/xml", b'<?xml version="1.0" encoding="latin1"?><a>\xe9</a>'),
    "binary": (200, "application/octet-stream", EVERY_BYTE),
    "binary-typed": (203, "image/x-odd", EVERY_BYTE),
    "binary-view": (200, "application/octet-stream", EVERY_BYTE[::2]),
    "redirect": (302, None, b""),
    "no-content": (204, None, b""),
    "created": (201, "application/json", b'{"id":7}'),
    "created-empty": (201, None, b""),
    "error": (
        409,
        "application/problem+json",
        b'{"type":"about:blank","title":"Conflict","status":409,"detail":"It is there already."}',
    ),
    "plain": (201, "text/csv", b"text"),
    "empty": (200, None, b""),
    "bytes": (200, "application/octet-stream", EVERY_BYTE),
    "dict": (200, "application/json", b'{"a":1}'),
}


def pairs_of(server: Server, path: str) -> list[tuple[str, str]]:
    """The header fields of an answer, each as often as it was sent."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.request("GET", path)
    pairs = [(name.lower(), value) for name, value in connection.getresponse().getheaders()]
    connection.close()
    return [(name, value) for name, value in pairs if name not in ("date", "content-length")]


def test_every_kind_is_sent_as_it_was_made_to_get_and_to_head_on_one_connection(serve: Serve) -> None:
    server = serve(KINDS)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.connect()
    socket = connection.sock
    assert socket
    for name, (status, content_type, body) in ANSWERS.items():
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, f"/{name}")
            answer = connection.getresponse()
            # HEAD may leave out what GET would say (RFC 9110 §8.6), and does of an empty body.
            length = None if status == 204 or (method == "HEAD" and not body) else str(len(body))
            assert (answer.status, answer.getheader("content-type")) == (status, content_type), name
            assert answer.getheader("content-length") == length, name
            assert answer.read() == (body if method == "GET" else b""), name
            assert connection.sock is socket, name
    connection.close()


def test_a_made_or_moved_resource_is_located(serve: Serve) -> None:
    server = serve(KINDS)
    assert server.get("/created").headers["location"] == "/users/7"
    assert server.get("/redirect").headers["location"] == "/elsewhere"
    assert "location" not in server.get("/created-empty").headers
    assert server.get("/no-content").headers["x-done"] == "yes"


# --- status and body


@pytest.mark.parametrize("status", [99, 100, 103, 199, 1000, -1, 65736, True])
def test_what_is_no_status_of_a_response_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=f"{int(status)} is no status of a response: use 200 to 999"):
        Response.text("x", status=status)
    response = Response.text("x")
    with pytest.raises(ValueError, match="is no status of a response"):
        response.status = status
    assert response.status == 200


def test_a_status_may_be_of_the_enum_and_be_changed() -> None:
    response = Response.json([], status=http.HTTPStatus.CREATED)
    assert response.status == 201
    response.status = http.HTTPStatus.ACCEPTED
    assert response.status == 202
    with pytest.raises(TypeError):
        response.status = "200"  # type: ignore[assignment]  # pyright: ignore


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_is_refused_with_one(status: int) -> None:
    words = f"a response with the status {status} has no body"
    with pytest.raises(ValueError, match=words):
        Response("x", status)
    with pytest.raises(ValueError, match=words):
        Response.json(None, status)
    with pytest.raises(ValueError, match=words):
        Response.stream([b"x"], status=status)
    response = Response.text("x")
    with pytest.raises(ValueError, match=words):
        response.status = status
    empty = Response.text("", status=status)
    assert (empty.status, empty.body(), empty.content_type()) == (status, b"", None)


def test_a_response_tells_what_it_will_send() -> None:
    response = Response.text("Grüße")
    assert response.body() == "Grüße".encode()
    assert response.content_length() == 7
    assert response.content_type() == "text/plain; charset=utf-8"
    assert repr(response) == "<Response 200, 7 bytes>"
    stream = Response.stream(iter([b"a"]), content_type="text/csv", status=201)
    assert (stream.content_length(), stream.content_type(), stream.status) == (None, "text/csv", 201)
    assert repr(stream) == "<Response 201, a stream>"
    with pytest.raises(ValueError, match="known only when it has been sent"):
        stream.body()


def no_pieces() -> Any:
    """Something that can only be asked for its pieces."""
    yield b""


@pytest.mark.parametrize("given", ["text", b"bytes", bytearray(b"x"), {"a": 1}, 3, None])
def test_a_stream_is_made_of_what_has_pieces(given: Any) -> None:
    with pytest.raises(TypeError, match="a stream is made of an iterator"):
        Response.stream(given)
    assert Response.stream(no_pieces()).content_type() is None


def test_who_forgets_to_call_a_generator_is_told() -> None:
    with pytest.raises(TypeError, match="not of an object of type function: call it, and give what it returns"):
        Response.stream(no_pieces)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("made", "plain"),
    [
        (Response.json({}, None), Response.json({})),
        (Response.text("a", status=None), Response.text("a")),
        (Response.html("a", None), Response.html("a")),
        (Response.xml({"a": 1}, None, None), Response.xml({"a": 1})),
        (Response.binary(b"a", None, None), Response.binary(b"a")),
        (Response.redirect("/", None, None), Response.redirect("/")),
        (Response.created(None, None), Response.created()),
        (Response.sendfile(__file__, None, None), Response.sendfile(__file__)),
        (Response.file(__file__, None, None, None), Response.file(__file__)),
        (Response("a", None, None, None), Response("a")),
    ],
)
def test_none_in_the_place_of_an_argument_is_its_default(made: Response, plain: Response) -> None:
    assert (made.status, made.headers.items(), made.body()) == (plain.status, plain.headers.items(), plain.body())


@pytest.mark.parametrize("data", ["text", 3, [1], None])
def test_a_binary_body_is_bytes(data: Any) -> None:
    with pytest.raises(TypeError, match="a binary body is bytes, bytearray or memoryview, not "):
        Response.binary(data)


# --- header fields


def test_header_fields_are_a_live_mapping_whatever_the_case() -> None:
    response = Response.text("", headers=[("X-A", "1"), ("x-a", "2"), ("X-B", "3")])
    headers = response.headers
    assert headers["X-a"] == headers.get("x-A") == "1"
    assert headers.get_all("x-a") == ["1", "2"]
    assert (headers.get("x-c"), headers.get("x-c", "?"), headers.get_all("x-c")) == (None, "?", [])
    assert "X-B" in headers
    assert "x-c" not in headers
    assert 3 not in headers
    assert headers.keys() == list(headers) == ["x-a", "x-b", "content-type"]
    assert len(headers) == 3
    assert headers.items() == [("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("content-type", "text/plain; charset=utf-8")]
    assert headers.values() == [value for _, value in headers.items()]
    headers["x-a"] = "4"
    del headers["X-B"]
    response.set_header("x-d", "5")
    assert dict(headers.items()) == {"x-a": "4", "content-type": "text/plain; charset=utf-8", "x-d": "5"}
    assert Response.text("", headers=headers).headers["x-d"] == "5"
    assert repr(Response(headers={"a": "b"}).headers) == "<ResponseHeaders [('a', 'b')]>"
    for remove in (response.delete_header, headers.__delitem__, headers.__getitem__):
        with pytest.raises(KeyError, match="X-B"):
            remove("X-B")


def test_several_fields_are_set_at_once_and_one_where_it_is_not() -> None:
    response = Response.text("", headers=[("x-a", "1"), ("x-a", "2")])
    response.set_cookie("a", path=None, samesite=None)
    response.headers.update({"X-A": "3", "X-B": "4", "Set-Cookie": "b="})
    response.headers.update([("x-c", "5"), ("x-c", "6")])
    response.headers.update(response.headers)
    assert response.headers.get_all("set-cookie") == ["a=", "b="] * 2
    assert [response.headers.setdefault(name, "7") for name in ("x-a", "X-C", "X-D", "x-d")] == ["3", "5", "7", "7"]
    assert dict(response.headers)["x-b"] == "4"
    assert response.headers.get_all("x-c") == ["5", "6"]
    assert response.headers.setdefault("content-type", "text/html") == "text/plain; charset=utf-8"
    wrong: list[Callable[[], object]] = [
        lambda: response.headers.update({"x-e": "a\nb"}),
        lambda: response.headers.setdefault("x-e", "a\nb"),
        lambda: response.headers.setdefault("x-a", "a\nb"),
        lambda: response.headers.update({"Content-Length": "1"}),
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="the header field"):
            change()
    assert "x-e" not in response.headers


def test_a_field_is_set_once_appended_beside_and_deleted() -> None:
    response = Response.json({})
    response.append_header("Vary", "Accept")
    response.append_header("vary", "Origin")
    assert response.headers.get_all("vary") == ["Accept", "Origin"]
    response.set_header("VARY", "*")
    assert response.headers.get_all("vary") == ["*"]
    response.delete_header("Vary")
    assert "vary" not in response.headers


def test_there_is_one_content_type_however_it_is_said() -> None:
    response = Response.json({})
    response.set_header("Content-Type", "application/a+json")
    assert response.headers.get_all("content-type") == ["application/a+json"]
    response.append_header("content-type", "application/b+json")
    assert response.headers.get_all("content-type") == [response.content_type()] == ["application/b+json"]
    response.delete_header("content-type")
    assert response.content_type() is None
    said = Response("x", headers={"content-type": "text/a"}, content_type="text/b")
    assert said.headers.items() == [("content-type", "text/a")]


def test_fields_of_a_kind_give_way_to_those_that_are_given() -> None:
    headers = {"Location": "/b", "content-type": "text/x"}
    assert Response.created({}, location="/a", headers=headers).headers.items() == [
        ("location", "/b"),
        ("content-type", "text/x"),
    ]


# Line breaks were dropped without a word, and what stood after them became part of the value.
@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\x7f"])
def test_a_value_with_a_control_character_is_refused_by_the_name_of_its_field(value: str) -> None:
    response = Response.text("")
    for act in set_in_every_way(response, "x-note", value):
        with pytest.raises(ValueError, match='the header field "x-note" has a line break or another control character'):
            act()
    assert "x-note" not in response.headers


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é", "a\0"])
def test_what_is_no_name_of_a_field_is_refused(name: str) -> None:
    for act in set_in_every_way(Response.text(""), name, "x"):
        with pytest.raises(ValueError, match="is no name of a header field"):
            act()


@pytest.mark.parametrize("name", ["Connection", "content-length", "Transfer-Encoding"])
def test_what_frames_a_message_is_the_servers_own(name: str) -> None:
    for act in set_in_every_way(Response.text(""), name, "1"):
        with pytest.raises(ValueError, match=f'the header field "{name}" is the server\'s own to set'):
            act()


def set_in_every_way(response: Response, name: str, value: str) -> list[Callable[[], object]]:
    """Every way to set a field."""
    return [
        lambda: response.set_header(name, value),
        lambda: response.append_header(name, value),
        lambda: response.headers.__setitem__(name, value),
        lambda: Response.text("", headers={name: value}),
        lambda: Response("", headers=[(name, value)]),
    ]


def test_a_character_beyond_latin1_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r'"x-note" has the character \'€\', .* percent-encode it'):
        Response.text("", headers={"x-note": "5 €"})
    with pytest.raises(ValueError, match='"x-note" has a lone surrogate'):
        Response.text("", headers={"x-note": "\ud800"})


@pytest.mark.parametrize("headers", ["a: b", 3, [("a", "b", "c")], [1], {1: "a"}, {"a": 1}, {"a": None}, ["ab"]])
def test_what_are_no_header_fields_is_a_type_error(headers: Any) -> None:
    with pytest.raises(TypeError, match=r"header fields? "):
        Response.text("", headers=headers)


def test_fields_are_sent_in_latin1_and_as_often_as_they_were_given(serve: Serve) -> None:
    server = serve("""
        from cello import App, Response

        app = App()

        @app.get("/")
        def fields():
            response = Response.text("", headers=[("x-a", "1"), ("x-a", "2"), ("x-latin1", "é")])
            response.set_cookie("a", "1")
            response.set_cookie("b", "2")
            return response

        app.run()
    """)
    assert sorted(pairs_of(server, "/")) == [
        ("content-type", "text/plain; charset=utf-8"),
        ("set-cookie", "a=1; Path=/; SameSite=Lax"),
        ("set-cookie", "b=2; Path=/; SameSite=Lax"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-latin1", "é"),
    ]


def test_a_handler_may_date_its_answer(serve: Serve) -> None:
    server = serve("""
        from cello import App, Response

        app = App()

        @app.get("/")
        def dated():
            return Response.text("", headers=[("date", "Sun, 06 Nov 1994 08:49:37 GMT")])

        app.run()
    """)
    assert server.get("/").headers["date"] == "Sun, 06 Nov 1994 08:49:37 GMT"


# --- redirects


@pytest.mark.parametrize(
    ("status", "permanent", "sent"),
    [(302, False, 302), (302, True, 301), (301, True, 301), (303, False, 303), (307, False, 307), (307, True, 308)],
)
def test_a_redirect_has_the_status_it_is_asked_for(status: int, permanent: bool, sent: int) -> None:
    assert Response.redirect("/", status=status, permanent=permanent).status == sent


def test_a_truth_behind_the_url_of_a_redirect_says_whether_it_is_permanent() -> None:
    assert [Response.redirect("/", truth).status for truth in (True, False)] == [301, 302]
    assert Response.redirect("/", False, True).status == 301
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        Response.redirect("/", "301")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("status", "permanent"), [(200, False), (304, False), (303, True), (399, False)])
def test_a_status_that_sends_nobody_away_is_no_redirect(status: int, permanent: bool) -> None:
    with pytest.raises(ValueError, match=f"{status} is no status of a "):
        Response.redirect("/", status=status, permanent=permanent)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://example.com/a?b=c&d#e", "https://example.com/a?b=c&d#e"),
        ("/a%20b", "/a%20b"),
        ("/ä b", "/%C3%A4%20b"),
        ('/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/\\example.com", "/%5Cexample.com"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
    ],
)
def test_a_url_is_encoded_where_it_has_to_be(url: str, location: str) -> None:
    assert Response.redirect(url).headers["location"] == location
    assert Response.created(location=url).headers["location"] == location


@given(st.text(min_size=1))
def test_whatever_a_url_is_only_characters_of_urls_are_sent(url: str) -> None:
    try:
        location = Response.redirect(url).headers["location"]
    except ValueError:
        assert any(letter < " " or letter == "\x7f" for letter in url)
    else:
        assert re.fullmatch(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]+", location, re.ASCII)
        assert urllib.parse.unquote(location) == urllib.parse.unquote(url)


@pytest.mark.parametrize("url", ["", "/a\r\nSet-Cookie: b=c", "/\0", "/\t"])
def test_what_is_no_url_is_refused(url: str) -> None:
    kinds: list[Callable[[str], Response]] = [Response.redirect, lambda url: Response.created(location=url)]
    for make in kinds:
        with pytest.raises(ValueError, match="the URL "):
            make(url)


# --- XML


def test_xml_says_what_json_says() -> None:
    data: dict[str, Any] = {
        "users": [{"name": "A", "tags": []}, "text & <more>"],
        "none": None,
        "yes": True,
        "numbers": [1, 2.5, 10**30],
        "empty": "",
        "lines": "a\r\nb\tc",
        "größe": "😀",
    }
    document = Response.xml(data).body()
    root = ElementTree.fromstring(document)
    assert root.tag == "root"
    assert [child.tag for child in root] == [*data]
    assert [item.text for item in root.findall("users/item")] == [None, "text & <more>"]
    assert root.findtext("users/item/name") == "A"
    assert [root.findtext(name) for name in ("none", "yes", "empty", "lines", "größe")] == [
        "",
        "true",
        "",
        "a\r\nb\tc",
        "😀",
    ]
    assert [item.text for item in root.findall("numbers/item")] == ["1", "2.5", "1" + "0" * 30]
    assert Response.xml([1, 2], root_name="n").body().endswith(b"<n><item>1</item><item>2</item></n>")


@pytest.mark.parametrize("name", ["", "a b", "1a", "-a", "a:b", "<", "a>", "a/"])
def test_what_is_no_name_of_an_element_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of an XML element"):
        Response.xml({name: 1})
    with pytest.raises(ValueError, match="is no name of an XML element"):
        Response.xml({}, root_name=name)


@pytest.mark.parametrize("text", ["\0", "\x1b", "\ufffe", "\uffff"])
def test_characters_that_xml_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'the text of "a" has .* which XML does not have'):
        Response.xml({"a": text})


# --- errors


def test_an_error_is_a_problem_with_the_members_it_is_given() -> None:
    response = Response.error(422, errors=[{"field": "name"}], title="No", type="https://example.com/no")
    assert response.body() == (
        b'{"type":"https://example.com/no","title":"No","status":422,"errors":[{"field":"name"}]}'
    )
    assert (response.status, response.content_type()) == (422, "application/problem+json")
    assert Response.error(599).body() == b'{"type":"about:blank","title":"Error","status":599}'
    with pytest.raises(ValueError, match="200 is no status of an error: use 400 to 599"):
        Response.error(200)


# --- cookies


def cookie(*arguments: Any, **keywords: Any) -> str:
    """What `Set-Cookie` says."""
    response = Response()
    response.set_cookie(*arguments, **keywords)
    return response.headers["set-cookie"]


DAY = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


@pytest.mark.parametrize(
    ("keywords", "attributes"),
    [
        ({}, "; Path=/; SameSite=Lax"),
        ({"path": None, "samesite": None}, ""),
        ({"path": "/a", "samesite": "STRICT"}, "; Path=/a; SameSite=Strict"),
        ({"domain": ".Example.com"}, "; Path=/; Domain=Example.com; SameSite=Lax"),
        ({"secure": True, "httponly": True}, "; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"http_only": True, "same_site": "strict"}, "; Path=/; HttpOnly; SameSite=Strict"),
        (
            {"secure": True, "samesite": "none", "partitioned": True},
            "; Path=/; Secure; SameSite=None; Partitioned",
        ),
        ({"max_age": 60}, "; Path=/; SameSite=Lax; Max-Age=60"),
        ({"max_age": datetime.timedelta(hours=1)}, "; Path=/; SameSite=Lax; Max-Age=3600"),
        ({"expires": DAY}, "; Path=/; SameSite=Lax; Expires=Wed, 02 Jan 2030 01:04:05 GMT"),
        ({"expires": DAY.timestamp()}, "; Path=/; SameSite=Lax; Expires=Wed, 02 Jan 2030 01:04:05 GMT"),
        ({"expires": 0}, "; Path=/; SameSite=Lax; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        (
            {"expires": "Wed, 02 Jan 2030 01:04:05 GMT"},
            "; Path=/; SameSite=Lax; Expires=Wed, 02 Jan 2030 01:04:05 GMT",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_a_cookie_is_written_with_its_attributes(keywords: dict[str, Any], attributes: str) -> None:
    assert cookie("name", "value", **keywords) == f"name=value{attributes}"


def test_the_attributes_of_a_cookie_have_their_order() -> None:
    assert cookie("a", "b", 60, "/c", "example.com", True, True, "strict", 0, True) == (
        "a=b; Path=/c; Domain=example.com; Secure; HttpOnly; SameSite=Strict; Max-Age=60; "
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Partitioned"
    )


def test_a_cookie_is_deleted_by_one_that_has_run_out() -> None:
    response = Response()
    response.delete_cookie("a", path="/b", domain="example.com", secure=True)
    assert response.headers["set-cookie"] == (
        "a=; Path=/b; Domain=example.com; Secure; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    )


@pytest.mark.parametrize(
    ("arguments", "keywords", "words"),
    [
        (("", "x"), {}, "is no name of a cookie"),
        (("a=b", "x"), {}, "is no name of a cookie"),
        (("a\r\nb", "x"), {}, "is no name of a cookie"),
        (("é", "x"), {}, "is no name of a cookie"),
        (("a", "x;y"), {}, "its value has ';'"),
        (("a", "x y"), {}, "its value has ' '"),
        (("a", "x\r\ny"), {}, "its value has '\\\\r'"),
        (("a", "é"), {}, "its value has 'é'"),
        (("a", 'x"y'), {}, "its value has"),
        (("a", "x" * 4096), {}, "longer than the 4096 bytes"),
        (("a",), {"path": "b"}, 'its path does not start with "/"'),
        (("a",), {"path": "/;"}, "its path has a semicolon"),
        (("a",), {"path": "/\n"}, "its path has"),
        (("a",), {"path": "/" * 1025}, "its path is longer"),
        (("a",), {"domain": ""}, "its domain is no domain name"),
        (("a",), {"domain": "a_b.com"}, "its domain is no domain name"),
        (("a",), {"domain": "a..b"}, "its domain is no domain name"),
        (("a",), {"domain": "bücher.example"}, "its domain is no domain name"),
        (("a",), {"domain": "a;b"}, "its domain is no domain name"),
        (("a",), {"samesite": "other"}, 'samesite="other" is none of'),
        (("a",), {"samesite": "none"}, 'samesite="none" needs secure=True'),
        (("a",), {"partitioned": True}, "partitioned=True needs secure=True"),
        (("__Secure-a",), {}, "needs secure=True"),
        (("__secure-a",), {}, "needs secure=True"),
        (("__Host-a",), {}, "the prefix __Host- needs"),
        (("__Host-a",), {"secure": True, "path": "/b"}, "the prefix __Host- needs"),
        (("__Host-a",), {"secure": True, "domain": "a.b"}, "the prefix __Host- needs"),
        (("a",), {"max_age": -1}, "max_age is negative"),
        (("a",), {"expires": DAY.replace(tzinfo=None)}, "expires has no time zone"),
        (("a",), {"expires": -1}, "before 1970 or after the year 9999"),
        (("a",), {"expires": 1e300}, "before 1970 or after the year 9999"),
        (("a",), {"expires": float("nan")}, "before 1970 or after the year 9999"),
        (("a",), {"expires": "tomorrow"}, "expires is no date of HTTP"),
    ],
    ids=str,
)
def test_a_cookie_that_browsers_would_refuse_is_refused(
    arguments: tuple[str, ...], keywords: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        cookie(*arguments, **keywords)


@pytest.mark.parametrize("keywords", [{"max_age": 1.5}, {"max_age": "1"}, {"max_age": True}, {"expires": []}], ids=str)
def test_a_time_of_another_type_is_a_type_error(keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"max_age is in seconds|expires is an aware datetime"):
        cookie("a", **keywords)


@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_a_cookie_is_made_of_it_says_only_that(name: str, value: str, path: str, domain: str) -> None:
    response = Response()
    with contextlib.suppress(ValueError):
        response.set_cookie(name, value, path=f"/{path}", domain=domain)
    with contextlib.suppress(ValueError):
        response.set_cookie(name or "a", value)
    for line in response.headers.get_all("set-cookie"):
        assert line.isascii()
        assert line.isprintable()
        assert line.startswith(f"{name or 'a'}={value}; Path=/")
        assert line.count(";") == 2 + ("; Domain=" in line)


def test_prefixes_that_are_kept_are_allowed_and_so_are_quotes() -> None:
    assert cookie("__Host-a", "b", secure=True) == "__Host-a=b; Path=/; Secure; SameSite=Lax"
    assert cookie("__Secure-a", "b", secure=True, domain="c.d").startswith("__Secure-a=b; Path=/; Domain=c.d; Secure")
    assert cookie("a", '"b"').startswith('a="b"; ')
