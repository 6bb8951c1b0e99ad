"""Constraints on values: what marks and metadata of `Annotated` say about one, as a check of it.

Metadata is known by its attributes, so that those of `annotated_types`, pydantic's `Field` and msgspec's `Meta` all
are, and none of them has to be installed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cello._invalid import Wrong
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    type Check = Callable[[Any], None]

__all__ = ["check_fit", "checker", "constraints", "is_known", "lengths", "without_lengths"]

_NAMES = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")
_LENGTHS = ("min_length", "max_length")
_NUMBERS = (int, float, bool, Decimal)
#: Whose objects a library takes for constraints: packages by library.
_KNOWN = {"pydantic": ("pydantic", "annotated_types"), "msgspec": ("msgspec",)}


def constraints(metadata: Iterable[Any]) -> list[tuple[str, Any]]:
    """What is said, as pairs of a name and its value."""
    found: list[tuple[str, Any]] = []
    for said in metadata:
        if getattr(said, "__is_annotated_types_grouped_metadata__", False):
            found += constraints(said)
            continue
        nested = getattr(said, "metadata", None)
        if isinstance(nested, list):  # pydantic's Field
            found += constraints(nested)  # pyright: ignore[reportUnknownArgumentType]
            continue
        found += [(name, value) for name in _NAMES if (value := getattr(said, name, None)) is not None]
        predicate = getattr(said, "func", None)
        if callable(predicate) and type(said).__name__ == "Predicate":
            found.append(("predicate", predicate))
    return found


def is_known(library: str, said: Any) -> bool:
    """Whether a library checks what an object of `Annotated` says, or that says nothing."""
    return type(said).__module__.partition(".")[0] in _KNOWN[library] or not constraints([said])


def check_fit(kinds: Iterable[Any], metadata: Iterable[Any]) -> None:
    """Checks what is said against the types that it is said of.

    Errors: StartError for what can be asked of no value of theirs.
    """
    kinds = [kind for kind in kinds if isinstance(kind, type) and kind is not type(None)]
    for name, bound in constraints(metadata):
        said = f"{name}={bound!r}"
        unfit: list[type] = []
        if name in _LENGTHS:
            if not isinstance(bound, int) or bound < 0:
                raise StartError(f"{said} is no number of characters or elements")
            unfit = [kind for kind in kinds if issubclass(kind, _NUMBERS)]
        elif name == "pattern":
            try:
                re.compile(bound)
            except (re.error, TypeError) as error:
                raise StartError(f"{said} is no regular expression: {error}") from None
            unfit = [kind for kind in kinds if issubclass(kind, _NUMBERS)]
        elif name in _NAMES and all(kind is str or kind in _NUMBERS for kind in kinds):
            unfit = [kind for kind in kinds if (kind is str) != isinstance(bound, str)]
            unfit = unfit if len(unfit) == len(kinds) else []
        if unfit:
            lengths = ": it has min_length, max_length and pattern" if unfit[0] is str else ""
            raise StartError(f"{said} cannot be asked of {unfit[0].__name__}{lengths}")


def checker(metadata: Iterable[Any]) -> Check | None:
    """The check of all that is said; None where nothing is.

    Errors: the check raises Wrong.
    """
    return _all([_check(name, value) for name, value in constraints(metadata)])


def lengths(metadata: Iterable[Any]) -> Check | None:
    """The check of what is said about lengths alone."""
    return _all([_check(name, value) for name, value in constraints(metadata) if name in _LENGTHS])


def without_lengths(metadata: Iterable[Any]) -> Check | None:
    """The check of what is said about anything but lengths."""
    return _all([_check(name, value) for name, value in constraints(metadata) if name not in _LENGTHS])


def _all(checks: list[Check]) -> Check | None:
    if len(checks) < 2:
        return checks[0] if checks else None

    def check(value: Any) -> None:
        for one in checks:
            one(value)

    return check


def _check(name: str, bound: Any) -> Check:
    return _CHECKS[name](bound)


def _comparison(code: str, words: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any], Check]:
    def of(bound: Any) -> Check:
        told = f"{words} {bound}"

        def check(value: Any) -> None:
            try:
                if value is None or holds(value, bound):
                    return
            # A date and time with an offset is compared with one without, or a number is divided that is too large.
            except (TypeError, ArithmeticError) as error:
                raise Wrong(f"{told}, with which it cannot be compared: {error}", code) from None
            raise Wrong(told, code)

        return check

    return of


def _length(code: str, words: str, holds: Callable[[int, int], bool]) -> Callable[[Any], Check]:
    def of(bound: Any) -> Check:
        def check(value: Any) -> None:
            if value is None or holds(len(value), bound):
                return
            unit = "character" if isinstance(value, str) else "element"
            raise Wrong(f"{words} {bound} {unit}{'' if bound == 1 else 's'}", code)

        return check

    return of


def _pattern(bound: Any) -> Check:
    pattern = re.compile(bound)
    told = f"must match the pattern {pattern.pattern}"

    def check(value: Any) -> None:
        if value is not None and not pattern.search(value):
            raise Wrong(told, "string_pattern_mismatch")

    return check


def _predicate(holds: Any) -> Check:
    name = getattr(holds, "__name__", "")
    told = f"must pass {name}" if name.isidentifier() else "is not what is asked for"

    def check(value: Any) -> None:
        if value is not None and not holds(value):
            raise Wrong(told, "predicate_failed")

    return check


def _is_multiple(value: Any, of: Any) -> bool:
    if isinstance(value, float):
        nearest = round(value / of)
        return bool(abs(value - nearest * of) <= 1e-9 * max(abs(value), abs(of)))
    return bool(value % of == 0)


_CHECKS: dict[str, Callable[[Any], Check]] = {
    "ge": _comparison("greater_than_equal", "must be at least", lambda value, bound: value >= bound),
    "gt": _comparison("greater_than", "must be more than", lambda value, bound: value > bound),
    "le": _comparison("less_than_equal", "must be at most", lambda value, bound: value <= bound),
    "lt": _comparison("less_than", "must be less than", lambda value, bound: value < bound),
    "multiple_of": _comparison("multiple_of", "must be a multiple of", _is_multiple),
    "min_length": _length("too_short", "must have at least", lambda length, bound: length >= bound),
    "max_length": _length("too_long", "must have at most", lambda length, bound: length <= bound),
    "pattern": _pattern,
    "predicate": _predicate,
}
