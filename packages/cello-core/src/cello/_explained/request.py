"""What becomes of a request, and why: told from the application as it is composed at start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from cello._around import apps_of, layers_around, layers_of
from cello._explained.around import Answering, Standing, answering, standing, titles
from cello._explained.graph import Given, Needed, graph_of
from cello._explained.limits import Bound, bounds
from cello._explained.steps import Step, steps_of, steps_refused
from cello._fallback import mounts
from cello._kernel import _path_names
from cello._methods import method_names
from cello._rehearsal import place
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cello._rehearsal import Rehearsal
    from cello._route import Route
    from cello._scope import Scope

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Considered:
    """A route that the router came to."""

    method: str
    path: str
    handler: str
    #: What its path's parameters would be, decoded.
    values: dict[str, str]
    answers: bool
    why: str


@dataclass(frozen=True)
class Explanation:
    """What becomes of a request."""

    method: str
    #: As a client sends it.
    target: str
    #: The status of what no route answers.
    status: int | None
    #: What answers, in words.
    answer: str
    handler: str | None
    allow: str | None
    considered: list[Considered]
    parameters: list[Given]
    dependencies: list[Needed]
    around: list[Standing]
    exception_handlers: list[Answering]
    limits: list[Bound]
    steps: list[Step] = field(default_factory=list[Step])


class Asked(NamedTuple):
    """A request, as it is asked about."""

    method: str
    path: str
    query: str

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def explain(rehearsal: Rehearsal, method: str, path: str) -> Explanation:
    """Explains a request.

    Errors: OptionError for what is no method or no path; StartError, as the start has.
    """
    asked = _asked(method, path)
    number, allow = rehearsal.routing.find(asked.method, asked.path)
    considered = _considered(rehearsal, asked, number)
    return (
        _refused(rehearsal, asked, allow, considered)
        if number is None
        else _routed(rehearsal, asked, number, considered)
    )


def _asked(method: str, target: str) -> Asked:
    try:
        (name,) = method_names([method])
    except ValueError as error:
        raise OptionError(str(error)) from None
    try:
        parts = urlsplit(f"//host{target}" if target.startswith("/") else target)
    except ValueError as error:
        raise OptionError(f"{target!r} is no URL: {error}") from None
    if not parts.netloc:
        raise OptionError(f'{target!r} is no path: it starts with "/", as /users/7')
    # What a client sends of what is no character of a path (RFC 3986 §3.3).
    return Asked(name, quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~"), parts.query)


def _routed(rehearsal: Rehearsal, asked: Asked, number: int, considered: list[Considered]) -> Explanation:
    route, scopes = rehearsal.placed[number]
    plan = rehearsal.plans[number]
    values = next(one.values for one in considered if one.answers)
    graph = graph_of(route, plan, asked.method, asked.target, values)
    names = titles(scopes)
    around = standing(rehearsal, number, names)
    by_get = asked.method == "HEAD" and route.method == "GET"
    words = f"{route.method} {route.path}"
    return Explanation(
        method=asked.method,
        target=asked.target,
        status=None,
        answer=f"{words}: HEAD is answered by the GET route, and its body is left out" if by_get else words,
        handler=str(place(route.handler)),
        allow=None,
        considered=considered,
        parameters=graph.parameters,
        dependencies=graph.dependencies,
        around=around,
        exception_handlers=answering(scopes, names),
        limits=bounds(rehearsal, number, names),
        steps=steps_of(rehearsal, number, graph, around),
    )


def _refused(rehearsal: Rehearsal, asked: Asked, allow: str | None, considered: list[Considered]) -> Explanation:
    scopes = _scopes_of_refused(rehearsal, asked.path)
    names = titles(scopes)
    apps = apps_of(rehearsal.app)
    layers = {id(scope): list(layers_of(scope, apps[scope], rehearsal.tell)) for scope in scopes}
    is_seen = bool(layers_around(scopes, layers))
    if allow is None:
        status, answer = 404, "404: no route has this path"
    elif asked.method == "OPTIONS":
        status, answer = 204, f"204 with Allow: {allow}, since no route of this path answers OPTIONS itself"
    else:
        status, answer = 405, f"405 with Allow: {allow}"
    return Explanation(
        method=asked.method,
        target=asked.target,
        status=status,
        answer=answer,
        handler=None,
        allow=allow,
        considered=considered,
        parameters=[],
        dependencies=[],
        around=standing(rehearsal, None, names),
        exception_handlers=answering(scopes, names) if status != 204 else [],
        limits=bounds(rehearsal, None, names),
        steps=steps_refused(rehearsal, status, is_seen=is_seen),
    )


def _scopes_of_refused(rehearsal: Rehearsal, path: str) -> Sequence[Scope]:
    """What is around a request that comes to no route: the application whose path it is under."""
    found = mounts(rehearsal.app)
    return next(
        (scopes for prefix, scopes in found.items() if path == prefix or path.startswith(f"{prefix}/")),
        (rehearsal.app,),
    )


def _considered(rehearsal: Rehearsal, asked: Asked, answer: int | None) -> list[Considered]:
    found: list[Considered] = []
    chosen = None if answer is None else rehearsal.placed[answer].route
    for number, values, refused in rehearsal.routing.candidates(asked.path):
        route = rehearsal.placed[number].route
        by_name = dict(zip(_path_names(route.path), values, strict=True))
        if number == answer:
            why = "answers"
        elif refused:
            name = list(by_name)[refused[0]]
            why = f"{name} is {by_name[name]!r}, which is not {_constraint(route, name)}"
        elif not _takes(route, asked.method):
            why = f"answers {route.method}"
        else:
            assert chosen is not None
            why = _why_not(route, chosen, asked)
        found.append(Considered(route.method, route.path, str(place(route.handler)), by_name, number == answer, why))
    return found


def _takes(route: Route, method: str) -> bool:
    return route.method in (method, "*") or (route.method == "GET" and method == "HEAD")


def _why_not(route: Route, chosen: Route, asked: Asked) -> str:
    """Why another of the routes that could answer does."""
    if route.path == chosen.path:
        return f"{chosen.method} {chosen.path} answers {asked.method} before it"
    if route.path.rstrip("/") == chosen.path.rstrip("/"):
        return "the request has the slash at its end as the other has it"
    return f"less exact than {chosen.path}"


def _constraint(route: Route, name: str) -> str:
    """What a parameter is constrained to, as a path has it."""
    constraints: dict[str, Any] = route.options.get("constraints") or {}
    given = constraints.get(name)
    if given is not None:
        return str(given.spelling)
    for opened in (f"{{{name}:", f"{{*{name}:"):
        if opened in route.path:
            rest = route.path.partition(opened)[2]
            end = rest.find(")}") + 1 if rest.startswith("regex(") else rest.find("}")
            return rest[:end]
    return "what it is constrained to"
