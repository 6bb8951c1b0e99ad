"""A run of loops: one process at a time, each for one kind of work, round after round."""

import json
import os
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict, cast

import sampling
from environments import CERTIFICATE, ECHO_LOAD
from loops.workloads import LoopWorkload
from peers import CACHE, HERE, Peer
from postgresql import PostgreSQL
from processes import MeasurementError, core_busy_s
from record import LoopSample, Remark
from sampling import LOAD_CORE, SERVER_CORE, say

PATIENCE_S = 20
LOG = CACHE / "logs" / "loop.log"


class Cost(TypedDict):
    """What the measured process prints."""

    operations: int
    cpu_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What a run of loops measures, and how long.

    Units: `max_foreign_share` is of the loop's core; above it a sample is taken again.
    """

    loops: list[Peer]
    workloads: list[LoopWorkload]
    rounds: int
    duration_s: float
    warm_up_s: float
    max_foreign_share: float
    cello_python: Path | None


@dataclass(slots=True)
class LoopRun:
    """What a run has seen so far. What fails is listed as missing, and the rest goes on."""

    plan: LoopPlan
    database: PostgreSQL = field(default_factory=lambda: PostgreSQL(LOAD_CORE))
    samples: list[LoopSample] = field(default_factory=list[LoopSample])
    missing: list[Remark] = field(default_factory=list[Remark])

    def measure(self) -> None:
        """Measure everything in the plan."""
        try:
            if any(workload.has_database for workload in self.plan.workloads):
                sampling.start(self.database)
            for number in range(self.plan.rounds):
                for workload in self.plan.workloads:
                    self._measure_round(number, workload)
        finally:
            self.database.stop()

    def _measure_round(self, number: int, workload: LoopWorkload) -> None:
        gone = {gap["server"] for gap in self.missing if gap["workload"] == workload.name}
        loops = [loop for loop in self.plan.loops if loop.name not in gone]
        for loop in sampling.turned(loops, number, self.plan.rounds):
            try:
                if why := loop.why_missing(self.plan.cello_python) or loop.lacks.get(workload.name, ""):
                    raise MeasurementError(why)
                self.samples.append(self._sample(number, workload, loop))
            except (MeasurementError, OSError) as error:
                self.missing.append(sampling.gap(loop.name, workload.name, str(error)))

    def _sample(self, number: int, workload: LoopWorkload, loop: Peer) -> LoopSample:
        sample = sampling.quietest(partial(self._sample_once, number, workload, loop), self.plan.max_foreign_share)
        say(
            f"  {workload.name:16} round {number} {loop.name:12} {sample['cpu_us']:9.3f} us"
            f" {sample['operations'] / sample['duration_s']:9.0f}/s  others {sample['foreign_share']:.0%}"
        )
        return sample

    def _sample_once(self, number: int, workload: LoopWorkload, loop: Peer) -> LoopSample:
        busy_s, whole_s = core_busy_s(SERVER_CORE)
        cost, used_s = self._work(workload, loop)
        busy_after_s, whole_after_s = core_busy_s(SERVER_CORE)
        if not cost["operations"]:
            raise MeasurementError("nothing was done in the time")
        return {
            "round": number,
            "workload": workload.name,
            "loop": loop.name,
            "cpu_us": round(cost["cpu_s"] * 1e6 / cost["operations"], 5),
            "operations": cost["operations"],
            "duration_s": round(cost["duration_s"], 4),
            "cores": round(cost["cpu_s"] / cost["duration_s"], 3),
            "foreign_share": round(max(0.0, (busy_after_s - busy_s - used_s) / (whole_after_s - whole_s)), 3),
        }

    def _work(self, workload: LoopWorkload, loop: Peer) -> tuple[Cost, float]:
        """Run the work in a process of its own; give what it prints, and the CPU of the process from start to end."""
        variables = {
            "BENCH_CERTIFICATE": str(CERTIFICATE),
            "BENCH_CONNECTIONS": str(workload.connections),
            "BENCH_DATABASE": self.database.url,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = ["taskset", "--cpu-list", str(SERVER_CORE), *loop.command_line(0, self.plan.cello_python)]
        command += [workload.function, str(self.plan.warm_up_s), str(self.plan.duration_s)]
        with LOG.open("wb") as log:
            worker = subprocess.Popen(
                command,
                cwd=HERE,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        # Whatever hangs, it ends with this and its output with it.
        watchdog = threading.Timer(PATIENCE_S + self.plan.warm_up_s + self.plan.duration_s, worker.kill)
        watchdog.start()
        load: subprocess.Popen[str] | None = None
        assert worker.stdout is not None
        try:
            with worker.stdout as output:
                if workload.has_load and (announced := output.readline()):
                    load = start_load(json.loads(announced)["port"], workload.connections)
                said = output.read()
            _, status, usage = os.wait4(worker.pid, 0)
            worker.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watchdog.cancel()
            if worker.returncode is None:
                worker.kill()
                worker.wait()
            complaint = end_load(load)
        if worker.returncode:
            raise MeasurementError(complaint or f"exited with {worker.returncode}: {last_words()}")
        if complaint:
            raise MeasurementError(complaint)
        return cast("Cost", json.loads(said)), usage.ru_utime + usage.ru_stime


def start_load(port: int, connections: int) -> subprocess.Popen[str]:
    """Load an echo server until it ends."""
    command = ["taskset", "--cpu-list", str(LOAD_CORE), str(ECHO_LOAD), str(port), str(connections)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end_load(load: subprocess.Popen[str] | None, patience_s: float = 2) -> str:
    """Wait for the load, which ends with its server, and give its complaint where it has one."""
    if load is None:
        return ""
    with suppress(subprocess.TimeoutExpired):
        _, complaint = load.communicate(timeout=patience_s)
        return f"the load: {complaint.strip()}" if load.returncode else ""
    load.kill()
    load.communicate()
    return "the load did not end with its server"


def last_words() -> str:
    """Give the last line of what a worker complained of."""
    lines = LOG.read_text(errors="replace").strip().splitlines()
    return lines[-1][-200:] if lines else "no output"
