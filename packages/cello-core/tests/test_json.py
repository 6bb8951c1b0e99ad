"""JSON in both directions, measured against the standard library."""

from __future__ import annotations

import http.client
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from cello import Response
from hypothesis import example, given, settings
from hypothesis import strategies as st
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve

ECHO = """
    import json
    from cello import App

    app = App()

    @app.post("/decoded")
    def decoded(request):
        return repr(request.json()).encode(errors="surrogatepass")

    @app.post("/encoded")
    def encoded(request):
        return json.loads(request.body())

    @app.post("/both")
    def both(request):
        return request.json()

    @app.post("/body")
    def body(request):
        request.json()
        first = request.body()
        request.json()
        return first + b"|" + request.body()

    app.run()
"""

MAX_DEPTH = 128

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=20
)
#: Anything that looks like JSON, and mostly is none.
scribbles = st.text(alphabet='[]{},:"\\0123456789.eE+-truefalsn /ud\t\n\x00\x1fé\u2028', max_size=24)


class Text(str):
    __slots__ = ()


class Number(float):
    def __repr__(self) -> str:
        return "number"


class Client:
    """Posts to a server on one connection."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=20)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.connection.request("POST", path, body=body)
        response = self.connection.getresponse()
        return response.status, response.read()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One connection to one echo application for all tests: what goes wrong in a request stays there."""
    server = Server.start(tmp_path_factory.mktemp("echo"), ECHO)
    try:
        client = Client(server)
        yield client
        client.connection.close()
        stopped = server.stop()
        assert (stopped.exit_code, stopped.stderr) == (0, "")
    finally:
        server.end()


def nested(depth: int, innermost: str = "") -> bytes:
    return ("[" * depth + innermost + "]" * depth).encode()


def standard(document: bytes) -> Any:
    """What the standard library makes of a document in UTF-8; NaN and infinities are no JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def finite(digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            raise ValueError(digits)
        return number

    return json.loads(document.decode(), parse_constant=refuse, parse_float=finite)


# --- parsing


def test_what_is_parsed_equals_what_the_standard_library_parses(client: Client) -> None:
    @given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
    @settings(max_examples=300, deadline=None)
    def parses(value: Any, indent: int | str | None, ascii_only: bool) -> None:
        document = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
        assert client.post("/decoded", document) == (200, repr(json.loads(document)).encode())

    parses()


def test_what_is_no_json_is_refused_where_the_standard_library_refuses_it(client: Client) -> None:
    @given(scribbles.map(str.encode) | st.binary(max_size=12))
    @example(b"1e400")
    @example(b"[-1e999]")
    @settings(max_examples=500, deadline=None)
    def agrees(document: bytes) -> None:
        status, answer = client.post("/decoded", document)
        try:
            expected = standard(document)
        except ValueError:
            assert (status, json.loads(answer)["title"]) == (400, "Bad Request")
        else:
            assert (status, answer) == (200, repr(expected).encode())

    agrees()


@pytest.mark.parametrize(
    "document",
    [
        b"0",
        b"-0",
        b"-0.0",
        b"1E+2",
        b"0.1e1",
        b"5e-324",
        b"1e-400",
        b"1.7976931348623157e308",
        b"123456789012345678.5",
        b"9007199254740993",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-9223372036854775808",
        b"-9223372036854775809",
        b'"\\ud83d\\ude00 \\u00e9 \\/ \\b\\f\\n\\r\\t \\" \\\\ \\u0000"',
        b'"\\ud800"',
        '"é 😀 \u2028 \x7f"'.encode(),
        b' \t\r\n[ 1 , { "a" : [ ] } ] \n',
        b'{"a": 1, "b": 2, "a": 3}',
        b'{"": {}}',
        b"9" * 4300,
        nested(MAX_DEPTH),
        nested(MAX_DEPTH, str(2**80)),
    ],
    ids=lambda document: document[:24].decode(),
)
def test_a_document_is_parsed_exactly(client: Client, document: bytes) -> None:
    assert client.post("/decoded", document) == (200, repr(json.loads(document)).encode())


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (b"", "The body is no JSON: Expecting value at line 1, column 1."),
        (b" \n ", "The body is no JSON: Expecting value at line 2, column 2."),
        (b'{"a": 1,\n "b" 2}', "The body is no JSON: Expecting ':' delimiter at line 2, column 6."),
        (b'{"a":1,}', "The body is no JSON: Expecting property name enclosed in double quotes at line 1, column 8."),
        (b"[1,]", "The body is no JSON: Expecting value at line 1, column 4."),
        (b"1 2", "The body is no JSON: Extra data at line 1, column 3."),
        (b"01", "The body is no JSON: Extra data at line 1, column 2."),
        (b'"abc', "The body is no JSON: Unterminated string starting at line 1, column 1."),
        (b'"\x01"', "The body is no JSON: Invalid control character at line 1, column 2."),
        (b"NaN", "The body is no JSON: NaN is no number there."),
        (b"[Infinity]", "The body is no JSON: Infinity is no number there."),
        (b"-Infinity", "The body is no JSON: -Infinity is no number there."),
        (b"[1e400]", "The body is no JSON this server takes: a number is too large."),
        (b"-1e400", "The body is no JSON this server takes: a number is too large."),
        (b"9" * 4301, "The body is no JSON this server takes: an integer has too many digits."),
        (b'"\xff"', "The body is no JSON: byte 1 is not UTF-8."),
        (b'"\xed\xa0\x80"', "The body is no JSON: byte 1 is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "The body is no JSON: byte 0 is not UTF-8."),
        (nested(129), "The body is no JSON this server takes: it nests deeper than 128 levels."),
        (nested(129, str(2**80)), "The body is no JSON this server takes: it nests deeper than 128 levels."),
        (
            b'{"a":' * 129 + b"{}" + b"}" * 129,
            "The body is no JSON this server takes: it nests deeper than 128 levels.",
        ),
        (nested(100_000), "The body is no JSON this server takes: it nests deeper than 128 levels."),
        (b"[" * 1_000_000, "The body is no JSON this server takes: it nests deeper than 128 levels."),
    ],
    ids=lambda given: given[:24].decode(errors="replace") if isinstance(given, bytes) else "",
)
def test_a_malformed_document_is_a_400_that_says_what_and_where(client: Client, document: bytes, detail: str) -> None:
    status, answer = client.post("/decoded", document)
    assert (status, json.loads(answer)["detail"]) == (400, detail)


def test_the_body_is_intact_after_it_was_parsed(client: Client) -> None:
    # The native parser unescapes in place: in a copy, that is.
    document = b'{"a\\u00e9": "b\\n\\"c", "d": [1.50, "\\ud83d\\ude00"]}'
    assert client.post("/body", document) == (200, document + b"|" + document)


# --- serialising


def test_what_is_serialised_equals_what_went_in(client: Client) -> None:
    @given(values)
    @settings(max_examples=300, deadline=None)
    def survives(value: Any) -> None:
        # In an object, since a bare str is an answer in plain text.
        document = json.dumps({"value": value}).encode()
        status, answer = client.post("/encoded", document)
        assert (status, repr(json.loads(answer))) == (200, repr({"value": value}))
        assert client.post("/both", document) == (200, answer)

    survives()


def test_what_is_serialised_is_compact_and_escapes_no_more_than_it_must(client: Client) -> None:
    value: dict[str, list[Any]] = {
        "é": ['\x00\x1f\b\t\n\f\r"\\/\x7f\u2028', -(2**63), 2**64, 10**40, 1.5, -0.0, 1e22, None, True, False, {}]
    }
    status, answer = client.post("/encoded", json.dumps(value).encode())
    assert status == 200
    assert answer.decode() == (
        '{"é":["\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028",-9223372036854775808,18446744073709551616,'
        "10000000000000000000000000000000000000000,1.5,-0.0,1e+22,null,true,false,{}]}"
    )


def test_subclasses_are_serialised_as_what_they_are_kinds_of(serve: Serve) -> None:
    server = serve("""
        from collections import OrderedDict, defaultdict, namedtuple
        from enum import IntEnum, StrEnum
        from cello import App

        Colour = IntEnum("Colour", {"RED": 3})
        Fruit = StrEnum("Fruit", {"PLUM": "plum"})
        Point = namedtuple("Point", "x y")

        class Loud(int):
            __repr__ = __str__ = lambda self: "loud"

        class Number(float):
            __repr__ = __str__ = lambda self: "number"

        app = App()

        @app.get("/")
        def answer():
            ordered = OrderedDict(a=1, b=2)
            ordered.move_to_end("a")
            return {
                "enums": [Colour.RED, Fruit.PLUM, {Fruit.PLUM: 1}],
                "numbers": [Loud(7), Loud(10**20), Number(1.5)],
                "tuples": [(), (1, (2,)), Point(1, 2)],
                "dicts": [defaultdict(list, a=[]), ordered],
            }

        app.run()
    """)
    assert server.get("/").body == (
        b'{"enums":[3,"plum",{"plum":1}],"numbers":[7,100000000000000000000,1.5],'
        b'"tuples":[[],[1,[2]],[1,2]],"dicts":[{"a":[]},{"b":2,"a":1}]}'
    )


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_is_serialised_to_the_limit_and_refused_past_it() -> None:
    assert Response.json(deep(MAX_DEPTH)).status == 200
    with pytest.raises(ValueError, match="nests deeper than 128 levels"):
        Response.json(deep(MAX_DEPTH + 1))


def cyclic_list() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def cyclic_dict() -> dict[str, Any]:
    cycle: dict[str, Any] = {}
    cycle["self"] = [cycle]
    return cycle


@pytest.mark.parametrize("cycle", [cyclic_list(), cyclic_dict()], ids=["list", "dict"])
def test_a_value_that_contains_itself_is_refused(cycle: Any) -> None:
    with pytest.raises(ValueError, match="contains itself"):
        Response.json(cycle)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, Number("nan")], ids=str)
def test_a_float_that_json_has_not_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="cannot be serialised as JSON: it has no such number"):
        Response.json([number])


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, [Text("a\ud800")]], ids=ascii)
def test_a_lone_surrogate_is_refused(value: Any) -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        Response.json(value)


def test_an_integer_of_more_digits_than_python_prints_is_refused() -> None:
    with pytest.raises(ValueError, match="4300 digits"):
        Response.json(10**4300)


@pytest.mark.parametrize(
    ("key", "kind"), [(1, "int"), (None, "NoneType"), (True, "bool"), (1.5, "float"), ((), "tuple"), (b"", "bytes")]
)
def test_a_key_that_is_no_string_is_refused(key: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"a key of type {kind} cannot be serialised as JSON: use str"):
        Response.json({"fine": {key: 1}})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({1}, "set"),
        (b"x", "bytes"),
        (1j, "complex"),
        (Response, "type"),
        (iter(()), "tuple_iterator"),
    ],
    ids=["object", "set", "bytes", "complex", "type", "iterator"],
)
def test_a_value_of_another_type_is_refused_by_its_name(value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"a value of type {kind} cannot be serialised as JSON"):
        Response.json({"deep": [value]})
