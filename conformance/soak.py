#!/usr/bin/env python3
"""Workers and connections, over and over: what a test does a few times, until what is lost or left behind would show.

    python conformance/soak.py [--starts 500] [--at-once 2] [--rolls 100] [--kills 100] [--cycles 100]
                               [--connections 1000000] [--record]

| part | what it does, so many times | what it asks |
|---|---|---|
| starts | starts, one request, SIGTERM; a script, a module and `cello run`, alone and with two workers | exit 0, nothing on standard error; no process, listening socket or shared memory is left |
| rolls | SIGHUP, under load | every request is answered, no connection is reset |
| cycles | SIGTTOU, then SIGTTIN, under load | the same |
| kills | SIGKILL of a worker that has served for ten seconds, under load | each client loses the one request at most that the worker had of it, and no connection is refused |
| connections | opens a connection of asyncio's, says something or nothing, and drops it | each transport and protocol is gone, and no memory grows |

Rolls, cycles and kills are of one server with four workers. The load is eight clients of our own, half of them with a
connection for each request, and wrk with eight connections where it is installed. Over the whole, neither the memory
and the descriptors of the supervisor nor the memory of its workers may grow.

Prints a line for each part and `soak: passed/total` of the parts. --record writes a dated result to results/.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from cello._kernel import BUILD_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
#: What opens and drops connections, and judges.
CONNECTIONS = "packages/cello-core/tests/test_loop_faults.py::test_connections_that_come_and_go_leave_nothing"
# What the verdicts depend on. Results are written by a run, so they do not make a checkout dirty.
JUDGED_PATHS = ("crates", "packages/cello-core", "Cargo.toml", "Cargo.lock", "conformance", ":!conformance/results")

#: Each answer is the number of the process that gave it.
SOURCE = """\
import asyncio, os
from cello import App

app = App()

@app.get("/")
async def pid():
    await asyncio.sleep(0)
    return os.getpid()

app.run()
"""
WAYS = {
    "script": ("shop.py",),
    "module": ("-m", "shop"),
    "command": ("-m", "cello", "run", "shop"),
}
PATIENCE_S = 30.0
WORKERS = 4
CLIENTS = 8
WRK_CONNECTIONS = 8
#: Whoever asks has what the workers leave: where cores are few, a successor would be long in starting.
LOAD_NICENESS = 15
#: A worker that has served for so long is replaced at once when it is killed, and not later each time.
STEADY_S = 10.5
#: What memory may differ by, of the first tenth of the samples and the last.
GROWTH_BYTES = 2_000_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Unlike(Exception):
    """Something is not as it has to be; the words say what."""


# --------------------------------------------------------------------------------------------------------- processes


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Asks until it is so.

    Errors: Unlike where it never is.
    """
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > give_up_s:
            raise Unlike(f"{what}: not within {PATIENCE_S:.0f} s")
        time.sleep(0.005)


def of(mark: str) -> list[int]:
    """The processes that have a mark in their environment."""
    found: list[int] = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if mark.encode() in Path(f"/proc/{entry}/environ").read_bytes():
                found.append(int(entry))
    return found


def memory_files_of(pid: int) -> set[str]:
    """The files in memory that a process has open or maps, each by its inode."""
    found: set[str] = set()
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if "/memfd:" in line:
                found.add(line.split()[4])
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                path = f"/proc/{pid}/fd/{entry}"
                if os.readlink(path).startswith("/memfd:"):
                    found.add(str(os.stat(path).st_ino))
    return found


def all_memory_files() -> set[str]:
    """Those of all processes."""
    return {inode for entry in filter(str.isdigit, os.listdir("/proc")) for inode in memory_files_of(int(entry))}


def shared_names() -> set[str]:
    """What lies in the folder of shared memory under our name."""
    return {name for name in os.listdir("/dev/shm") if "cello" in name}


def listens(port: int) -> bool:
    """Whether any socket listens on a port."""
    listening = re.compile(rf"^\s*\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 0A ", re.MULTILINE)
    return any(listening.search(Path(f"/proc/net/{family}").read_text()) for family in ("tcp", "tcp6"))


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


class Server:
    """A served application, its processes known by a mark."""

    def __init__(self, folder: Path, way: str, workers: int) -> None:
        self.mark = f"CELLO_SOAK={uuid.uuid4()}"
        name, _, value = self.mark.partition("=")
        words = ("--port", "0", "--no-logs", "--workers", str(workers))
        # In a file, which never keeps it waiting.
        self.errors = tempfile.TemporaryFile("w+", dir=folder)
        self.process = subprocess.Popen(
            [sys.executable, *WAYS[way], *words],
            cwd=folder,
            env={**os.environ, name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        self.banner = self.process.stdout.readline() if ready else ""
        found = re.match(r"Cello running at http://127\.0\.0\.1:(\d+)", self.banner)
        if found is None:
            said = self.said()
            self.end()
            raise Unlike(f"it did not start: {self.banner}{said}")
        self.port = int(found[1])

    def workers(self) -> set[int]:
        """The workers there are."""
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def said(self) -> str:
        """All of standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def stop(self) -> str:
        """Has it stop, and sees that nothing of it is left; what it said since it began to serve.

        Errors: Unlike.
        """
        memory_files = {inode for pid in of(self.mark) for inode in memory_files_of(pid)}
        self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Unlike("it did not stop") from None
        said = rest + self.said()
        if self.process.returncode:
            raise Unlike(f"exit code {self.process.returncode}: {said}")
        if left := of(self.mark):
            raise Unlike(f"processes are left: {left}")
        if listens(self.port):
            raise Unlike("a socket still listens")
        if left := memory_files & all_memory_files():
            raise Unlike(f"files in memory are left: {left}")
        return said

    def end(self) -> None:
        """Ends whatever is left of it."""
        for pid in of(self.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()


# ---------------------------------------------------------------------------------------------------------- the load


class Client(threading.Thread):
    """Asks for as long as it is let."""

    def __init__(self, port: int, *, keeps_alive: bool) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.headers = {} if keeps_alive else {"Connection": "close"}
        self.answers = 0
        self.last_pid = 0
        self.failures: list[str] = []
        self.is_over = False

    def run(self) -> None:
        """Asks; on one connection, or on one for each request."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOAD_NICENESS)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        while not self.is_over:
            try:
                connection.request("GET", "/", headers=self.headers)
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    raise Unlike(f"status {response.status}")
                self.last_pid = int(body)
                self.answers += 1
            except (OSError, http.client.HTTPException, Unlike) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


class Load:
    """All clients of a server."""

    def __init__(self, port: int, folder: Path) -> None:
        self.clients = [Client(port, keeps_alive=number % 2 == 0) for number in range(CLIENTS)]
        for client in self.clients:
            client.start()
        self.wrk: subprocess.Popen[str] | None = None
        if shutil.which("wrk"):
            words = ("--threads", "1", "--connections", str(WRK_CONNECTIONS), "--duration", "24h")
            command = ["nice", "-n", str(LOAD_NICENESS), "wrk", *words, "--timeout", f"{PATIENCE_S:.0f}s", f"http://127.0.0.1:{port}/"]
            # By a file: it writes once, at its end.
            self.told = (folder / "wrk").open("w+")
            self.wrk = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.told, stderr=self.told)
        self.all_answer()

    def all_answer(self) -> None:
        """Waits until each of the clients has been answered once more."""
        before = [client.answers for client in self.clients]
        wait_until(
            lambda: all(client.answers > count for client, count in zip(self.clients, before, strict=True)),
            "every client is answered",
        )

    def failures(self) -> list[int]:
        """How much has failed for each client."""
        return [len(client.failures) for client in self.clients]

    def words(self) -> dict[str, int]:
        """What failed, and how often."""
        return dict(Counter(failure for client in self.clients for failure in client.failures))

    def finish(self) -> dict[str, Any]:
        """Asks no more; how much was asked, and what wrk saw."""
        for client in self.clients:
            client.is_over = True
        for client in self.clients:
            client.join(PATIENCE_S)
        seen = {"answers": sum(client.answers for client in self.clients), "failures": self.words()}
        if self.wrk is None:
            return {**seen, "wrk": None}
        self.wrk.send_signal(signal.SIGINT)
        self.wrk.wait()
        self.told.seek(0)
        text = self.told.read()
        self.told.close()
        answers = re.search(r"^\s*(\d+) requests in", text, re.MULTILINE)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        names = ("connect", "read", "write", "timeout")
        counts = dict(zip(names, map(int, errors.groups()), strict=True)) if errors else dict.fromkeys(names, 0)
        wrk = {"answers": int(answers[1]) if answers else 0, **counts, "bad_statuses": int(bad[1]) if bad else 0}
        return {**seen, "wrk": wrk}


def judge_load(seen: dict[str, Any], reads_allowed: int = 0) -> list[str]:
    """What was lost of a load, but for so many requests of wrk that were in the hands of workers that were killed."""
    problems = [f"{words}: {count} times" for words, count in seen["failures"].items()]
    wrk = seen["wrk"]
    if wrk is not None:
        if not wrk["answers"]:
            problems.append("wrk was answered nothing")
        problems += [f"wrk: {name}: {wrk[name]}" for name in ("connect", "timeout", "bad_statuses") if wrk[name]]
        if wrk["read"] + wrk["write"] > reads_allowed:
            problems.append(f"wrk: {wrk['read']} read and {wrk['write']} write errors")
    return problems


# ---------------------------------------------------------------------------------------------------------- the parts


def start_and_stop(folder: Path, way: str, workers: int) -> list[str]:
    """One start and stop; what was not as it has to be."""
    server = None
    try:
        server = Server(folder, way, workers)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        connection.request("GET", "/")
        pid = int(connection.getresponse().read())
        connection.close()
        if pid not in (server.workers() if workers > 1 else {server.process.pid}):
            raise Unlike(f"process {pid} answered")
        if said := server.stop():
            raise Unlike(f"it said {said!r}")
    except (Unlike, OSError, http.client.HTTPException, ValueError) as error:
        return [f"{way}, {workers} workers: {error}"]
    finally:
        if server is not None:
            server.end()
    return []


def soak_starts(folder: Path, count: int, at_once: int) -> dict[str, Any]:
    """Starts and stops in all modes, in turn."""
    before = shared_names()
    modes = [(way, workers) for _ in range(count) for way in WAYS for workers in (1, 2)]
    with ThreadPoolExecutor(at_once) as threads:
        problems = [
            problem for found in threads.map(lambda mode: start_and_stop(folder, *mode), modes) for problem in found
        ]
    if left := shared_names() - before:
        problems.append(f"shared memory is left: {sorted(left)}")
    return {"starts": len(modes), "of_each_mode": count, "at_once": at_once, "problems": problems}


class Watch:
    """What supervisor and workers take, from time to time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.samples: list[dict[str, int]] = []

    def note(self) -> None:
        """Takes a sample."""
        pid = self.server.process.pid
        workers = [0]
        for worker in self.server.workers():
            with suppress(OSError):
                workers.append(resident_bytes(worker))
        sample = {
            "supervisor_bytes": resident_bytes(pid),
            "supervisor_descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "largest_worker_bytes": max(workers),
        }
        self.samples.append(sample)

    def tell(self) -> dict[str, Any]:
        """The median of the first and the last tenth of the samples."""
        tenth = max(1, len(self.samples) // 10)
        parts = {"first": self.samples[:tenth], "last": self.samples[-tenth:]}
        return {
            "samples": len(self.samples),
            **{
                when: {name: int(median(sample[name] for sample in samples)) for name in samples[0]}
                for when, samples in parts.items()
            },
        }


def judge_memory(told: dict[str, Any]) -> list[str]:
    """What has grown."""
    first, last = told["first"], told["last"]
    problems = [
        f"{name} grew from {first[name]:,} to {last[name]:,}"
        for name in ("supervisor_bytes", "largest_worker_bytes")
        if last[name] - first[name] > GROWTH_BYTES
    ]
    if last["supervisor_descriptors"] > first["supervisor_descriptors"]:
        problems.append(f"descriptors grew from {first['supervisor_descriptors']} to {last['supervisor_descriptors']}")
    return problems


def under_load(
    server: Server, folder: Path, watch: Watch, count: int, turns: Callable[[Load], Iterator[None]], reads_a_turn: int
) -> dict[str, Any]:
    """Takes so many turns while clients ask; what was lost."""
    began_s = time.monotonic()
    load = Load(server.port, folder)
    problems: list[str] = []
    done = 0
    try:
        for _ in turns(load):
            done += 1
            watch.note()
            if done == count:
                break
    except Unlike as error:
        problems.append(f"turn {done + 1}: {error}")
    seen = load.finish()
    allowed = dict(seen, failures={}) if reads_a_turn else seen
    problems += judge_load(allowed, reads_a_turn * count)
    return {
        "turns": done,
        "of": count,
        "workers": WORKERS,
        **seen,
        "duration_s": round(time.monotonic() - began_s, 1),
        "problems": problems,
    }


def rolls(server: Server) -> Callable[[Load], Iterator[None]]:
    """Replaces all workers, again and again."""

    def turns(load: Load) -> Iterator[None]:
        while True:
            before = server.workers()
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not server.workers() & before, "all workers are replaced")  # noqa: B023 - at once
            wait_until(lambda: len(server.workers()) == WORKERS, "all workers are there")
            load.all_answer()
            yield

    return turns


def cycles(server: Server) -> Callable[[Load], Iterator[None]]:
    """Takes a worker away and adds it again, again and again."""

    def turns(load: Load) -> Iterator[None]:
        while True:
            server.process.send_signal(signal.SIGTTOU)
            wait_until(lambda: len(server.workers()) == WORKERS - 1, "a worker has left")
            before = server.workers()
            server.process.send_signal(signal.SIGTTIN)
            wait_until(lambda: bool(newly(load, before)), "the new worker answers")  # noqa: B023 - called at once
            yield

    return turns


def newly(load: Load, before: set[int]) -> set[int]:
    """The workers that answer now and were not there before."""
    return {client.last_pid for client in load.clients} - before - {0}


def kills(server: Server) -> Callable[[Load], Iterator[None]]:
    """Kills a worker, again and again; one that has been there for long enough to be replaced at once."""
    random.seed(1)

    def turns(load: Load) -> Iterator[None]:
        served_since_s = dict.fromkeys(server.workers(), time.monotonic())
        while True:
            victim = min(served_since_s, key=lambda pid: (served_since_s[pid], random.random()))
            time.sleep(max(0.0, served_since_s.pop(victim) + STEADY_S - time.monotonic()))
            before, lost = server.workers(), load.failures()
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: bool(newly(load, before)), "the successor answers")  # noqa: B023 - called at once
            (successor,) = newly(load, before)
            served_since_s[successor] = time.monotonic()
            load.all_answer()
            more = [now - then for now, then in zip(load.failures(), lost, strict=True)]
            if max(more) > 1:
                raise Unlike(f"the clients lost {more} requests by one kill: {load.words()}")
            if refused := [words for words in load.words() if "Refused" in words or "timed out" in words]:
                raise Unlike(f"a client that was in no worker's hands lost a request: {refused}")
            yield

    return turns


def soak_server(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Rolls, cycles and kills of one server."""
    server = Server(folder, "command", WORKERS)
    watch = Watch(server)
    found: dict[str, dict[str, Any]] = {}
    try:
        for name, count, turns, reads_a_turn in (
            ("rolls", options.rolls, rolls(server), 0),
            ("cycles", options.cycles, cycles(server), 0),
            ("kills", options.kills, kills(server), WRK_CONNECTIONS),
        ):
            if count:
                found[name] = under_load(server, folder, watch, count, turns, reads_a_turn)
                tell(name, found[name])
        if watch.samples:
            told = watch.tell()
            found["memory"] = {**told, "problems": judge_memory(told)}
            tell("memory", found["memory"])
        problems: list[str] = []
        try:
            server.stop()
        except Unlike as error:
            problems.append(str(error))
        found["end"] = {"problems": problems}
        tell("end", found["end"])
    finally:
        server.end()
    return found


# ------------------------------------------------------------------------------------------------------- connections


def soak_connections(count: int) -> dict[str, Any]:
    """Has the test of connections open and drop so many."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "long", CONNECTIONS]
    environment = {**os.environ, "CELLO_CONNECTIONS": str(count)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    found = re.search(rf"{count} connections: (-?\d+) KiB more, (\d+) us each", done.stdout)
    told: dict[str, Any] = {"connections": count, "problems": [] if done.returncode == 0 else [done.stdout[-2000:]]}
    return told | ({"grown_kib": int(found[1]), "us_each": int(found[2])} if found else {})


# --------------------------------------------------------------------------------------------------------- the record


def tell(name: str, part: dict[str, Any]) -> None:
    """Prints what came of a part."""
    about = ", ".join(f"{key} {value}" for key, value in part.items() if key != "problems")
    print(f"{name}: {'good' if not part['problems'] else 'BAD'}  {about}", flush=True)
    for problem in part["problems"][:20]:
        print(f"  {problem}", flush=True)


def provenance() -> dict[str, Any]:
    """Where the verdicts come from: the commit, the machine and the versions."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": git("rev-parse", "HEAD"),
        "is_dirty": bool(git("status", "--porcelain", "--", *JUDGED_PATHS)),
        "build": BUILD_PROFILE,
        "machine": {"cpu": cpu[1] if cpu else "unknown", "cores": os.cpu_count(), "kernel": platform.release()},
        "versions": {"python": platform.python_version()},
    }


def main() -> int:
    """Soaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=500, help="of each of the six modes")
    parser.add_argument("--at-once", type=int, default=2, help="starts at the same time")
    parser.add_argument("--rolls", type=int, default=100)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true", help="write a dated result")
    options = parser.parse_args()

    origin = provenance()  # before the tree can change under a long run
    began_s, load_before = time.monotonic(), os.getloadavg()[0]
    parts: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        (folder / "shop.py").write_text(SOURCE)
        if options.rolls or options.cycles or options.kills:
            parts |= soak_server(folder, options)
        if options.starts:
            parts["starts"] = soak_starts(folder, options.starts, options.at_once)
            tell("starts", parts["starts"])
    if options.connections:
        parts["connections"] = soak_connections(options.connections)
        tell("connections", parts["connections"])
    passed = sum(not part["problems"] for part in parts.values())
    print(f"soak: {passed}/{len(parts)}")
    if options.record:
        result = {
            **origin,
            "is_good": passed == len(parts),
            "duration_s": round(time.monotonic() - began_s, 1),
            "load_average_before": round(load_before, 2),
            "parts": parts,
        }
        path = ROOT / "conformance" / "results" / f"{origin['date'].replace(':', '')}-soak.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"recorded in {path.relative_to(ROOT)}")
    return 0 if passed == len(parts) else 1


if __name__ == "__main__":
    sys.exit(main())
