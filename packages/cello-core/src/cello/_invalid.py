"""What is wrong with a value from outside, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    #: What a union has made of parts of a value, and what is wrong with them: by the union and by the part.
    type Known = dict[tuple[int, int], tuple[Any, Faults]]

__all__ = ["FAULTS", "Enough", "Fault", "Faults", "Invalid", "Wrong", "many"]

#: Of more faults a client is told the first.
FAULTS = 100
#: With more than these a value is not looked at further. Several may be told as one.
_ENOUGH = 10 * FAULTS


class Fault(NamedTuple):
    """One thing that is wrong."""

    #: Which part of what was received: "query", "body", …
    place: str
    #: The names and numbers that lead to the value in that part.
    path: tuple[str | int, ...]
    detail: str
    #: A word for programs: "missing", "int_parsing", … as pydantic has them.
    code: str
    #: Whether it is told with `field` and `message` too, the members of the older form.
    is_of_field: bool = False


class Enough(Exception):
    """So much is wrong with a value that the rest does not matter."""


class Faults(list[Fault]):
    """What is wrong with a value by now.

    Errors: `append` raises Enough.
    """

    def __init__(self, known: Known | None = None) -> None:
        super().__init__()
        #: Within a union; else None.
        self.known = known

    def append(self, fault: Fault, /) -> None:
        """Notes one more."""
        super().append(fault)
        if len(self) > _ENOUGH:
            raise Enough


class Wrong(Exception):
    """A value is not what it should be. Where it stands, whoever asked knows."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class Invalid(Exception):
    """What was received is not what was asked for."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = list(faults)


def many(faults: Iterable[Fault]) -> list[Fault]:
    """One fault a place, and not more of them than a client can use."""
    told: dict[tuple[str, tuple[str | int, ...]], Fault] = {}
    for fault in faults:
        key = (fault.place, fault.path)
        before = told.get(key)
        if before is None:
            if len(told) == FAULTS:
                break
            told[key] = fault
        elif fault.detail not in before.detail:
            told[key] = before._replace(detail=f"{before.detail}, or {fault.detail}")
    return list(told.values())
