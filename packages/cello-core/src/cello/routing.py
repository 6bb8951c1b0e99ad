"""Constraints: what the value of a path's parameter must be for a route to match.

Each is given beside the path, or written in it: `constraints={"id": IntConstraint()}` is `{id:int}`. It is checked
natively, on the whole decoded value, before a handler is chosen: where it fails, another route may match, and where
none does the answer is 404.
"""

from __future__ import annotations

__all__ = [
    "AlphaConstraint",
    "AlphanumConstraint",
    "Constraint",
    "IntConstraint",
    "RegexConstraint",
    "UuidConstraint",
]


class Constraint:
    """What a parameter's value must be; use one of its subclasses."""

    __slots__ = ("_spelling",)

    def __init__(self, spelling: str) -> None:
        self._spelling = spelling

    @property
    def spelling(self) -> str:
        """How a path has it, after the colon: `int` in `{id:int}`."""
        return self._spelling

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constraint) and self._spelling == other._spelling

    def __hash__(self) -> int:
        return hash(self._spelling)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class IntConstraint(Constraint):
    """Digits 0 to 9, with or without a minus before them: `{id:int}`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("int")


class UuidConstraint(Constraint):
    """A UUID of 8-4-4-4-12 hexadecimal digits, in either case (RFC 9562 §4): `{id:uuid}`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("uuid")


class AlphaConstraint(Constraint):
    """Letters a to z and A to Z: `{slug:alpha}`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("alpha")


class AlphanumConstraint(Constraint):
    """Letters a to z and A to Z and digits 0 to 9: `{slug:alphanum}`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("alphanum")


class RegexConstraint(Constraint):
    """What a regular expression matches from its first character to its last: `{code:regex([a-z]{2,3})}`.

    The syntax is that of Rust's regex crate: it has no look-around and no back-references, and needs time in proportion
    to the value.

    Errors: one that is malformed, or larger than 4 MiB when compiled, is told at start.
    """

    __slots__ = ("_pattern",)

    def __init__(self, pattern: str) -> None:
        super().__init__(f"regex({pattern})")
        self._pattern = pattern

    @property
    def pattern(self) -> str:
        """The regular expression."""
        return self._pattern

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pattern!r})"
