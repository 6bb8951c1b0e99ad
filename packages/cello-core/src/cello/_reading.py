"""The functions that read one parameter of a request: they give its value, or raise Invalid."""

from __future__ import annotations

from collections.abc import Iterable
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from cello._annotation import EMPTY, Factory, members
from cello._document import is_object
from cello._dto import config_of
from cello._dto import reader as reader_with
from cello._invalid import Fault, Invalid, Wrong
from cello._kernel import _json_decode, _json_encode
from cello._model import reader
from cello._rules import DTO
from cello.errors import UnsupportedMediaType
from cello.params import Body, Cookie, Form, Header, Parameter, Path, Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._kernel import Request

    type Read = Callable[[Request], Any]
    type Check = Callable[[Any], None]

__all__ = ["ALL", "ONE", "of_body", "of_file", "of_list", "of_one"]


def _of_field(name: str) -> Callable[[Request], Any]:
    return lambda request: request.form().get(name)


def _of_cookie(name: str) -> Callable[[Request], Any]:
    return lambda request: request.cookies.get(name)


#: The value of a name, or None.
ONE: dict[type[Parameter], Callable[[str], Callable[[Request], Any]]] = {
    Path: lambda name: methodcaller("get_param", name),
    Query: lambda name: methodcaller("get_query_param", name),
    Header: lambda name: methodcaller("get_header", name),
    Cookie: _of_cookie,
    Form: _of_field,
}
#: All values of a name.
ALL: dict[type[Parameter], Callable[[str], Callable[[Request], list[Any]]]] = {
    Query: lambda name: lambda request: request.query.get_all(name),
    Header: lambda name: lambda request: request.headers.get_all(name),
    Cookie: lambda name: lambda request: [value] if (value := request.cookies.get(name)) is not None else [],
    Form: lambda name: lambda request: request.form().get_all(name),
}


def _default(default: Any, place: str, name: str | None) -> Any:
    """What a parameter is that was not sent.

    Errors: Invalid where it has no default.
    """
    if isinstance(default, Factory):
        return default.make()
    if default is EMPTY:
        raise Invalid([Fault(place, () if name is None else (name,), "is required", "missing")])
    return default


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Wrong("must be text, not a file", "string_type")


def of_one(
    place: str,
    name: str,
    default: Any,
    convert: Callable[[str], Any],
    check: Check | None,
    measure: Check | None,
    get: Callable[[Request], Any],
) -> Read:
    """Reads the one value of a name."""
    checks = [one for one in (check, measure) if one is not None]
    is_of_form = place == "form"
    is_known = default is not EMPTY and not isinstance(default, Factory)

    def read(request: Request) -> Any:
        text = get(request)
        if text is None:
            return default if is_known else _default(default, place, name)
        try:
            value = convert(_text_of(text) if is_of_form else text)
            for one in checks:
                one(value)
        except Wrong as wrong:
            raise Invalid([Fault(place, (name,), wrong.detail, wrong.code)]) from None
        return value

    return read


def of_list(
    place: str,
    name: str,
    default: Any,
    convert: Callable[[str], Any],
    check: Check | None,
    measure: Check | None,
    gather: Callable[[list[Any]], Any],
    get: Callable[[Request], list[Any]],
) -> Read:
    """Reads all values of a name; `check` is of each of them, `measure` of them all."""
    is_collection = isinstance(default, Iterable) and not isinstance(default, Factory)

    def read(request: Request) -> Any:
        texts = get(request)
        if not texts:
            value = _default(default, place, name)
            # What a handler does to a list is not to be there at the next request.
            return gather(value) if is_collection else value
        faults: list[Fault] = []
        values: list[Any] = []
        for number, text in enumerate(texts):
            try:
                value = convert(_text_of(text))
                if check is not None:
                    check(value)
                values.append(value)
            except Wrong as wrong:
                faults.append(Fault(place, (name, number), wrong.detail, wrong.code))
        if not faults and measure is not None:
            try:
                measure(values)
            except Wrong as wrong:
                faults.append(Fault(place, (name,), wrong.detail, wrong.code))
        if faults:
            raise Invalid(faults)
        return gather(values)

    return read


def of_file(place: str, name: str, default: Any, is_several: bool) -> Read:
    """Reads the file of a name, or all of them."""

    def read(request: Request) -> Any:
        form = request.form()
        found = form.get_files(name) if is_several else form.get_file(name)
        if found:
            return found
        if form.has_field(name):
            raise Invalid([Fault(place, (name,), "must be a file", "file_type")])
        return _default(default, place, name)

    return read


def of_body(annotation: Any, mark: Body, metadata: tuple[Any, ...], default: Any) -> Read:
    """Reads the body, or one member of it."""
    read_document = _document(annotation, (*metadata, mark))
    member = mark.alias
    if member is not None:
        read_document = _member(member, read_document, default)

    def read(request: Request) -> Any:
        document = request._json_document()
        if document:
            return read_document(document)
        # One that says nothing is refused too: pages of any site can have a browser send it, with the user's cookies.
        if document is None:
            raise UnsupportedMediaType("The body must be said to be JSON: Content-Type: application/json.")
        return _default(default, "body", member)

    return read


def _document(annotation: Any, metadata: tuple[Any, ...]) -> Callable[[bytes], Any]:
    plain, config = config_of(annotation, metadata)
    if config is not None:
        return reader_with(plain, config)
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], DTO):
        return kinds[0]._read
    return reader(annotation, metadata)


def _member(name: str, read: Callable[[bytes], Any], default: Any) -> Callable[[bytes], Any]:
    """Has a reader read one member of a document."""

    def read_member(document: bytes) -> Any:
        value = _json_decode(document)
        if not is_object(value):
            raise Invalid([Fault("body", (), "must be an object", "dict_type")])
        if name not in value:
            return _default(default, "body", name)
        try:
            return read(_json_encode(value[name]))
        except Invalid as invalid:
            faults = [fault._replace(path=(name, *fault.path)) for fault in invalid.faults]
            raise Invalid(faults) from None

    return read_member
