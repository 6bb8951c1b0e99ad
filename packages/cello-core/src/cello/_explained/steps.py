"""The walk of a request, told: what is done natively, what in Python, and why."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import TYPE_CHECKING, Literal

from cello._handler import is_async
from cello._rehearsal import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cello._explained.around import Standing
    from cello._explained.graph import Graph
    from cello._plan import Plan
    from cello._rehearsal import Rehearsal

__all__ = ["Step", "steps_of", "steps_refused"]


@dataclass(frozen=True)
class Step:
    """One thing that is done for a request."""

    name: str
    where: Literal["native", "Python"]
    why: str


_HEAD = (
    Step("accept", "native", "a connection waits for its first byte without Python"),
    Step("parse", "native", "a head that is malformed or over a limit is refused here"),
    Step("route", "native", "methods, paths and constraints are known since the start"),
)
_SEND = Step("send", "native", "bytes are written as the client takes them")


def steps_of(rehearsal: Rehearsal, number: int, graph: Graph, around: Sequence[Standing]) -> list[Step]:
    """The steps of a request that a route answers."""
    plan = rehearsal.plans[number]
    handler = rehearsal.placed[number].route.handler
    options = rehearsal.placed[number].route.options
    steps = [*_HEAD, _body(plan), _cross(plan, bool(options.get("blocking")), graph, around)]
    if around:
        steps.append(Step("around it", "Python", f"{_count(len(around), 'function')} of the application, see above"))
    steps += _given(graph)
    steps.append(Step("handler", "Python", _handler(plan, bool(options.get("blocking")))))
    if isgeneratorfunction(handler) or isasyncgenfunction(handler):
        steps.append(Step("answer", "Python", "each piece is yielded by the handler, as the client takes them"))
    else:
        if graph.is_shaped:
            steps.append(Step("shape", "Python", "the return annotation says what of the answer is sent"))
        steps.append(Step("answer", "native", "what is returned becomes bytes in one pass"))
    steps.append(_SEND)
    ends = [node for node in graph.nodes if node.scope == "request" and (node.is_generator or node.is_async_generator)]
    if ends:
        words = f"{_count(len(ends), 'dependency', 'dependencies')} that yielded, after the last byte of the answer"
        steps.append(Step("end", "Python", words))
    return steps


def steps_refused(rehearsal: Rehearsal, status: int, *, is_seen: bool) -> list[Step]:
    """The steps of a request that no route answers."""
    if rehearsal.fallbacks == 0:
        return [*_HEAD, Step(f"answer {status}", "native", "nothing in the application is to see it"), _SEND]
    what = "a Response" if status == 204 else "an exception"
    why = "what stands around it or answers for exceptions" if is_seen else "no one: but other parts would see theirs"
    return [*_HEAD, Step(f"answer {status}", "Python", f"as {what}, for {why}"), _SEND]


def _body(plan: Plan) -> Step:
    if plan.streams_body:
        return Step("body", "native", "stream=True: read as the handler takes it")
    refused = "it is refused natively" if plan.fallback is None else "its refusal is seen in Python"
    return Step("body", "native", f"read whole before Python is entered; {refused}")


def _cross(plan: Plan, is_blocking: bool, graph: Graph, around: Sequence[Standing]) -> Step:
    if not plan.is_async:
        return Step("enter", "Python", "one call in place, without a task, since all that is called is a def")
    if is_blocking:
        return Step("enter", "Python", "one call, in a task, which waits for a thread")
    reason = _asynchronous(plan, graph, around)
    return Step("enter", "Python", f"one call, in a task started at once, since {reason} is to be awaited")


def _asynchronous(plan: Plan, graph: Graph, around: Sequence[Standing]) -> str:
    """What makes a plan asynchronous."""
    if is_async(plan.endpoint):
        return "the handler"
    if plan.streams_body:
        return "the body"
    node = next((node for node in graph.nodes if node.is_async or node.is_async_generator), None)
    if node is not None:
        return str(place(node.function))
    return next((one.function for one in around if one.kind == "async def"), "what it is given")


def _given(graph: Graph) -> Iterator[Step]:
    if graph.dependencies:
        made = f"{_count(len(graph.nodes), 'dependency', 'dependencies')} for this request"
        yield Step("give", "Python", f"{made}, in one function that was written at start")
    elif any(given.source not in ("the request", "its default") for given in graph.parameters):
        yield Step("give", "Python", "the parameters, in one function that was written at start")


def _handler(plan: Plan, is_blocking: bool) -> str:
    if is_blocking:
        return "blocking=True: a def in a thread of its own"
    if isgeneratorfunction(plan.endpoint) or isasyncgenfunction(plan.endpoint):
        return "a generator: the call makes it, its body runs as it is sent"
    if is_async(plan.endpoint):
        return "an async def: others are served while it waits"
    return "a def, called in place: nobody else is served until it returns"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"
