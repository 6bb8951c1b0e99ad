"""Functions that are called before and after each request of a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cello._handler import is_async, name_of, takes, where, yields

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Hook", "hook"]


class Hook(NamedTuple):
    """A function, and whether what it gives is to be awaited."""

    function: Callable[..., Any]
    is_async: bool


def hook(function: object, words: str, *parameters: str) -> Hook:
    """A hook, if the function can be one.

    Errors: TypeError.
    """
    if not callable(function):
        raise TypeError(f"{function!r} is no {words} function: it is a function ({', '.join(parameters)})")
    if not takes(function, len(parameters)):
        raise TypeError(f"the {words} function {where(function)} is to take ({', '.join(parameters)})")
    if yields(function):
        raise TypeError(f"{name_of(function)} is no {words} function, since it has a yield: write a middleware")
    return Hook(function, is_async(function))
