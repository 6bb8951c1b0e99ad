"""Runs the suite of the core over every carrier but TCP: each by a pytest of its own, at the same time.

Arguments go to each pytest. What one prints is shown where it fails; else its last line, and how long it took.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from carrying import CARRIERS, FOLDER

__all__ = ["main"]

TESTS = FOLDER.parent / "packages/cello-core/tests"


class Outcome(NamedTuple):
    """What came of one run."""

    carrier: str
    exit_code: int
    seconds: float
    output: str


def main() -> None:
    """Ends with 1 where a run has failed."""
    with ThreadPoolExecutor(len(CARRIERS)) as pool:
        outcomes = list(pool.map(run, CARRIERS))
    failed = [outcome for outcome in outcomes if outcome.exit_code]
    for outcome in failed:
        print(f"== {outcome.carrier}\n{outcome.output}")
    for outcome in outcomes:
        last = outcome.output.rstrip().rpartition("\n")[2].strip("= ")
        print(f"{outcome.seconds:.0f} s  {outcome.carrier}: {last}")
    sys.exit(bool(failed))


def run(carrier: str) -> Outcome:
    """Waits for one pytest."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS), "--carrier", carrier]
    ended = subprocess.run(
        [*command, *sys.argv[1:]],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(carrier, ended.returncode, time.monotonic() - began_s, ended.stdout)


if __name__ == "__main__":
    main()
