#!/usr/bin/env python3
"""Renders RESULTS.md from the newest run that may be published."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Literal

import record
from loops.section import loop_section
from markdown import dated, described, table, target_table, times
from peers import HERE
from record import LOOP_RESULTS, RESULTS, WORKER_RESULTS, Record, Sample
from targets import MEGABYTE, Figure, added_us, base_us, ratio, ratios, samples_of, spread, verdicts
from workers.section import worker_section
from workloads import CONTENT, SERVING, TOGETHER, WORKLOADS, Workload

PAGE = HERE / "RESULTS.md"
NOTHING_YET = """\
# Results

No run of the default release wheel has been published yet; README.md says how to make one.
"""
CAVEATS = """\
- CPU per request decides: user plus system time of all processes of the server, by the requests that were answered.
  Requests per second depend on who else uses the machine, and near 1.00 load cores it is wrk that limits them.
- A figure is the median of the rounds. A ratio is taken within each round, and is then the median of the rounds.
- "Ahead" is by more than the spread: how far a second, identical Cello is from the first in the same run, the highest
  and the lowest round left out.
- Bare hyper has no router, no timeouts and no limits; Cello runs with all its defaults.
- wrk waits for an answer before it sends again, on loopback, on the core beside the server's. It has no latency to
  give where requests are pipelined.
- Beside busy threads, their CPU is left out of the server's.
- Memory is resident and counts shared pages in each process.
"""
ABOVE_PROGRAM = """\
Above a bare validation: a server's CPU per request less that of `model_validate_json`, which a loop calls with the same
body in the server's own environment in the same round. So HTTP, routing, dependencies and the answer are all in it;
hello from `async def`, beside it, is what the server costs without a body.
"""
ABOVE_WORKLOAD = """\
What the layers cost: a server's CPU per request less that of its own hello from `async def`, measured right after it.
"""

#: What of RESULTS.md may come from a run of its own, and its title there.
PARTS = {
    "Results": SERVING,
    "Results: what requests bring and answers take": CONTENT,
    "Results: HTTP and asyncio's own connections together": TOGETHER,
}
SPREAD_FIGURES: tuple[tuple[Figure, str], ...] = (("cpu_us", "CPU"), ("p99_us", "p99"))
REPRODUCTION = """\
## Reproduction

```
hatch run bench   # builds everything, then measures
hatch run gen     # renders this page
```
"""


def middle(
    samples: Sequence[Sample], figure: Literal["cpu_us", "requests_per_s", "p99_us", "server_cores", "load_cores"]
) -> float:
    """Give the median of one figure."""
    return median(sample[figure] for sample in samples)


def workload_rows(run: Record, workload: Workload) -> list[list[str]]:
    """Make a row for each server, the cheapest first and those without figures last."""
    measured: list[tuple[float, list[str]]] = []
    absent: list[list[str]] = []
    for server in run["servers"]:
        samples = list(samples_of(run, server, workload.name).values())
        if not samples:
            if any(gap["server"] == server and gap["workload"] == workload.name for gap in run["missing"]):
                absent.append([server, *["-"] * 8])
            continue
        cpu_us = middle(samples, "cpu_us")
        p99_us = middle(samples, "p99_us")
        row = [
            server,
            f"{cpu_us:.2f}",
            times(ratio(run, "bare-hyper", server, workload.name)),
            times(ratio(run, server, "cello", workload.name)),
            f"{middle(samples, 'requests_per_s'):,.0f}",
            f"{p99_us / 1000:.2f}" if workload.has_latency else "-",
            str(sum(sample["errors"] for sample in samples)),
            f"{middle(samples, 'server_cores'):.2f}",
            f"{middle(samples, 'load_cores'):.2f}",
        ]
        measured.append((cpu_us, row))
    return [row for _, row in sorted(measured, key=lambda pair: pair[0])] + absent


def peer_sections(run: Record) -> list[str]:
    """Show every workload that has peers."""
    head = ["server", "CPU µs/request", "of bare hyper", "x Cello's CPU", "requests/s", "p99 ms", "errors"]
    head += ["server cores", "load cores"]
    lines: list[str] = []
    for workload in (WORKLOADS[name] for name in run["workloads"]):
        rows = workload_rows(run, workload)
        if workload.is_for_subject_only or not rows:
            continue
        lines += [f"## {workload.title[0].upper()}{workload.title[1:]}", "", *table(head, rows)]
        figures = SPREAD_FIGURES if workload.has_latency else SPREAD_FIGURES[:1]
        spreads = [
            f"{own:.1%} of its {called}"
            for figure, called in figures
            if (own := spread(run, workload.name, figure)) is not None
        ]
        if spreads:
            lines += [f"Cello's spread against itself: {' and '.join(spreads)}.", ""]
        lines += added_table(run, workload)
    return lines


def added_table(run: Record, workload: Workload) -> list[str]:
    """Show what each server adds to what its cost is counted above, the least first."""
    head = ["server", "CPU µs added", *(["bare validation"] if workload.above_program else []), "hello"]
    measured: list[tuple[float, list[str]]] = []
    for server in run["servers"]:
        if not (added := added_us(run, server, workload)):
            continue
        row = [server, f"{median(added.values()):.2f}"]
        if workload.above_program:
            row.append(f"{median(base_us(run, server, workload).values()):.2f}")
        hello = list(samples_of(run, server, "hello_async").values())
        row.append(f"{middle(hello, 'cpu_us'):.2f}" if hello else "-")
        measured.append((median(added.values()), row))
    rows = [row for _, row in sorted(measured, key=lambda pair: pair[0])]
    return [ABOVE_PROGRAM if workload.above_program else ABOVE_WORKLOAD, *table(head, rows)] if rows else []


def shape_section(run: Record) -> list[str]:
    """Show Cello's other handlers beside its hello."""
    hello = samples_of(run, "cello", "shape_hello")
    rows: list[list[str]] = []
    for workload in WORKLOADS.values():
        samples = samples_of(run, "cello", workload.name)
        if workload.is_for_subject_only and samples and hello:
            over = ratios(samples, hello, "cpu_us")
            cpu_us = middle(list(samples.values()), "cpu_us")
            rows.append([workload.title, f"`{workload.path}`", f"{cpu_us:.2f}", f"{median(over):.3f}" if over else "-"])
    head = ["handler", "path", "CPU µs/request", "x hello"]
    return ["## Other handlers of similar size", "", *table(head, rows)] if rows else []


def start_section(run: Record) -> list[str]:
    """Show each server at its start, and Cello's memory over a million requests."""
    rows = [
        [server, f"{start['resident_bytes'] / MEGABYTE:.1f}", str(start["processes"]), f"{start['ready_s']:.2f}"]
        for server, start in run["starts"].items()
    ]
    lines = ["## Memory and start", "", *table(["server", "MB at start", "processes", "s to the first answer"], rows)]
    if memory := run["memory"]:
        lines += [
            f"Cello: {memory['start_bytes'] / MEGABYTE:.1f} MB at start,"
            f" {memory['after_100_000_bytes'] / MEGABYTE:.1f} MB after 100,000 requests,"
            f" {memory['after_1_000_000_bytes'] / MEGABYTE:.1f} MB after 1,000,000.",
            "",
        ]
    return lines


def remarks(run: Record) -> list[str]:
    """List what a reader must know about single servers, and everything that is missing."""
    lines = ["## Notes", ""]
    lines += [f"- **{name}**: {server['note']}." for name, server in run["servers"].items() if server["note"]]
    lines += [f"- **{note['server']}**, {note['workload']}: {note['text']}." for note in run["notes"]]
    lines.append("")
    if run["missing"]:
        grouped: dict[tuple[str, str], list[str]] = {}
        for gap in run["missing"]:
            grouped.setdefault((gap["server"], gap["text"]), []).append(gap["workload"])
        rows = [[server, ", ".join(workloads), text] for (server, text), workloads in grouped.items()]
        lines += ["## Not measured", "", *table(["server", "workloads", "why"], rows, align="---")]
    return lines


def provenance_section(run: Record) -> list[str]:
    """Say where the figures come from and how to make them again."""
    settings, durations_s = run["settings"], run["durations_s"]
    foreign_share = median([sample["foreign_share"] for sample in run["samples"]] or [0])
    return [
        "## Where the figures come from",
        "",
        *dated(run),
        f"- {settings['rounds']:.0f} rounds of {settings['duration_s']:.0f} s (the sleep twice that, the busy threads"
        f" three times), {settings['warm_up_s']:.0f} s of warm-up; server on core {settings['server_core']:.0f},"
        f" load on core {settings['load_core']:.0f}; others used {foreign_share:.1%} of the server's core (median).",
        f"- Built in {durations_s['building']:.0f} s, measured in {durations_s['measuring']:.0f} s:"
        f" `{run['command']}`.",
        *(f"- {name}: {version}." for name, version in run["versions"].items()),
        "",
        "Every server's command, where `{bin}` is its own environment:",
        "",
        *described(run["servers"]),
    ]


def target_section(run: Record) -> list[str]:
    """Show each target and whether it is met."""
    return ["## Targets", "", *target_table(verdicts(run))]


def render(run: Record, source: str, title: str = "Results") -> str:
    """Render one run."""
    lines = [f"# {title}", "", f"Rendered from `{source}` by `render.py`: not to be edited.", ""]
    if run["unpublishable"]:
        lines += ["**Not to be published**: " + "; ".join(run["unpublishable"]) + ".", ""]
    for section in (target_section, peer_sections, shape_section, start_section):
        lines += section(run)
    lines += ["## How to read them", "", CAVEATS, *remarks(run), *provenance_section(run), REPRODUCTION]
    return "\n".join(lines)


def page() -> str:
    """Render what RESULTS.md has to be."""
    found = {title: record.newest_publishable(RESULTS, workloads) for title, workloads in PARTS.items()}
    sources = list(dict.fromkeys(source for source in found.values() if source))
    pages: list[str] = []
    for source in sources:
        titles = [title for title, its_source in found.items() if its_source == source]
        workloads = [name for title in titles for name in PARTS[title]]
        run = record.read(source)
        pages.append(
            render(run if len(sources) == 1 else record.part_of(run, workloads), f"results/{source.name}", titles[0])
        )
    text = "\n".join(pages) or NOTHING_YET
    newest_of_loops = record.newest_publishable(LOOP_RESULTS)
    if newest_of_loops:
        run_of_loops = record.read_loops(newest_of_loops)
        text += "\n" + loop_section(run_of_loops, newest_of_loops.relative_to(HERE).as_posix())
    if newest_of_workers := record.newest_publishable(WORKER_RESULTS):
        run_of_workers = record.read_workers(newest_of_workers)
        text += "\n" + worker_section(run_of_workers, newest_of_workers.relative_to(HERE).as_posix())
    return text


def main() -> int:
    """Write the page, check it, or print another run's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where RESULTS.md is not what would be rendered")
    parser.add_argument("run", nargs="?", type=Path, help="print the tables of this run instead")
    options = parser.parse_args()
    if options.run and record.is_of_loops(options.run):
        print(loop_section(record.read_loops(options.run), options.run.name), end="")
    elif options.run and record.is_of_workers(options.run):
        print(worker_section(record.read_workers(options.run), options.run.name), end="")
    elif options.run:
        print(render(record.read(options.run), options.run.name), end="")
    elif not options.check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        print(f"{PAGE.name} is not what its run renders to: hatch run gen", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
