"""What a handler's parameters are given, told: where each comes from, and what it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._annotation import EMPTY, is_optional, taken
from cello._dto import shaper
from cello._graph import Constant, Leaf, Node, build, dependency_of
from cello._invalid import Invalid
from cello._kernel import Request, _path_names
from cello._parameters import Parameters
from cello._providers import Shared
from cello._rehearsal import place
from cello.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cello._annotation import Taken
    from cello._graph import Argument
    from cello._plan import Plan
    from cello._route import Route

__all__ = ["Given", "Graph", "Needed", "graph_of"]

#: Of a longer value, the beginning is shown.
_CHARACTERS = 80
_PLACES = {"header": "header field", "form": "form field"}


@dataclass(frozen=True)
class Given:
    """A parameter, and where what it is given comes from."""

    name: str
    #: As it is annotated; empty where it is not.
    type: str
    source: str
    #: What the request would have it given, or what is wrong with that; None where the target does not say.
    value: str | None


@dataclass(frozen=True)
class Needed:
    """A dependency, as the parameter that asks for it has it."""

    parameter: str
    function: str
    #: How it is made, how long it lives, and whether it is shared.
    how: str
    parameters: list[Given]
    dependencies: list[Needed]


class Graph(NamedTuple):
    """What a handler is given."""

    parameters: list[Given]
    dependencies: list[Needed]
    #: The functions of all dependencies that are made for each request.
    nodes: list[Node]
    #: Whether the return annotation says what of the answer is sent.
    is_shaped: bool


def graph_of(route: Route, plan: Plan, method: str, target: str, values: Mapping[str, str]) -> Graph:
    """The graph of a route's handler.

    Errors: StartError, as the start has.
    """
    words = f"{route.method} {route.path}"
    source = Parameters(_path_names(route.path), streams_body=plan.streams_body)
    providers = plan.app._providers
    assert providers is not None
    root = build(route.handler, source, providers, words)
    request = Request(method, target, values)
    teller = _Teller(words, request, has_query="?" in target)
    parameters, dependencies = teller.told(root.function, root.arguments)
    return Graph(parameters, dependencies, teller.nodes, shaper(route.handler, words) is not None)


class _Teller:
    def __init__(self, route: str, request: Request, *, has_query: bool) -> None:
        self.route = route
        self.request = request
        self.has_query = has_query
        self.seen: set[int] = set()
        self.nodes: list[Node] = []

    def told(self, function: Callable[..., Any], arguments: Sequence[Argument]) -> tuple[list[Given], list[Needed]]:
        given: list[Given] = []
        needed: list[Needed] = []
        for parameter, value in _paired(taken(function, self.route), arguments):
            if isinstance(value, Node):
                needed.append(self.needed(parameter, value))
            elif isinstance(value, Shared):
                needed.append(self.shared(parameter, value))
            else:
                given.append(self.given(parameter, value))
        return given, needed

    def needed(self, parameter: Taken, node: Node) -> Needed:
        asked = dependency_of(parameter)
        how = f"{_kind(node)}, for each request"
        if node.is_generator or node.is_async_generator:
            how += ", ended before the answer" if node.scope == "call" else ", ended after the answer"
        if asked is not None and not asked.use_cache:
            how += ", for this parameter alone"
        how += _replaced(asked.dependency if asked else None, node.function)
        if id(node) in self.seen:
            return Needed(parameter.name, str(place(node.function)), "the same as above", [], [])
        self.seen.add(id(node))
        parameters, dependencies = self.told(node.function, node.arguments)
        self.nodes.append(node)
        return Needed(parameter.name, str(place(node.function)), how, parameters, dependencies)

    def shared(self, parameter: Taken, cell: Shared) -> Needed:
        """A dependency of the scope app."""
        if id(cell) in self.seen:
            return Needed(parameter.name, str(place(cell.function)), "the same as above", [], [])
        self.seen.add(id(cell))
        places, names = cell.arguments
        own = taken(cell.function, self.route)
        by_name = {**{one.name: value for one, value in zip(own, places, strict=False)}, **names}
        given: list[Given] = []
        needed: list[Needed] = []
        for one in own:
            value = by_name.get(one.name, EMPTY)
            if isinstance(value, Shared):
                needed.append(self.shared(one, value))
            else:
                given.append(self.given(one, None if value is EMPTY else value))
        asked = dependency_of(parameter)
        how = f"once, at start{_replaced(asked.dependency if asked else None, cell.function)}"
        return Needed(parameter.name, str(place(cell.function)), how, given, needed)

    def given(self, parameter: Taken, value: Any) -> Given:
        annotation = _type(parameter.annotation)
        if value is None:
            return Given(parameter.name, annotation, "its default", _short(parameter.default))
        if isinstance(value, Leaf):
            return Given(parameter.name, annotation, _source(parameter, value), self.value(value))
        if isinstance(value, Constant):
            return Given(parameter.name, annotation, value.origin, _short(value.value))
        words = getattr(value, "words", None)  # a singleton's cell
        return Given(parameter.name, annotation, words or "a value that is known at start", None)

    def value(self, leaf: Leaf) -> str | None:
        """What a parameter of the path or the query is for this request."""
        if leaf.read is None or not (leaf.place == "path" or (leaf.place == "query" and self.has_query)):
            return None
        try:
            return _short(leaf.read(self.request))
        except Invalid as invalid:
            return f"422: {'; '.join(fault.detail for fault in invalid.faults)}"
        except HTTPError as error:
            return f"{error.status}: {error.detail}"


def _paired(parameters: Sequence[Taken], arguments: Sequence[Argument]) -> Iterator[tuple[Taken, Any]]:
    """Parameters with what they are given; None where their default stands."""
    by_place = iter([argument.value for argument in arguments if argument.name is None])
    by_name = {argument.name: argument.value for argument in arguments if argument.name is not None}
    for parameter in parameters:
        # Those that are given by place are the first.
        yield parameter, by_name[parameter.name] if parameter.name in by_name else next(by_place, None)


def _kind(node: Node) -> str:
    if node.is_async_generator:
        return "async def that yields"
    if node.is_generator:
        return "def that yields"
    if node.is_async:
        return "async def"
    return "class" if isinstance(node.function, type) else "def"


def _replaced(asked: object, function: Callable[..., Any]) -> str:
    if asked is None or isinstance(asked, str) or asked is function or not callable(asked):
        return ""
    return f", in place of {place(asked)}"


def _source(parameter: Taken, leaf: Leaf) -> str:
    if leaf.read is None:
        return "the request"
    if leaf.place == "form" and not leaf.name:
        return "the form"
    where = _PLACES.get(leaf.place, leaf.place)
    source = f"{where} {leaf.name!r}" if leaf.name else f"the {where}"
    if leaf.place == "body" and leaf.name:
        source = f"member {leaf.name!r} of the body"
    if parameter.default is not EMPTY:
        return f"{source}, else {_short(parameter.default)}"
    if leaf.place != "path":
        return f"{source}, else None" if is_optional(parameter.annotation) else f"{source}, required"
    return source


def _type(annotation: Any) -> str:
    if annotation is EMPTY:
        return ""
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__") and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _short(value: object) -> str:
    if value is EMPTY:
        return ""
    text = repr(value)
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
