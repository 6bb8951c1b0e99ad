"""Values that may be awaited: what a request holds is there already, and `await` gives the same value.

So `request.json()` and `await request.json()` are both right. True, false and null have no such form, as there is one
object of each: a caller that awaits them at once gets what may be awaited, any other the value itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType
    from typing import Self

__all__ = [
    "Awaitable",
    "AwaitableBytes",
    "AwaitableDict",
    "AwaitableFloat",
    "AwaitableInt",
    "AwaitableList",
    "AwaitableStr",
    "constant",
]


class Awaitable:
    """Gives itself when it is awaited, at once."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self


class AwaitableBytes(Awaitable, bytes):
    """Bytes that may be awaited."""

    __slots__ = ()


class AwaitableStr(Awaitable, str):
    """Text that may be awaited."""

    __slots__ = ()


class AwaitableInt(Awaitable, int):
    """An integer that may be awaited."""

    __slots__ = ()


class AwaitableFloat(Awaitable, float):
    """A float that may be awaited."""

    __slots__ = ()


class AwaitableDict(Awaitable, dict[str, Any]):
    """A dict that may be awaited."""

    __slots__ = ()


class AwaitableList(Awaitable, list[Any]):
    """A list that may be awaited."""

    __slots__ = ()


class _Awaited:
    """Gives a value when it is awaited, at once."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self.value


def constant(value: Any) -> Any:
    """True, false or null, or what gives it where the caller's next step is to await it.

    A client may send any of them, so a handler that awaits what it takes for an object must not break over it.
    """
    return _Awaited(value) if _is_awaited(sys._getframe().f_back) else value


def _is_awaited(caller: FrameType | None) -> bool:
    """Whether the call that a frame is in is what its `await` stands before."""
    from opcode import opmap

    if caller is None:
        return False
    code = caller.f_code.co_code
    after = caller.f_lasti + 2
    while after < len(code) and code[after] == opmap["CACHE"]:
        after += 2
    return after < len(code) and code[after] == opmap["GET_AWAITABLE"]
