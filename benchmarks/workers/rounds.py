"""A run of workers: one and two of them with as many cores, and as many processes of bare hyper; their supervisor at
rest, how long a successor takes.
"""

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import sampling
from load import Load, drive
from peers import CACHE, HERE
from processes import MeasurementError, Server, core_busy_s, process_cpu_s
from record import WorkerSample
from rounds import children_cpu_s
from sampling import say

PORT = 28_200
PROGRAM = "worker_app.py"
LOG = CACHE / "logs" / "workers.log"
BARE_HYPER = CACHE / "bare-hyper" / "release" / "bare-hyper"
SERVERS = ("cello", "bare-hyper")
#: Each worker has a core, which it shares with its part of the load.
COUNTS = (1, 2)
CONNECTIONS_EACH = 64
IDLE_S = 10.0
SETTLE_S = 1.0
PATIENCE_S = 30.0
ROLLS = 10


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What a run of workers measures, and how long.

    Units: `max_foreign_share` is of the cores in use; above it a sample is taken again.
    """

    python: Path
    rounds: int
    duration_s: int
    warm_up_s: int
    max_foreign_share: float
    cello_python: Path | None


@dataclass(slots=True)
class WorkerRun:
    """What a run has seen so far."""

    plan: WorkerPlan
    samples: list[WorkerSample] = field(default_factory=list[WorkerSample])
    #: CPU of a supervisor that has nothing to do.
    idle_cpu_ms: list[float] = field(default_factory=list[float])
    #: From the signal until a successor serves.
    ready_ms: list[float] = field(default_factory=list[float])

    def measure(self) -> None:
        """Measure everything.

        Errors: MeasurementError.
        """
        for number in range(self.plan.rounds):
            both = [(name, count) for name in SERVERS for count in COUNTS]
            for name, count in sampling.turned(both, number, self.plan.rounds):
                with self._served(name, count) as server:
                    drive_all(server, count, max(1, self.plan.warm_up_s))
                    take = partial(self._sample_once, number, server, count)
                    self.samples.append(sampling.quietest(take, self.plan.max_foreign_share))
                    say(f"  {name}, {count} workers, round {number}: {self.samples[-1]['cpu_us']:.2f} us")
        with self._served("cello", max(COUNTS)) as server:
            self._rest(server)
            for _ in range(ROLLS):
                self.ready_ms.append(round(roll(server), 2))

    @contextmanager
    def _served(self, name: str, count: int) -> Generator[Server]:
        variables = {"BENCH_PORT": str(PORT), "PYTHONDONTWRITEBYTECODE": "1", "CELLO_WORKERS": str(count)}
        command = [str(self.plan.python), PROGRAM] if name == "cello" else processes_of_hyper(count)
        server = Server(name, command, os.environ | variables, HERE / "apps", PORT, cores_of(count), LOG)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    def _sample_once(self, number: int, server: Server, count: int) -> WorkerSample:
        pids = server.pids()
        cpu_s, load_cpu_s = server.cpu_s(), children_cpu_s()
        before = [core_busy_s(core) for core in range(count)]
        load = drive_all(server, count, self.plan.duration_s)
        load_cpu_s = children_cpu_s() - load_cpu_s
        after = [core_busy_s(core) for core in range(count)]
        used_s = server.cpu_s() - cpu_s
        if pids != server.pids():
            raise MeasurementError("a process of the server ended under load")
        busy_s, whole_s = (sum(now[of] - then[of] for now, then in zip(after, before, strict=True)) for of in (0, 1))
        return {
            "server": server.name,
            "round": number,
            "workers": count,
            "cpu_us": round(used_s * 1e6 / load["requests"], 4),
            "requests_per_s": round(load["requests"] / (load["duration_us"] / 1e6), 1),
            "requests": load["requests"],
            "errors": load["timeouts"] + load["socket_errors"],
            "server_cores": round(used_s / (load["duration_us"] / 1e6), 3),
            "load_cores": round(load_cpu_s / (load["duration_us"] / 1e6), 3),
            "foreign_share": round(max(0.0, (busy_s - used_s - load_cpu_s) / whole_s), 3),
        }

    def _rest(self, server: Server) -> None:
        assert server.leader is not None
        time.sleep(SETTLE_S)
        cpu_s = process_cpu_s(server.leader.pid)
        time.sleep(IDLE_S)
        self.idle_cpu_ms.append(round((process_cpu_s(server.leader.pid) - cpu_s) * 1000, 4))


def processes_of_hyper(count: int) -> list[str]:
    """Give the command of as many processes of bare hyper, which share the port."""
    one = shlex.join([str(BARE_HYPER), str(PORT)])
    return ["sh", "-c", f"{f'{one} & ' * (count - 1)}exec {one}"]


def cores_of(count: int) -> str:
    """Name as many cores, as taskset has them."""
    return ",".join(str(core) for core in range(count))


def drive_all(server: Server, count: int, duration_s: int) -> Load:
    """Load a server on its own cores, by as many threads of wrk as it has workers."""
    return drive(
        server.port,
        ["/"],
        core=server.core,
        duration_s=duration_s,
        connections=CONNECTIONS_EACH * count,
        threads=count,
    )


def roll(server: Server) -> float:
    """Replace all workers; the milliseconds until the first successor serves."""
    assert server.leader is not None
    done = len(successions())
    began = time.perf_counter()
    os.kill(server.leader.pid, signal.SIGHUP)
    wait_until(lambda: len(successions()) > done)
    took_ms = (time.perf_counter() - began) * 1000
    wait_until(lambda: len(successions()) == done + max(COUNTS))
    time.sleep(SETTLE_S)  # the last of those that were replaced has ended then
    return took_ms


def successions() -> list[str]:
    """List the successors that serve, out of what the supervisor says."""
    return re.findall(r"takes the place of", LOG.read_text())


def wait_until(is_so: Callable[[], bool]) -> None:
    """Ask until it is so."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > give_up_s:
            raise MeasurementError("the workers were not replaced")
        time.sleep(0.001)
