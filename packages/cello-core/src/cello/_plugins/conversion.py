"""Values of a configuration: what text of a variable, and what a value of a file or of code, is to a type.

A converter gives the value or raises `Wrong`, whose words follow "NAME is VALUE: ".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args, get_origin
from uuid import UUID

from cello._annotation import is_optional, members, split
from cello._constraint import checker
from cello._invalid import Wrong
from cello._text import choices, from_text, spelled

if TYPE_CHECKING:
    type Convert = Callable[[Any], Any]

__all__ = ["Conversion", "conversion", "shown"]

#: The code of a value that is of another type, and no wrong one of the right type.
TYPE = "type"


class Conversion(NamedTuple):
    """How values of a type are had."""

    #: What it is, in words: "whole number".
    words: str
    #: From the text of a variable; None where no text is one.
    from_text: Callable[[str], Any] | None
    #: From a value of a file or of code.
    from_value: Convert
    #: Whether it has elements.
    is_many: bool = False


def conversion(annotation: Any) -> Conversion:
    """How values of a type are had."""
    annotation, metadata = split(annotation)
    found = _of(annotation)
    check = checker(metadata)
    if check is None:
        return found

    def checked(convert: Convert) -> Convert:
        def convert_and_check(given: Any) -> Any:
            value = convert(given)
            check(value)
            return value

        return convert_and_check

    of_text = None if found.from_text is None else checked(found.from_text)
    return found._replace(from_text=of_text, from_value=checked(found.from_value))


def shown(value: Any) -> str:
    """A value as a list of them shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple | set | frozenset):
        words = map(shown, cast("Iterable[Any]", value))
        return ", ".join(words if isinstance(value, list | tuple) else sorted(words))
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return spelled(getattr(value, "value", value))


def _of(annotation: Any) -> Conversion:
    several = members(annotation)
    if len(several) > 1 or is_optional(annotation):
        return _union([conversion(one) for one in several if one not in (None, type(None))], is_optional(annotation))
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return _row([conversion(one) for one in arguments])
    if origin in _GATHERED:
        return _many(conversion(arguments[0] if arguments else Any), _GATHERED[origin])
    if origin in (dict, Mapping):
        return _table(conversion(arguments[1] if arguments else Any))
    if annotation in (Any, object):
        return Conversion("anything", None, _as_it_is)
    if isinstance(annotation, type) and issubclass(annotation, PurePath):
        return _path(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    allowed = choices(annotation)
    if allowed is not None:
        return _choice(allowed, from_text(annotation))
    if annotation in _WRITTEN:
        return _written(annotation, _WRITTEN[annotation])
    if origin is Callable:
        return Conversion("a function", None, _instance(callable, "a function"))
    return _object(annotation)


def _as_it_is(value: Any) -> Any:
    return value


def _instance(holds: Callable[[Any], bool], words: str) -> Convert:
    def convert(value: Any) -> Any:
        if not holds(value):
            raise Wrong(f"must be {words}", TYPE)
        return value

    return convert


def _object(annotation: Any) -> Conversion:
    """A type of which the environment and the file know nothing."""
    if not isinstance(annotation, type):
        return Conversion(str(annotation), None, _as_it_is)
    name = annotation.__qualname__
    return Conversion(name, None, _instance(lambda value: isinstance(value, annotation), f"a {name}, made in code"))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong("must be a number", TYPE)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Wrong("must be a finite number", "float")
    return number


def _flag(text: str) -> bool:
    # Empty is false, as it is for the variables of the server.
    return bool(text) and bool(_reader(bool)(text))


def _reader(kind: Any) -> Callable[[str], Any]:
    convert = from_text(kind)
    assert convert is not None
    return convert


_PLAIN: dict[Any, Conversion] = {
    str: Conversion("text", _as_it_is, _instance(lambda value: isinstance(value, str), "text")),
    int: Conversion(
        "whole number",
        _reader(int),
        _instance(lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    ),
    float: Conversion("number", _reader(float), _number),
    bool: Conversion("true or false", _flag, _instance(lambda value: isinstance(value, bool), "true or false")),
}

#: What is written as text where there is no value of that kind, with its words.
_WRITTEN: dict[Any, str] = {
    UUID: "UUID",
    datetime: "date and time",
    date: "date",
    time: "time of day",
    timedelta: "duration, in seconds or of ISO 8601",
    Decimal: "number",
}


def _written(kind: Any, words: str) -> Conversion:
    convert = _reader(kind)

    def of_value(value: Any) -> Any:
        if isinstance(value, kind) and not (kind is date and isinstance(value, datetime)):
            return value
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and kind in (Decimal, timedelta)
        # A value that is no text gets the words for a text that is none.
        return convert(str(value) if isinstance(value, str) or is_number else "")

    return Conversion(words, convert, of_value)


def _path(kind: type[PurePath]) -> Conversion:
    # What the folders of this system are is said by Path alone.
    made: Callable[[Any], Any] = Path if kind is PurePath else kind

    def convert(value: Any) -> Any:
        given: Any = value
        if not isinstance(value, str | PathLike) or not str(given):
            raise Wrong("must be a path", TYPE)
        return made(given)

    return Conversion("path", convert, convert)


def _choice(allowed: list[tuple[Any, Any]], of_text: Callable[[str], Any] | None) -> Conversion:
    words = f"one of {', '.join(spelled(value) for value, _ in allowed)}"

    def convert(given: Any) -> Any:
        for value, member in allowed:
            if given is member or (type(given) is type(value) and given == value):
                return member
        raise Wrong(f"must be {words}", "enum")

    return Conversion(words, of_text, convert)


def _union(several: list[Conversion], is_optional: bool) -> Conversion:
    # Every text is text, so that is what is left when it is nothing else.
    of_text = [one.from_text for one in sorted(several, key=lambda one: one.words == "text") if one.from_text]

    def convert_text(text: str) -> Any:
        return None if is_optional and not text else _first(of_text, text)

    def convert(value: Any) -> Any:
        return None if is_optional and value is None else _first([one.from_value for one in several], value)

    words = " or ".join(dict.fromkeys(one.words for one in several))
    return Conversion(
        f"{words}, or nothing" if is_optional else words,
        convert_text if of_text else None,
        convert,
        any(one.is_many for one in several),
    )


def _first(converters: Sequence[Convert], given: Any) -> Any:
    refused: list[Wrong] = []
    for convert in converters:
        try:
            return convert(given)
        except Wrong as wrong:
            refused.append(wrong)
    raise Wrong(", or ".join(dict.fromkeys(wrong.detail for wrong in refused)), refused[0].code)


_GATHERED: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
    Collection: tuple,
    Iterable: tuple,
}


def _many(element: Conversion, gather: Callable[[Iterable[Any]], Any]) -> Conversion:
    of_text = None if element.is_many else element.from_text

    def gathered(convert: Convert, given: Iterable[Any]) -> Any:
        try:
            return gather([_element(convert, one, number) for number, one in enumerate(given, 1)])
        except TypeError:
            raise Wrong("has elements that cannot be in a set", TYPE) from None

    def convert_text(text: str) -> Any:
        assert of_text is not None
        return gathered(of_text, _parts(text))

    def convert(value: Any) -> Any:
        return gathered(element.from_value, _elements(value, f"a list of {element.words}"))

    return Conversion(f"list of {element.words}", convert_text if of_text else None, convert, is_many=True)


def _row(elements: list[Conversion]) -> Conversion:
    words = ", ".join(one.words for one in elements)
    of_text = [one.from_text for one in elements if one.from_text is not None and not one.is_many]

    def row(converters: Sequence[Convert], given: Collection[Any]) -> Any:
        if len(given) != len(converters):
            raise Wrong(f"must have {len(converters)} elements: {words}", "length")
        pairs = zip(converters, given, strict=True)
        return tuple(_element(convert, one, number) for number, (convert, one) in enumerate(pairs, 1))

    def convert_text(text: str) -> Any:
        return row(of_text, _parts(text))

    def convert(value: Any) -> Any:
        return row([one.from_value for one in elements], _elements(value, f"a list of {words}"))

    return Conversion(
        f"list of {words}", convert_text if len(of_text) == len(elements) else None, convert, is_many=True
    )


def _parts(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _elements(value: Any, words: str) -> Collection[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise Wrong(f"must be {words}", TYPE)
    return cast("Collection[Any]", value)


def _element(convert: Convert, given: Any, number: int) -> Any:
    try:
        return convert(given)
    except Wrong as wrong:
        raise Wrong(f"element {number} {wrong.detail}", wrong.code) from None


def _table(element: Conversion) -> Conversion:
    def convert(value: Any) -> Any:
        made: dict[Any, Any] = {}
        for name, one in _mapping(value, f"a table of {element.words}").items():
            try:
                made[name] = element.from_value(one)
            except Wrong as wrong:
                raise Wrong(f"{name} {wrong.detail}", wrong.code) from None
        return made

    return Conversion(f"table of {element.words}", None, convert, is_many=True)


def _mapping(value: Any, words: str) -> Any:
    given: object = value
    if not isinstance(given, Mapping):
        raise Wrong(f"must be {words}", TYPE)
    return value
