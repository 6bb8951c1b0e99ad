"""Layers: what stands around a handler, each a function of the request that calls the next.

They are made when the application starts. What makes a chain asynchronous is settled then, too: a chain in which all
is `def` is called without a task.
"""

from __future__ import annotations

from inspect import isroutine
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._handler import is_async, short_name
from cello._mistake import at
from cello._returned import responder, to_response, with_status
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cello._answers import Answers
    from cello._hooks import Hook
    from cello._kernel import Request
    from cello.middleware import Middleware

    type Call = Callable[[Request], Any]

__all__ = ["Around", "Layer", "Target", "around", "chain", "in_a_task", "of_middleware"]


class Target(NamedTuple):
    """A handler, and how it is called."""

    call: Callable[..., Any]
    is_async: bool
    takes_request: bool
    #: The status of what has none of its own.
    status: int | None = None


class Around(NamedTuple):
    """The exception handlers of a scope, and its functions before and after each request."""

    answers: Answers
    before: Sequence[Hook]
    after: Sequence[Hook]


class Layer(NamedTuple):
    """Something around a handler."""

    #: Makes the function of it, around the given one; the second argument says whether both are asynchronous.
    bind: Callable[[Call, bool], Call]
    #: What is asynchronous in it.
    asynchronous: Callable[..., Any] | None = None
    #: The `def` middleware that it is: what it encloses cannot be asynchronous.
    synchronous: Callable[..., Any] | None = None
    #: What it was made of, for whoever asks.
    subject: Middleware | Around | None = None


def chain(target: Target, layers: Sequence[Layer], endpoint: Callable[..., Any], route: str) -> Target:
    """Puts layers around a handler, the innermost first.

    Errors: StartError where a `def` middleware encloses anything asynchronous.
    """
    if not layers:
        return target if target.status is None else _with_status(target)
    has_async = target.is_async or any(layer.asynchronous for layer in layers)
    # What the outermost `def` middleware encloses is called without a task.
    edge = max((index for index, layer in enumerate(layers) if layer.synchronous), default=-1)
    _check(target, layers[: edge + 1], endpoint, route)
    call = _converted(target, is_async=has_async and edge < 0)
    for index, layer in enumerate(layers):
        if has_async and index == edge + 1 > 0:
            call = _lifted(call)
        call = layer.bind(call, has_async and index > edge)
    return Target(call, has_async and edge < len(layers) - 1, takes_request=True)


def in_a_task(target: Target) -> Target:
    """The same handler where what it returns, a generator, waits for the request's body."""
    if target.is_async:
        return target
    handler = target.call

    async def call(*request: Request) -> Any:
        return handler(*request)

    return target._replace(call=call, is_async=True)


def of_middleware(middleware: Middleware) -> Layer:
    """The layer of a middleware: its own function, with what it calls next already given."""
    function: Callable[..., Any] = middleware
    method: object = getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted
    if isinstance(method, MethodType) and not isroutine(function):
        function = method

    # Of one that is both, the kind that the others around it are.
    sync: Callable[..., Any] | None = getattr(middleware, "call_sync", None) if is_async(middleware) else None

    def bind(inner: Call, runs_async: bool) -> Call:
        called = function if runs_async or sync is None else sync
        return _given(called, inner) or (lambda request: called(request, inner))

    if sync is not None:
        return Layer(bind, None, None, middleware)
    return (
        Layer(bind, middleware, None, middleware) if is_async(middleware) else Layer(bind, None, middleware, middleware)
    )


def around(answers: Answers, before: Sequence[Hook], after: Sequence[Hook]) -> Layer:
    """The layer of a scope's exception handlers and of its functions before and after each request."""
    asynchronous = answers.first_async() or next((hook.function for hook in (*before, *after) if hook.is_async), None)

    def bind(inner: Call, runs_async: bool) -> Call:
        if before or after:
            return (
                _hooked_async(inner, answers, before, after) if runs_async else _hooked(inner, answers, before, after)
            )
        return _caught_async(inner, answers) if runs_async else _caught(inner, answers)

    return Layer(bind, asynchronous, None, Around(answers, before, after))


def _check(target: Target, enclosed: Sequence[Layer], endpoint: Callable[..., Any], route: str) -> None:
    asynchronous: Callable[..., Any] | None = endpoint if target.is_async else None
    for layer in enclosed:
        if layer.synchronous is not None and asynchronous is not None:
            raise StartError(
                f"the middleware {short_name(layer.synchronous)} is a def, and what it calls next for {route} is "
                "asynchronous: make it an async def, and await call_next(request) in it"
                f"{at(layer.synchronous, asynchronous)}"
            )
        asynchronous = asynchronous or layer.asynchronous


def _given(function: Callable[..., Any], inner: Call) -> Call | None:
    """The function with `inner` as the default of its second parameter; None of what is no plain function.

    A closure would be a second frame for each layer, and a functools.partial takes ten times as long.
    """
    if isinstance(function, MethodType):
        bound = _given_at(2, function.__func__, inner)
        return None if bound is None else MethodType(bound, function.__self__)
    return _given_at(1, function, inner)


def _given_at(place: int, function: Callable[..., Any], inner: Call) -> FunctionType | None:
    if not isinstance(function, FunctionType) or function.__code__.co_argcount <= place:
        return None
    further = function.__code__.co_argcount - place - 1
    defaults = (inner, *(function.__defaults__ or ())[-further:]) if further else (inner,)
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, defaults, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy


def _with_status(target: Target) -> Target:
    handler, is_async, takes_request, status = target
    assert status is not None

    async def answer_async(request: Request) -> Any:
        return with_status(await (handler(request) if takes_request else handler()), status)

    def answer(request: Request) -> Any:
        return with_status(handler(request) if takes_request else handler(), status)

    return Target(answer_async if is_async else answer, is_async, takes_request=True)


def _converted(target: Target, is_async: bool) -> Call:
    """The handler as layers call it: it takes the request and gives a Response."""
    handler, handler_is_async, takes_request, status = target
    respond = responder(status)

    async def await_handler(request: Request) -> Any:
        return respond(await (handler(request) if takes_request else handler()))

    async def call_in_task(request: Request) -> Any:
        return respond(handler(request) if takes_request else handler())

    def call(request: Request) -> Any:
        return respond(handler(request) if takes_request else handler())

    if handler_is_async:
        return _named(await_handler)
    return _named(call_in_task if is_async else call)


def _lifted(inner: Call) -> Call:
    async def lifted(request: Request) -> Any:
        return inner(request)

    return _named(lifted)


def _named(call: Call) -> Call:
    """A layer, under the name by which middleware knows it: Python names it where nobody awaits what it gives."""
    call.__qualname__ = "call_next"
    return call


def _caught(inner: Call, answers: Answers) -> Call:
    def caught(request: Request) -> Any:
        try:
            return inner(request)
        except Exception as error:
            found = answers.find(error)
            if found is None:
                raise
            return answers.answer(found, request, error)

    return _named(caught)


def _caught_async(inner: Call, answers: Answers) -> Call:
    async def caught(request: Request) -> Any:
        try:
            return await inner(request)
        except Exception as error:
            found = answers.find(error)
            if found is None:
                raise
            return await answers.answer_async(found, request, error)

    return _named(caught)


def _hooked(inner: Call, answers: Answers, before: Sequence[Hook], after: Sequence[Hook]) -> Call:
    first = tuple(hook.function for hook in before)
    last = tuple(hook.function for hook in after)

    def hooked(request: Request) -> Any:
        try:
            for function in first:
                returned = function(request)
                if returned is not None:
                    response = to_response(returned)
                    break
            else:
                response = inner(request)
        except Exception as error:
            found = answers.find(error)
            if found is None:
                raise
            response = answers.answer(found, request, error)
        for function in last:
            returned = function(request, response)
            if returned is not None:
                response = to_response(returned)
        return response

    return _named(hooked)


def _hooked_async(inner: Call, answers: Answers, before: Sequence[Hook], after: Sequence[Hook]) -> Call:
    first, last = tuple(before), tuple(after)

    async def hooked(request: Request) -> Any:
        try:
            for function, is_async in first:
                returned = function(request)
                if is_async:
                    returned = await returned
                if returned is not None:
                    response = to_response(returned)
                    break
            else:
                response = await inner(request)
        except Exception as error:
            found = answers.find(error)
            if found is None:
                raise
            response = await answers.answer_async(found, request, error)
        for function, is_async in last:
            returned = function(request, response)
            if is_async:
                returned = await returned
            if returned is not None:
                response = to_response(returned)
        return response

    return _named(hooked)
