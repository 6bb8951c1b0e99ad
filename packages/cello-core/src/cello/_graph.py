"""The graph of what a function needs: its dependencies, theirs, and the leaves that a source provides.

It knows no HTTP. A source is asked for every parameter that is no dependency, and what it answers is read from a
*subject*: a request, or whatever else a function is called for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cello._annotation import EMPTY, Taken, is_async_generator, is_generator, taken
from cello._handler import is_async, short_name
from cello._mistake import at
from cello._providers import Cell, Shared
from cello.dependencies import SCOPES, Dependency
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cello._invalid import Fault
    from cello._providers import Providers
    from cello.dependencies import Scope

__all__ = ["Argument", "Constant", "Leaf", "Node", "Source", "Subject", "build", "dependency_of"]


class Subject(Protocol):
    """What functions are called for: a request, a message, a job."""

    def _at_end(self, function: Callable[[BaseException | None], Awaitable[None] | None], /) -> object:
        """Has a function called when all is over, last first, with what went wrong."""


class Leaf(NamedTuple):
    """A value that is read from the subject."""

    #: Gives the value, or raises Invalid; None where the value is the subject itself.
    read: Callable[[Any], Any] | None
    #: Awaited with the subject before anything is read that needs it.
    prepare: Callable[[Any], Awaitable[object]] | None = None
    #: Where in the subject it stands, and by which name, for whoever asks.
    place: str = ""
    name: str = ""


class Source(Protocol):
    """Where leaves come from."""

    def leaf(self, parameter: Taken, owner: Callable[..., Any], *, is_root: bool) -> Leaf | None:
        """The leaf for a parameter; None where its default is to stand.

        Errors: StartError for a parameter that the source cannot provide; its words are a reason, and who asks for the
        parameter is told before them.
        """

    def refusal(self, faults: list[Fault]) -> Exception:
        """The exception for what is wrong with the leaves of one subject."""
        ...


class Argument(NamedTuple):
    """What a parameter is given."""

    #: None where it is given by its place.
    name: str | None
    value: Node | Leaf | Cell | Constant


class Constant(NamedTuple):
    """A value that is known at start, and what says it."""

    value: Any
    origin: str = "dependency_overrides"


@dataclass(eq=False, slots=True)
class Node:
    """A function that is called, with what its parameters are given."""

    function: Callable[..., Any]
    scope: Scope
    arguments: list[Argument] = field(default_factory=list[Argument])

    @property
    def is_async(self) -> bool:
        """Whether a call is to be awaited."""
        return is_async(self.function)

    @property
    def is_generator(self) -> bool:
        """Whether it yields what it provides."""
        return is_generator(self.function)

    @property
    def is_async_generator(self) -> bool:
        """Whether it yields what it provides, asynchronously."""
        return is_async_generator(self.function)


def build(function: Callable[..., Any], source: Source, providers: Providers, route: str) -> Node:
    """The graph of a function; `route` says what it is for: "GET /users/{id}".

    Errors: StartError, with the path of functions that lead to what is wrong, their files and lines.
    """
    builder = _Builder(source, providers, route)
    return builder.node(function, "call", ())


class _Builder:
    def __init__(self, source: Source, providers: Providers, route: str) -> None:
        self.source = source
        self.providers = providers
        self.route = route
        self.made: dict[tuple[Any, Scope], Node] = {}

    def node(self, function: Callable[..., Any], scope: Scope, above: tuple[Callable[..., Any], ...]) -> Node:
        path = (*above, function)
        node = Node(function, scope)
        node.arguments = self.arguments(node, path)
        return node

    def arguments(self, node: Node, path: tuple[Callable[..., Any], ...]) -> list[Argument]:
        arguments: list[Argument] = []
        has_gap = False
        for parameter in taken(node.function, self.route):
            value = self.value(parameter, node, path)
            if value is None:
                has_gap = True
            elif parameter.is_positional and not has_gap:
                arguments.append(Argument(None, value))
            elif parameter.is_keyword:
                arguments.append(Argument(parameter.name, value))
            else:
                raise self.failure(
                    path, f"{parameter.name} can only be given by its place, and one before it is left to its default"
                )
        return arguments

    def value(
        self, parameter: Taken, node: Node, path: tuple[Callable[..., Any], ...]
    ) -> Node | Leaf | Cell | Constant | None:
        dependency = dependency_of(parameter)
        if dependency is not None:
            return self.dependency(dependency, parameter, node, path)
        is_root = len(path) == 1
        if node.scope == "app" and not is_root:
            if parameter.default is not EMPTY:
                return None
            raise self.failure(
                path,
                f"{parameter.name} is read from each request, and a dependency of the scope app is made once for all: "
                'give it the scope "request", or have the parameter come from another dependency of the scope app',
            )
        try:
            return self.source.leaf(parameter, node.function, is_root=is_root)
        except StartError as error:
            raise self.failure(path, str(error)) from None

    def dependency(
        self, dependency: Dependency, parameter: Taken, node: Node, path: tuple[Callable[..., Any], ...]
    ) -> Node | Cell | Constant:
        wanted = parameter.annotation if dependency.dependency is None else dependency.dependency
        if isinstance(wanted, str):
            return self.providers.named(wanted, self.route, path)
        if wanted is EMPTY or not callable(wanted):
            raise self.failure(path, f"{parameter.name}=Depends() says nothing: annotate the parameter with a class")
        if wanted in self.providers.overrides:
            override = self.providers.overrides[wanted]
            if not callable(override):
                return Constant(override)
            if override in path:  # it wraps what it stands in for
                override = wanted
            wanted = override
        if self.providers.is_form(wanted):
            try:
                value = self.providers.provided(wanted, short_name(node.function))
            except StartError as error:
                raise self.failure(path, str(error)) from None
            return Constant(value, f"provided as a {short_name(wanted)}")
        if wanted in path:
            circle = " → ".join(map(short_name, (*path[path.index(wanted) :], wanted)))
            raise self.failure(
                path, f"dependencies go round in a circle, {circle}: have one of them do without the next"
            )
        is_root = len(path) == 1
        if not is_root and SCOPES.index(dependency.scope) < SCOPES.index(node.scope):
            raise self.failure(
                (*path, wanted),
                f'a dependency of the scope "{node.scope}" cannot depend on one of the scope "{dependency.scope}", '
                "which ends before it",
            )
        if dependency.scope == "app":
            return self.shared(wanted, path)
        known = self.made.get((wanted, dependency.scope)) if dependency.use_cache else None
        if known is not None:
            return known
        made = self.node(wanted, dependency.scope, path)
        if dependency.use_cache:
            self.made[wanted, dependency.scope] = made
        return made

    def shared(self, function: Callable[..., Any], path: tuple[Callable[..., Any], ...]) -> Shared:
        known = self.providers.shared(function)
        if known is not None:
            return known
        made = self.node(function, "app", path)
        shared = Shared(function)
        places, names = shared.arguments
        for name, value in made.arguments:
            assert isinstance(value, Cell | Constant)
            given = value.value if isinstance(value, Constant) else value
            if name is None:
                places.append(given)
            else:
                names[name] = given
        self.providers.share(shared)
        return shared

    def failure(self, path: tuple[Callable[..., Any], ...], reason: str) -> StartError:
        return StartError(f"{self.route}: {reason}{at(*path)}")


def dependency_of(parameter: Taken) -> Dependency | None:
    for said in (parameter.default, *parameter.metadata):
        if isinstance(said, Dependency):
            return said
    return None
