#!/usr/bin/env python3
"""The suites of asyncio's clients, on asyncio's loop and on Cello's: asyncpg, aiohttp (its client) and redis-py.

    python clients.py [asyncpg aiohttp redis] [--loop asyncio|cello] [-k EXPRESSION]

Each library's tests are taken from its source distribution and run once a loop, against the library as installed from
its wheel. A test is as on the stock loop if it passes on Cello's wherever it passes on asyncio's. One that is not is
run again, without the rest, on both loops, up to RETRIES times: if it is as on the stock loop in any of these, it is
unsteady and no failure. Both kinds are listed. Last line a library: `clients-NAME: PASSED/TOTAL`, of the tests that
pass on asyncio's loop. Exit 0 where all others are excused (clients/excused.toml).

A whole comparison of the checkout's own Cello is written to results/DATE.json, one of another Cello to the work folder.
`--loop` runs one loop and compares nothing, `-k` chooses tests as pytest's does: both are for looking into a failure.

It needs Linux, PostgreSQL and Redis, and installs the latter two from the system's packages where they are missing and
it is root. Everything runs in namespaces of its own: a root is `nobody` there, as PostgreSQL refuses root, and the
network is a loopback that nobody else is on, so that the suites find their servers at the ports they take for granted.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import fcntl
import importlib.util
import json
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
    from types import FrameType

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
PARTS = HERE / "clients"

LOOPS = {"asyncio": "asyncio.unix_events._UnixSelectorEventLoop", "cello": "cello.loop.EventLoop"}
RETRIES = 3
SETUP_PATIENCE_S = 600
SUITE_PATIENCE_S = 1500
SERVICE_PATIENCE_S = 30
END_PATIENCE_S = 10

# What the verdicts depend on. Results are written by a run, so they do not make a checkout dirty.
JUDGED_PATHS = ("crates", "packages/cello-core", "Cargo.toml", "Cargo.lock", "conformance", ":!conformance/results")

# A Redis as redis-py's suite expects it: one with a replica, and the sentinels that watch it.
REDIS_PORT, REPLICA_PORT, SENTINEL_PORTS = 6379, 6380, (26379, 26380, 26381)
REDIS_SERVICE = "redis-py-test"

# Of the kernel's headers.
PR_SET_CHILD_SUBREAPER = 36
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

# A test's verdicts by loop, the first of the whole run and the others of its repetitions.
type History = dict[str, list[str]]


class RunError(Exception):
    """A run cannot be made, or what it tells cannot be believed."""


@dataclass(frozen=True)
class Library:
    """A library, and which tests of it are run."""

    name: str
    tests: tuple[str, ...]  # patterns, from the root of the source distribution
    options: tuple[str, ...]  # of pytest
    needs_postgres: bool = False
    needs_redis: bool = False

    @property
    def requirements(self) -> Path:
        """Its pinned requirements, and those of its tests."""
        return PARTS / "requirements" / f"{self.name}.txt"

    @property
    def version(self) -> str:
        """The version that is pinned."""
        pinned = re.search(rf"^{self.name}==(\S+)$", self.requirements.read_text(), re.MULTILINE)
        if pinned is None:
            raise RunError(f"{self.requirements} does not pin {self.name}")
        return pinned[1]


LIBRARIES = {
    library.name: library
    for library in (
        # All but the linters over its own source.
        Library(
            "asyncpg",
            ("tests",),
            ("--ignore=tests/test__sourcecode.py", "--timeout=120"),
            needs_postgres=True,
        ),
        # The files named after what a client is of, and after what carries its connections; none of the server's.
        Library(
            "aiohttp",
            (
                *("tests/test_client_*.py", "tests/test_connector.py", "tests/test_proxy*.py"),
                *("tests/test_resolver.py", "tests/test_tracing.py", "tests/test_cookiejar.py"),
                *("tests/test_base_protocol.py", "tests/test_*streams.py", "tests/test_*writer.py"),
                *("tests/test_tcp_helpers.py", "tests/test_loop.py"),
            ),
            ("--override-ini=addopts=", "-m", "not dev_mode and not autobahn and not internal"),
        ),
        # All that one Redis can answer: no cluster, no modules, no TLS, no identity provider, no Redis Enterprise.
        Library(
            "redis",
            ("tests/test_asyncio",),
            (
                "--ignore=tests/test_asyncio/test_scenario",
                "-m",
                "not onlycluster and not redismod and not ssl and not cp_integration and not multidb_integration",
            ),
            needs_redis=True,
        ),
    )
}


@dataclass
class Run:
    """What one run of a suite tells."""

    verdicts: dict[str, str] = field(default_factory=dict[str, str])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    loops: dict[str, int] = field(default_factory=dict[str, int])
    ending: str = ""
    duration_s: float = 0.0

    def count(self) -> dict[str, int]:
        """How many tests have which verdict."""
        return dict(sorted(Counter(self.verdicts.values()).items()))

    def passes(self, test: str) -> bool:
        """Whether a test passes."""
        return self.verdicts.get(test) == "passed"


@dataclass(frozen=True)
class Place:
    """Where runs are made."""

    work: Path  # kept: environments, source distributions, logs
    scratch: Path  # removed at the end
    cello: Path  # the package

    def of(self, library: Library) -> Path:
        """What is kept of a library."""
        return self.work / f"{library.name}-{platform.python_version()}"

    def python(self, library: Library) -> Path:
        """The interpreter of its environment."""
        return self.of(library) / "venv" / "bin" / "python"

    def source(self, library: Library) -> Path:
        """Its unpacked source distribution, without itself."""
        return self.of(library) / "source"


@dataclass
class Comparison:
    """A library's suite on both loops."""

    runs: dict[str, Run]
    differing: dict[str, History] = field(default_factory=dict[str, History])
    unsteady: dict[str, History] = field(default_factory=dict[str, History])

    @property
    def expected(self) -> list[str]:
        """The tests that pass on the stock loop."""
        return [test for test in self.runs["asyncio"].verdicts if self.runs["asyncio"].passes(test)]

    @property
    def kept(self) -> int:
        """How many of these are as on the stock loop."""
        return len(self.expected) - len(self.differing)


# --------------------------------------------------------------------------------------------------------- processes


def output_of(*command: str | Path, cwd: Path = CHECKOUT, patience_s: float = SETUP_PATIENCE_S) -> str:
    """Runs a command and returns what it prints.

    Errors: RunError where it fails.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience_s,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(str(error)) from None
    if done.returncode:
        raise RunError(f"{Path(command[0]).name}: " + " / ".join(done.stdout.strip().splitlines()[-3:]))
    return done.stdout.strip()


def isolate() -> None:
    """Moves this process, and all it starts from now on, to namespaces of its own: not root, on an empty loopback.

    Errors: RunError where the system does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    inner_user, inner_group = (user, group) if user else (nobody.pw_uid, nobody.pw_gid)
    try:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{inner_user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{inner_group} {group} 1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    except OSError as error:
        raise RunError(f"no namespaces: {error}") from None


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent ends: of servers a suite has started."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children(spared: Collection[int]) -> None:
    """Ends whatever a suite has left running, and what that leaves in turn: asks first, so that a server tidies up."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    until = time.monotonic() + END_PATIENCE_S
    while left := {int(pid) for pid in children.read_text().split()} - set(spared):
        for pid in left:
            os.kill(pid, signal.SIGTERM if time.monotonic() < until else signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and makes it."""
    process.terminate()
    try:
        process.wait(END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# ---------------------------------------------------------------------------------------------------------- services


def install(program: str, *packages: str) -> None:
    """Installs system packages without starting what is in them."""
    if os.geteuid() or not shutil.which("apt-get"):
        raise RunError(f"{program} is missing: install it from the system's packages")
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        output_of("apt-get", "-qq", "update")
        output_of("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages)
    finally:
        if is_ours:
            policy.unlink()


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    other = shutil.which("initdb")
    return found[-1].parent if found else Path(other).resolve().parent if other else None


@contextmanager
def servers_of(library: Library, scratch: Path) -> Generator[list[int]]:
    """Runs the servers that a suite does not start itself: a Redis, its replica and its sentinels; yields their ids."""
    if not library.needs_redis:
        yield []
        return
    common = ("bind 127.0.0.1", "daemonize no")
    server = (*common, 'save ""', "enable-debug-command yes", "enable-module-command yes")
    watch = (*common, f"sentinel monitor {REDIS_SERVICE} 127.0.0.1 {REDIS_PORT} 2")
    settings = {
        REDIS_PORT: server,
        REPLICA_PORT: (*server, f"replicaof 127.0.0.1 {REDIS_PORT}"),
        **dict.fromkeys(SENTINEL_PORTS, watch),
    }
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for port, lines in settings.items():
            folder = scratch / f"redis-{port}"
            folder.mkdir()
            file = folder / "redis.conf"
            file.write_text("\n".join((f"port {port}", f"dir {folder}", "logfile log", *lines)) + "\n")
            command = ["redis-server", str(file), *(["--sentinel"] if port in SENTINEL_PORTS else [])]
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            wait_for_redis(port, processes[-1])
        yield [process.pid for process in processes]
    finally:
        for process in reversed(processes):
            end(process)


def answers_ping(port: int) -> bool:
    """Whether a Redis answers."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(5) == b"+PONG"
    return False


def wait_for_redis(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a Redis is up.

    Errors: RunError where it ends instead, or takes too long.
    """
    until = time.monotonic() + SERVICE_PATIENCE_S
    while not answers_ping(port):
        if process.poll() is not None or time.monotonic() > until:
            raise RunError(f"redis-server does not start on port {port}")
        time.sleep(0.05)


# ----------------------------------------------------------------------------------------------------------- a suite


def prepare(library: Library, place: Place) -> None:
    """Makes a library's environment and unpacks its tests, once a version, and installs the server it is to talk to."""
    if library.needs_postgres and postgres_programs() is None:
        install("PostgreSQL", "postgresql")
    if library.needs_redis and shutil.which("redis-server") is None:
        install("Redis", "redis-server")
    folder = place.of(library)
    python = place.python(library)
    pinned = library.requirements.read_text()
    mark = folder / "requirements.txt"
    if mark.exists() and mark.read_text() == pinned:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    output_of(sys.executable, "-m", "venv", folder / "venv")
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    output_of(*pip, "install", "--requirement", library.requirements)
    pin = f"{library.name}=={library.version}"
    output_of(*pip, "download", "--no-deps", "--no-binary", library.name, "--dest", folder, pin)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, members=tests_of(archive, library), filter="data")
    (folder / f"{library.name}-{library.version}").rename(place.source(library))
    mark.write_text(pinned)


def tests_of(archive: tarfile.TarFile, library: Library) -> Iterator[tarfile.TarInfo]:
    """All of a source distribution but the library itself, so that the tests import what is installed."""
    for member in archive:
        if Path(member.name).parts[1:2] != (library.name,):
            yield member


def run_suite(
    library: Library,
    loop: str,
    place: Place,
    extra: Sequence[str],
    spared: Collection[int],
    only: Collection[str] | None = None,
) -> Run:
    """Runs a library's tests on a loop, or only some of them.

    Errors: RunError where the run cannot be believed.
    """
    root = place.source(library)
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=place.scratch))
    record = scratch / "record"
    record.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PARTS),
        "CLIENTS_LOOP": loop,
        "CLIENTS_RECORD": str(record),
    }
    if library.needs_postgres:
        environment["PGINSTALLATION"] = str(postgres_programs())
    if loop == "cello":
        # Alone in a folder: what lies beside it must not hide what the tests have pinned.
        (scratch / "path").mkdir()
        (scratch / "path" / "cello").symlink_to(place.cello)
        environment["PYTHONPATH"] += f":{scratch / 'path'}"
    if only is not None:
        (scratch / "only").write_text(json.dumps(sorted(only)))
        environment["CLIENTS_ONLY"] = str(scratch / "only")
    tests = sorted({str(path.relative_to(root)) for pattern in library.tests for path in root.glob(pattern)})
    command = [
        *(str(place.python(library)), "-m", "pytest", "-p", "on_loop", "-p", "no:cacheprovider"),
        *("--continue-on-collection-errors", "--tb=short", "-q", *library.options, *extra, *tests),
    ]
    log = place.work / f"{library.name}-{loop}{'' if only is None else '-again'}.log"
    begun = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            ending = f"exit {process.wait(SUITE_PATIENCE_S)}"
        except subprocess.TimeoutExpired:
            ending = f"ended after {SUITE_PATIENCE_S} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            end_children(spared)
            process.wait()
    run = read_record(record, ending, time.monotonic() - begun)
    shutil.rmtree(scratch, ignore_errors=True)
    check(run, loop)
    return run


def read_record(record: Path, ending: str, duration_s: float) -> Run:
    """Reads what the plugin has written down."""
    run = Run(ending=ending, duration_s=round(duration_s, 1))
    for line in record.read_text().splitlines():
        entry: dict[str, Any] = json.loads(line)
        if "loops" in entry:
            run.loops = entry["loops"]
        else:
            run.verdicts[entry["test"]] = entry["verdict"]
            run.reasons[entry["test"]] = entry["why"]
    return run


def check(run: Run, loop: str) -> None:
    """Makes sure that a run has come to its end, on the loop it was to be on and on no other.

    Errors: RunError where it has not.
    """
    if run.ending not in ("exit 0", "exit 1"):  # all passed, some failed
        begun = [test for test, verdict in run.verdicts.items() if verdict == "unfinished"]
        raise RunError(f"on {loop}: {run.ending} after {len(run.verdicts)} tests, in {begun}")
    if set(run.loops) != {LOOPS[loop]}:
        raise RunError(f"on {loop}: the loops made were {run.loops or 'none'}")


# ------------------------------------------------------------------------------------------------------- a comparison


def compare(runs: dict[str, Run], again: Callable[[str, Collection[str]], Run]) -> Comparison:
    """Compares two runs, by running again what differs."""
    comparison = Comparison(runs)
    suspects = [test for test in comparison.expected if not runs["cello"].passes(test)]
    seen = {test: {loop: [run.verdicts.get(test, "missing")] for loop, run in runs.items()} for test in suspects}
    for _ in range(RETRIES):
        if not suspects:
            break
        round_of = {loop: again(loop, suspects) for loop in LOOPS}
        for test in suspects:
            for loop, run in round_of.items():
                seen[test][loop].append(run.verdicts.get(test, "missing"))
        stock, ours = round_of["asyncio"], round_of["cello"]
        suspects = [test for test in suspects if stock.passes(test) and not ours.passes(test)]
    comparison.differing = {test: seen[test] for test in suspects}
    comparison.unsteady = {test: seen[test] for test in seen if test not in suspects}
    return comparison


def judge(library: Library, place: Place, loops: Sequence[str], extra: Sequence[str]) -> Comparison | None:
    """Runs a library's suite on the loops asked for; compares them where there are two.

    Errors: RunError where a run cannot be made or believed.
    """
    with servers_of(library, place.scratch) as spared:
        runs: dict[str, Run] = {}
        for loop in loops:
            runs[loop] = run = run_suite(library, loop, place, extra, spared)
            counts = ", ".join(f"{count} {verdict}" for verdict, count in run.count().items())
            say(f"{library.name} {library.version} on {loop}: {counts} in {run.duration_s:.0f} s, on {run.loops}")
            if len(loops) == 1:
                tell_failures(run)
                return None
        return compare(runs, lambda loop, only: run_suite(library, loop, place, extra, spared, only))


def tell_failures(run: Run) -> None:
    """Prints what fails, and the last line of why."""
    for test, reason in run.reasons.items():
        if reason:
            say(f"  {run.verdicts[test]} {test}\n      " + reason.strip().splitlines()[-1])


def report(library: Library, comparison: Comparison, excused: Mapping[str, str]) -> bool:
    """Prints a comparison; returns whether all that differs is excused."""
    for title, tests in (("unsteady", comparison.unsteady), ("differs", comparison.differing)):
        for test, seen in tests.items():
            say(f"  {title}: {test}: {seen}" + (f" (excused: {excused[test]})" if test in excused else ""))
            if reason := comparison.runs["cello"].reasons.get(test):
                say("      " + reason.strip().splitlines()[-1])
    for test in sorted(set(excused) - set(comparison.differing)):
        say(f"  excused in vain: {test}")
    print(f"clients-{library.name}: {comparison.kept}/{len(comparison.expected)}", flush=True)
    return set(comparison.differing) <= set(excused)


def say(line: str) -> None:
    """Prints a line at once."""
    print(line, flush=True)


# ----------------------------------------------------------------------------------------------------------- results


def describe(comparison: Comparison, library: Library, excused: Mapping[str, str]) -> dict[str, Any]:
    """A comparison as it is written down."""
    stock, ours = comparison.runs["asyncio"], comparison.runs["cello"]
    return {
        "version": library.version,
        "tests": library.tests,
        "options": library.options,
        "as_on_stock": comparison.kept,
        "pass_on_stock": len(comparison.expected),
        "loops": {
            name: {"verdicts": run.count(), "made": run.loops, "duration_s": run.duration_s}
            for name, run in comparison.runs.items()
        },
        "differing": {
            test: {"verdicts": seen, "why": ours.reasons.get(test, ""), "excused": excused.get(test)}
            for test, seen in comparison.differing.items()
        },
        "unsteady": comparison.unsteady,
        "fail_on_both": sorted(
            test for test, verdict in stock.verdicts.items() if verdict == ours.verdicts.get(test) == "failed"
        ),
        "fail_on_stock_only": sorted(
            test for test, verdict in stock.verdicts.items() if verdict == "failed" and ours.passes(test)
        ),
    }


def provenance(place: Place) -> dict[str, Any]:
    """Where verdicts come from: the commit, the machine and the versions."""

    def tell(*command: str | Path) -> str:
        try:
            return output_of(*command)
        except RunError:
            return "unknown"

    def number(told: str) -> str:
        found = re.search(r"\d+(\.\d+)+", told)
        return found[0] if found else "unknown"

    postgres = postgres_programs()
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": tell("git", "rev-parse", "HEAD"),
        "is_dirty": bool(tell("git", "status", "--porcelain", "--", *JUDGED_PATHS)),
        "is_of_checkout": is_of_checkout(place),
        "machine": {
            "cpu": cpu[1] if cpu else "unknown",
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        },
        "versions": {
            "python": platform.python_version(),
            "postgresql": number(tell(postgres / "postgres", "--version")) if postgres else "none",
            "redis": number(tell("redis-server", "--version")),
        },
    }


def is_of_checkout(place: Place) -> bool:
    """Whether the Cello that is judged is this checkout's."""
    return place.cello.is_relative_to(CHECKOUT / "packages")


def write_result(result: dict[str, Any], place: Place) -> None:
    """Writes a dated result: only one of the checkout's own Cello among the results."""
    folder = HERE / "results" if is_of_checkout(place) else place.work / "results"
    folder.mkdir(exist_ok=True)
    path = folder / (result["date"].replace(":", "") + ".json")
    path.write_text(json.dumps(result, indent=1) + "\n")
    say(f"written to {path}")


def end_on_signal(number: int, frame: FrameType | None) -> None:
    """Ends this process in good order, with all that it has started."""
    del frame
    sys.exit(128 + number)


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description="Runs the suites of asyncio's clients, on its loop and on Cello's.")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"of {', '.join(LIBRARIES)}; all without one")
    parser.add_argument("--loop", choices=LOOPS, help="run this loop only and compare nothing")
    parser.add_argument("-k", metavar="EXPRESSION", help="only the tests that match, as pytest's -k")
    parser.add_argument("--work", type=Path, default=CHECKOUT / ".venvs" / "clients", help="what is kept between runs")
    arguments = parser.parse_args()
    names: list[str] = arguments.libraries or list(LIBRARIES)
    if unknown := [name for name in names if name not in LIBRARIES]:
        parser.error(f"no library is named {unknown[0]}")
    found = importlib.util.find_spec("cello")
    if found is None or found.origin is None:
        parser.error("cello is not installed")
    loops = [arguments.loop] if arguments.loop else list(LOOPS)
    extra = ["-k", arguments.k] if arguments.k else []
    excused: dict[str, dict[str, str]] = tomllib.loads((PARTS / "excused.toml").read_text())

    signal.signal(signal.SIGTERM, end_on_signal)
    adopt_orphans()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clients-") as scratch:
        place = Place(work, Path(scratch), Path(found.origin).resolve().parent)
        try:
            for name in names:
                prepare(LIBRARIES[name], place)
            origin = provenance(place)  # before the tree can change under a long run
            isolate()
        except RunError as error:
            sys.exit(str(error))
        is_good = True
        compared: dict[str, Any] = {}
        for name in names:
            library, excuses = LIBRARIES[name], excused.get(name, {})
            try:
                comparison = judge(library, place, loops, extra)
            except RunError as error:
                say(f"  {name}: {error}")
                is_good = False
                compared[name] = {"error": str(error)}
                continue
            if comparison is not None:
                is_good &= report(library, comparison, excuses)
                compared[name] = describe(comparison, library, excuses)
        if len(loops) > 1 and not extra:
            write_result({**origin, "is_good": is_good, "libraries": compared}, place)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
