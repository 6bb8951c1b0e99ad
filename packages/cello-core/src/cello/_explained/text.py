"""An explanation as text: sections of aligned columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cello._explained.graph import Given, Needed
    from cello._explained.limits import Bound
    from cello._explained.request import Explanation

__all__ = ["render"]

#: A column is not wider for the sake of one long cell.
_WIDTH = 44


def render(explanation: Explanation) -> str:
    """The explanation, a section a subject; what there is nothing of is left out."""
    one = explanation
    handler = [] if one.handler is None else [f"  {one.handler}"]
    answered = next((considered for considered in one.considered if considered.answers), None)
    values = {} if answered is None else answered.values
    sections = [
        "\n".join([f"{one.method} {one.target}", f"→ {one.answer}", *handler]),
        _section(
            "Considered, in this order",
            (
                ("→" if considered.answers else "·", f"{considered.method} {considered.path}", considered.why)
                for considered in one.considered
            ),
        ),
        _section("Parameters of the path, decoded", ((name, repr(value)) for name, value in values.items())),
        _section("Given to the handler", map(_given, one.parameters)),
        _tree(one.dependencies),
        _section(
            "Around it, the outermost first",
            ((standing.function, standing.kind, standing.origin) for standing in one.around),
        ),
        _section(
            "Exception handlers, those that are asked first before the others",
            (
                *((handler.exception, handler.function, handler.origin) for handler in one.exception_handlers),
                ("HTTPError", "its status, as an error of the framework", ""),
                ("any other", "500, and in the log with its trace", ""),
            ),
        ),
        _section("Limits", ((bound.name, _amount(bound), bound.origin) for bound in one.limits)),
        _section(
            "Steps",
            ((str(number), step.name, step.where, step.why) for number, step in enumerate(one.steps, 1)),
        ),
    ]
    return "\n\n".join(section for section in sections if section)


def _section(title: str, rows: Iterable[Sequence[str]], indent: str = "  ") -> str:
    lines = list(_columns([*rows], indent))
    return "\n".join([title, *lines]) if lines else ""


def _columns(rows: Sequence[Sequence[str]], indent: str) -> Iterator[str]:
    widths = [min(max(map(len, column)), _WIDTH) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{indent}{'  '.join(cells)}".rstrip()


def _given(given: Given) -> tuple[str, str, str, str]:
    return given.name, given.type, given.source, "" if given.value is None else given.value


def _tree(dependencies: Sequence[Needed]) -> str:
    lines = list(_branches(dependencies, "  "))
    return "\n".join(["Dependencies", *lines]) if lines else ""


def _branches(dependencies: Sequence[Needed], indent: str) -> Iterator[str]:
    for needed in dependencies:
        yield f"{indent}{needed.parameter} ← {needed.function}: {needed.how}"
        yield from _columns([_given(given) for given in needed.parameters], f"{indent}    ")
        yield from _branches(needed.dependencies, f"{indent}    ")


def _amount(bound: Bound) -> str:
    if bound.value is None:
        return "none"
    if bound.unit == "seconds":
        return f"{bound.value:g} s"
    if bound.unit == "connections":
        return f"{bound.value:,.0f}"
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if bound.value and bound.value % size == 0:
            return f"{bound.value / size:,.0f} {unit}"
    return f"{bound.value:,.0f} bytes"
