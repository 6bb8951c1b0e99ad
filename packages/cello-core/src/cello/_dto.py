"""What of a model goes over the wire: which members, in which direction, and under which name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from cello._document import is_array, is_object
from cello._invalid import Enough, Fault, Faults, Invalid
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    type Read = Callable[[bytes], Any]

__all__ = ["DTOConfig", "config_of", "reader", "shaper"]

_LEFT_OUT: Any = object()


class DTOConfig:
    """What a client may see and send of a model: `Annotated[User, DTOConfig().exclude("password")]`.

    Each method changes the configuration and gives it back. At a parameter it is about the body, in a return annotation
    about the answer. Names are those of the model's fields.
    Units: `max_depth` counts the objects within objects; 0 is none.
    Errors: TypeError for what is no name, ValueError for a depth that is none; StartError at start for a name that the
    model does not have.
    """

    def __init__(self) -> None:
        self._included: set[str] = set()
        self._excluded: set[str] = set()
        self._read_only: set[str] = set()
        self._write_only: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._depth: int | None = None
        self._is_partial = False

    def include(self, *names: str | Iterable[str]) -> Self:
        """These members and no others, besides those included before."""
        self._included |= _names(names)
        return self

    def exclude(self, *names: str | Iterable[str]) -> Self:
        """Not these members: they are not sent, and not taken where a client sends them."""
        self._excluded |= _names(names)
        return self

    def read_only(self, *names: str | Iterable[str]) -> Self:
        """These members are sent; a client that sends them gets a 422."""
        self._read_only |= _names(names)
        return self

    def write_only(self, *names: str | Iterable[str]) -> Self:
        """These members are taken, and never sent."""
        self._write_only |= _names(names)
        return self

    def rename(self, field: str, alias: str) -> Self:
        """Clients know the field by this name."""
        (field,), (alias,) = _names((field,)), _names((alias,))
        self._aliases[field] = alias
        return self

    def max_depth(self, depth: int) -> Self:
        """What is nested deeper is not sent, and a client that sends it gets a 422."""
        if isinstance(depth, bool) or not isinstance(depth, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the depth {depth!r} is no number of levels")
        if depth < 0:
            raise ValueError(f"the depth {depth!r} is no number of levels: it is 0 or more")
        self._depth = depth
        return self

    def partial(self, is_partial: bool = True) -> Self:
        """A client may leave out any member; it is None then, and of a typed dict not there."""
        self._is_partial = is_partial
        return self

    def _named(self) -> set[str]:
        return {*self._included, *self._excluded, *self._read_only, *self._write_only, *self._aliases}

    def _has(self, name: str) -> bool:
        return (not self._included or name in self._included) and name not in self._excluded


def config_of(annotation: Any, metadata: Iterable[Any] = ()) -> tuple[Any, DTOConfig | None]:
    """An annotation without the configuration that it has somewhere, and the configuration."""
    from cello._annotation import members, split

    annotation, more = split(annotation)
    found = next((said for said in (*more, *metadata) if isinstance(said, DTOConfig)), None)
    if found is not None:
        return annotation, found
    several = members(annotation)
    if len(several) > 1:
        inner = [config_of(member) for member in several]
        config = next((config for _, config in inner if config is not None), None)
        if config is None:
            return annotation, None
        plain = inner[0][0]
        for member, _ in inner[1:]:
            plain = plain | member
        return plain, config
    if get_origin(annotation) is list:
        element, config = config_of(get_args(annotation)[0])
        if config is not None:
            whole: Any = list[element]  # type: ignore[valid-type]
            return whole, config
    return annotation, None


def reader(annotation: Any, config: DTOConfig) -> Read:
    """Makes the function that reads a document as a configuration has it, for a model or a list of one.

    Errors: StartError for another type, and for names that the model does not have.
    """
    from cello._kernel import _json_decode, _json_encode
    from cello._model import reader as plain_reader
    from cello._shape import derived, fields_of

    model, is_list, is_optional = _target(annotation)
    fields = fields_of(model)
    _check(config, model, fields)
    closed = {name for name in fields if not config._has(name) or name in config._read_only}
    kind: Any = derived(model, set(fields) if config._is_partial else closed, closed)
    whole: Any = list[kind] if is_list else kind
    read = plain_reader(whole | None if is_optional else whole, ())
    inward = _Inward(config, fields, closed)

    def read_document(document: bytes) -> Any:
        value = _json_decode(document)
        faults = Faults()
        try:
            if is_list and is_array(value):
                value = [inward.given(item, (number,), faults) for number, item in enumerate(value)]
            else:
                value = inward.given(value, (), faults)
        except Enough:
            raise Invalid(faults) from None
        made: Any = None
        try:
            made = read(_json_encode(value))
        except Invalid as invalid:
            faults += [inward.told(fault, 1 if is_list else 0) for fault in invalid.faults]
        if faults:
            raise Invalid(faults)
        return made

    return read_document


def shaper(handler: Callable[..., Any], route: str) -> Callable[[Any], Any] | None:
    """Makes the function that shapes what a handler returns, where its return annotation has a configuration.

    Errors: StartError, as `reader()`.
    """
    from cello._annotation import EMPTY, returned, told
    from cello._mistake import at

    annotation, config = config_of(returned(handler))
    if annotation is EMPTY or config is None:
        return None
    try:
        return _shaper(annotation, config, told(handler))
    except StartError as error:
        raise StartError(f"{route}: what it says to return: {error}{at(handler)}") from None


def _shaper(annotation: Any, config: DTOConfig, handler: str) -> Callable[[Any], Any]:
    from collections.abc import AsyncGenerator, Generator

    from cello._kernel import Response
    from cello._shape import documents, fields_of

    model, is_list, is_optional = _target(annotation)
    fields = fields_of(model, is_sent=True)
    _check(config, model, fields)
    wire = {
        of_model: config._aliases.get(name, of_model)
        for name, of_model in fields.items()
        if config._has(name) and name not in config._write_only
    }
    document_of = documents(annotation)
    depth = config._depth

    def outward(value: Any) -> Any:
        members = cast("dict[str, Any]", value)
        sent = {wire[name]: member for name, member in members.items() if name in wire}
        return sent if depth is None else _pruned(sent, depth)

    def shape(value: Any) -> Any:
        if isinstance(value, Response | Generator | AsyncGenerator):
            return cast("Any", value)
        if isinstance(value, tuple):
            parts = cast("tuple[Any, ...]", value)  # type: ignore[redundant-cast]
            if len(parts) in (2, 3) and isinstance(parts[1], int):
                return (shape(parts[0]), *parts[1:])
        if value is None and is_optional:
            return None
        try:
            document = document_of(value)
        except Invalid as invalid:
            words = "; ".join(f"{'.'.join(map(str, fault.path)) or 'it'}: {fault.detail}" for fault in invalid.faults)
            raise TypeError(f"{handler} returned what is no {model.__name__}: {words}") from None
        return [outward(item) for item in document] if is_list else outward(document)

    return shape


class _Inward:
    """What a client sends, turned into what the model knows."""

    def __init__(self, config: DTOConfig, fields: Mapping[str, str], closed: set[str]) -> None:
        self.depth = config._depth
        #: What clients call a field that they may send, and what the model calls it in a document.
        self.open = {config._aliases.get(name, wire): wire for name, wire in fields.items() if name not in closed}
        self.aliases = {wire: alias for alias, wire in self.open.items()}
        self.refused = {config._aliases.get(name, fields[name]) for name in config._read_only if config._has(name)}
        self.dropped = {*fields.values(), *config._aliases.values()}

    def given(self, value: Any, path: tuple[str | int, ...], faults: Faults) -> Any:
        if not is_object(value):
            return value
        members: dict[str, Any] = {}
        for name, member in value.items():
            if name in self.refused:
                faults.append(Fault("body", (*path, name), "is read-only", "read_only"))
            elif self.depth is not None and _pruned(member, self.depth - 1) is not member:
                faults.append(Fault("body", (*path, name), "is nested too deep", "too_deep"))
            elif name in self.open:
                members[self.open[name]] = member
            elif name not in self.dropped:
                members[name] = member
        return members

    def told(self, fault: Fault, at: int) -> Fault:
        """A fault, with the name that clients know."""
        if len(fault.path) <= at:
            return fault
        step = fault.path[at]
        return fault._replace(path=(*fault.path[:at], self.aliases.get(str(step), step), *fault.path[at + 1 :]))


def _target(annotation: Any) -> tuple[Any, bool, bool]:
    """The model, whether there is a list of it, and whether None will do."""
    from cello._annotation import is_optional, members, split

    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    model, _ = split(kinds[0])
    is_list = get_origin(model) is list
    if is_list:
        model, _ = split(get_args(model)[0])
    if len(kinds) != 1 or not isinstance(model, type):
        raise StartError(f"{annotation!r} cannot have a DTOConfig, which is for a model or a list of one")
    return model, is_list, is_optional(annotation)


def _check(config: DTOConfig, model: Any, fields: Mapping[str, str]) -> None:
    from difflib import get_close_matches

    for name in sorted(config._named()):
        if name not in fields:
            close = get_close_matches(name, fields, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(fields)}"
            raise StartError(f"the DTOConfig of {model.__name__} names {name!r}, which is no field of it: {hint}")


def _pruned(value: Any, depth: int) -> Any:
    """The value without what is nested deeper; itself where nothing is."""
    if is_object(value):
        if depth < 0:
            return _LEFT_OUT
        kept = {name: _pruned(member, depth - 1) for name, member in value.items()}
        if all(kept[name] is member for name, member in value.items()):
            return value
        return {name: member for name, member in kept.items() if member is not _LEFT_OUT}
    if is_array(value):
        pruned = [_pruned(item, depth) for item in value]
        if all(one is other for one, other in zip(value, pruned, strict=True)):
            return value
        return _LEFT_OUT if any(item is _LEFT_OUT for item in pruned) else pruned
    return value


def _names(given: Iterable[str | Iterable[str]]) -> set[str]:
    names: set[str] = set()
    for one in given:
        for name in one if isinstance(one, list | tuple | set | frozenset) else (one,):
            if not isinstance(name, str) or not name:
                raise TypeError(f"{name!r} is no name of a field")
            names.add(name)
    return names
