"""JSON over real sockets: what a client sends, and what it gets."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
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
        return repr(request.json()).encode()

    @app.post("/encoded")
    def encoded(request):
        return json.loads(request.body())

    @app.post("/body")
    def body(request):
        request.json()
        first = request.body()
        request.json()
        return first + b"|" + request.body()

    app.run()
"""


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


@pytest.mark.parametrize(
    "document",
    [
        b"-0",
        b"18446744073709551616",
        b'"\\ud83d\\ude00 \\u0000"',
        '"é 😀 \u2028 \x7f"'.encode(),
        b' \t\r\n[ 1 , { "a" : [ ] } ] \n',
        b"[" * 128 + b"]" * 128,
    ],
    ids=lambda document: document[:24].decode(),
)
def test_a_document_is_parsed_exactly(client: Client, document: bytes) -> None:
    assert client.post("/decoded", document) == (200, repr(json.loads(document)).encode())


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (b"", "a value is expected at line 1, column 1 (byte 0)."),
        (b'{"a": 1,\n "b" 2}', "':' is expected at line 2, column 6 (byte 14)."),
        (b'"\xff"', "this byte is no UTF-8 at line 1, column 2 (byte 1)."),
        (b"[" * 1_000_000, "it nests deeper than 128 levels at line 1, column 129 (byte 128)."),
    ],
    ids=lambda given: given[:24].decode(errors="replace") if isinstance(given, bytes) else "",
)
def test_a_malformed_document_is_a_400_that_says_what_and_where(client: Client, document: bytes, what: str) -> None:
    status, answer = client.post("/decoded", document)
    assert (status, json.loads(answer)["detail"]) == (400, f"The body cannot be read as JSON: {what}")


def test_the_body_is_intact_after_it_was_parsed(client: Client) -> None:
    document = b'{"a\\u00e9": "b\\n\\"c", "d": [1.50, "\\ud83d\\ude00"]}'
    assert client.post("/body", document) == (200, document + b"|" + document)


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


def test_a_value_without_a_json_form_is_a_500_whose_path_is_in_the_log(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()

        @app.get("/")
        def answer():
            return {"items": [1, {"price": float("nan")}]}

        app.run()
    """)
    assert server.get("/").status == 500
    stopped = server.stop()
    assert "ValueError: $.items[1].price: nan has no JSON form: use None" in stopped.stderr


def test_nothing_of_pydantic_or_msgspec_is_imported_for_the_kinds_of_the_standard_library(serve: Serve) -> None:
    server = serve("""
        import sys
        from dataclasses import dataclass
        from datetime import date
        from cello import App

        app = App()

        @dataclass
        class Day:
            date: date

        @app.get("/")
        def answer():
            return [Day(date(2026, 1, 2))]

        @app.get("/modules")
        def modules():
            return sorted(name for name in sys.modules if name.partition(".")[0] in {"pydantic", "msgspec"})

        app.run()
    """)
    assert server.get("/").body == b'[{"date":"2026-01-02"}]'
    assert server.get("/modules").json() == []
