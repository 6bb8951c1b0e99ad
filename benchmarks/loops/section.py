"""Renders a run of loops as a part of RESULTS.md."""

from statistics import median

from loops.targets import LARGEST_ALLOWANCE, RIVAL, cpu_us_by_round, ratio, spread, verdicts
from loops.workloads import LOOP_WORKLOADS
from markdown import dated, described, table, target_table, times
from record import LoopRecord

CAVEATS = f"""\
- CPU per operation decides: user plus system time of the whole process that runs the loop, all its threads included, by
  the operations it did in the time. An operation is one message there and back, one row, one callback, timer or sleep,
  one MiB, or one connection.
- Every loop does the same work from the same code, in a process of its own for each measurement; only the factory of
  the loop differs.
- A figure is the median of the rounds. A ratio is taken within each round, and is then the median of the rounds.
- The spread is how far the same loop is from itself in the same run, the highest and the lowest round left out. "No
  more than" is within the spread, but for {LARGEST_ALLOWANCE:.0%} at most, however large that is.
- The load of the echo servers is a compiled program on the other core, which compares every answer. With one connection
  the loop waits for it in each turn. PostgreSQL is on that core as well.
- Where both ends are on the loop, its figure has the cost of both.
- A loop that costs less than another does more in the same time: where it waits, it waits more often.
"""


def figures(run: LoopRecord) -> list[str]:
    """Show CPU per operation of each loop, and what Cello's is of the others'."""
    loops = list(run["loops"])
    others = [loop for loop in loops if not loop.startswith("cello")]
    head = ["CPU µs/operation", *loops, *(f"cello / {loop}" for loop in others), "spread"]
    rows: list[list[str]] = []
    for name in run["workloads"]:
        by_loop = [list(cpu_us_by_round(run, loop, name).values()) for loop in loops]
        own = spread(run, name)
        rows.append(
            [
                LOOP_WORKLOADS[name].title,
                *(shown_us(median(found)) if found else "-" for found in by_loop),
                *(times(ratio(run, "cello", loop, name)) for loop in others),
                "-" if own is None else f"{own:.1%}",
            ]
        )
    return table(head, rows)


def shown_us(cpu_us: float) -> str:
    """Show three digits of what may be a tenth of a microsecond or a hundred of them."""
    return f"{cpu_us:.3f}" if cpu_us < 1 else f"{cpu_us:.2f}" if cpu_us < 100 else f"{cpu_us:.1f}"


def remarks(run: LoopRecord) -> list[str]:
    """List what a reader must know about single loops, and what is missing."""
    lines = [f"- **{name}**: {loop['note']}." for name, loop in run["loops"].items() if loop["note"]]
    grouped: dict[tuple[str, str], list[str]] = {}
    for gap in run["missing"]:
        grouped.setdefault((gap["server"], gap["text"]), []).append(LOOP_WORKLOADS[gap["workload"]].title)
    lines += [
        f"- **{loop}** has no figure for {', '.join(titles)}: {text}." for (loop, text), titles in grouped.items()
    ]
    return [*lines, ""] if lines else []


def provenance(run: LoopRecord) -> list[str]:
    """Say where the figures come from."""
    settings = run["settings"]
    foreign_share = median([sample["foreign_share"] for sample in run["samples"]] or [0])
    return [
        *dated(run),
        f"- {settings['rounds']:.0f} rounds of {settings['duration_s']:g} s, {settings['warm_up_s']:g} s of warm-up;"
        f" the loop on core {settings['server_core']:.0f}, load and database on core {settings['load_core']:.0f};"
        f" others used {foreign_share:.1%} of the loop's core (median).",
        f"- Measured in {run['durations_s']['measuring']:.0f} s: `{run['command']}`.",
        *(f"- {name}: {version}." for name, version in run["versions"].items()),
        "",
        *described(run["loops"]),
    ]


def loop_section(run: LoopRecord, source: str) -> str:
    """Render one run of loops."""
    lines = ["# The event loop", "", f"Rendered from `{source}`, beside {RIVAL} and others.", ""]
    if run["unpublishable"]:
        lines += ["**Not to be published**: " + "; ".join(run["unpublishable"]) + ".", ""]
    lines += ["## The loop's targets", "", *target_table(verdicts(run))]
    lines += ["## CPU per operation", "", *figures(run)]
    lines += ["## How to read the loop's figures", "", CAVEATS, *remarks(run)]
    lines += ["## Where the loop's figures come from", "", *provenance(run)]
    return "\n".join(lines)
