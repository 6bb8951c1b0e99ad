"""A run: all servers up and stopped, woken one at a time, round after round."""

import os
import resource
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import sampling
from footprint import measure_bare, measure_import, measure_memory
from load import Load, drive
from peers import CACHE, HERE, Peer
from postgresql import PostgreSQL
from processes import MeasurementError, Server, core_busy_s
from record import ImportCost, Memory, Remark, Sample, Start
from sampling import LOAD_CORE, SERVER_CORE, say
from workloads import WORKLOADS, Surroundings, Workload, verify

FIRST_PORT = 28000
IMPORT_REPEATS = 25


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures, and how long.

    Units: `max_foreign_share` is of the server's core; above it a sample is taken again.
    """

    peers: list[Peer]
    workloads: list[Workload]
    has_memory: bool
    has_import: bool
    rounds: int
    duration_s: int
    warm_up_s: int
    max_foreign_share: float
    cello_python: Path | None


@dataclass(slots=True)
class Run:
    """What a run has seen so far. What fails is listed as missing, and the rest goes on."""

    plan: Plan
    database: PostgreSQL = field(default_factory=lambda: PostgreSQL(LOAD_CORE))
    servers: dict[str, Server] = field(default_factory=dict[str, Server])
    starts: dict[str, Start] = field(default_factory=dict[str, Start])
    samples: list[Sample] = field(default_factory=list[Sample])
    notes: list[Remark] = field(default_factory=list[Remark])
    missing: list[Remark] = field(default_factory=list[Remark])
    memory: Memory | None = None
    import_cost: ImportCost | None = None

    def measure(self) -> None:
        """Measure everything in the plan."""
        for surroundings in sorted({workload.surroundings for workload in self.plan.workloads}):
            workloads = [each for each in self.plan.workloads if each.surroundings == surroundings]
            try:
                if surroundings.has_database:
                    sampling.start(self.database)
                self._start_all(workloads, surroundings)
                for number in range(self.plan.rounds):
                    for workload in workloads:
                        self._measure_round(number, workload)
            finally:
                for server in self.servers.values():
                    server.stop()
                self.servers.clear()
                self.database.stop()
        subject = next((peer for peer in self.plan.peers if peer.name == "cello"), None)
        if subject and self.plan.has_memory:
            self._measure_memory(subject)
        if subject and self.plan.has_import:
            self._measure_import(subject)

    def _start_all(self, workloads: list[Workload], surroundings: Surroundings) -> None:
        for index, peer in enumerate(self.plan.peers):
            wanted = [workload for workload in workloads if self._wants(peer, workload)]
            if not wanted:
                continue
            server = self._server(peer, FIRST_PORT + index, surroundings)
            self.servers[peer.name] = server
            try:
                server.start()
                self._keep_start(server)
            except (MeasurementError, OSError) as error:
                for workload in wanted:
                    self._miss(peer.name, workload.name, str(error))
                self.servers.pop(peer.name).stop()
                continue
            for workload in wanted:
                self._verify(server, workload)
            server.pause()

    def _keep_start(self, server: Server) -> None:
        start: Start = {
            "ready_s": round(server.ready_s, 3),
            "resident_bytes": server.resident_bytes(),
            "processes": len(server.pids()),
        }
        # The first start is the one with nothing beside it.
        self.starts.setdefault(server.name, start)
        say(f"{server.name} is up in {server.ready_s:.2f} s, {start['resident_bytes'] / 1e6:.0f} MB")

    def _server(self, peer: Peer, port: int, surroundings: Surroundings) -> Server:
        variables = {"BENCH_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
        variables |= {"BENCH_DATABASE": self._database_url() if surroundings.has_database else ""}
        variables |= {"BENCH_SPIN": str(surroundings.spinners), "BENCH_NEIGHBOURS": str(surroundings.neighbours)}
        variables |= {"BENCH_MODELS": "1" if surroundings.has_models else ""}
        variables |= {"BENCH_MOUNTED": "1" if surroundings.has_mounted else ""}
        variables |= {"BENCH_ECHO": "1" if surroundings.has_echo else ""}
        command = peer.command_line(port, self.plan.cello_python)
        log = CACHE / "logs" / f"{peer.name}.log"
        return Server(peer.name, command, os.environ | variables, HERE / "apps", port, SERVER_CORE, log)

    def _database_url(self) -> str:
        return self.database.url or f"sqlite:{CACHE / 'row.sqlite3'}"

    def _wants(self, peer: Peer, workload: Workload) -> bool:
        if not workload.is_asked_of(peer):
            return False
        why = peer.why_missing(self.plan.cello_python) or peer.lacks.get(workload.name, "")
        if why:
            self._miss(peer.name, workload.name, why)
        return not why

    def _verify(self, server: Server, workload: Workload) -> None:
        try:
            note = verify(server, workload)
        except (MeasurementError, OSError) as error:
            self._miss(server.name, workload.name, str(error))
        else:
            if workload.surroundings.has_database and not self.database.url:
                note = f"{note or ''} The row is SQLite's: no PostgreSQL runs here.".strip()
            if note:
                self.notes.append({"server": server.name, "workload": workload.name, "text": note})

    def _miss(self, server: str, workload: str, why: str) -> None:
        self.missing.append(sampling.gap(server, workload, why))

    def _measure_round(self, number: int, workload: Workload) -> None:
        gone = {gap["server"] for gap in self.missing if gap["workload"] == workload.name}
        asked = [peer.name for peer in self.plan.peers if workload.is_asked_of(peer)]
        names = [name for name in self.servers if name in asked and name not in gone]
        for name in sampling.turned(names, number, self.plan.rounds):
            server = self.servers[name]
            server.resume()
            try:
                verify(server, workload)
                if number == 0 and self.plan.warm_up_s:
                    # The slowest answer nothing in the warm-up; whether they do in the measurement is seen there.
                    with suppress(MeasurementError):
                        self._drive(server, workload, self.plan.warm_up_s)
                self.samples.append(self._sample(number, server, workload))
            except (MeasurementError, OSError) as error:
                self._miss(name, workload.name, str(error))
                self._revive(server)
            server.pause()

    def _revive(self, server: Server) -> None:
        if not server.is_alive():
            server.stop()
            try:
                server.start()
            except MeasurementError as error:
                say(f"{server.name} does not start again: {error}")

    def _drive(self, server: Server, workload: Workload, duration_s: int) -> Load:
        return drive(
            server.port,
            [workload.path],
            core=LOAD_CORE,
            duration_s=duration_s,
            connections=workload.connections,
            pipeline=workload.pipeline,
            headers=workload.sent_headers,
            body=workload.sent_body,
        )

    def _sample(self, number: int, server: Server, workload: Workload) -> Sample:
        take = partial(self._sample_once, number, server, workload)
        sample = sampling.quietest(take, self.plan.max_foreign_share)
        if workload.above_program:
            sample["base_us"] = self._bare_us(server.name, workload)
        elif workload.above:
            # At once, not in that workload's own turn: seconds differ by more than a few layers do.
            take = partial(self._sample_once, number, server, WORKLOADS[workload.above])
            sample["base_us"] = sampling.quietest(take, self.plan.max_foreign_share)["cpu_us"]
        say(
            f"  {workload.name:15} round {number} {server.name:20} {sample['cpu_us']:8.2f} us"
            f" {sample['requests_per_s']:9.0f}/s  p99 {sample['p99_us'] / 1000:7.2f} ms"
            f"  errors {sample['errors']}  others {sample['foreign_share']:.0%}"
        )
        return sample

    def _bare_us(self, name: str, workload: Workload) -> float:
        peer = next(peer for peer in self.plan.peers if peer.name == name)
        program = HERE / "apps" / workload.above_program
        return measure_bare(peer.python(self.plan.cello_python), program, workload.sent_body, SERVER_CORE)

    def _sample_once(self, number: int, server: Server, workload: Workload) -> Sample:
        pids = server.pids()
        cpu_s, spinners_cpu_s = server.cpu_s(), server.spinners_cpu_s()
        busy_s, whole_s = core_busy_s(SERVER_CORE)
        load_cpu_s = children_cpu_s()
        load = self._drive(server, workload, self.plan.duration_s * workload.duration_factor)
        load_cpu_s = children_cpu_s() - load_cpu_s
        busy_after_s, whole_after_s = core_busy_s(SERVER_CORE)
        used_s, spun_s = server.cpu_s() - cpu_s, server.spinners_cpu_s() - spinners_cpu_s
        if not pids <= server.pids():
            raise MeasurementError("a process of the server ended under load")
        duration_s = load["duration_us"] / 1e6
        return {
            "round": number,
            "workload": workload.name,
            "server": server.name,
            "cpu_us": round((used_s - spun_s) * 1e6 / load["requests"], 4),
            "requests_per_s": round(load["requests"] / duration_s, 1),
            "p50_us": load["p50_us"],
            "p99_us": load["p99_us"],
            "requests": load["requests"],
            "duration_s": duration_s,
            "bytes_per_answer": round(load["bytes"] / load["requests"], 1),
            "errors": load["timeouts"] + load["socket_errors"],
            "server_cores": round(used_s / duration_s, 3),
            "load_cores": round(load_cpu_s / duration_s, 3),
            "foreign_share": round(max(0.0, (busy_after_s - busy_s - used_s) / (whole_after_s - whole_s)), 3),
        }

    def _measure_memory(self, subject: Peer) -> None:
        server = self._server(subject, FIRST_PORT, Surroundings())
        try:
            server.start()
            self.memory = measure_memory(server, LOAD_CORE)
        except (MeasurementError, OSError) as error:
            self._miss("cello", "memory", str(error))
        finally:
            server.stop()

    def _measure_import(self, subject: Peer) -> None:
        try:
            self.import_cost = measure_import(subject.python(self.plan.cello_python), SERVER_CORE, IMPORT_REPEATS)
        except (MeasurementError, OSError) as error:
            self._miss("cello", "import", str(error))


def children_cpu_s() -> float:
    """Give the CPU of all children that have ended: the load generator, here."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
