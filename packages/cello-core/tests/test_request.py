"""What a request tells of itself, over real sockets and made by hand."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import re
import sys
import uuid
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from cello import App, Request
from cello._values import Context, Flag, Text
from cello.errors import BadRequest
from hypothesis import example, given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Serve, Server

#: Answers the expression in the field X-Ask, so that each test says what it asks.
SERVED = """
    import json
    from cello import App, Response

    app = App()

    @app.get("/")
    @app.get("/{*path}")
    def ask(request):
        values = eval(request.headers["x-ask"], {"request": request, "app": app})
        return Response.text(json.dumps(values))

    {configuration}

    app.run()
"""


def served(serve: Serve, configuration: str = "") -> Server:
    """An application that answers the expression in `X-Ask`."""
    return serve(SERVED.replace("{configuration}", configuration))


def ask(server: Server, expression: str, target: str = "/", *fields: str | bytes, version: str = "1.1") -> Any:
    """Sends the bytes of a request, and parses what comes back."""
    lines: list[bytes] = [f"GET {target} HTTP/{version}".encode()]
    given_fields = [field if isinstance(field, bytes) else field.encode("latin-1") for field in fields]
    if version == "1.1" and not any(field.lower().startswith(b"host:") for field in given_fields):
        given_fields.append(b"Host: own.example")
    lines += [*given_fields, f"x-ask: {expression}".encode(), b"Connection: close", b"", b""]
    head, _, body = server.exchange(b"\r\n".join(lines)).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0], head + body
    return json.loads(body)


# --- the target


def test_method_path_and_version_are_those_of_the_request_line(serve: Serve) -> None:
    server = served(serve)
    expression = "[request.method, request.path, request.query_string, request.http_version, repr(request)]"
    answer = ask(server, expression, "/caf%C3%A9/a%2Fb+c%zz%FF?a=%20&b")
    assert answer == [
        "GET",
        "/café/a/b+c%zz\ufffd",
        "a=%20&b",
        "1.1",
        "<Request GET /caf%C3%A9/a%2Fb+c%zz%FF from 127.0.0.1>",
    ]


def test_an_old_version_is_told(serve: Serve) -> None:
    expression = "[request.http_version, request.query_string]"
    assert ask(served(serve), expression, "/", version="1.0") == ["1.0", ""]


def test_a_target_may_be_sent_unencoded(serve: Serve) -> None:
    raw = ask(served(serve), "[request.path, request.query.items(), request.url]", "/é?ü=ß")
    assert raw == ["/é", [["ü", "ß"]], "http://own.example/é?ü=ß"]


def test_parameters_of_the_path_are_text_and_taken_as_integers_where_asked(serve: Serve) -> None:
    server = served(serve)
    expression = "[request.params, request.get_param('path'), request.get_param('x', 1), request.get_param_int('path')]"
    assert ask(server, expression, "/%37") == [{"path": "7"}, "7", 1, 7]
    request = Request("GET", "/", params={"id": 7, "name": "x"})
    assert (request.params, request.get_param_int("id")) == ({"id": "7", "name": "x"}, 7)
    assert (request.get_param("no"), request.get_param("no", "-"), request.get_param_int("no", 5)) == (None, "-", 5)
    with pytest.raises(BadRequest, match=r'^The path parameter "name" is not an integer\.$'):
        request.get_param_int("name")


# --- the query


def test_a_query_is_read_as_a_form_is(serve: Serve) -> None:
    server = served(serve)
    items = "request.query.items()"
    assert ask(server, items, "/?a&b=&=c") == [["a", ""], ["b", ""], ["", "c"]]
    assert ask(server, items, "/?q=a+b%2Bc%20d&caf%C3%A9=%F0%9F%8D%B5&==&&x=1=2") == [
        ["q", "a b+c d"],
        ["café", "🍵"],
        ["", "="],
        ["x", "1=2"],
    ]
    assert ask(server, items, "/?a=%&b=%4&c=%zz&d=%ff&A=1") == [
        ["a", "%"],
        ["b", "%4"],
        ["c", "%zz"],
        ["d", "\ufffd"],
        ["A", "1"],
    ]
    assert ask(server, items, "/?") == ask(server, items, "/") == []


def test_a_name_may_come_more_than_once(serve: Serve) -> None:
    server = served(serve)
    target = "/?tag=a&page=2&t%61g=b&tag=&x=%31"
    assert ask(server, "[request.query['tag'], request.query.get('tag'), request.query.get_all('tag')]", target) == [
        "a",
        "a",
        ["a", "b", ""],
    ]
    assert ask(server, "[request.query.keys(), list(request.query), len(request.query)]", target) == [
        ["tag", "page", "x"],
        ["tag", "page", "x"],
        3,
    ]
    assert ask(server, "[request.query.values(), dict(request.query)]", target) == [
        ["a", "2", "b", "", "1"],
        {"tag": "a", "page": "2", "x": "1"},
    ]


def test_a_name_that_is_not_there_gives_the_default() -> None:
    request = Request("GET", "/?a=1")
    query = request.query
    assert (query.get("b"), query.get("b", "-"), query.get("b", 5), query.get_all("b")) == (None, "-", 5, [])
    assert ("a" in query, "b" in query, "" in query) == (True, False, False)
    with pytest.raises(KeyError, match="'b'"):
        query["b"]
    assert request.query is query is request.query_params
    assert (request.get_query_param("a"), request.get_query_param("b"), request.get_query_param("b", 0)) == (
        "1",
        None,
        0,
    )
    assert repr(query) == '<Query "a=1">'


def test_the_names_can_be_looked_up_while_going_through_them() -> None:
    query = Request("GET", "/?a=1&b=2&a=3&%61=4").query
    before = (query["a"], query.get("b"), query.get_all("a"), "a" in query, query.get("c"))
    assert len(query) == 2  # from here on there is an index
    assert before == (query["a"], query.get("b"), query.get_all("a"), "a" in query, query.get("c"))
    assert (query.get_all("c"), "c" in query) == ([], False)
    query.get_all("a").append("changed")
    assert query.get_all("a") == ["1", "3", "4"]


def test_query_and_header_fields_are_mappings() -> None:
    request: Any = Request("GET", "/?a=1&a=2&b=3", headers=[("x-a", "1"), ("x-a", "2")])
    for one in (request.query, request.headers, request.form()):
        assert isinstance(one, Mapping)
    match request.query:
        case {"a": first, **rest}:
            assert (first, rest) == ("1", {"b": "3"})
        case _:
            raise AssertionError(request.query)
    # So one request may be made of another.
    copied = Request("GET", "/", query=request.query, headers=request.headers)
    assert (copied.query.items(), copied.headers.items()) == (request.query.items(), request.headers.items())


def test_a_thousand_parameters_are_all_there(serve: Serve) -> None:
    target = "/?" + "&".join(f"p{number}={number}" for number in range(1000))
    expression = "[len(request.query), sum(int(request.query[name]) for name in request.query), request.query['p999']]"
    assert ask(served(serve), expression, target) == [1000, sum(range(1000)), "999"]


QUERIES = st.lists(
    st.sampled_from(["a", "b", "&", "=", "+", ";", "%", "%2", "%41", "%C3%A9", "%E2%82", "%FF", "%00", "%26", "é", "/"])
).map("".join)


@given(QUERIES)
@example("a=%F0%9F%8D&%ED%A0%80=1")
@example("%C3%A9+%=+")
def test_any_query_is_what_the_standard_library_makes_of_it(raw: str) -> None:
    query = Request("GET", f"/?{raw}").query
    wanted = parse_qsl(raw, keep_blank_values=True)
    assert query.items() == wanted
    names = list(dict.fromkeys(name for name, _ in wanted))
    first = {name: next(value for other, value in wanted if other == name) for name in names}
    assert {name: query.get(name) for name in names} == first
    everything = {name: [value for other, value in wanted if other == name] for name in names}
    assert {name: query.get_all(name) for name in names} == everything
    assert query.keys() == names
    assert {name: query[name] for name in query} == first
    assert {name: query.get_all(name) for name in names} == everything


def test_parameters_of_the_query_are_converted_where_asked() -> None:
    target = f"/?i=-7&big={10**30}&f=1.5e3&t=YES&n=off&plus=%2B5&one=1"
    request = Request("GET", target)
    assert (request.get_query_int("i"), request.get_query_int("big"), request.get_query_int("plus")) == (-7, 10**30, 5)
    assert (request.get_query_float("f"), request.get_query_float("i")) == (1500.0, -7.0)
    assert (request.get_query_bool("t"), request.get_query_bool("n"), request.get_query_bool("one")) == (
        True,
        False,
        True,
    )
    assert (request.get_query_int("x"), request.get_query_float("x", 2), request.get_query_bool("x", False)) == (
        None,
        2,
        False,
    )


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "True", "ON"])
@pytest.mark.parametrize(
    ("opposite", "truth"), [({}, True), ({"true": "false", "1": "0", "yes": "no", "on": "off"}, False)]
)
def test_words_for_truth_and_its_opposite(word: str, opposite: dict[str, str], truth: bool) -> None:
    word = opposite.get(word.lower(), word)
    assert Request("GET", f"/?x={word}").get_query_bool("x") is truth


@pytest.mark.parametrize("value", ["", "x", "1.0", " 1", "1 ", "1_0", "٣", "0x1", "--1", "9" * 5000, "1e3"])
def test_what_is_no_integer_is_the_clients_mistake(value: str) -> None:
    with pytest.raises(BadRequest, match=r'^The query parameter "n" is not an integer\.$') as caught:
        Request("GET", "/", query={"n": value}).get_query_int("n")
    assert caught.value.status == 400


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-Infinity", "1e999", "1,5", " 1", "1_0"])
def test_what_is_no_number_is_the_clients_mistake(value: str) -> None:
    with pytest.raises(BadRequest, match=r'^The query parameter "n" is not a number\.$'):
        Request("GET", "/", query={"n": value}).get_query_float("n")


@pytest.mark.parametrize("value", ["", "2", "y", "truee", "none"])
def test_what_is_no_truth_is_the_clients_mistake(value: str) -> None:
    with pytest.raises(BadRequest, match=r'^The query parameter "n" is not true or false\.$'):
        Request("GET", "/", query={"n": value}).get_query_bool("n")


def test_a_parameter_that_cannot_be_converted_is_a_400_that_names_it(serve: Serve) -> None:
    reply = served(serve).request("GET", "/?page=two", headers={"x-ask": "request.get_query_int('page')"})
    assert (reply.status, reply.json()["detail"]) == (400, 'The query parameter "page" is not an integer.')


# --- header fields


def test_header_fields_are_found_in_any_case_and_keep_their_duplicates(serve: Serve) -> None:
    server = served(serve)
    fields = ("ACCEPT-language: de", "X-Twice: a", "x-other: ", "x-TWICE:  b, c \t", "Host: h")
    expression = "[request.headers['accept-LANGUAGE'], request.headers.get('X-Twice'), request.get_header('x-twice')]"
    assert ask(server, expression, "/", *fields) == ["de", "a", "a"]
    assert ask(server, "[request.headers.get_all('X-TWICE'), request.headers.get_all('no')]", "/", *fields) == [
        ["a", "b, c"],
        [],
    ]
    names = ["accept-language", "x-twice", "x-other", "host", "x-ask", "connection"]
    answer = ask(server, "[request.headers.keys(), list(request.headers), len(request.headers)]", "/", *fields)
    assert answer == [names, names, 6]
    items = ask(server, "request.headers.items()", "/", *fields)
    assert items[:5] == [
        ["accept-language", "de"],
        ["x-twice", "a"],
        ["x-twice", "b, c"],
        ["x-other", ""],
        ["host", "h"],
    ]
    assert ask(server, "request.headers.values()", "/", *fields)[:5] == [value for _, value in items[:5]]


def test_the_bytes_of_a_field_are_the_characters_of_their_numbers(serve: Serve) -> None:
    expression = "[request.headers['x-name'], request.headers.get_all('X-Name'), request.get_header('X-NAME')]"
    answer = ask(served(serve), expression, "/", b"x-name: caf\xe9 \xff\x80", "x-name: é".encode())
    assert answer == ["caf\xe9 \xff\x80", ["caf\xe9 \xff\x80", "Ã©"], "caf\xe9 \xff\x80"]


def test_a_field_that_is_not_there_gives_the_default() -> None:
    request = Request("GET", "/", headers={"X-A": "secret"})
    headers = request.headers
    assert (headers.get("x-b"), headers.get("x-b", "-"), headers.get("no name", 5)) == (None, "-", 5)
    assert (request.get_header("x-b"), request.get_header("x-b", 1)) == (None, 1)
    assert ("x-a" in headers, "X-A" in headers, "x-b" in headers) == (True, True, False)
    with pytest.raises(KeyError, match="X-B"):
        headers["X-B"]
    assert request.headers is headers
    assert repr(headers) == "<Headers x-a, host>"  # the values may be secret


def test_cookies_are_read_as_browsers_send_them(serve: Serve) -> None:
    fields = (
        'Cookie: a=1; quoted="x y"; percent=%41%zz; twice=first;twice=second ; equals=a=b==',
        'cookie:  spaced = v ;; nothing; =nameless; empty=; half="open; one="',
        "Cookie: twice=third; text=caf\u00c3\u00a9".encode("latin-1"),
        b"Cookie: bytes=\xff",
    )
    assert ask(served(serve), "request.cookies", "/", *fields) == {
        "a": "1",
        "quoted": "x y",
        "percent": "%41%zz",
        "twice": "first",
        "equals": "a=b==",
        "spaced": "v",
        "empty": "",
        "half": '"open',
        "one": '"',
        "text": "café",
        "bytes": "ÿ",
    }
    assert ask(served(serve), "[request.cookies, request.cookies.get('a')]") == [{}, None]


def test_what_is_said_of_the_body_and_of_the_client(serve: Serve) -> None:
    server = served(serve)
    expression = "[request.content_type, request.content_length, request.user_agent, request.is_xhr()]"
    fields = (
        "Content-Type: Text/HTML; charset=x",
        "Content-Length: 0",
        "User-Agent: me/1",
        "X-Requested-With: xmlhttprequest",
    )
    assert ask(server, expression, "/", *fields) == ["Text/HTML; charset=x", 0, "me/1", True]
    assert ask(server, expression) == ["", None, "", False]


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("Application/JSON ; charset=utf-8", "json"),
        ("application/problem+JSON", "json"),
        ("application/json5", None),
        ("text/json", None),
        ("+json", None),
        ("json", None),
        ("é", None),
        ("application/x-www-form-urlencoded;charset=utf-8", "form"),
        ("multipart/form-data; boundary=x", "multipart"),
        ("multipart/mixed; boundary=x", None),
        ("", None),
    ],
)
def test_the_kind_of_a_body_is_that_of_its_type(content_type: str, kind: str | None) -> None:
    request = Request("POST", "/", headers={"content-type": content_type})
    kinds = {"json": request.is_json(), "form": request.is_form(), "multipart": request.is_multipart()}
    assert [name for name, is_one in kinds.items() if is_one] == ([kind] if kind else [])


# --- what the client takes


@pytest.mark.parametrize(
    ("accept", "media_type", "wanted"),
    [
        (None, "image/png", True),
        ("", "image/png", True),
        ("application/json", "json", True),
        ("application/json", "application/json; charset=utf-8", True),
        ("Application/JSON", "JSON/x", False),
        ("application/*", "json", True),
        ("text/*", "json", False),
        ("*/*", "json", True),
        ("*; q=.2", "json", True),
        ("*/*, application/json;q=0", "json", False),
        ("application/json;q=0.0, */*;q=0.5", "json", False),
        ("application/*;q=0, application/json", "json", True),
        ("text/html;level=1", "text/html", False),
        ("text/html;level=1", "text/html;LEVEL=1", True),
        ('text/html;level="1,2";q=1', 'text/html;level="1,2"', True),
        ('text/html;level="\\1"', "text/html;level=1", True),
        ("application/json;q=2", "json", True),  # no range that is well-formed: as if there were none
        ("application/json;q=2, text/html", "json", False),
        ("nonsense, text/html", "json", False),
        ("te xt/html, /, a/, ;;,", "json", True),
        ('"', "json", True),
    ],
)
def test_a_media_type_is_accepted_by_what_names_it_most_exactly(
    accept: str | None, media_type: str, wanted: bool
) -> None:
    request = Request("GET", "/", headers={} if accept is None else {"Accept": accept})
    assert request.accepts(media_type) is wanted


@pytest.mark.parametrize(
    ("accept", "offers", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ["json", "html"], "html"),
        ("application/json, text/plain, */*", ["text/html", "application/json"], "application/json"),
        ("*/*", ["text/html", "application/json"], "text/html"),
        ("text/html;q=0.5, application/json;q=0.7", ["html", "json"], "json"),
        ("text/*;q=0.9, application/json;q=0.8", ["json", "text"], "text"),
        ("text/*, text/plain;q=0.1", ["text", "html"], "html"),
        ("image/*", ["json", "html"], None),
        ("*/*;q=0", ["json"], None),
        ("*/*", [], None),
        (
            "text/plain;format=flowed, text/plain, text/*, */*",
            ["text", "text/plain;format=flowed"],
            "text/plain;format=flowed",
        ),
    ],
)
def test_the_best_match_is_what_the_client_would_rather_have(
    accept: str, offers: list[str], wanted: str | None
) -> None:
    assert Request("GET", "/", headers={"Accept": accept}).best_match(offers) == wanted


def test_several_accept_fields_are_one_list(serve: Serve) -> None:
    server = served(serve)
    fields = ("Accept: text/html;q=0.2", "accept: application/json;q=0.4")
    assert ask(server, "request.best_match(['html', 'json'])", "/", *fields) == "json"
    assert ask(server, "[request.accepts('image/png'), request.accepts('text/html')]", "/", *fields) == [False, True]


@pytest.mark.parametrize("media_type", ["", "yaml", "text/*", "*/*", "*", "a b/c", "/", "text/html,text/plain"])
def test_what_is_no_media_type_cannot_be_offered(media_type: str) -> None:
    request = Request("GET", "/")
    with pytest.raises(
        ValueError, match=re.escape(f'"{media_type}" is no media type: use one such as image/png, or one')
    ):
        request.accepts(media_type)
    with pytest.raises(ValueError, match="is no media type"):
        request.best_match(["json", media_type])
    with pytest.raises(TypeError):
        request.best_match("json")


# --- the client


def test_without_a_trusted_proxy_no_field_is_believed(serve: Serve) -> None:
    server = served(serve)
    expression = (
        "[request.client_ip, request.remote_addr, request.scheme, request.host, request.is_secure(), request.url, "
        "request.is_from_trusted_proxy]"
    )
    forged = (
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 1",
        "Forwarded: for=6.6.6.6;proto=https;host=evil.example",
        "X-Real-IP: 6.6.6.6",
    )
    wanted = ["127.0.0.1", "127.0.0.1", "http", "own.example", False, "http://own.example/a%20b?c=%20", False]
    assert ask(server, expression, "/a%20b?c=%20", *forged) == wanted
    others = served(serve, "app.set_trusted_proxies(['10.0.0.0/8', '::1', 'unix'], trust_x_real_ip=True)")
    assert ask(others, expression, "/a%20b?c=%20", *forged) == wanted


def test_a_trusted_proxy_tells_of_client_scheme_and_host(serve: Serve) -> None:
    server = served(serve, "app.set_trusted_proxies(['127.0.0.0/8', '10.0.0.0/8'])")
    expression = (
        "[request.client_ip(), request.remote_addr, request.url, request.is_secure(), request.is_from_trusted_proxy]"
    )
    told = (
        "X-Forwarded-For: 6.6.6.6, 203.0.113.9:4711",
        "X-Forwarded-For: 10.1.2.3",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        "Forwarded: for=7.7.7.7;host=evil.example",
        "X-Real-IP: 7.7.7.7",
    )
    wanted = ["203.0.113.9", "127.0.0.1", "https://shop.example/x?y", True, True]
    assert ask(server, expression, "/x?y", *told) == wanted
    assert ask(server, expression, "/x?y") == ["127.0.0.1", "127.0.0.1", "http://own.example/x?y", False, True]
    assert (
        ask(server, "request.url", "/", "X-Forwarded-Host: a b", "X-Forwarded-Port: 8443") == "http://own.example:8443/"
    )


def test_a_trusted_proxy_may_write_forwarded_instead(serve: Serve) -> None:
    server = served(serve, "app.set_trusted_proxies(['127.0.0.1'], fields='forwarded')")
    expression = "[request.client_ip, request.url]"
    told = 'Forwarded: for="evil, for=6.6.6.6, For="[2001:db8::7]:4711";Proto=https;host="shop.example:8443"'
    assert ask(server, expression, "/", told, "X-Forwarded-For: 7.7.7.7") == [
        "2001:db8::7",
        "https://shop.example:8443/",
    ]
    assert ask(server, expression, "/", "X-Forwarded-For: 7.7.7.7") == ["127.0.0.1", "http://own.example/"]


def test_forwarded_is_read_where_the_proxy_wrote_nothing_else(serve: Serve) -> None:
    server = served(serve, "app.set_trusted_proxies(['127.0.0.1'])")
    expression = "[request.client_ip, request.url]"
    told = "Forwarded: for=192.0.2.60;proto=https;host=shop.example"
    assert ask(server, expression, "/", told) == ["192.0.2.60", "https://shop.example/"]
    # A proxy that writes the others passes it on from whoever sent it.
    assert ask(server, expression, "/", told, "X-Forwarded-For: 192.0.2.7") == ["192.0.2.7", "http://own.example/"]
    assert ask(server, expression, "/", told, "X-Forwarded-Proto: http") == ["127.0.0.1", "http://own.example/"]
    others = served(serve, "app.set_trusted_proxies(['127.0.0.1'], fields='x-forwarded')")
    assert ask(others, expression, "/", told) == ["127.0.0.1", "http://own.example/"]


def behind(*fields: tuple[str, str], client: str | None = "10.0.0.1", **options: Any) -> Request:
    """A request made by hand that came through 10.0.0.1, which is trusted."""
    app = App().set_trusted_proxies(["10.0.0.0/8", "unix"], **options)
    return Request("GET", "/", headers=fields, client=client, app=app)


def test_a_request_made_by_hand_is_behind_its_applications_proxies() -> None:
    request = behind(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"))
    assert (request.client_ip, request.remote_addr, request.scheme) == ("1.2.3.4", "10.0.0.1", "https")
    assert behind(("X-Forwarded-For", "1.2.3.4"), client="11.0.0.1").client_ip == "11.0.0.1"
    # No address: as over a Unix socket.
    assert behind(("X-Forwarded-For", "1.2.3.4"), client=None).client_ip == "1.2.3.4"
    assert (behind(client=None).client_ip, behind(client=None).remote_addr) == ("", "")
    assert behind(("X-Real-IP", "8.8.8.8"), ("X-Forwarded-For", "1.2.3.4")).client_ip == "1.2.3.4"
    assert behind(("X-Real-IP", "8.8.8.8"), ("X-Forwarded-For", "1.2.3.4"), trust_x_real_ip=True).client_ip == "8.8.8.8"


def test_a_request_tells_whether_a_trusted_proxy_sent_it() -> None:
    assert [behind(client=client).is_from_trusted_proxy for client in ("10.0.0.1", "11.0.0.1", None)] == [
        *(True, False, True)
    ]
    # Who stands before the proxy is no matter, and neither is what it claims.
    assert behind(("X-Forwarded-For", "11.0.0.1")).is_from_trusted_proxy is True
    assert behind(("X-Forwarded-For", "10.0.0.1"), client="11.0.0.1").is_from_trusted_proxy is False
    for app in (App(), None):
        assert Request("GET", "/", client="127.0.0.1", app=app).is_from_trusted_proxy is False


def test_trusted_proxies_are_checked_when_they_are_named() -> None:
    app = App()
    assert app.set_trusted_proxies(["10.0.0.0/8", "::1", "192.168.1.7"]) is app
    wrong: list[tuple[list[str], str]] = [
        (["::1", "localhost"], 'entry 1 of the trusted proxies is "localhost": "localhost" is no IP address. Give an'),
        (["10.0.0.1/8"], "bits beyond its prefix, the network is 10.0.0.0/8. Give an address"),
        (["10.0.0.0/40"], '"/40" is no prefix length: use /0 to /32. Give an address'),
    ]
    for entries, words in wrong:
        with pytest.raises(ValueError, match=re.escape(words)):
            app.set_trusted_proxies(entries)
    with pytest.raises(TypeError, match=re.escape("the trusted proxies are a list: give ['10.0.0.0/8']")):
        app.set_trusted_proxies("10.0.0.0/8")
    with pytest.raises(ValueError, match='no fields "via" of proxies: use "x-forwarded" or "forwarded"'):
        app.set_trusted_proxies([], fields="via")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_host_is_that_of_an_absolute_target_before_that_of_the_field(serve: Serve) -> None:
    server = served(serve)
    expression = "[request.host, request.host(), request.url, request.path, request.is_secure()]"
    assert ask(server, expression, "https://user:word@abs.example:81/p?q", "Host: own.example:80") == [
        "abs.example:81",
        "abs.example:81",
        "http://abs.example:81/p?q",  # the scheme is what the connection is, not what the client writes
        "/p",
        False,
    ]
    assert ask(server, expression, "//evil.example/p", "Host: [::1]:8000")[2:4] == [
        "http://[::1]:8000//evil.example/p",
        "//evil.example/p",
    ]
    assert ask(server, expression, "/p?q", version="1.0") == ["", "", "/p?q", "/p", False]


@pytest.mark.parametrize("host", ["user@own.example", "own example", "own.example/x", "a, b@c"])
def test_a_forged_host_comes_to_no_handler(serve: Serve, host: str) -> None:
    answer = served(serve).first_answer(f"GET / HTTP/1.1\r\nHost: {host}\r\nx-ask: 1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")


# --- values that are calls


CALLABLE: list[tuple[Callable[[Request], Text], str]] = [
    (lambda request: request.client_ip, "192.0.2.1"),
    (lambda request: request.content_type, "text/plain"),
    (lambda request: request.host, "own.example"),
    (lambda request: request.user_agent, "me/1"),
]


@pytest.mark.parametrize(("read", "wanted"), CALLABLE, ids=[wanted for _, wanted in CALLABLE])
def test_text_is_a_value_and_a_call(read: Callable[[Request], Text], wanted: str) -> None:
    headers = {"Content-Type": "text/plain", "Host": "own.example", "User-Agent": "me/1"}
    text = read(Request("GET", "/", headers=headers, client="192.0.2.1"))
    assert text == text() == wanted
    assert isinstance(text, str)
    assert (f"{text}", f"{text:>12}", {wanted: 1}[text], repr(text)) == (wanted, wanted.rjust(12), 1, repr(wanted))
    assert json.loads(json.dumps({"text": text})) == {"text": wanted}
    assert pickle.loads(pickle.dumps(text)) == copy.deepcopy(text) == wanted
    assert type(pickle.loads(pickle.dumps(text))) is Text


def test_what_is_absent_is_empty_text() -> None:
    request = Request("GET", "/")
    for text in (request.client_ip, request.content_type, request.user_agent):
        assert not text
        assert text == text() == ""


def test_the_request_id_is_the_same_however_it_is_read(serve: Serve) -> None:
    expression = "[request.request_id, request.request_id(), request.request_id]"
    ids = ask(served(serve), expression)
    assert len(set(ids)) == 1
    assert uuid.UUID(ids[0]).version == 7


def test_text_returned_within_json_is_text(serve: Serve) -> None:
    source = """
        from cello import App

        app = App()

        @app.get("/")
        def tell(request):
            return {"ip": request.client_ip, request.host: [request.user_agent()]}

        app.run()
    """
    server = serve(source)
    assert server.get("/").json() == {"ip": "127.0.0.1", f"127.0.0.1:{server.port}": [""]}


@pytest.mark.parametrize(("scheme", "truth"), [("https", True), ("http", False)])
def test_is_secure_is_a_truth_and_a_call(scheme: str, truth: bool) -> None:
    flag = Request("GET", f"{scheme}://own.example/").is_secure
    assert flag() is truth
    assert bool(flag) is truth
    assert flag == truth
    assert (repr(flag), str(flag), f"{flag}") == (repr(truth),) * 3
    assert isinstance(flag, int)
    assert pickle.loads(pickle.dumps(flag)) == copy.deepcopy(flag) == truth
    assert type(pickle.loads(pickle.dumps(flag))) is Flag
    assert hash(flag) == hash(truth)


def test_a_truth_returned_within_json_is_one(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App().set_trusted_proxies(["127.0.0.1"])

        @app.get("/")
        def tell(request):
            return {"value": request.is_secure, "call": request.is_secure(), request.is_secure: "key"}

        app.run()
    """)
    for scheme, truth in (("http", b"false"), ("https", b"true")):
        reply = server.request("GET", "/", headers={"X-Forwarded-Proto": scheme})
        assert reply.body == b'{"value":%b,"call":%b,"%b":"key"}' % (truth, truth, truth)


# --- state and context


def test_the_context_is_a_dict_with_its_words() -> None:
    request = Request("GET", "/")
    assert (request.get_context("user"), request.get_context("user", "nobody")) == (None, "nobody")
    request.set_context("user", {"id": 7})
    context = request.context
    assert context is request.context
    assert isinstance(context, dict)
    assert context == {"user": {"id": 7}}
    context.set("csrf_token", "x")
    context["claims"] = None
    assert (context.get("user"), request.get_context("claims", 1), context.has("claims")) == ({"id": 7}, None, True)
    assert (request.get_context_string("csrf_token"), request.get_context_string("user")) == ("x", None)
    assert request.get_context_string("nothing") is None
    assert "user" in context
    context.delete("user")
    context.delete("user")
    assert list(context.items()) == [("csrf_token", "x"), ("claims", None)]
    assert pickle.loads(pickle.dumps(context)) == context
    context.clear()
    assert not context
    assert type(context) is Context


def test_each_request_has_a_state_and_a_context_of_its_own() -> None:
    first, second = Request("GET", "/"), Request("GET", "/")
    first.state.user = 1
    first.context["user"] = 1
    assert (first.state.user, hasattr(second.state, "user"), second.context) == (1, False, {})
    assert first.state is first.state


def test_an_attribute_cannot_be_set_on_a_request() -> None:
    request: Any = Request("GET", "/")
    with pytest.raises(AttributeError):
        request.user = 1
    with pytest.raises(AttributeError):
        request.path = "/other"


# --- its identity


def test_an_id_that_is_set_is_the_one_from_then_on() -> None:
    request = Request("GET", "/")
    made = request.request_id
    assert uuid.UUID(made).version == 7
    for text in ("from-the-proxy", "a" * 128, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", Text("text")):
        request.request_id = text
        assert (request.request_id, request.request_id()) == (text, text)
        assert type(request.request_id) is Text
    first_of_all = Request("GET", "/")
    first_of_all.request_id = "never-made"
    assert first_of_all.request_id == "never-made"


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("", ValueError, "a request id has 1 to 128 characters, this has 0"),
        ("a" * 129, ValueError, "a request id has 1 to 128 characters, this has 129"),
        ("a b", ValueError, "is visible ASCII without quotes and backslashes, this has ' ' at index 1"),
        ('"', ValueError, "this has '\"' at index 0"),
        ("a\\", ValueError, "this has '\\\\' at index 1"),
        ("a\r\nb", ValueError, "this has '\\r' at index 1"),
        ("é", ValueError, "this has 'é' at index 0"),
        ("\ud800", ValueError, "surrogates not allowed"),
        (b"bytes", TypeError, "a request id is a str, not bytes"),
        (None, TypeError, "a request id is a str, not NoneType"),
    ],
)
def test_an_id_that_cannot_be_is_refused_and_changes_nothing(value: Any, kind: type[Exception], words: str) -> None:
    request = Request("GET", "/")
    before = request.request_id
    with pytest.raises(kind, match=re.escape(words)):
        request.request_id = value
    assert request.request_id == before


IDENTIFIED = """
    import asyncio
    from cello import App

    app = App()

    @app.use
    async def identify(request, call_next):
        request.request_id = request.headers["x-request-id"]
        return await call_next(request)

    @app.get("/fails")
    def fails(request):
        request.add_background_task(int, "no number")
        raise ValueError("no")

    @app.get("/slow", timeout=0.1)
    async def slow():
        await asyncio.sleep(60)

    app.get("/late")(lambda request: request.request_id)
    app.run()
"""


def test_problems_and_the_log_have_the_id_that_was_set(serve: Serve) -> None:
    server = serve(IDENTIFIED)
    for path, status in (("/fails", 500), ("/nowhere", 404), ("/slow", 503)):
        answer = server.request("GET", path, headers={"X-Request-ID": f"set-for-{path[1:]}"})
        assert (answer.status, answer.json()["request_id"]) == (status, f"set-for-{path[1:]}")
    assert server.request("GET", "/late", headers={"X-Request-ID": "set"}).body == b"set"
    stderr = server.stop().stderr
    assert "GET /fails failed (request set-for-fails)\n" in stderr
    assert "GET /fails: work in the background failed (request set-for-fails)\n" in stderr


class Canary:
    """Something whose end can be seen."""


def test_what_a_request_hands_out_does_not_keep_it_alive() -> None:
    request = Request("GET", "/?a=1", headers={"Cookie": "a=1"}, params={"a": "1"})
    canary = Canary()
    request.state.canary = canary
    kept = (request.query, request.headers, request.cookies, request.params, request.context, request.client_ip)
    seen = weakref.ref(canary)
    gc.disable()
    try:
        del request, canary
        assert seen() is None
    finally:
        gc.enable()
    query, headers, *_ = kept
    assert (query["a"], headers["cookie"]) == ("1", "a=1")


def test_reading_a_request_calls_no_python_function() -> None:
    request = Request("GET", "/?page=2", headers={"X-Y": "1", "Cookie": "a=1"}, client="192.0.2.1")
    called: list[str] = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        request.query.get("page")
        request.get_query_int("page")
        request.headers.get("x-y")
        request.cookies.get("a")
        _ = request.client_ip, request.is_secure, request.url, request.context, request.state
        request.set_context("a", 1)
    finally:
        sys.setprofile(None)
    assert called == []


# --- made by hand


def test_a_request_made_by_hand_is_one_that_was_sent() -> None:
    request = Request(
        "POST",
        "/café/a b?x=1&q=a b",
        params=[("name", "café")],
        query={"tag": ["a", "b&c"], "flag": True, "n": 1.5},
        headers=[("X-A", "1"), ("x-a", "é")],
        body={"a": [1, "é"]},
        client=("192.0.2.1", 50000),
    )
    assert type(request) is Request
    assert (request.method, request.path, request.params) == ("POST", "/café/a b", {"name": "café"})
    assert request.query_string == "x=1&q=a%20b&tag=a&tag=b%26c&flag=true&n=1.5"
    assert request.query.get_all("tag") == ["a", "b&c"]
    assert request.headers.items() == [
        ("x-a", "1"),
        ("x-a", "é"),
        ("host", "localhost"),
        ("content-type", "application/json"),
        ("content-length", "14"),
    ]
    assert (request.body(), request.json()) == ('{"a":[1,"é"]}'.encode(), {"a": [1, "é"]})
    assert (request.content_length, request.is_json(), request.http_version) == (len(request.body()), True, "1.1")
    assert (request.client_ip, request.url) == (
        "192.0.2.1",
        "http://localhost/caf%C3%A9/a%20b?x=1&q=a%20b&tag=a&tag=b%26c&flag=true&n=1.5",
    )
    assert uuid.UUID(request.request_id).version == 7


def test_a_request_made_by_hand_may_be_under_a_path() -> None:
    request = Request("GET", "/café?a=1", root_path="/in a")
    assert (request.root_path, request.path) == ("/in a", "/café")
    assert request.url == "http://localhost/in%20a/caf%C3%A9?a=1"
    assert Request("GET", "/").root_path == ""
    for odd in ("/", "in", "/in/", "/in?a"):
        with pytest.raises(ValueError, match="is no root_path: write it as"):
            Request("GET", "/", root_path=odd)


def test_a_request_made_by_hand_needs_method_and_path_alone() -> None:
    request = Request("GET", "/")
    assert (request.params, request.cookies, request.body(), request.content_length) == ({}, {}, b"", None)
    assert (request.query_string, len(request.query), request.url, repr(request)) == (
        "",
        0,
        "http://localhost/",
        "<Request GET />",
    )


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("/a", "?x=1&y=é", "x=1&y=%C3%A9"),
        ("/a?x=1", "y=2", "x=1&y=2"),
        ("/a?x=1", [("y", "a+b"), ("y", None)], "x=1&y=a%2Bb&y=None"),
        ("/a", {}, ""),
        ("/a#fragment", {"x": "#"}, "x=%23"),
    ],
)
def test_a_query_is_given_as_text_pairs_or_mapping(path: str, query: Any, wanted: str) -> None:
    request = Request("GET", path, query=query)
    assert (request.query_string, request.path) == (wanted, "/a")


BODIES: list[tuple[Any, bytes]] = [
    (b"a\xff", b"a\xff"),
    (bytearray(b"a\xff"), b"a\xff"),
    ("é", "é".encode()),
    ([], b"[]"),
    ({}, b"{}"),
    (None, b""),
]


@pytest.mark.parametrize(("body", "wanted"), BODIES)
def test_a_body_is_given_as_bytes_text_or_json(body: Any, wanted: bytes) -> None:
    request = Request("POST", "/", body=body)
    assert request.body() == wanted
    assert request.is_json() is isinstance(body, dict | list)
    assert Request("POST", "/", headers={"content-type": "a/b+json"}, body=body).content_type == "a/b+json"


def test_a_url_gives_scheme_and_host() -> None:
    request = Request("GET", "https://shop.example:8443/a?b=c")
    assert (request.url, request.host, request.headers["host"]) == (
        "https://shop.example:8443/a?b=c",
        "shop.example:8443",
        "shop.example:8443",
    )
    assert Request("GET", "http://shop.example").url == "http://shop.example/"
    assert Request("GET", "/", headers={"Host": "other.example"}).host == "other.example"
    assert Request("OPTIONS", "*").url == "http://localhost"


WRONG: list[tuple[Callable[[], Request], str]] = [
    (lambda: Request("A B", "/"), '"A B" is no method of HTTP'),
    (lambda: Request("GET", "a"), '"a" is no path: start it with "/", or give a whole URL'),
    (lambda: Request("GET", ""), '"" is no path'),
    (lambda: Request("GET", "ftp://a/"), '"ftp://a/" is no path'),
    (lambda: Request("GET", "http://user@a/"), '"http://user@a/" is no path'),
    (lambda: Request("GET", "/", headers={"a b": "c"}), "'a b' is no name of a header field"),
    (
        lambda: Request("GET", "/", headers={"a": "b\r\nc: d"}),
        "the value of the header field 'a' has a control character",
    ),
    (lambda: Request("GET", "/", headers={"a": "€"}), "or one beyond latin-1"),
    (
        lambda: Request("GET", "/", client="localhost"),
        "the client is 'localhost': give an IP address, or one and a port",
    ),
    (lambda: Request("GET", "/", client=("::1", 65536)), "the client is ('::1', 65536): give an IP address"),
]


@pytest.mark.parametrize(("make", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_no_client_could_send_is_refused(make: Callable[[], Request], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_a_body_of_another_type_is_refused() -> None:
    body: Any = 5
    with pytest.raises(TypeError, match="a body is bytes, str, or a dict or list that becomes JSON, not int"):
        Request("POST", "/", body=body)


def test_a_request_made_by_hand_has_the_application_it_was_given() -> None:
    app = App()
    app.state.name = "x"
    assert Request("GET", "/", app=app).app is app
    with pytest.raises(RuntimeError, match=re.escape("made without an application: give one, Request(..., app=app)")):
        Request("GET", "/").app  # noqa: B018


def test_a_handler_can_be_called_with_one() -> None:
    app = App()

    @app.get("/users/{id}")
    def user(request: Request) -> dict[str, Any]:
        return {"id": request.get_param_int("id"), "page": request.get_query_int("page", 1)}

    assert user(Request("GET", "/users/7?page=2", params={"id": "7"})) == {"id": 7, "page": 2}
