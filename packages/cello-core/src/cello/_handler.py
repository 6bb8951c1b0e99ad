"""Functions of the application: what is known of one before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["inner", "is_async", "name_of", "short_name", "takes", "where", "yields"]

#: What looks longer is named by its kind.
_CHARACTERS = 60


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call gives something to be awaited: of an `async def`, or an object whose `__call__` is one."""
    from inspect import iscoroutinefunction, isroutine

    called = function if isroutine(function) else getattr(type(function), "__call__", function)  # noqa: B004 - the method itself is wanted
    return iscoroutinefunction(function) or iscoroutinefunction(called)


def yields(function: Callable[..., Any]) -> bool:
    """Whether a call only makes a generator, and runs nothing of the function: one with a `yield`, `async` or not."""
    from inspect import isasyncgenfunction, isgeneratorfunction, isroutine

    called = function if isroutine(function) else getattr(type(function), "__call__", function)  # noqa: B004 - the method itself is wanted
    return any(isgeneratorfunction(one) or isasyncgenfunction(one) for one in (function, called))


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many positional arguments; yes where it does not say."""
    from inspect import signature

    try:
        signature(function).bind(*range(count))
    except ValueError:  # a builtin without a signature
        return True
    except TypeError:
        return False
    return True


def short_name(function: Any) -> str:
    """A function's name; of an object with `__call__` that of its class."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def name_of(value: object) -> str:
    """What a value is called in a message: its kind and name, or what it looks like."""
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return f"the {'class' if isinstance(value, type) else type(value).__name__} {name}"
    shown = repr(value)
    if shown.startswith("<") or len(shown) > _CHARACTERS:
        return f"an object of {type(value).__qualname__}"
    return shown


def inner(function: Any) -> Any:
    """What a functools.partial, or what says so in its way, was made of; else the function itself."""
    while callable(wrapped := getattr(function, "func", None)):
        function = wrapped
    return function


def where(function: Callable[..., Any]) -> str:
    """A function's name, file and line, for a message; of an object with `__call__`, those of its class."""
    wrapped: object = inner(function)
    code = getattr(wrapped, "__code__", None)
    if code is None and not isinstance(wrapped, type):
        code = getattr(getattr(type(wrapped), "__call__", None), "__code__", None)  # noqa: B004 - the method itself is wanted
        wrapped = type(wrapped) if code else wrapped
    name = getattr(wrapped, "__qualname__", repr(wrapped))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name
