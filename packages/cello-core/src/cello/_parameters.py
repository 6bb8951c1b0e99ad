"""The parameters of a request as a source of leaves: path, query, header fields, cookies, forms, the body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import TYPE_CHECKING, Any, get_args, get_origin

from cello._annotation import EMPTY, Taken, is_optional, members, spelled, split
from cello._constraint import check_fit, lengths, without_lengths
from cello._dto import config_of
from cello._graph import Leaf
from cello._kernel import FormData, Request, UploadedFile
from cello._model import is_model, owner, scalar
from cello._reading import ALL, ONE, of_body, of_file, of_list, of_one
from cello._rules import DTO
from cello._structure import is_structure
from cello._text import from_text
from cello.errors import StartError
from cello.params import Body, File, Form, Header, Parameter, Path, Query

if TYPE_CHECKING:
    from collections.abc import Collection

    from cello._invalid import Fault

    type Read = Callable[[Request], Any]

__all__ = ["Parameters"]

_COLLECTIONS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}
_SUBJECT = Leaf(None)
#: What other frameworks give to handlers, and what is written here.
_WRITTEN = {
    "App": "leave it out, and write request.app",
    "BackgroundTasks": "leave it out, and write {name} = BackgroundTasks() in the function",
    "Response": "leave it out, and return a Response",
}
#: What says nothing about where a parameter comes from.
_UNKNOWN: tuple[Any, ...] = (EMPTY, Any, object)


class Parameters:
    """Gives the parameters of the handlers of one route what they say they are."""

    def __init__(self, path_names: Collection[str], *, streams_body: bool = False) -> None:
        self._path_names = path_names
        self._streams_body = streams_body
        self._bodies: dict[Any, str] = {}
        self._known: dict[Any, Leaf] = {}

    def leaf(self, parameter: Taken, owner: Callable[..., Any], *, is_root: bool) -> Leaf | None:
        """The leaf for a parameter; None where its default is to stand.

        Errors: StartError for one that nothing provides.
        """
        name, annotation, default = parameter.name, parameter.annotation, parameter.default
        if Request in members(annotation) or name == "request":
            return _SUBJECT
        if isinstance(default, Parameter):
            kind = type(default).__name__
            raise StartError(f"{name} has a mark as its default: write {name}: Annotated[…, {kind}(…)]")
        mark, metadata = _mark(name, parameter.metadata)
        if mark is None and name in self._path_names:
            mark = Path()
        if mark is None and annotation in _UNKNOWN:
            if default is not EMPTY:
                return None
            if is_root and parameter.is_first and parameter.is_positional:
                return _SUBJECT
            from difflib import get_close_matches

            close = get_close_matches(name, self._path_names, 1)
            advice = "annotate it, have the path name it, or make it a dependency with Depends()"
            raise StartError(
                f"it wants {name}, which nothing provides: {f'did you mean {close[0]}?' if close else advice}"
            )
        if FormData in members(annotation):
            return self._of_form(methodcaller("form"), "")
        if mark is None:
            mark = _guess(annotation, metadata, name)
        if isinstance(mark, Body):
            return self._body(parameter, mark, metadata, owner)
        # What a path has is text, whatever nobody says about it.
        wanted = str if annotation is EMPTY else annotation
        return self._parameter(mark, wanted, (*metadata, mark), parameter)

    def refusal(self, faults: list[Fault]) -> Exception:
        """The 422 that tells what is wrong with a request."""
        from cello._told import error_of
        from cello.validation import ValidationError

        count = f"{len(faults)} errors" if len(faults) > 1 else "an error"
        return ValidationError(f"The request has {count}.", errors=[error_of(fault) for fault in faults])

    def _parameter(self, mark: Parameter, annotation: Any, metadata: tuple[Any, ...], parameter: Taken) -> Leaf:
        name = mark.alias or (parameter.name.replace("_", "-") if isinstance(mark, Header) else parameter.name)
        if isinstance(mark, Path) and name not in self._path_names:
            raise StartError(f"{parameter.name} is a parameter of the path, which has none of the name {name!r}")
        default = None if parameter.default is EMPTY and is_optional(annotation) else parameter.default
        several = _collection(annotation)
        check_fit(members(annotation) if several is None else (), metadata)
        if isinstance(mark, File):
            return self._of_form(of_file(mark._place, name, default, several is not None), name)
        if several is None:
            convert = from_text(annotation) or scalar(annotation)
            if convert is None:
                advice = ""
                if isinstance(mark, Query) and (owner(annotation) or is_structure(annotation)):
                    advice = f": for one that is made of several write {parameter.name}: Annotated[…, Depends()]"
                raise StartError(f"{parameter.name} is {spelled(annotation)}, which no text can be made into{advice}")
            read = of_one(
                mark._place,
                name,
                default,
                convert,
                without_lengths(metadata),
                lengths(metadata),
                ONE[type(mark)](name),
            )
        else:
            if isinstance(mark, Path):
                raise StartError(
                    f"{parameter.name} is {spelled(annotation)}, and a parameter of the path is a single value"
                )
            element, gather = several
            convert = from_text(element) or scalar(element)
            if convert is None:
                raise StartError(f"{parameter.name} is {spelled(annotation)}, whose elements no text can be made into")
            read = of_list(
                mark._place,
                name,
                default,
                convert,
                without_lengths(metadata),
                lengths(metadata),
                gather,
                ALL[type(mark)](name),
            )
        return self._of_form(read, name) if isinstance(mark, Form) else Leaf(read, None, mark._place, name)

    def _of_form(self, read: Read, name: str) -> Leaf:
        return Leaf(read, _read_form if self._streams_body else None, "form", name)

    def _body(self, parameter: Taken, mark: Body, metadata: tuple[Any, ...], owner: Callable[..., Any]) -> Leaf:
        annotation = Any if parameter.annotation is EMPTY else parameter.annotation
        if mark.alias is None:
            first = self._bodies.setdefault(owner, parameter.name)
            if first != parameter.name:
                raise StartError(
                    f"{first} and {parameter.name} are the whole body both: have each be a member of it, "
                    f'as {parameter.name}: Annotated[…, Body(alias="{parameter.name}")]'
                )
        default = None if parameter.default is EMPTY and is_optional(annotation) else parameter.default
        # Whoever asks for the same, gets the same: it is read once.
        key = (annotation, repr(mark), tuple(map(id, metadata)), id(default))
        known = self._known.get(key)
        if known is None:
            read = of_body(annotation, mark, metadata, default)
            known = Leaf(read, _read_body if self._streams_body else None, mark._place, mark.alias or "")
            self._known[key] = known
        return known


async def _read_body(request: Request) -> None:
    await request.body_async()


async def _read_form(request: Request) -> None:
    await request.form()


def _mark(name: str, metadata: tuple[Any, ...]) -> tuple[Parameter | None, tuple[Any, ...]]:
    """The mark among what `Annotated` says, and the rest."""
    mark: Parameter | None = None
    rest: list[Any] = []
    for said in metadata:
        if isinstance(said, type) and issubclass(said, Parameter):
            said = said()
        if isinstance(said, Parameter):
            if mark is not None:
                raise StartError(f"{name} has two marks, {mark!r} and {said!r}: leave one of them out")
            mark = said
        else:
            rest.append(said)
    return mark, tuple(rest)


def _guess(annotation: Any, metadata: tuple[Any, ...], name: str) -> Parameter:
    several = _collection(annotation)
    kinds = [several[0]] if several else [kind for kind in members(annotation) if kind is not type(None)]
    if kinds == [UploadedFile]:
        return File()
    if config_of(annotation, metadata)[1] is not None or is_model(annotation):
        return Body()
    if any(isinstance(kind, type) and issubclass(kind, DTO) for kind in kinds):
        return Body()
    if from_text(several[0] if several else annotation) or (several is None and scalar(annotation)):
        return Query()
    written = next((_WRITTEN[kind.__name__] for kind in kinds if _is_ours(kind)), None)
    raise StartError(
        f"{name} is to be {spelled(annotation)}, which nothing in a request can be: "
        + (
            "annotate it with int, str, a dataclass or another type of data, or give it a default of Depends(…) that "
            "makes one"
            if written is None
            else written.format(name=name)
        )
    )


def _is_ours(kind: Any) -> bool:
    """Whether a type is one of the framework's that others give to handlers."""
    return isinstance(kind, type) and kind.__module__.partition(".")[0] == "cello" and kind.__name__ in _WRITTEN


def _collection(annotation: Any) -> tuple[Any, Callable[[list[Any]], Any]] | None:
    """What a list or set is of, and what makes one."""
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    if len(kinds) != 1:
        return None
    kind, _ = split(kinds[0])
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    try:
        gather = _COLLECTIONS.get(origin)
    except TypeError:  # not hashable
        return None
    if gather is None or (origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis)):
        return None
    return (arguments[0] if arguments else str), gather
