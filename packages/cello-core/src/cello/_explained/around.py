"""What stands around a handler, told: middleware, functions before and after, exception handlers, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cello._around import layers_of, layers_of_route
from cello._handler import is_async
from cello._layers import Around
from cello._rehearsal import place
from cello._route_options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cello._layers import Layer
    from cello._rehearsal import Rehearsal
    from cello._scope import Scope

__all__ = ["Answering", "Standing", "answering", "standing", "titles"]


@dataclass(frozen=True)
class Standing:
    """A function around a handler."""

    function: str
    #: "async def" or "def".
    kind: str
    #: What it is, and whose.
    origin: str


@dataclass(frozen=True)
class Answering:
    """An exception handler."""

    exception: str
    function: str
    origin: str


def titles(scopes: Sequence[Scope]) -> dict[Scope, str]:
    """What each application and blueprint around a route is called, the outermost first."""
    from cello.app import App

    found: dict[Scope, str] = {}
    prefix = ""
    for index, scope in enumerate(scopes):
        if index:
            prefix += next(path for path, child in scopes[index - 1]._children if child is scope)
        is_mounted = isinstance(scope, App) and index > 0
        found[scope] = f"the application at {prefix or '/'}" if is_mounted else scope._words
    return found


def standing(rehearsal: Rehearsal, number: int | None, names: Mapping[Scope, str]) -> list[Standing]:
    """What stands around a route, or around what is refused, the outermost first."""
    found = [one for scope in names for one in _of_scope(scope, rehearsal, names)]
    return found if number is None else [*found, *_of_route(rehearsal, number, names)]


def answering(scopes: Sequence[Scope], names: Mapping[Scope, str]) -> list[Answering]:
    """The exception handlers that a handler's exception may come to, those that are asked first before the others."""
    return [
        Answering(getattr(subject, "__name__", str(subject)), str(place(function)), names[scope])
        for scope in reversed(scopes)
        for subject, function in scope._answers.items()
    ]


def _of_scope(scope: Scope, rehearsal: Rehearsal, names: Mapping[Scope, str]) -> Iterator[Standing]:
    phases = {id(one.middleware): one.phase for one in scope._middleware}
    for layer in reversed(list(layers_of(scope, rehearsal.tell))):
        subject = layer.subject
        if isinstance(subject, Around):
            yield from _of_around(subject, names[scope])
        elif subject is not None:
            phase = phases.get(id(subject))
            added = "use()" if phase is None else f"Phase.{phase.name}"
            yield _told(subject, f"middleware of {names[scope]}, {added}")


def _of_around(subject: Around, name: str) -> Iterator[Standing]:
    for words, hooks in (("before_request", subject.before), ("after_request", subject.after)):
        for hook in hooks:
            yield _told(hook.function, f"{words} of {name}")


def _of_route(rehearsal: Rehearsal, number: int, names: Mapping[Scope, str]) -> Iterator[Standing]:
    route, _ = rehearsal.placed[number]
    for layer in reversed(list(layers_of_route(route))):
        if layer.subject is not None and not isinstance(layer.subject, Around):
            yield _told(layer.subject, _option_of(layer, rehearsal.own[number], names))


def _option_of(layer: Layer, own: Mapping[str, Any], names: Mapping[Scope, str]) -> str:
    """Which option a layer stands for, and who says it."""
    sayings = [("the route", own), *((name, scope._defaults()) for scope, name in reversed(list(names.items())))]
    for who, options in sayings:
        for name, option in OPTIONS.items():
            value = options.get(name)
            if option.layers and value is not None and any(one is layer.subject for one in option.layers(value)):
                return f"{name}= of {who}"
    return "an option of the route"


def _told(function: Callable[..., Any], origin: str) -> Standing:
    kind = "def" if not is_async(function) else "either" if hasattr(function, "call_sync") else "async def"
    return Standing(str(place(function)), kind, origin)
