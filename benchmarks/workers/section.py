"""Renders a run of workers as a part of RESULTS.md, and judges it."""

from collections.abc import Callable, Sequence
from statistics import median

from markdown import dated, table, target_table
from record import WorkerRecord, WorkerSample
from targets import Verdict

SUBJECT, LIMIT = "cello", "bare-hyper"
LEAST_GAIN = 1.8
MOST_IDLE_MS = 1.0
MOST_READY_MS = 300
CAVEATS = """\
- One worker has a core, two have two, and on each of them is a thread of wrk with 64 connections: the machine has no
  third place that could load both. So requests per second are those of servers that have half of their cores.
- The gain is twice CPU per request of one worker over that of two, round by round: what two cores serve beside one,
  where the load costs them nothing. Bare hyper is as many processes that share the port, measured in the same rounds:
  what it gains is what the machine lets two of any server gain, whose cores share a cache, and half of whose
  connections come from the other core's load.
- The application imports nothing but Cello, so all of the time from the signal until a successor serves is Cello's:
  Python's start and `import cello` are in it.
"""


def samples_of(run: WorkerRecord, server: str) -> list[WorkerSample]:
    """List what was measured of a server."""
    return [sample for sample in run["samples"] if sample.get("server", SUBJECT) == server]


def gains(run: WorkerRecord, server: str) -> list[float]:
    """Give, round by round, how much more two workers serve than one for the CPU they have."""
    by_count: dict[int, dict[int, float]] = {}
    for sample in samples_of(run, server):
        by_count.setdefault(sample["workers"], {})[sample["round"]] = sample["cpu_us"]
    one, two = by_count.get(1, {}), by_count.get(2, {})
    return [2 * one[number] / two[number] for number in one if number in two]


def judged(target: str, values: Sequence[float], shown: str, is_met: Callable[[float], bool]) -> Verdict:
    """Judge the median of what was measured."""
    if not values:
        return Verdict(target, "not measured", None)
    return Verdict(target, shown.format(median(values)), is_met(median(values)))


def verdicts(run: WorkerRecord) -> list[Verdict]:
    """Judge every target."""
    gain = f"two workers on two cores: at least {LEAST_GAIN} times one, per CPU"
    of_hyper = gains(run, LIMIT)
    beside = f"; bare hyper {median(of_hyper):.2f}" if of_hyper else ""
    idle = f"a supervisor at rest: at most {MOST_IDLE_MS:g} ms of CPU in 10 s"
    ready = f"a worker: serves within {MOST_READY_MS} ms, over the application's own import"
    return [
        judged(gain, gains(run, SUBJECT), f"{{:.2f}}{beside}", lambda found: found >= LEAST_GAIN),
        judged(idle, run["idle_cpu_ms"], "{:.2f} ms", lambda found: found <= MOST_IDLE_MS),
        judged(ready, run["ready_ms"], "{:.0f} ms", lambda found: found < MOST_READY_MS),
    ]


def worker_rows(run: WorkerRecord) -> list[list[str]]:
    """Make a row for each server and number of workers."""
    rows: list[list[str]] = []
    for server, count in [(server, count) for server in (SUBJECT, LIMIT) for count in (1, 2)]:
        samples = [sample for sample in samples_of(run, server) if sample["workers"] == count]
        if not samples:
            continue
        rows.append(
            [
                server,
                str(count),
                f"{median(sample['cpu_us'] for sample in samples):.2f}",
                f"{median(sample['requests_per_s'] for sample in samples):,.0f}",
                str(sum(sample["errors"] for sample in samples)),
                f"{median(sample['server_cores'] for sample in samples):.2f}",
                f"{median(sample['load_cores'] for sample in samples):.2f}",
            ]
        )
    return rows


def worker_section(run: WorkerRecord, source: str) -> str:
    """Render one run of workers."""
    lines = ["# Workers", "", f"Rendered from `{source}`.", ""]
    if run["unpublishable"]:
        lines += ["**Not to be published**: " + "; ".join(run["unpublishable"]) + ".", ""]
    lines += ["## The workers' targets", "", *target_table(verdicts(run))]
    head = ["server", "workers", "CPU µs/request", "requests/s", "errors", "server cores", "load cores"]
    lines += ["## One and two", "", *table(head, worker_rows(run))]
    if run["ready_ms"]:
        few, many = min(run["ready_ms"]), max(run["ready_ms"])
        lines += [f"From the signal until a successor serves: {few:.0f} to {many:.0f} ms.", ""]
    settings = run["settings"]
    foreign_share = median([sample["foreign_share"] for sample in run["samples"]] or [0])
    lines += ["## How to read the workers' figures", "", CAVEATS, "## Where the workers' figures come from", ""]
    lines += [
        *dated(run),
        f"- {settings['rounds']:.0f} rounds of {settings['duration_s']:g} s, {settings['warm_up_s']:g} s of warm-up;"
        f" others used {foreign_share:.1%} of the cores (median).",
        f"- Measured in {run['durations_s']['measuring']:.0f} s: `{run['command']}`.",
        *(f"- {name}: {version}." for name, version in run["versions"].items()),
        "",
    ]
    return "\n".join(lines)
