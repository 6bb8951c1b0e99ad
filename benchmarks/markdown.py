"""The pieces of Markdown that the figures of servers and of loops have in common."""

from collections.abc import Iterable, Mapping, Sequence

from record import Described, Origin
from targets import Verdict


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---:") -> list[str]:
    """Lay out a table; `align` is that of all columns but the first."""
    ruler = ["---", *[align] * (len(head) - 1)]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (head, ruler, *rows)] + [""]


def times(value: float | None) -> str:
    """Show a ratio."""
    return "-" if value is None else f"{value:.2f}"


def target_table(verdicts: Iterable[Verdict]) -> list[str]:
    """Show each target and whether it is met."""
    shown = {True: "met", False: "**missed**", None: "-"}
    rows = [[verdict.target, verdict.measured, shown[verdict.is_met]] for verdict in verdicts]
    return table(["target", "measured", ""], rows, align="---")


def dated(run: Origin) -> list[str]:
    """Say when, of what and on what it was measured."""
    machine = run["machine"]
    return [
        f"- {run['date']}, commit `{run['commit']}`{', with changes that are not in it' if run['is_dirty'] else ''}.",
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory']},"
        f" Linux {machine['kernel']}, {machine['system']}.",
    ]


def described(commands: Mapping[str, Described]) -> list[str]:
    """List how each was started."""
    return ["```", *(f"{name}: {' '.join(each['command'])}" for name, each in commands.items()), "```", ""]
