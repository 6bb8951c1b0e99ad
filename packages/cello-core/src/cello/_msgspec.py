"""Bodies that msgspec makes, and all that is wrong with one that it refuses.

It stops at the first error. So the body is then taken apart along its type, and msgspec is asked about each part.
"""

from __future__ import annotations

import sys
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin

from cello._annotation import members, split
from cello._document import is_array, is_object
from cello._invalid import FAULTS, Fault, Invalid
from cello._structure import fields_of, is_structure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Path = tuple[str | int, ...]

__all__ = ["reader"]

_PLACE = "body"
#: Of a longer document the first error is told: each level that it is taken apart to reads all that is below once more.
_BYTES = 16 << 10


class Part(NamedTuple):
    """A value within another, and the type it should have."""

    step: str | int
    value: Any
    annotation: Any
    is_missing: bool = False


def reader(annotation: Any) -> Callable[[bytes], Any]:
    """Makes the function that reads a document and gives the value, which raises Invalid and MalformedJSON."""
    msgspec = sys.modules["msgspec"]
    decode = msgspec.json.Decoder(annotation).decode
    refusal, malformed = msgspec.ValidationError, msgspec.DecodeError

    def read(document: bytes) -> Any:
        try:
            return decode(document)
        except refusal as error:
            value, faults = _document(document), list[Fault]()
            if len(document) <= _BYTES:
                faults = list(islice(_faults(value, annotation, ()), FAULTS))
            raise Invalid(faults or [_fault(str(error), ())]) from None
        except malformed as error:
            from cello.errors import MalformedJSON

            _document(document)
            raise MalformedJSON(f"The body cannot be read as JSON: {error}.") from None

    return read


def _document(document: bytes) -> Any:
    """The document; what is no JSON is told in the words that it has everywhere."""
    from cello._kernel import _json_decode

    return _json_decode(document)


def _faults(value: Any, annotation: Any, path: Path) -> Iterator[Fault]:
    msgspec = sys.modules["msgspec"]
    try:
        msgspec.convert(value, annotation, str_keys=True)
        return
    except msgspec.ValidationError as error:
        first = _fault(str(error), path)
    found = False
    for part in _parts(value, annotation):
        place = (*path, part.step)
        if part.is_missing:
            found = True
            yield Fault(_PLACE, place, "is required", "missing")
            continue
        for fault in _faults(part.value, part.annotation, place):
            found = True
            yield fault
    if not found:
        yield first


def _parts(value: Any, annotation: Any) -> Iterator[Part]:
    annotation, _ = split(annotation)
    kinds = [kind for kind in members(annotation) if kind is not NoneType]
    kind, _ = split(kinds[0])
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if len(kinds) > 1:
        return  # which one was meant is not known
    if is_array(value) and arguments and (len(arguments) == 1 or arguments[1:] == (...,)):
        yield from (Part(index, element, arguments[0]) for index, element in enumerate(value))
    elif is_object(value) and origin is dict and arguments:
        yield from (Part(name, member, arguments[1]) for name, member in value.items())
    elif is_object(value):
        for name, hint, is_required in _fields(kind, origin):
            if name in value:
                yield Part(name, value[name], hint)
            elif is_required:
                yield Part(name, None, hint, is_missing=True)


def _fields(kind: Any, origin: Any) -> list[tuple[str, Any, bool]]:
    if hasattr(origin, "__struct_fields__"):
        structs = sys.modules["msgspec"].structs
        return [(field.encode_name, field.type, field.required) for field in structs.fields(kind)]
    return fields_of(kind) if is_structure(kind) else []


def _fault(words: str, path: Path) -> Fault:
    """The one error that msgspec tells, which says its place at the end: `- at `$.items[0].price``."""
    import re

    detail, _, place = words.partition(" - at `")
    place = place.partition("`")[0] if not place.startswith("key") else ""
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", place):
        if index == "...":  # any element of an object or a set
            break
        path = (*path, name or int(index))
    missing = re.match(r"Object missing required field `(.*)`", detail)
    if missing:
        return Fault(_PLACE, (*path, missing[1]), "is required", "missing")
    return Fault(_PLACE, path, detail, "value_error")
