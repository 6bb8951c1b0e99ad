"""The exact half of JSON parsing: integers of any size, and words about what is malformed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from cello.errors import MalformedJSON

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["loads"]

#: As deep as the native half parses.
_MAX_DEPTH = 128


def loads(document: bytes) -> Any:
    """Parses a document that the native parser would not take.

    Errors: MalformedJSON, with the position where there is one.
    """
    try:
        value = json.loads(document.decode(), parse_float=_parse_float, parse_constant=_refuse)
        if not _nests_too_deep(value):
            return value
    except MalformedJSON:
        raise
    except json.JSONDecodeError as error:
        words = error.msg.removesuffix(" at")
        raise MalformedJSON(f"The body is no JSON: {words} at line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is no JSON: byte {error.start} is not UTF-8.") from None
    except ValueError:  # sys.set_int_max_str_digits(): what is left that json.loads() raises
        raise MalformedJSON("The body is no JSON this server takes: an integer has too many digits.") from None
    except RecursionError:
        pass
    raise MalformedJSON(f"The body is no JSON this server takes: it nests deeper than {_MAX_DEPTH} levels.")


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise MalformedJSON("The body is no JSON this server takes: a number is too large.")
    return number


def _refuse(constant: str) -> None:
    raise MalformedJSON(f"The body is no JSON: {constant} is no number there.")


def _nests_too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in _items(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()
