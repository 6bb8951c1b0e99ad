"""The ends of dependencies: what comes after a generator's `yield`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._annotation import told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import TracebackType

    type End = Callable[[BaseException | None], Awaitable[None] | None]

__all__ = ["end", "end_all", "end_all_async", "end_async", "end_later", "end_later_async", "no_yield"]


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
        _restore(error, traceback)
        return
    except BaseException as raised:
        if error is not None and _is_passed_on(raised, error):
            _restore(error, traceback)
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
        _restore(error, traceback)
        return
    except BaseException as raised:
        if error is not None and _is_passed_on(raised, error):
            _restore(error, traceback)
            return
        raise
    await generator.aclose()
    raise RuntimeError(f"the dependency {_name(generator)} yielded twice: it yields once what it provides")


def end_later(generator: Generator[Any, Any, Any], failed: list[BaseException], error: BaseException | None) -> None:
    """`end()`, with what the function failed with that the generator was made for, whoever answered for it since."""
    end(generator, failed[0] if failed else error)


async def end_later_async(
    generator: AsyncGenerator[Any, Any], failed: list[BaseException], error: BaseException | None
) -> None:
    """`end_later()`, of an asynchronous generator."""
    await end_async(generator, failed[0] if failed else error)


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


def _restore(error: BaseException | None, traceback: TracebackType | None) -> None:
    """Takes out of a traceback what a generator has added: its frame keeps those that ended it, and they the error."""
    if error is not None:
        error.__traceback__ = traceback


def _is_passed_on(raised: BaseException, error: BaseException) -> bool:
    # Of a StopIteration that is raised in a generator, Python makes a RuntimeError.
    is_stop = isinstance(error, StopIteration | StopAsyncIteration)
    return raised is error or (is_stop and isinstance(raised, RuntimeError) and raised.__cause__ is error)


def _name(generator: Any) -> str:
    code = getattr(generator, "gi_code", None) or getattr(generator, "ag_code", None)
    name = getattr(generator, "__qualname__", repr(generator))
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"
