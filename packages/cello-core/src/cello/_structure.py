"""Values as JSON has them, made into dataclasses, typed dicts and simple types, where no library does it.

It is strict: a number is no text and a text no number. Members that nobody asked for are left out. All that is wrong is
told, each with its place.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin
from uuid import UUID

from cello._annotation import members, split
from cello._constraint import check_fit, checker
from cello._document import is_array, is_object
from cello._invalid import Enough, Fault, Faults, Wrong
from cello._text import choices, from_text, spelled
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._invalid import Known

    type Path = tuple[str | int, ...]
    #: Makes the value; what is wrong goes into the list, which raises Enough.
    type Convert = Callable[[Any, Path, Faults], Any]

__all__ = ["fields_of", "from_json", "hints_of", "is_structure"]

_PLACE = "body"
#: What dataclasses and typed dicts are known by.
_MARKS = ("__dataclass_fields__", "__required_keys__")
_FROM_STR = (UUID, datetime, date, time, timedelta)
_ARRAYS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}


def is_structure(annotation: Any) -> bool:
    """Whether a type is a dataclass or a typed dict; `Page[Item]` is one, where Page is."""
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and any(hasattr(kind, mark) for mark in _MARKS)


def hints_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class; of `Page[Item]` with Item where Page has a parameter of its own.

    Errors: StartError for one that stands for nothing.
    """
    origin = get_origin(kind) or kind
    own = [parameters for base in origin.__mro__ if (parameters := getattr(base, "__type_params__", ()))]
    # Of a class alone: two may have parameters of one name.
    names = {parameter.__name__: parameter for parameter in own[0]} if len(own) == 1 else None
    try:
        hints = typing.get_type_hints(origin, None, names, include_extras=True)
    except Exception as error:
        raise StartError(f"an annotation of {origin.__qualname__} cannot be resolved: {error}") from None
    given = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    return {name: _filled(hint, given) for name, hint in hints.items()} if given else hints


def _filled(hint: Any, given: dict[Any, Any]) -> Any:
    """A type with others in place of its parameters."""
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(one, one) for one in parameters)] if parameters else hint


def fields_of(kind: Any) -> list[tuple[str, Any, bool]]:
    """What a dataclass or a typed dict is made from: names, annotations, and whether they must be there.

    Errors: StartError for an annotation that stands for nothing.
    """
    hints = hints_of(kind)
    kind = get_origin(kind) or kind
    if dataclasses.is_dataclass(kind):
        return [
            (
                field.name,
                hints[field.name],
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(kind)
            if field.init
        ]
    fields: list[tuple[str, Any, bool]] = []
    for name, hint in hints.items():
        # What is written in quotes, as all is with `from __future__ import annotations`, is in no set of keys.
        is_required = name in kind.__required_keys__ and get_origin(hint) is not typing.NotRequired
        while get_origin(hint) in (typing.Required, typing.NotRequired):
            hint = get_args(hint)[0]
        fields.append((name, hint, is_required))
    return fields


def from_json(annotation: Any) -> Convert:
    """The converter of a type.

    Errors: StartError that names what it cannot be made into.
    """
    return _made(annotation, {})


def _made(annotation: Any, known: dict[Any, Convert]) -> Convert:
    annotation, metadata = split(annotation)
    convert = _of(annotation, known)
    check_fit(members(annotation), metadata)
    check = checker(metadata)
    if check is None:
        return convert

    def checked(value: Any, path: Path, faults: Faults) -> Any:
        before = len(faults)
        made = convert(value, path, faults)
        if len(faults) == before:
            try:
                check(made)
            except Wrong as wrong:
                faults.append(Fault(_PLACE, path, wrong.detail, wrong.code))
        return made

    return checked


def _of(annotation: Any, known: dict[Any, Convert]) -> Convert:
    if annotation is Any or annotation is object:
        return lambda value, _path, _faults: value
    if is_structure(annotation):
        return _structure(annotation, known)
    several = members(annotation)
    if len(several) > 1:
        return _union([_made(member, known) for member in several])
    origin = get_origin(annotation) or annotation
    if origin is dict or origin is Mapping:
        return _object(get_args(annotation), known)
    if origin is tuple and get_args(annotation) and get_args(annotation)[-1] is not Ellipsis:
        return _row([_made(member, known) for member in get_args(annotation)])
    if origin in _ARRAYS:
        arguments = get_args(annotation)
        return _array(_made(arguments[0], known) if arguments else None, _ARRAYS[origin])
    allowed = choices(annotation)
    if allowed is not None:
        return _choice(allowed)
    if annotation in _FROM_STR:
        convert = from_text(annotation)
        assert convert is not None
        return _text(convert)
    if annotation is Decimal:
        return _decimal
    if annotation in _PLAIN:
        return _plain(*_PLAIN[annotation])
    raise StartError(f"{annotation!r} is nothing that JSON can be made into")


#: What JSON's own kinds are to a type, and the words for one that is not.
_PLAIN: dict[Any, tuple[Callable[[Any], bool], str, str]] = {
    str: (lambda value: isinstance(value, str), "must be a string", "string_type"),
    int: (lambda value: isinstance(value, int) and not isinstance(value, bool), "must be an integer", "int_type"),
    float: (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "must be a number",
        "float_type",
    ),
    bool: (lambda value: isinstance(value, bool), "must be true or false", "bool_type"),
    NoneType: (lambda value: value is None, "must be null", "none_required"),
    None: (lambda value: value is None, "must be null", "none_required"),
}


def _plain(holds: Callable[[Any], bool], detail: str, code: str) -> Convert:
    is_float = code == "float_type"

    def convert(value: Any, path: Path, faults: Faults) -> Any:
        if not holds(value):
            faults.append(Fault(_PLACE, path, detail, code))
            return None
        if not is_float:
            return value
        try:
            return float(value)
        except OverflowError:
            faults.append(Fault(_PLACE, path, "must be a number that is not as large", code))
            return None

    return convert


def _text(of_text: Callable[[str], Any]) -> Convert:
    def convert(value: Any, path: Path, faults: Faults) -> Any:
        try:
            # A value that is no text gets the words for a text that is none.
            return of_text(value if isinstance(value, str) else "")
        except Wrong as wrong:
            faults.append(Fault(_PLACE, path, wrong.detail, wrong.code))
            return None

    return convert


def _decimal(value: Any, path: Path, faults: Faults) -> Any:
    of_text = from_text(Decimal)
    assert of_text is not None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return of_text(str(value) if is_number or isinstance(value, str) else "")
    except Wrong as wrong:
        faults.append(Fault(_PLACE, path, wrong.detail, wrong.code))
        return None


def _choice(allowed: list[tuple[Any, Any]]) -> Convert:
    by_kind: dict[tuple[type[Any], Any], Any] = {(type(value), value): member for value, member in allowed}
    words = f"must be one of {', '.join(spelled(value) for value, _ in allowed)}"

    def convert(value: Any, path: Path, faults: Faults) -> Any:
        # True is 1 to a dict, and is no 1 in JSON.
        kinds: tuple[type[Any], ...] = (bool, int, float, str)
        kind = next((kind for kind in kinds if isinstance(value, kind)), NoneType)
        try:
            return by_kind[kind, value]
        except (KeyError, TypeError):
            faults.append(Fault(_PLACE, path, words, "enum"))
            return None

    return convert


def _union(several: list[Convert]) -> Convert:
    def tried(value: Any, path: Path, known: Known) -> tuple[Any, Faults]:
        refused = Faults(known)
        for one in several:
            found = Faults(known)
            try:
                made = one(value, path, found)
            except Enough:
                made = None
            if not found:
                return made, found
            # Whatever got furthest into the value is what it was meant to be.
            depth, before = max(len(f.path) for f in found), max((len(f.path) for f in refused), default=0)
            if depth == before or not refused:
                refused += found
            elif depth > before:
                refused = found
        return None, refused

    def convert(value: Any, path: Path, faults: Faults) -> Any:
        known = faults.known
        if known is None:
            made, refused = tried(value, path, {})
        elif is_object(value) or is_array(value):
            # Each union around a part asks for it as often as it has members: without a note, twice as often a level.
            key = (id(several), id(value))
            if key not in known:
                known[key] = tried(value, path, known)
            made, refused = known[key]
        else:
            made, refused = tried(value, path, known)
        for fault in refused:
            faults.append(fault)
        return made

    return convert


def _array(element: Convert | None, gather: Callable[[list[Any]], Any]) -> Convert:
    def convert(value: Any, path: Path, faults: Faults) -> Any:
        if not is_array(value):
            faults.append(Fault(_PLACE, path, "must be an array", "list_type"))
            return None
        made = value if element is None else [element(item, (*path, n), faults) for n, item in enumerate(value)]
        try:
            return gather(made)
        except TypeError:  # of a set, with what cannot be in one
            faults.append(Fault(_PLACE, path, "has elements that cannot be in a set", "set_item_not_hashable"))
            return None

    return convert


def _row(elements: list[Convert]) -> Convert:
    def convert(value: Any, path: Path, faults: Faults) -> Any:
        if not is_array(value) or len(value) != len(elements):
            faults.append(Fault(_PLACE, path, f"must be an array of {len(elements)} elements", "tuple_type"))
            return None
        return tuple(
            element(item, (*path, number), faults)
            for number, (element, item) in enumerate(zip(elements, value, strict=True))
        )

    return convert


def _object(arguments: tuple[Any, ...], known: dict[Any, Convert]) -> Convert:
    key = from_text(arguments[0]) if arguments else None
    element = _made(arguments[1], known) if arguments else None
    if arguments and key is None:
        raise StartError(f"{arguments[0]!r} is nothing that the name of a member can be made into")

    def convert(value: Any, path: Path, faults: Faults) -> Any:
        if not is_object(value):
            faults.append(Fault(_PLACE, path, "must be an object", "dict_type"))
            return None
        if key is None or element is None:
            return value
        made: dict[Any, Any] = {}
        for name, item in value.items():
            try:
                made[key(name)] = element(item, (*path, name), faults)
            except Wrong as wrong:
                faults.append(Fault(_PLACE, (*path, name), f"the name of this member {wrong.detail}", wrong.code))
        return made

    return convert


def _structure(kind: Any, known: dict[Any, Convert]) -> Convert:
    if kind in known:
        return known[kind]
    fields: list[tuple[str, Convert, bool]] = []
    make = get_origin(kind) or kind

    def convert(value: Any, path: Path, faults: Faults) -> Any:
        if not is_object(value):
            faults.append(Fault(_PLACE, path, "must be an object", "dict_type"))
            return None
        before = len(faults)
        made: dict[str, Any] = {}
        for name, one, is_required in fields:
            if name in value:
                made[name] = one(value[name], (*path, name), faults)
            elif is_required:
                faults.append(Fault(_PLACE, (*path, name), "is required", "missing"))
        if len(faults) > before:
            return None
        try:
            return make(**made)
        except ValueError as error:  # its own __post_init__ refuses it
            faults.append(Fault(_PLACE, path, str(error), "value_error"))
            return None

    known[kind] = convert
    fields += [(name, _made(hint, known), is_required) for name, hint, is_required in fields_of(kind)]
    return convert
