"""`cello.json`: the encoder and the parser of the server, for whatever else needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from cello import Response, json
from cello.errors import HTTPError
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from serving import Serve

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def test_a_stream_of_lines_is_written_as_answers_are(serve: Serve) -> None:
    server = serve(
        """
        from datetime import UTC, datetime
        from cello import App, Response, json

        app = App()
        rows = [{"id": number, "at": datetime(2026, 1, 2, tzinfo=UTC)} for number in range(3)]

        @app.get("/lines")
        async def lines():
            async def pieces():
                for row in rows:
                    yield json.encode(row) + b"\\n"

            return Response.stream(pieces(), "application/x-ndjson")

        @app.get("/list")
        def whole():
            return rows

        app.run()
        """
    )
    lines = server.get("/lines").body.splitlines()
    assert b"[" + b",".join(lines) + b"]" == server.get("/list").body


def test_what_is_written_is_what_an_answer_has() -> None:
    value = {"id": UUID(int=1), "price": Decimal("1.10"), "at": datetime(2026, 1, 2, tzinfo=UTC), "é": [1.5, None]}
    assert json.encode(value) == Response.json(value).body()


@given(DOCUMENTS)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert json.decode(json.encode(value)) == value


def test_a_document_is_bytes_of_any_kind_or_text() -> None:
    text = '{"a":["é"]}'
    data = text.encode()
    for document in (data, bytearray(data), memoryview(data), text):
        assert json.decode(document) == {"a": ["é"]}


def test_what_json_does_not_have_is_refused_with_the_path_to_it() -> None:
    with pytest.raises(TypeError, match=r"^\$\.a\[0\]: a value of type bytes has no JSON form"):
        json.encode({"a": [b""]})
    with pytest.raises(ValueError, match=r"^\$: nan has no JSON form"):
        json.encode(float("nan"))


@pytest.mark.parametrize("document", ["[1,", b"[1,", b"\xff", "\ud800"])
def test_a_malformed_document_is_a_valueerror_and_no_answer(document: str | bytes) -> None:
    with pytest.raises(ValueError) as raised:
        json.decode(document)
    assert not isinstance(raised.value, HTTPError)
    if document in ("[1,", b"[1,"):
        assert str(raised.value).startswith("The document cannot be read as JSON: ")
        assert "at line 1, column 4 (byte 3)" in str(raised.value)
