"""Server processes: started on their own core, stopped while not measured, and their CPU and memory."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SPINNER_NAME = "bench-spin"


class MeasurementError(Exception):
    """A server did not start, died, or gave a wrong answer; the message says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read to its end."""

    status: int
    content_type: str
    body: bytes
    took_s: float
    has_length: bool


def fetch(
    port: int, path: str, timeout_s: float = 5, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Send one request on a connection of its own; with a body, by POST."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    began = time.perf_counter()
    try:
        connection.request("POST" if body else "GET", path, body=body or None, headers=headers or {})
        response = connection.getresponse()
        answered = response.read()
        took_s = time.perf_counter() - began
        content_type = response.getheader("content-type", "")
        return Answer(response.status, content_type, answered, took_s, "content-length" in response.headers)
    finally:
        connection.close()


def read_or_nothing(path: Path) -> str:
    """Read a file of /proc, which is gone when its process or thread is."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def process_table() -> dict[int, tuple[int, int]]:
    """Map each living process to its parent and its session."""
    table: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := read_or_nothing(entry / "stat")):
            state, parent, _, session = stat.rsplit(")", 1)[1].split()[:4]
            if state != "Z":
                table[int(entry.name)] = (int(parent), int(session))
    return table


def process_cpu_s(pid: int) -> float:
    """Give user plus system time of a process, ended threads included.

    Source: clock_getcpuclockid(3). In nanoseconds, where /proc counts in ticks of 10 ms.
    """
    cpuclock_sched = 2
    try:
        return time.clock_gettime((~pid << 3) | cpuclock_sched)
    except OSError:
        raise MeasurementError("a process of the server ended") from None


def core_busy_s(core: int) -> tuple[float, float]:
    """Give a core's busy time and all its time."""
    with Path("/proc/stat").open() as stat:
        for line in stat:
            name, *fields = line.split()
            if name == f"cpu{core}":
                ticks = [int(field) for field in fields[:8]]
                idle = ticks[3] + ticks[4]
                return (sum(ticks) - idle) / CLOCK_TICKS_PER_S, sum(ticks) / CLOCK_TICKS_PER_S
    raise MeasurementError(f"there is no core {core}")


@dataclass(slots=True)
class Server:
    """One server with all its processes, pinned to a core, or to a list of them as taskset takes it."""

    name: str
    command: list[str]
    environment: dict[str, str]
    working_folder: Path
    port: int
    core: int | str
    log: Path
    leader: subprocess.Popen[bytes] | None = None
    ready_s: float = 0.0

    def start(self, patience_s: float = 30) -> None:
        """Start it and wait for its first 200.

        Errors: MeasurementError where it exits or stays silent, with the last line of its log.
        """
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                raise MeasurementError(f"port {self.port} is taken")
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.leader = subprocess.Popen(
                ["taskset", "--cpu-list", str(self.core), *self.command],
                cwd=self.working_folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            if self.leader.poll() is not None:
                raise MeasurementError(f"exited with {self.leader.returncode}: {self._last_words()}")
            if time.perf_counter() - began > patience_s:
                self.stop()
                raise MeasurementError(f"no 200 within {patience_s:.0f} s: {self._last_words()}")
            time.sleep(0.005)
        self.ready_s = time.perf_counter() - began

    def _answers(self) -> bool:
        try:
            return fetch(self.port, "/", timeout_s=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-200:] if lines else "no output"

    def pids(self) -> frozenset[int]:
        """List the leader, its session and all its descendants."""
        if self.leader is None:
            return frozenset()
        table = process_table()
        own = {self.leader.pid}
        while more := {
            pid for pid, (parent, session) in table.items() if pid not in own and (parent in own or session in own)
        }:
            own |= more
        return frozenset(own & table.keys())

    def cpu_s(self) -> float:
        """Give the CPU used so far by all its processes."""
        return sum(process_cpu_s(pid) for pid in self.pids())

    def resident_bytes(self) -> int:
        """Give the resident memory of all its processes, shared pages counted in each."""
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids()) * PAGE_BYTES

    def _spinners(self) -> list[Path]:
        threads = [thread for pid in self.pids() for thread in Path(f"/proc/{pid}/task").iterdir()]
        return [thread for thread in threads if read_or_nothing(thread / "comm").strip() == SPINNER_NAME]

    def spinners(self) -> int:
        """Count the busy threads of `apps/spin.py` in it."""
        return len(self._spinners())

    def spinners_cpu_s(self) -> float:
        """Give the CPU used so far by those threads, which is not the server's."""
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in self._spinners()) / 1e9

    def is_alive(self) -> bool:
        """Tell whether its leader still runs."""
        return self.leader is not None and self.leader.poll() is None

    def pause(self) -> None:
        """Stop all its threads until `resume`."""
        self._signal(signal.SIGSTOP, self.pids())

    def resume(self) -> None:
        """Let it run again."""
        self._signal(signal.SIGCONT, self.pids())

    def stop(self) -> None:
        """End it: politely, then for good."""
        if self.leader is None:
            return
        pids = self.pids()
        self._signal(signal.SIGCONT, pids)
        self._signal(signal.SIGTERM, {self.leader.pid} & pids)
        try:
            self.leader.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.leader.kill()
        # A leader that is gone leaves its session behind as the mark of what it started.
        session = self.leader.pid
        left = {pid for pid, (_, its_session) in process_table().items() if pid in pids and its_session == session}
        self._signal(signal.SIGKILL, left)
        self.leader.wait()
        while left & process_table().keys():
            time.sleep(0.005)
        self.leader = None

    @staticmethod
    def _signal(number: signal.Signals, pids: frozenset[int] | set[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
