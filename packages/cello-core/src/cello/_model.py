"""The body of a request as a type of the application: by the library that made the type, or by our own hands.

pydantic and msgspec are used where the application has imported them, and never imported by us.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from cello import _msgspec
from cello._annotation import members, split
from cello._constraint import checker, is_known
from cello._document import is_array, is_object
from cello._invalid import Enough, Fault, Faults, Invalid, Wrong
from cello._structure import from_json, hints_of, is_structure
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Read = Callable[[bytes], Any]

__all__ = ["is_model", "owner", "reader", "scalar"]

_PLACE = "body"
#: With more errors than these, pydantic is not asked for each.
_COUNTED = 10_000


def is_model(annotation: Any) -> bool:
    """Whether a type is, or is made of, what only a body can be: a model, a dataclass, a struct, an object."""
    annotation, _ = split(annotation)
    kind = get_origin(annotation) or annotation
    if kind is dict or is_structure(kind) or _library_of(kind) is not None:
        return True
    return any(is_model(argument) for argument in _inner(annotation))


def reader(annotation: Any, metadata: tuple[Any, ...]) -> Read:
    """Makes the function that reads a document and gives the value.

    Errors: StartError where nothing can make the type. The function raises Invalid, and MalformedJSON.
    """
    refused: list[str] = []
    for library in _libraries(annotation):
        try:
            return _checked(_READERS[library](annotation), metadata)
        except Exception as error:
            refused.append(_words(error, library))
    raise StartError("; ".join(refused))


def scalar(annotation: Any) -> Callable[[str], Any] | None:
    """The converter of text into a type that says to pydantic how it is made, as `HttpUrl`; None for another.

    Errors: StartError where pydantic cannot make it.
    """
    pydantic = sys.modules.get("pydantic")
    if pydantic is None:
        return None
    known = [kind for kind in members(annotation) if hasattr(kind, "__get_pydantic_core_schema__")]
    if not known or any(map(_library_of, known)):
        return None
    try:
        validate = pydantic.TypeAdapter(annotation).validator.validate_strings
    except Exception as error:
        raise StartError(_words(error, "pydantic")) from None

    def convert(text: str) -> Any:
        try:
            return validate(text)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise Wrong(first["msg"], first["type"]) from None

    return convert


def _words(error: Exception, library: str) -> str:
    words = str(error).partition("\n")[0]
    return f"{library}: {words}" if library != "cello" else words


def _checked(read: Read, metadata: tuple[Any, ...]) -> Read:
    check = checker(metadata)
    if check is None:
        return read

    def checked(document: bytes) -> Any:
        value = read(document)
        try:
            check(value)
        except Wrong as wrong:
            raise Invalid([Fault(_PLACE, (), wrong.detail, wrong.code)]) from None
        return value

    return checked


def _libraries(annotation: Any) -> list[Literal["pydantic", "msgspec", "cello"]]:
    """Who is asked to make a type, in order."""
    loaded: list[Literal["pydantic", "msgspec"]] = [
        library for library in ("pydantic", "msgspec") if sys.modules.get(library) is not None
    ]
    first = owner(annotation)
    if first is not None:
        return [first]
    if _has_structure(annotation):
        # A library passes over in silence what it does not know, so that its being loaded would loosen the check.
        said = list(_said(annotation, set()))
        return [*(library for library in loaded if all(is_known(library, one) for one in said)), "cello"]
    # msgspec takes any class for one that it is told about later, and cannot make it.
    return ["cello", *(library for library in loaded if library == "pydantic")]


def owner(annotation: Any) -> Literal["pydantic", "msgspec"] | None:
    """The library that made a type, or a part of it; None where the application itself did."""
    annotation, _ = split(annotation)
    if (library := _library_of(get_origin(annotation) or annotation)) is not None:
        return library
    return next((made for argument in _inner(annotation) if (made := owner(argument)) is not None), None)


def _library_of(kind: Any) -> Literal["pydantic", "msgspec"] | None:
    if not isinstance(kind, type):
        return None
    if hasattr(kind, "__pydantic_validator__") or hasattr(kind, "__pydantic_core_schema__"):
        return "pydantic"
    return "msgspec" if hasattr(kind, "__struct_fields__") else None


def _has_structure(annotation: Any) -> bool:
    annotation, _ = split(annotation)
    return is_structure(annotation) or any(_has_structure(argument) for argument in _inner(annotation))


def _said(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    """The constraints of a type, of its parts and of the fields of its structures."""
    annotation, metadata = split(annotation)
    yield from metadata
    if is_structure(annotation) and annotation not in seen:
        seen.add(annotation)
        try:
            parts = tuple(hints_of(annotation).values())
        except StartError:  # whoever makes it says what is wrong with it
            return
    else:
        parts = _inner(annotation)
    for part in parts:
        yield from _said(part, seen)


def _inner(annotation: Any) -> tuple[Any, ...]:
    return tuple(argument for argument in get_args(annotation) if not isinstance(argument, str | int))


def _by_pydantic(annotation: Any) -> Read:
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(annotation)
    validator = adapter.validator
    if type(validator).__name__.startswith("Mock"):
        adapter.rebuild(raise_errors=True)
        validator = adapter.validator
    validate = validator.validate_json
    refusal = pydantic.ValidationError

    def read(document: bytes) -> Any:
        try:
            return validate(document)
        except refusal as error:
            raise _of_pydantic(document, error) from None

    return read


def _of_pydantic(document: bytes, error: Any) -> Exception:
    from cello._kernel import _json_decode

    value = _json_decode(document)  # what is no JSON is told in the words that it has everywhere
    if error.error_count() > _COUNTED:
        return Invalid([Fault(_PLACE, (), f"has {error.error_count()} errors", "too_many_errors")])
    faults: list[Fault] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        if one["type"] == "json_invalid":
            from cello.errors import MalformedJSON

            return MalformedJSON(f"The body cannot be read as JSON: {one['msg']}.")
        path = _place_in(value, one["loc"], is_missing=one["type"] == "missing")
        faults.append(Fault(_PLACE, path, one["msg"], one["type"]))
    return Invalid(faults)


def _place_in(document: Any, location: tuple[str | int, ...], *, is_missing: bool) -> tuple[str | int, ...]:
    """The place without the words that pydantic puts in it for what a union tried."""
    path: list[str | int] = []
    value: Any = document
    for number, step in enumerate(location):
        if is_object(value) and step in value:
            path.append(step)
            value = value[str(step)]
        elif is_array(value) and isinstance(step, int) and step < len(value):
            path.append(step)
            value = value[step]
        elif is_missing and number == len(location) - 1:
            path.append(step)
    return tuple(path)


def _by_hand(annotation: Any) -> Read:
    from cello._kernel import _json_decode

    convert = from_json(annotation)

    def read(document: bytes) -> Any:
        faults = Faults()
        value = None
        with suppress(Enough):
            value = convert(_json_decode(document), (), faults)
        if faults:
            raise Invalid(faults)
        return value

    return read


_READERS: dict[str, Callable[[Any], Read]] = {"pydantic": _by_pydantic, "msgspec": _msgspec.reader, "cello": _by_hand}
