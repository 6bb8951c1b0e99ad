"""What Cello's loop may cost beside uvloop, and whether a run shows it."""

from statistics import median

from loops.workloads import LOOP_WORKLOADS, LoopWorkload
from record import LoopRecord
from targets import Verdict, farthest

RIVAL = "uvloop"
# Beyond it, the machine's noise excuses nothing.
LARGEST_ALLOWANCE = 0.05


def cpu_us_by_round(record: LoopRecord, loop: str, workload: str) -> dict[int, float]:
    """Map each round to a loop's CPU per operation in it."""
    return {
        sample["round"]: sample["cpu_us"]
        for sample in record["samples"]
        if sample["loop"] == loop and sample["workload"] == workload
    }


def ratios(record: LoopRecord, of: str, over: str, workload: str) -> list[float]:
    """Divide round by round, so that a slow minute of the machine is in both."""
    others = cpu_us_by_round(record, over, workload)
    mine = cpu_us_by_round(record, of, workload)
    return [cpu_us / others[number] for number, cpu_us in mine.items() if number in others]


def ratio(record: LoopRecord, of: str, over: str, workload: str) -> float | None:
    """Give the median over the rounds of one loop's CPU over another's."""
    found = ratios(record, of, over, workload)
    return median(found) if found else None


def spread(record: LoopRecord, workload: str) -> float | None:
    """Give how far Cello's loop is from itself."""
    return farthest(ratios(record, "cello-again", "cello", workload))


def verdict(record: LoopRecord, workload: LoopWorkload) -> Verdict:
    """Judge one kind of work: at most uvloop's CPU, but for the spread, or at most the share that is allowed of it."""
    is_parity = workload.limit == 1.0
    bound = f"no more than {RIVAL}'s" if is_parity else f"at most {workload.limit} of {RIVAL}'s"
    target = f"{workload.title}: {bound}"
    share, own = ratio(record, "cello", RIVAL, workload.name), spread(record, workload.name)
    if share is None or own is None:
        return Verdict(target, "not measured", None)
    allowance = min(own, LARGEST_ALLOWANCE) if is_parity else 0.0
    return Verdict(target, f"{share:.2f}; the spread is {own:.1%}", share <= workload.limit + allowance)


def verdicts(record: LoopRecord) -> list[Verdict]:
    """Judge every kind of work."""
    return [verdict(record, LOOP_WORKLOADS[name]) for name in record["workloads"]]
