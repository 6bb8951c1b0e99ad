"""Values that may be awaited: what a request holds is there already, and `await` gives the same value.

So `request.json()` and `await request.json()` are both right. True, false and null have no such form: `await` of those
is what `json_async()` is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

__all__ = [
    "Awaitable",
    "AwaitableBytes",
    "AwaitableDict",
    "AwaitableFloat",
    "AwaitableInt",
    "AwaitableList",
    "AwaitableStr",
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
