"""The shape of models, whoever made them: their fields, types derived from them, and values as documents of them."""

from __future__ import annotations

import dataclasses
import sys
import typing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cello._invalid import Fault, Invalid
from cello._structure import hints_of
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["derived", "documents", "fields_of"]


def fields_of(model: Any, *, is_sent: bool = False) -> dict[str, str]:
    """The fields of a model, and what documents call them, in those that come or in those that are sent.

    Errors: StartError for what is no model.
    """
    if hasattr(model, "model_fields"):
        fields = {
            name: _alias(name, field.serialization_alias if is_sent else field.validation_alias, field.alias)
            for name, field in model.model_fields.items()
        }
        computed: dict[str, Any] = model.model_computed_fields if is_sent else {}
        return {**fields, **{name: _alias(name, field.alias) for name, field in computed.items()}}
    if hasattr(model, "__struct_fields__"):
        return dict(zip(model.__struct_fields__, model.__struct_encode_fields__, strict=True))
    if dataclasses.is_dataclass(model):
        return {field.name: field.name for field in dataclasses.fields(model) if field.init or is_sent}
    if typing.is_typeddict(model):
        return {name: name for name in hints_of(model)}
    raise StartError(f"{model!r} is no model: a DTOConfig is for one of pydantic or msgspec, a dataclass, a TypedDict")


def derived(model: Any, optional: set[str], closed: set[str]) -> Any:
    """A type as the model is, whose fields in `optional` may be left out; it is None then.

    Those in `closed` are left out always: what has a default has it then, and a typed dict does not have them at all.
    Of a model of pydantic or msgspec, or a dataclass, the type is a subclass.
    """
    hints = hints_of(model)
    name = f"{model.__name__}Input"
    if typing.is_typeddict(model):
        total = {
            field: hint if field not in optional else typing.NotRequired[_bare(hint)]
            for field, hint in hints.items()
            if field not in closed
        }
        make: Any = typing.TypedDict
        return make(name, total)
    changed = {field for field in optional if field not in closed or _is_required(model, field)}
    if not changed:
        return model
    if hasattr(model, "model_fields"):
        pydantic = sys.modules["pydantic"]
        fields = {field: _optional(pydantic, model.model_fields[field]) for field in changed}
        return pydantic.create_model(name, __base__=model, **fields)
    redefined = [(field, hints[field] | None) for field in hints if field in changed]
    if hasattr(model, "__struct_fields__"):
        struct = [(field, hint, None) for field, hint in redefined]
        return sys.modules["msgspec"].defstruct(name, struct, bases=(model,), module=model.__module__, kw_only=True)
    names: dict[str, Any] = {"__module__": model.__module__, "__annotations__": dict(redefined)}
    made: Any = type(name, (model,), {**names, **dict.fromkeys(changed)})
    decorator: Any = dataclasses.dataclass
    if hasattr(model, "__pydantic_validator__"):
        decorator = import_module("pydantic.dataclasses").dataclass
    return decorator(made, kw_only=True, frozen=model.__dataclass_params__.frozen)


def _is_required(model: Any, name: str) -> bool:
    if hasattr(model, "model_fields"):
        return bool(model.model_fields[name].is_required())
    if hasattr(model, "__struct_fields__"):
        return any(field.name == name and field.required for field in sys.modules["msgspec"].structs.fields(model))
    return any(
        field.name == name and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        for field in dataclasses.fields(model)
    )


def _optional(pydantic: Any, field: Any) -> tuple[Any, Any]:
    """A field of pydantic's that may be left out, with its constraints and its alias."""
    kind = field.annotation | None
    whole = typing.Annotated[kind, *field.metadata] if field.metadata else kind
    return whole, pydantic.Field(default=None, alias=field.alias, validation_alias=field.validation_alias)


def documents(annotation: Any) -> Callable[[Any], Any]:
    """Makes the function that validates a value and gives it as plain objects of JSON, with declared members alone.

    Errors: StartError where nothing can make the type. The function raises Invalid.
    """
    from cello._kernel import _json_decode, _json_encode
    from cello._model import owner, reader

    if owner(annotation) == "pydantic":
        return _by_pydantic(annotation)
    read = reader(annotation, ())

    def document_of(value: Any) -> Any:
        return _json_decode(_json_encode(read(_json_encode(value))))

    return document_of


def _by_pydantic(annotation: Any) -> Callable[[Any], Any]:
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(annotation)

    def document_of(value: Any) -> Any:
        try:
            checked = adapter.validate_python(value, from_attributes=True)
        except pydantic.ValidationError as error:
            told = error.errors(include_url=False, include_context=False, include_input=False)
            raise Invalid([Fault("body", one["loc"], one["msg"], one["type"]) for one in told]) from None
        # A subclass is written as the model that was asked for: what it has besides is nobody's business.
        return adapter.dump_python(checked, mode="json", by_alias=True, warnings=False)

    return document_of


def _alias(name: str, *aliases: Any) -> str:
    return next((alias for alias in aliases if isinstance(alias, str)), name)


def _bare(hint: Any) -> Any:
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    return hint
