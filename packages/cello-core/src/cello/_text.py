"""Simple values as text has them: in a path, a query, a header field, a cookie, a field of a form.

A converter takes text and gives the value, or raises `Wrong`. What JSON writes, this reads.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from uuid import UUID

from cello._annotation import members, split
from cello._constraint import checker
from cello._invalid import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    type FromText = Callable[[str], Any]

__all__ = ["choices", "from_text", "spelled"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,4300}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}", re.ASCII)
_DURATION = re.compile(
    r"([+-])?P(?!$)(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?!$)(?:([0-9]{1,12})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)S)?)?",
    re.ASCII,
)
_TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def from_text(annotation: Any) -> FromText | None:
    """The converter of a type; None where it is no simple type."""
    annotation, metadata = split(annotation)
    convert = _simple(annotation)
    if convert is None:
        return None
    check = checker(metadata)
    if check is None:
        return convert

    def checked(text: str) -> Any:
        value = convert(text)
        check(value)
        return value

    return checked


def choices(annotation: Any) -> list[tuple[Any, Any]] | None:
    """The values of an Enum or Literal, each with what it stands for; None for another type."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [(member.value, member) for member in annotation]
    if get_origin(annotation) is Literal:
        return [(member.value if isinstance(member, Enum) else member, member) for member in _literals(annotation)]
    return None


def _literals(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for member in get_args(annotation):
        nested, _ = split(member)
        found += _literals(nested) if get_origin(nested) is Literal else [member]
    return found


def _simple(annotation: Any) -> FromText | None:
    if annotation is str or annotation is Any or annotation is object:
        return _text
    several = [member for member in members(annotation) if member is not type(None) and member is not None]
    if len(several) > 1:
        return _union(several)
    if several and several[0] is not annotation:
        return from_text(several[0])
    try:
        known = _SIMPLE.get(annotation)
    except TypeError:  # not hashable
        return None
    if known is not None:
        return known
    allowed = choices(annotation)
    return None if allowed is None else _choice(allowed, isinstance(annotation, type))


def _union(types: list[Any]) -> FromText | None:
    # Every text is a str, so that is what is left when it is nothing else.
    ordered = sorted(types, key=lambda member: split(member)[0] is str)
    converters = [from_text(member) for member in ordered]
    known = [convert for convert in converters if convert is not None]
    if len(known) < len(converters):
        return None

    def convert(text: str) -> Any:
        refused: list[Wrong] = []
        for one in known:
            try:
                return one(text)
            except Wrong as wrong:
                refused.append(wrong)
        raise Wrong(", or ".join(dict.fromkeys(wrong.detail for wrong in refused)), refused[0].code)

    return convert


def _choice(allowed: list[tuple[Any, Any]], is_enum: bool) -> FromText:
    by_text = {spelled(value): member for value, member in allowed}
    words = f"must be one of {', '.join(by_text)}"

    def convert(text: str) -> Any:
        try:
            return by_text[text]
        except KeyError:
            raise Wrong(words, "enum" if is_enum else "literal_error") from None

    return convert


def spelled(value: Any) -> str:
    """A value as text has it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _text(text: str) -> str:
    return text


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text):
        try:
            return int(text)
        except ValueError:  # longer than this process lets numbers be
            pass
    raise Wrong("must be an integer", "int_parsing")


def _float(text: str) -> float:
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise Wrong("must be a finite number", "float_parsing")


def _decimal(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) and len(text) <= 4300:
        return Decimal(text)
    raise Wrong("must be a finite number", "decimal_parsing")


def _truth(text: str) -> bool:
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise Wrong("must be true or false", "bool_parsing") from None


def _uuid(text: str) -> UUID:
    if _UUID.fullmatch(text):
        return UUID(text)
    raise Wrong("must be a UUID", "uuid_parsing")


def _iso[Moment](parse: Callable[[str], Moment], what: str, code: str) -> Callable[[str], Moment]:
    def convert(text: str) -> Moment:
        try:
            return parse(text)
        except ValueError:
            raise Wrong(f"must be a {what} of ISO 8601", code) from None

    return convert


def _timedelta(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    try:
        if found:
            sign, weeks, days, hours, minutes, seconds = found.groups()
            whole, _, fraction = (seconds or "0").partition(".")
            duration = timedelta(
                weeks=int(weeks or 0),
                days=int(days or 0),
                hours=int(hours or 0),
                minutes=int(minutes or 0),
                seconds=int(whole),
                microseconds=int(fraction[:6].ljust(6, "0")),
            )
            return -duration if sign == "-" else duration
        if _NUMBER.fullmatch(text):
            return timedelta(seconds=float(text))
    except OverflowError:
        pass
    raise Wrong("must be a duration of ISO 8601, or a number of seconds", "time_delta_parsing")


_SIMPLE: dict[Any, FromText] = {
    int: _integer,
    float: _float,
    bool: _truth,
    UUID: _uuid,
    datetime: _iso(datetime.fromisoformat, "date and time", "datetime_parsing"),
    date: _iso(date.fromisoformat, "date", "date_parsing"),
    time: _iso(time.fromisoformat, "time", "time_parsing"),
    timedelta: _timedelta,
    Decimal: _decimal,
}
