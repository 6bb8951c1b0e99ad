"""The exact half of JSON parsing: integers of any size, and words about what is malformed."""

from __future__ import annotations

import json
from typing import Any

from cello.errors import MalformedJSON

__all__ = ["loads"]


def loads(document: bytes) -> Any:
    """Parses a document that the native parser would not take.

    Errors: MalformedJSON, with the position where there is one.
    """
    try:
        return json.loads(document.decode(), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise MalformedJSON(f"The body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is no JSON: byte {error.start} is not UTF-8.") from None
    except RecursionError:
        raise MalformedJSON("The body is no JSON this server takes: it nests too deep.") from None


def _refuse(constant: str) -> None:
    raise MalformedJSON(f"The body is no JSON: {constant} is no number there.")
