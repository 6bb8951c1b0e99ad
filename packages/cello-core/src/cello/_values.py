"""What a request's values are of, where a plain str, bool or dict is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Context", "Flag", "Text"]


class Text(str):
    """Text that can be called, and returns itself: `request.host` and `request.host()` are the same."""

    __slots__ = ()

    def __call__(self) -> str:
        """The text."""
        return self


class Flag(int):
    """A truth that can be called: `request.is_secure` is one, `request.is_secure()` a bool."""

    __slots__ = ()

    def __call__(self) -> bool:
        """The truth, as a bool."""
        return bool(self)

    def __repr__(self) -> str:
        return "True" if self else "False"

    if TYPE_CHECKING:
        # int's own, named here: else type checkers hold that it is never equal to a bool.
        def __eq__(self, other: object, /) -> bool: ...
        def __hash__(self) -> int: ...


class Context(dict[str, Any]):
    """What middleware and handlers tell each other of a request: a dict, with the words of one for its methods."""

    __slots__ = ()

    def set(self, name: str, value: Any) -> None:
        """Sets an entry."""
        self[name] = value

    def has(self, name: str) -> bool:
        """Whether there is an entry."""
        return name in self

    def delete(self, name: str) -> None:
        """Removes an entry, if it is there."""
        self.pop(name, None)
