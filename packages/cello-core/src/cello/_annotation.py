"""Annotations of functions: what they stand for where the function was written, and what `Annotated` adds to them."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from cello._handler import where
from cello._mistake import at
from cello.dependencies import Dependency
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "EMPTY",
    "Factory",
    "Taken",
    "is_async_generator",
    "is_generator",
    "is_optional",
    "members",
    "returned",
    "spelled",
    "split",
    "taken",
    "told",
    "unnamed",
]

EMPTY: Any = inspect.Parameter.empty

#: Where names of annotations come from that are often not imported.
_HOMES = ("cello", "cello.params", "typing", "datetime", "decimal", "uuid", "enum", "pathlib", "collections.abc")

_BUILT_IN = ("bool", "bytes", "dict", "float", "int", "list", "str", "tuple")

_NAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Factory(NamedTuple):
    """A default that is made anew each time."""

    make: Callable[[], Any]

    def __repr__(self) -> str:
        return f"{getattr(self.make, '__qualname__', 'something')}()"


class Taken(NamedTuple):
    """A parameter that a function takes."""

    name: str
    #: The type, without what `Annotated` adds; EMPTY where there is none.
    annotation: Any
    metadata: tuple[Any, ...]
    #: EMPTY where there is none; it may be a Factory.
    default: Any
    is_positional: bool
    is_keyword: bool
    #: Whether it is the first of all.
    is_first: bool


def taken(function: Callable[..., Any], route: str) -> list[Taken]:
    """The parameters that a function takes by name or place; `route` says what it is for, in an error.

    Errors: StartError for an annotation that stands for nothing.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return []  # one that is built in and does not say what it takes is called with nothing
    names = _namespaces(function)
    bound = function.keywords if isinstance(function, functools.partial) else ()  # pyright: ignore[reportUnknownMemberType]
    found: list[Taken] = []
    for index, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in _NAMED or parameter.name in bound:
            continue
        kind = parameter.kind
        annotation, metadata = EMPTY, ()
        # Of what a dependency gives, the annotation is for type checkers and may be there for them alone.
        if not isinstance(parameter.default, Dependency) or parameter.default.dependency is None:
            annotation, metadata = split(_resolved(parameter.annotation, parameter.name, names, function, route))
        found.append(
            Taken(
                parameter.name,
                annotation,
                metadata,
                _default(function, parameter),
                kind is not inspect.Parameter.KEYWORD_ONLY,
                kind is not inspect.Parameter.POSITIONAL_ONLY,
                index == 0,
            )
        )
    return found


def _default(function: Any, parameter: inspect.Parameter) -> Any:
    """The default of a parameter; of a model's field, of which the signature tells that it is made, what makes it.

    Whatever stands for one in the signature of a dataclass is understood where it is given.
    """
    default = parameter.default
    if not isinstance(function, type) or repr(default) != "<factory>":
        return default
    makers: list[Any] = [getattr(default, "factory", None)]  # of a Struct
    for name, field in getattr(function, "__pydantic_fields__", {}).items():
        if parameter.name in (name, field.alias, field.validation_alias):
            makers.append(field.default_factory)
    return next((Factory(make) for make in makers if callable(make)), default)


def returned(function: Callable[..., Any]) -> Any:
    """What a function says to return, with what `Annotated` adds; EMPTY where it says nothing or cannot be asked.

    Errors: none: an annotation that stands for nothing is about nothing that is needed.
    """
    try:
        annotation = inspect.signature(function).return_annotation
        return _resolved(annotation, "return", _namespaces(function), function, "")
    except (ValueError, TypeError, StartError):
        return EMPTY


def told(function: Any) -> str:
    """A function's name, file and line, for a message; a class's too, and an object's by what it is called by."""
    if isinstance(function, functools.partial):
        return f"partial of {told(typing.cast('Any', function.func))}"  # pyright: ignore[reportUnknownMemberType]
    if isinstance(function, type):
        try:
            return f"{function.__qualname__} ({inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]})"
        except (OSError, TypeError):
            return function.__qualname__
    called = _called(function)
    code = getattr(called, "__code__", None)
    if code is None:
        return where(function)
    return f"an object of {type(function).__qualname__} ({code.co_filename}:{code.co_firstlineno})"


def spelled(annotation: Any) -> str:
    """A type as it is written in an annotation."""
    if not isinstance(annotation, type) or get_args(annotation):
        return repr(annotation)
    module = "" if annotation.__module__ in ("builtins", "__main__") else f"{annotation.__module__}."
    return f"{module}{annotation.__qualname__}"


def split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type, and what `Annotated` adds to it; names that stand for a type are followed."""
    metadata: tuple[Any, ...] = ()
    annotation = unnamed(annotation)
    while get_origin(annotation) is Annotated:
        metadata = (*annotation.__metadata__, *metadata)
        annotation = unnamed(annotation.__origin__)
    return annotation, metadata


def unnamed(annotation: Any) -> Any:
    """What `type Name = …` and `NewType` stand for."""
    while True:
        if isinstance(annotation, typing.TypeAliasType):
            annotation = annotation.__value__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(origin := get_origin(annotation), typing.TypeAliasType):
            annotation = origin.__value__[get_args(annotation)]
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; the type itself where it is none."""
    annotation = unnamed(annotation)
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        return tuple(get_args(annotation))
    return (annotation,)


def is_optional(annotation: Any) -> bool:
    """Whether None is one of the types."""
    return any(member is type(None) or member is None for member in members(annotation))


def is_generator(function: Any) -> bool:
    """Whether a call gives a generator."""
    return inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(_called(function))


def is_async_generator(function: Any) -> bool:
    """Whether a call gives an asynchronous generator."""
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(_called(function))


def _called(function: Any) -> Any:
    """The method that an object is called by."""
    return None if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__


def _namespaces(function: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The global names where a function was written, and those around it there."""
    while True:
        if isinstance(function, functools.partial):
            function = typing.cast("Any", function.func)  # pyright: ignore[reportUnknownMemberType]
        elif isinstance(function, type):
            made: Any = vars(function).get("__init__") or vars(function).get("__new__") or function.__init__  # type: ignore[misc]
            local = {**vars(function), **{p.__name__: p for p in getattr(function, "__type_params__", ())}}
            names, around = _around(inspect.unwrap(made))
            return names, {**local, **around}
        elif not inspect.isroutine(function):
            function = type(function).__call__
        else:
            return _around(inspect.unwrap(function))


def _around(function: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    function = getattr(function, "__func__", function)
    local: dict[str, Any] = {p.__name__: p for p in getattr(function, "__type_params__", ())}
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is not None and cells is not None:
        for name, cell in zip(code.co_freevars, cells, strict=True):
            try:
                local[name] = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
    return getattr(function, "__globals__", {}), local


def _resolved(
    annotation: Any, name: str, names: tuple[dict[str, Any], dict[str, Any]], function: Any, route: str
) -> Any:
    if annotation is EMPTY:
        return EMPTY
    if name == "request":
        return EMPTY  # its name says it
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, names[0], names[1], include_extras=True)[name]
    except Exception as error:
        text = (annotation if isinstance(annotation, str) else repr(annotation)).strip("'\"")
        if text.rpartition(".")[2] == "Request":
            from cello._kernel import Request

            return Request  # imported for type checkers alone
        unknown: str | None = error.name if isinstance(error, NameError) else None
        wrong = f"names {unknown}, which is not defined: {_advice(unknown, names)}" if unknown else f"is wrong: {error}"
        raise StartError(f"{route}: the annotation {text!r} of {name} {wrong}{at(function)}") from None


def _advice(name: str, spaces: Iterable[Mapping[str, Any]]) -> str:
    """What is to be done about a name in an annotation that nothing has."""
    from difflib import get_close_matches
    from importlib import import_module

    known = {known for space in spaces for known, value in space.items() if isinstance(value, type)}
    if close := get_close_matches(name, [*known, *_BUILT_IN], 1):
        return f"did you mean {close[0]}?"
    for module in _HOMES:
        if hasattr(import_module(module), name):
            return f"write `from {module} import {name}` above"
    return "define it or import it at the top of the module, outside of `if TYPE_CHECKING:`"
