"""What Cello's figures have to be, and whether a run shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from record import Record, Sample
from workloads import SHAPES, SUBJECTS, TOGETHER, WORKLOADS, Workload

MEGABYTE = 1_000_000
START_LIMIT_MB, GROWTH_LIMIT_MB = 45, 2
IMPORT_LIMIT_MS = 50
SHAPE_TOLERANCE = 0.05
FEWEST_ROUNDS_TO_TRIM = 5
AHEAD_OF_EVERY_PEER = ("param", "query", "upload", "stream")
# Of what a peer adds to a bare validation.
LARGEST_ADDED_SHARE = 1 / 3

Figure = Literal["cpu_us", "p99_us"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was asked, what was measured, and whether that meets it; None where it was not measured."""

    target: str
    measured: str
    is_met: bool | None


def samples_of(record: Record, server: str, workload: str) -> dict[int, Sample]:
    """Map each round to a server's sample in it."""
    return {
        sample["round"]: sample
        for sample in record["samples"]
        if sample["server"] == server and sample["workload"] == workload
    }


def ratios(of: dict[int, Sample], over: dict[int, Sample], figure: Figure) -> list[float]:
    """Divide round by round, so that a slow minute of the machine is in both."""
    return [of[number][figure] / over[number][figure] for number in of if number in over and over[number][figure]]


def ratio(record: Record, of: str, over: str, workload: str, figure: Figure = "cpu_us") -> float | None:
    """Give the median over the rounds of one server's figure over another's."""
    found = ratios(samples_of(record, of, workload), samples_of(record, over, workload), figure)
    return median(found) if found else None


def spread(record: Record, workload: str, figure: Figure = "cpu_us") -> float | None:
    """Give how far Cello is from itself: the second, identical server over the first."""
    return farthest(ratios(samples_of(record, "cello-again", workload), samples_of(record, "cello", workload), figure))


def farthest(found: Iterable[float]) -> float | None:
    """Give how far the farthest round's ratio is from 1, without the highest and the lowest of them.

    A shared machine has slow seconds, in which a round says nothing about either.
    """
    ordered = sorted(found)
    if len(ordered) >= FEWEST_ROUNDS_TO_TRIM:
        ordered = ordered[1:-1]
    return max((abs(each - 1) for each in ordered), default=None)


def base_us(record: Record, server: str, workload: Workload) -> dict[int, float]:
    """Map each round to the CPU above which a server's cost is counted, of a request or of a program."""
    samples = samples_of(record, server, workload.name)
    return {number: sample["base_us"] for number, sample in samples.items() if "base_us" in sample}


def added_us(record: Record, server: str, workload: Workload) -> dict[int, float]:
    """Map each round to the CPU that a server adds to that."""
    samples, base = samples_of(record, server, workload.name), base_us(record, server, workload)
    return {number: samples[number]["cpu_us"] - us for number, us in base.items()}


def peers_of(record: Record) -> list[str]:
    """List the servers that Cello has to be ahead of."""
    return [name for name, server in record["servers"].items() if server["kind"] == "peer"]


def of_bare_hyper(record: Record, workload: str, least: float, target: str) -> Verdict:
    """Judge Cello's CPU by that of bare hyper."""
    share = ratio(record, "bare-hyper", "cello", workload)
    if share is None:
        return Verdict(target, "not measured", None)
    return Verdict(f"{target}: at least {least} of bare hyper", f"{share:.2f}", share >= least)


def ahead(record: Record, workload: str, rivals: Iterable[str], target: str, figure: Figure = "cpu_us") -> Verdict:
    """Judge whether Cello is ahead of all rivals by more than its own spread."""
    leads = {rival: lead for rival in rivals if (lead := ratio(record, rival, "cello", workload, figure)) is not None}
    own = spread(record, workload, figure)
    if not leads or own is None:
        return Verdict(target, "not measured", None)
    closest = min(leads, key=lambda rival: leads[rival])
    measured = f"{closest}, the closest of {len(leads)}: {leads[closest]:.2f} times Cello's; the spread is {own:.1%}"
    missing = {gap["server"] for gap in record["missing"] if gap["workload"] == workload}
    if absent := [rival for rival in rivals if rival in missing]:
        measured += f"; without figures: {', '.join(absent)}"
    return Verdict(target, measured, leads[closest] - 1 > own)


def added(record: Record, workload: Workload, limit: float, target: str) -> Verdict:
    """Judge what Cello adds by the peer that adds the least, each by the median over the rounds.

    A difference is within a round, but no ratio of two: where little is added, the noise of a round is more than that.
    """
    found = {server: added_us(record, server, workload).values() for server in workload.servers}
    medians = {server: median(values) for server, values in found.items() if values}
    rivals = [server for server in workload.servers if server not in SUBJECTS]
    closest = min((rival for rival in rivals if rival in medians), key=lambda rival: medians[rival], default=None)
    if closest is None or "cello" not in medians:
        return Verdict(target, "not measured", None)
    mine, theirs = medians["cello"], medians[closest]
    if theirs <= 0:
        return Verdict(target, f"lost in the noise: {mine:.1f} µs, and {theirs:.1f} µs for {closest}", None)
    measured = f"{mine / theirs:.2f} of {closest}'s, the least of its peers: {mine:.1f} µs and {theirs:.1f} µs"
    if absent := [rival for rival in rivals if rival not in medians]:
        measured += f"; without figures: {', '.join(absent)}"
    return Verdict(target, measured, mine <= limit * theirs)


def shapes(record: Record) -> Verdict:
    """Judge whether other handlers of hello's size cost what hello costs."""
    target = f"three other handlers of similar size: at most {SHAPE_TOLERANCE:.0%} over hello"
    hello = samples_of(record, "cello", "shape_hello")
    found = {shape: ratios(samples_of(record, "cello", shape), hello, "cpu_us") for shape in SHAPES}
    if not all(found.values()):
        return Verdict(target, "not measured", None)
    over = {shape.removeprefix("shape_"): median(values) - 1 for shape, values in found.items()}
    measured = ", ".join(f"{shape} {excess:+.1%}" for shape, excess in over.items())
    return Verdict(target, measured, max(over.values()) <= SHAPE_TOLERANCE)


def memory(record: Record) -> list[Verdict]:
    """Judge the resident memory of one worker."""
    start_target = f"memory per worker at start: under {START_LIMIT_MB} MB"
    growth_target = f"memory after 1,000,000 requests: within {GROWTH_LIMIT_MB} MB of that after 100,000"
    seen = record["memory"]
    if seen is None:
        return [Verdict(start_target, "not measured", None), Verdict(growth_target, "not measured", None)]
    start_mb = seen["start_bytes"] / MEGABYTE
    growth_mb = (seen["after_1_000_000_bytes"] - seen["after_100_000_bytes"]) / MEGABYTE
    return [
        Verdict(start_target, f"{start_mb:.1f} MB", start_mb < START_LIMIT_MB),
        Verdict(growth_target, f"{growth_mb:+.2f} MB", abs(growth_mb) <= GROWTH_LIMIT_MB),
    ]


def import_cost(record: Record) -> Verdict:
    """Judge the CPU of `import cello`: the least of the repeats, over the least of the bare interpreter."""
    target = f"`import cello`: at most {IMPORT_LIMIT_MS} ms of CPU over the bare interpreter"
    seen = record["import_cost"]
    if seen is None:
        return Verdict(target, "not measured", None)
    over_ms = (min(seen["importing_s"]) - min(seen["bare_s"])) * 1000
    return Verdict(target, f"{over_ms:.1f} ms, the least of {len(seen['importing_s'])}", over_ms <= IMPORT_LIMIT_MS)


def verdicts(record: Record) -> list[Verdict]:
    """Judge every target; what the run did not have yet is left out."""
    peers = peers_of(record)
    since: list[Verdict] = []
    if "suspend" in record["workloads"]:
        since.append(of_bare_hyper(record, "suspend", 0.70, "a handler that suspends once"))
    for name in AHEAD_OF_EVERY_PEER:
        if name in record["workloads"]:
            since.append(ahead(record, name, peers, f"{WORKLOADS[name].title}: ahead of every peer"))
    if "database" in record["workloads"]:
        rivals = ["granian-rsgi", "granian-fastapi", "django-bolt", "uvicorn-fastapi"]
        since.append(ahead(record, "database", rivals, "one row of a database: ahead of every peer that has one"))
    if "body_pydantic" in record["workloads"]:
        target = "1 KiB of JSON into a pydantic model, behind two dependencies: above a bare `model_validate_json`,"
        target += " at most a third of what FastAPI, Litestar and BlackSheep add"
        since.append(added(record, WORKLOADS["body_pydantic"], LARGEST_ADDED_SHARE, target))
    if "body_msgspec" in record["workloads"]:
        target = "1 KiB of JSON into a msgspec struct: ahead of django-bolt"
        since.append(ahead(record, "body_msgspec", ["django-bolt"], target))
    for name in TOGETHER:
        if name in record["workloads"]:
            title = WORKLOADS[name].title
            since.append(ahead(record, name, ["granian-rsgi"], f"CPU of {title}: ahead of granian's"))
            since.append(ahead(record, name, ["granian-rsgi"], f"p99 of {title}: ahead of granian's", "p99_us"))
    if "layers10" in record["workloads"]:
        target = "ten layers of middleware: less above hello than Starlette's ten, which are ASGI themselves"
        since.append(added(record, WORKLOADS["layers10"], 1.0, target))
    if "hello" not in record["workloads"]:
        return since
    return [
        of_bare_hyper(record, "hello", 0.88, "hello from `def`"),
        of_bare_hyper(record, "hello_async", 0.80, "hello from `async def`"),
        of_bare_hyper(record, "pipelined16", 0.60, "hello, 16 requests pipelined"),
        ahead(record, "hello", peers, "hello from `def`: ahead of every peer"),
        ahead(record, "hello_async", peers, "hello from `async def`: ahead of every peer"),
        ahead(record, "sleep1000", peers, "1,000 connections in a sleep of 50 ms: the least CPU"),
        ahead(record, "spin8", ["granian-rsgi"], "CPU beside eight busy threads: ahead of granian's"),
        ahead(record, "spin8", ["granian-rsgi"], "p99 beside eight busy threads: ahead of granian's", "p99_us"),
        shapes(record),
        *memory(record),
        import_cost(record),
        *since,
    ]
