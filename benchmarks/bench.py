#!/usr/bin/env python3
"""Measures Cello beside its peers, and its loop beside other loops, and keeps the figures: see README.md."""

import argparse
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import environments
import provenance
import render
from environments import BuildError
from loops.rounds import LoopPlan, LoopRun
from loops.section import loop_section
from loops.workloads import LOOP_WORKLOADS
from peers import CACHE, Peer, load_loops, load_peers
from processes import MeasurementError
from record import (
    LOOP_RESULTS,
    RESULTS,
    WORKER_RESULTS,
    Described,
    LoopRecord,
    Origin,
    Record,
    WorkerRecord,
    write,
)
from rounds import Plan, Run
from sampling import LOAD_CORE, SERVER_CORE, say, surprises
from workers.rounds import WorkerPlan, WorkerRun
from workers.section import worker_section
from workloads import CONTENT, SERVING, TOGETHER, WORKLOADS

PUBLISHED_ROUNDS, PUBLISHED_DURATION_S = 7, 1
# Each sample of a loop is of a new process, so each has a warm-up.
LOOP_WARM_UP_S = 0.3
CHECKED_DURATION_S = 0.1
EXTRAS = ("memory", "import")
HTTP_NAMES = (*WORKLOADS, *EXTRAS)
#: What `--only` may name of servers. A run of each part may be published.
PARTS = {"http": HTTP_NAMES, "serving": (*SERVING, *EXTRAS), "content": CONTENT, "together": TOGETHER}
OPEN_FILES = 16_384
INTERRUPTED = "it was interrupted"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=(*PARTS, "loop", "workers"), help="a part; workers are one only where they are named"
    )
    parser.add_argument("--peers", help="comma-separated names of peers.toml and loops.toml; all without it")
    parser.add_argument(
        "--workloads", help=f"comma-separated, of {', '.join([*HTTP_NAMES, *LOOP_WORKLOADS])}; all without it"
    )
    parser.add_argument("--rounds", type=int, default=PUBLISHED_ROUNDS)
    parser.add_argument("--duration-s", type=int, default=PUBLISHED_DURATION_S, help="length of one measurement")
    parser.add_argument("--warm-up-s", type=int, default=1, help="load before a server's first measurement")
    parser.add_argument("--max-foreign-share", type=float, default=0.1, help="of the measured core; above it, again")
    parser.add_argument("--cello-python", type=Path, help="measure the Cello of this interpreter; never published")
    parser.add_argument("--check", action="store_true", help="verify every answer of every server and loop, no more")
    parser.add_argument("--json", type=Path, help="write the run here; for one kind only")
    options = parser.parse_args()
    if options.rounds < 1 or options.duration_s < 1:
        parser.error("--rounds and --duration-s count from 1")
    for given, known in (
        (options.peers, [*load_peers(), *load_loops()]),
        (options.workloads, [*HTTP_NAMES, *LOOP_WORKLOADS]),
    ):
        if unknown := [name for name in (given or "").split(",") if name and name not in known]:
            parser.error(f"unknown: {', '.join(unknown)}")
    # Not resolved: the interpreter of a virtual environment is a link that leads out of it.
    options.cello_python = options.cello_python and options.cello_python.absolute()
    if options.json and is_wanted(options, "http") and is_wanted(options, "loop"):
        parser.error("--json is for one kind: add --only")
    return options


def chosen(given: str | None, known: Iterable[str]) -> list[str]:
    """Pick what was named on the command line, or everything, in the order of the files."""
    return [name for name in known if not given or name in given.split(",")]


def is_wanted(options: argparse.Namespace, kind: str) -> bool:
    """Tell whether servers, or loops, are to be measured: where not said, by the workloads."""
    if options.only == "workers":
        return False
    if kind == "loop":
        return options.only in (None, "loop") and bool(chosen(options.workloads, LOOP_WORKLOADS))
    return options.only != "loop" and bool(chosen(options.workloads, PARTS[options.only or "http"]))


def plan_of(options: argparse.Namespace) -> Plan:
    """Turn the command line into what is to be measured of servers."""
    peers = load_peers()
    wanted = chosen(options.workloads, PARTS[options.only or "http"])
    return Plan(
        peers=[peers[name] for name in chosen(options.peers, peers)],
        workloads=[workload for name, workload in WORKLOADS.items() if name in wanted],
        has_memory="memory" in wanted and not options.check,
        has_import="import" in wanted and not options.check,
        rounds=0 if options.check else options.rounds,
        duration_s=options.duration_s,
        warm_up_s=options.warm_up_s,
        max_foreign_share=options.max_foreign_share,
        cello_python=options.cello_python,
    )


def loop_plan_of(options: argparse.Namespace) -> LoopPlan:
    """Turn the command line into what is to be measured of loops."""
    loops = load_loops()
    return LoopPlan(
        loops=[loops[name] for name in chosen(options.peers, loops)],
        workloads=[LOOP_WORKLOADS[name] for name in chosen(options.workloads, LOOP_WORKLOADS)],
        rounds=1 if options.check else options.rounds,
        duration_s=CHECKED_DURATION_S if options.check else options.duration_s,
        warm_up_s=CHECKED_DURATION_S if options.check else LOOP_WARM_UP_S,
        max_foreign_share=1.0 if options.check else options.max_foreign_share,
        cello_python=options.cello_python,
    )


def build(plan: Plan | None, loop_plan: LoopPlan | None, *, is_cello_given: bool) -> None:
    """Build what is missing; what cannot be built is measured as missing."""
    steps: dict[str, Callable[[], None]] = {"PostgreSQL": environments.build_postgresql}
    if plan:
        environments.build_wrk()
    if loop_plan:
        steps |= {"certificate": environments.build_certificate, "echo-load": environments.build_echo_load}
    # A name that is in both files has one environment, which that of the servers describes.
    every = load_loops() | load_peers()
    names = [peer.name for peer in [*(plan.peers if plan else ()), *(loop_plan.loops if loop_plan else ())]]
    steps |= {name: partial(environments.build, every[name]) for name in names}
    if is_cello_given:
        steps.pop("cello", None)
    for name, step in steps.items():
        try:
            if name == "cello":
                say("building Cello's release wheel")
            step()
        except BuildError as error:
            say(f"{name} is not built: {error}")


def build_for_workers(*, is_cello_given: bool) -> None:
    """Build what a run of workers needs."""
    try:
        environments.build_wrk()
        if not is_cello_given:
            say("building Cello's release wheel")
            environments.build(load_peers()["cello"])
        environments.build_bare_hyper()
    except BuildError as error:
        say(f"it is not built: {error}")


def build_profile(python: Path) -> str:
    """Ask the kernel which profile it was compiled with."""
    program = "from cello import _kernel; print(getattr(_kernel, 'BUILD_PROFILE', 'unknown'))"
    try:
        done = subprocess.run([python, "-c", program], cwd="/", capture_output=True, text=True, timeout=60)
    except OSError:
        return "missing"
    return done.stdout.strip() if done.returncode == 0 else "missing"


@dataclass(frozen=True, slots=True)
class Build:
    """What is measured, and how it came about."""

    commit: str
    is_dirty: bool
    profile: str
    began: float
    ended: float

    def why_unpublishable(self, plan: Plan | LoopPlan | WorkerPlan, reasons: Mapping[str, bool]) -> list[str]:
        """List what keeps the figures of this run from being published."""
        is_short = plan.rounds < PUBLISHED_ROUNDS or plan.duration_s < PUBLISHED_DURATION_S
        is_given = plan.cello_python is not None
        reasons = {
            "--cello-python was given, so it is not known to be the default release wheel": is_given,
            f"the kernel's build profile is {self.profile!r}": self.profile != "release",
            "the checkout differs from its commit": self.is_dirty,
            **reasons,
            "it is shorter than a published run": is_short,
        }
        return [reason for reason, applies in reasons.items() if applies]

    def origin(
        self, plan: Plan | LoopPlan | WorkerPlan, unpublishable: list[str], versions: dict[str, str], began: float
    ) -> Origin:
        """Say where the figures come from that were measured from `began` until now."""
        return {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
            "unpublishable": unpublishable,
            "commit": self.commit,
            "is_dirty": self.is_dirty,
            "command": shlex.join(["python", "benchmarks/bench.py", *sys.argv[1:]]),
            "machine": provenance.machine(),
            "versions": versions | {"Cello's kernel": f"{self.profile} build"},
            "settings": {
                "rounds": plan.rounds,
                "duration_s": plan.duration_s,
                "warm_up_s": plan.warm_up_s,
                "max_foreign_share": plan.max_foreign_share,
                "server_core": SERVER_CORE,
                "load_core": LOAD_CORE,
            },
            "durations_s": {"building": round(self.ended - self.began), "measuring": round(time.time() - began)},
        }


def describe(peers: Iterable[Peer]) -> dict[str, Described]:
    """Say how each was started."""
    return {peer.name: {"kind": peer.kind, "command": peer.command, "note": peer.note} for peer in peers}


def measure_servers(plan: Plan, made: Build) -> tuple[Record, int]:
    """Measure the servers; give the run, and how much in it is missing that should not be."""
    run, began = Run(plan), time.time()
    load_before = os.getloadavg()[0]
    measured = {workload.name for workload in plan.workloads}
    parts = [part for part in ({*SERVING}, {*CONTENT}, {*TOGETHER}) if part & measured]
    reasons = {
        "some servers were left out": len(plan.peers) < len(load_peers()),
        "some workloads were left out": not all(part <= measured for part in parts),
        "memory or import was left out": bool({*SERVING} & measured) and not (plan.has_memory and plan.has_import),
    }
    unpublishable = made.why_unpublishable(plan, reasons)
    try:
        run.measure()
    except KeyboardInterrupt:
        unpublishable.append(INTERRUPTED)
    origin = made.origin(plan, unpublishable, provenance.versions(plan.peers, plan.cello_python), began)
    origin["settings"]["load_average_before"] = round(load_before, 2)
    found: Record = {
        **origin,
        "servers": describe(plan.peers),
        "workloads": [workload.name for workload in plan.workloads],
        "starts": run.starts,
        "samples": run.samples,
        "memory": run.memory,
        "import_cost": run.import_cost,
        "notes": run.notes,
        "missing": run.missing,
    }
    return found, len(surprises(run.missing, plan.peers))


def measure_loops(plan: LoopPlan, made: Build) -> tuple[LoopRecord, int]:
    """Measure the loops; give the run, and how much in it is missing that should not be."""
    run, began = LoopRun(plan), time.time()
    load_before = os.getloadavg()[0]
    reasons = {
        "some loops were left out": len(plan.loops) < len(load_loops()),
        "some workloads were left out": len(plan.workloads) < len(LOOP_WORKLOADS),
    }
    unpublishable = made.why_unpublishable(plan, reasons)
    try:
        run.measure()
    except KeyboardInterrupt:
        unpublishable.append(INTERRUPTED)
    versions = provenance.tools() | provenance.packages(plan.loops, plan.cello_python)
    origin = made.origin(plan, unpublishable, versions, began)
    origin["settings"]["load_average_before"] = round(load_before, 2)
    found: LoopRecord = {
        **origin,
        "loops": describe(plan.loops),
        "workloads": [workload.name for workload in plan.workloads],
        "samples": run.samples,
        "missing": run.missing,
    }
    return found, len(surprises(run.missing, plan.loops))


def measure_workers(options: argparse.Namespace, made: Build) -> WorkerRecord:
    """Measure workers; give the run."""
    python = options.cello_python or load_peers()["cello"].venv / "bin" / "python"
    plan = WorkerPlan(
        python, options.rounds, options.duration_s, options.warm_up_s, options.max_foreign_share, options.cello_python
    )
    run, began = WorkerRun(plan), time.time()
    load_before = os.getloadavg()[0]
    unpublishable = made.why_unpublishable(plan, {})
    try:
        run.measure()
    except KeyboardInterrupt:
        unpublishable.append(INTERRUPTED)
    except MeasurementError as error:
        unpublishable.append(str(error))
    versions = provenance.versions([load_peers()["cello"]], plan.cello_python)
    origin = made.origin(plan, unpublishable, versions, began)
    origin["settings"]["load_average_before"] = round(load_before, 2)
    return {**origin, "samples": run.samples, "idle_cpu_ms": run.idle_cpu_ms, "ready_ms": run.ready_ms}


def keep(found: Record | LoopRecord | WorkerRecord, folder: Path, given: Path | None) -> Path:
    """Write a run where it belongs."""
    path = given or (CACHE / "results" if found["unpublishable"] else folder) / f"{found['date'].replace(':', '')}.json"
    write(found, path)
    say(f"written to {path}" + "".join(f"\nnot to be published: {reason}" for reason in found["unpublishable"]))
    return path


def main() -> int:
    """Build, measure, keep the runs and print their tables."""
    options = parse()
    plan = plan_of(options) if is_wanted(options, "http") else None
    loop_plan = loop_plan_of(options) if is_wanted(options, "loop") else None
    began = time.time()
    (CACHE / "logs").mkdir(parents=True, exist_ok=True)
    # A thousand connections, on both sides of which each is an open file.
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard_limit), hard_limit))
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    commit, is_dirty = provenance.commit(), provenance.is_dirty()
    build(plan, loop_plan, is_cello_given=options.cello_python is not None)
    if options.only == "workers":
        build_for_workers(is_cello_given=options.cello_python is not None)
    profile = build_profile(options.cello_python or load_peers()["cello"].venv / "bin" / "python")
    # Again after the build: somebody may have changed what was being built.
    is_dirty = is_dirty or provenance.is_dirty() or provenance.commit() != commit
    made = Build(commit, is_dirty, profile, began, time.time())
    unexpected = 0
    if plan:
        servers, missing = measure_servers(plan, made)
        unexpected += missing
        if not options.check:
            path = keep(servers, RESULTS, options.json)
            print(render.render(servers, path.name))
        if INTERRUPTED in servers["unpublishable"]:
            return 1
    if options.only == "workers" and not options.check:
        workers = measure_workers(options, made)
        path = keep(workers, WORKER_RESULTS, options.json)
        print(worker_section(workers, path.name))
    if loop_plan:
        loops, missing = measure_loops(loop_plan, made)
        unexpected += missing
        if not options.check:
            path = keep(loops, LOOP_RESULTS, options.json)
            print(loop_section(loops, path.name))
    return 1 if options.check and unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
