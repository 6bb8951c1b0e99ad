"""Any value as what JSON has: no larger than a line may be, and without what is not to be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from os import PathLike
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from cello_observability.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cello_observability.redaction import Redaction

    type Plain = bool | int | float | str | list[Plain] | dict[str, Plain] | None

__all__ = ["MOST_CHARACTERS", "cut", "plain"]

#: Of a longer text the beginning is written.
MOST_CHARACTERS = 10_000
#: Of all values of a record: how many there are, how many characters they have, and how deep they lie.
MOST_VALUES = 1_000
MOST_CHARACTERS_OF_ALL = 50_000
MOST_DEPTH = 8
#: Longer whole numbers are not worth their digits, and Python refuses to write them.
MOST_BITS = 1024


def plain(value: object, redaction: Redaction) -> Plain:
    """The value, in what JSON has. It never fails.

    Bytes are text, a mapping, a dataclass and a named tuple are objects, sets and sequences are lists, of anything else
    there is its `repr`. A value within itself is "<cycle>", and what is too much is "…".
    """
    return _Walk(redaction).plain(value)


def cut(text: str, characters: int = MOST_CHARACTERS) -> str:
    """The text, or its beginning."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


class _Walk:
    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._values_left = MOST_VALUES
        self._characters_left = MOST_CHARACTERS_OF_ALL
        #: The containers that this is in.
        self._around: set[int] = set()

    def plain(self, value: object) -> Plain:
        self._values_left -= 1
        if self._values_left < 0:
            return "…"
        try:
            return self._of(value)
        except Exception:
            return f"<{type(value).__name__} that cannot be shown>"

    def _of(self, value: object) -> Plain:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return self.plain(value.value)
        if isinstance(value, int):
            return int(value) if int.bit_length(value) <= MOST_BITS else f"<int of {int.bit_length(value)} bits>"
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            head = bytes(cast("bytes", value[:MOST_CHARACTERS]))
            return self._text(head.decode(errors="backslashreplace"))
        if isinstance(value, (date, time)):
            return value.isoformat()
        if isinstance(value, (UUID, Decimal, PathLike)):
            return self._text(str(cast("object", value)))
        return self._of_container(value)

    def _of_container(self, value: object) -> Plain:
        identity = id(value)
        if identity in self._around:
            return "<cycle>"
        if len(self._around) >= MOST_DEPTH:
            return "…"
        self._around.add(identity)
        try:
            return self._inside(value)
        finally:
            self._around.discard(identity)

    def _inside(self, value: Any) -> Plain:
        if isinstance(value, Mapping):
            return self._object(cast("Mapping[object, object]", value).items())
        if is_dataclass(value) and not isinstance(value, type):
            return self._object((one.name, getattr(value, one.name, None)) for one in fields(value))
        if isinstance(value, tuple) and (names := getattr(cast("Any", value), "_fields", None)):
            return self._object(zip(names, cast("tuple[object, ...]", value), strict=False))
        if isinstance(value, (Sequence, Set)):
            return self._list(cast("Iterable[object]", value))
        return self._text(repr(cast("object", value)))

    def _object(self, items: Iterable[tuple[object, object]]) -> Plain:
        made: dict[str, Plain] = {}
        for key, value in items:
            name = self._name(key)
            made[name] = REDACTED if self._redaction.is_secret(name) else self.plain(value)
            if self._values_left <= 0:
                made["…"] = "…"
                break
        return made

    def _list(self, values: Iterable[object]) -> Plain:
        made: list[Plain] = []
        for value in values:
            made.append(self.plain(value))
            if self._values_left <= 0:
                made.append("…")
                break
        # A pair of a name and its value, as header fields are told.
        if len(made) == 2 and isinstance(made[0], str) and self._redaction.is_secret(made[0]):
            made[1] = REDACTED
        return made

    def _name(self, key: object) -> str:
        if isinstance(key, (bytes, bytearray)):
            return cut(key.decode(errors="backslashreplace"), 256)
        try:
            return cut(str.__str__(key) if isinstance(key, str) else str(key), 256)
        except Exception:
            return f"<{type(key).__name__}>"

    def _text(self, text: str) -> str:
        shown = self._redaction.text(cut(text, max(1, min(MOST_CHARACTERS, self._characters_left))))
        self._characters_left -= len(shown)
        return shown
