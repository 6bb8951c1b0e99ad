"""The kinds of values that a document of JSON nests, told to type checkers too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, TypeGuard

__all__ = ["is_array", "is_object"]


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is an array."""
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is an object."""
    return isinstance(value, dict)
