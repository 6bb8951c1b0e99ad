"""What stands around a handler, told: middleware, functions before and after, exception handlers, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cello._around import apps_of, innermost_app, layers_of
from cello._handler import is_async
from cello._layers import Around
from cello._middleware import placed
from cello._plugins.declaration import Kind
from cello._rehearsal import place
from cello._said_layers import layers_said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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
    app = apps_of(rehearsal.app)[scope]
    added = {id(one.middleware): one for one in placed(scope._middleware, app._plugins)}
    for layer in reversed(list(layers_of(scope, app, rehearsal.tell))):
        subject = layer.subject
        if isinstance(subject, Around):
            yield from _of_around(subject, names[scope])
        elif subject is not None:
            one = added[id(subject)]
            how = "use()" if one.phase is None else f"Phase.{one.phase.name}"
            yield _told(subject, f"middleware of {names[scope]}, {how}{_by(one.whose)}")


def _of_around(subject: Around, name: str) -> Iterator[Standing]:
    for words, hooks in (("before_request", subject.before), ("after_request", subject.after)):
        for hook in hooks:
            yield _told(hook.function, f"{words} of {name}")


def _of_route(rehearsal: Rehearsal, number: int, names: Mapping[Scope, str]) -> Iterator[Standing]:
    route, scopes = rehearsal.placed[number]
    plugins = innermost_app(scopes)._plugins
    sayings = [("the route", rehearsal.own[number])]
    sayings += ((name, scope._defaults()) for scope, name in reversed(list(names.items())))
    for said in layers_said(route, plugins):
        for middleware in said.middleware:
            who = _who_says(said.option, middleware, sayings)
            yield _told(middleware, f"{said.option}= of {who}{_by(plugins.whose(Kind.ROUTE_OPTION, said.option))}")


def _who_says(name: str, middleware: object, sayings: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Whose value of an option a middleware stands for: of lists, which are joined, the one that has it."""
    saying = [(who, options[name]) for who, options in sayings if options.get(name) is not None]
    for who, value in saying:
        if isinstance(value, list | tuple) and any(one is middleware for one in cast("Sequence[object]", value)):
            return who
    return saying[0][0]


def _by(whose: str) -> str:
    return f", of the plugin {whose}" if whose else ""


def _told(function: Callable[..., Any], origin: str) -> Standing:
    kind = "def" if not is_async(function) else "either" if hasattr(function, "call_sync") else "async def"
    return Standing(str(place(function)), kind, origin)
