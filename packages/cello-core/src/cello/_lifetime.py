"""The ends of dependencies: what comes after a generator's `yield`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._annotation import told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    type End = Callable[[BaseException | None], Awaitable[None] | None]

__all__ = ["end", "end_all", "end_all_async", "end_async", "no_yield"]


def no_yield(function: Callable[..., Any]) -> RuntimeError:
    """What is wrong with a generator that yields nothing."""
    return RuntimeError(f"the dependency {told(function)} yielded nothing: it yields once what it provides")


def end(generator: Generator[Any, Any, Any], error: BaseException | None) -> None:
    """Ends a generator that has yielded; what the request failed with is raised in it.

    It may raise something else, and it cannot make the error undone: whoever calls this goes on with it.
    """
    traceback = None if error is None else error.__traceback__
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration:
        return
    except BaseException as raised:
        if error is not None and _is_passed_on(raised, error):
            error.__traceback__ = traceback
            return
        raise
    generator.close()
    raise RuntimeError(f"the dependency {_name(generator)} yielded twice: it yields once what it provides")


async def end_async(generator: AsyncGenerator[Any, Any], error: BaseException | None) -> None:
    """`end()`, of an asynchronous generator."""
    traceback = None if error is None else error.__traceback__
    try:
        if error is None:
            await anext(generator)
        else:
            await generator.athrow(error)
    except StopAsyncIteration:
        return
    except BaseException as raised:
        if error is not None and _is_passed_on(raised, error):
            error.__traceback__ = traceback
            return
        raise
    await generator.aclose()
    raise RuntimeError(f"the dependency {_name(generator)} yielded twice: it yields once what it provides")


def end_all(ends: list[End], error: BaseException | None) -> None:
    """Calls the ends, last first, each with what went wrong before it, and raises what went wrong in them."""
    first = error
    while ends:
        try:
            ends.pop()(error)
        except BaseException as raised:
            error = raised
    if error is not None and error is not first:
        raise error


async def end_all_async(ends: list[End], error: BaseException | None) -> None:
    """`end_all()`, where some of the ends are to be awaited."""
    first = error
    while ends:
        try:
            awaitable = ends.pop()(error)
            if awaitable is not None:
                await awaitable
        except BaseException as raised:
            error = raised
    if error is not None and error is not first:
        raise error


def _is_passed_on(raised: BaseException, error: BaseException) -> bool:
    # Of a StopIteration that is raised in a generator, Python makes a RuntimeError.
    is_stop = isinstance(error, StopIteration | StopAsyncIteration)
    return raised is error or (is_stop and isinstance(raised, RuntimeError) and raised.__cause__ is error)


def _name(generator: Any) -> str:
    code = getattr(generator, "gi_code", None) or getattr(generator, "ag_code", None)
    name = getattr(generator, "__qualname__", repr(generator))
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"
