"""JSON as requests are read and answers are written, for whatever else needs it: streams, caches, messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._kernel import _json_decode, _json_encode
from cello.errors import MalformedJSON

if TYPE_CHECKING:
    from typing import Any

__all__ = ["decode", "encode"]


def encode(value: object) -> bytes:
    """The value as JSON: compact, in UTF-8, in one line.

    Errors: TypeError or ValueError for what JSON does not have, with the path to it.
    Source: RFC 8259.
    Example: `encode({"id": UUID(int=1)}) + b"\\n"`
    """
    return _json_encode(value)


def decode(document: bytes | bytearray | memoryview | str) -> Any:
    """What a document of JSON says.

    Errors: ValueError, with line and column. Not MalformedJSON, a 400: it need not be the client's.
    Source: RFC 8259.
    """
    data = document.encode() if isinstance(document, str) else bytes(document)
    try:
        return _json_decode(data)
    except MalformedJSON as error:
        raise ValueError(str(error).replace("The body", "The document", 1)) from None
