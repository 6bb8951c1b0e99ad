"""What runs of servers and of loops have in common: cores, turns, the quieter of two samples, what is missing."""

import sys
from collections.abc import Callable, Iterable

from peers import CACHE, HERE, Peer
from postgresql import PostgreSQL
from processes import MeasurementError
from record import LoopSample, Remark, Sample, WorkerSample

SERVER_CORE, LOAD_CORE = 0, 1
QUIETEST_OF = 2


def say(text: str) -> None:
    """Tell whoever waits how far the run is."""
    print(text, file=sys.stderr, flush=True)


def start(database: PostgreSQL) -> None:
    """Start the database; where it does not, everyone is then seen to be without it."""
    try:
        database.start()
    except (MeasurementError, OSError) as error:
        say(str(error))


def turned[T](each: list[T], number: int, rounds: int) -> list[T]:
    """Turn the order with the rounds, so that none always follows the same other one."""
    shift = number * len(each) // rounds
    return each[shift:] + each[:shift]


def quietest[S: (Sample, LoopSample, WorkerSample)](take: Callable[[], S], max_foreign_share: float) -> S:
    """Take a sample, and another where others used more of the core than that; give the quieter."""
    tries = [take()]
    while tries[-1]["foreign_share"] > max_foreign_share and len(tries) < QUIETEST_OF:
        tries.append(take())
    return min(tries, key=lambda each: each["foreign_share"])


def gap(name: str, workload: str, why: str) -> Remark:
    """Say that a figure is missing, and why, without the paths of this machine."""
    text = why.replace(str(CACHE), "$BENCH_CACHE").replace(str(HERE), "benchmarks")
    say(f"  {workload} {name}: {text}")
    return {"server": name, "workload": workload, "text": text}


def surprises(missing: Iterable[Remark], peers: Iterable[Peer]) -> list[Remark]:
    """List what is missing although nothing in the two files says that it would be."""
    lacks = {peer.name: peer.lacks for peer in peers}
    return [each for each in missing if each["workload"] not in lacks[each["server"]]]
