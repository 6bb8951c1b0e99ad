#!/usr/bin/env python3
"""Measures Cello beside its peers and keeps the figures: see README.md."""

import argparse
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import environments
import provenance
import render
from environments import BuildError
from peers import CACHE, Peer, load_peers
from record import RESULTS, Record, write
from rounds import LOAD_CORE, SERVER_CORE, Plan, Run, say
from workloads import WORKLOADS

PUBLISHED_ROUNDS, PUBLISHED_DURATION_S = 7, 1
EXTRAS = ("memory", "import")
OPEN_FILES = 16_384


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="comma-separated names of peers.toml; all without it")
    parser.add_argument("--workloads", help=f"comma-separated, of {', '.join([*WORKLOADS, *EXTRAS])}; all without it")
    parser.add_argument("--rounds", type=int, default=PUBLISHED_ROUNDS)
    parser.add_argument("--duration-s", type=int, default=PUBLISHED_DURATION_S, help="length of one measurement")
    parser.add_argument("--warm-up-s", type=int, default=1, help="load before a server's first measurement")
    parser.add_argument("--max-foreign-share", type=float, default=0.1, help="of the server's core; above it, again")
    parser.add_argument("--cello-python", type=Path, help="measure the Cello of this interpreter; never published")
    parser.add_argument("--check", action="store_true", help="verify every answer of every server and time nothing")
    parser.add_argument("--json", type=Path, help="write the run here")
    options = parser.parse_args()
    if options.rounds < 1 or options.duration_s < 1:
        parser.error("--rounds and --duration-s count from 1")
    for given, known in ((options.peers, load_peers()), (options.workloads, [*WORKLOADS, *EXTRAS])):
        if unknown := [name for name in (given or "").split(",") if name and name not in known]:
            parser.error(f"unknown: {', '.join(unknown)}")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    """Turn the command line into what is to be measured."""
    peers = load_peers()
    names = options.peers.split(",") if options.peers else list(peers)
    wanted = options.workloads.split(",") if options.workloads else [*WORKLOADS, *EXTRAS]
    return Plan(
        peers=[peers[name] for name in names],
        workloads=[workload for name, workload in WORKLOADS.items() if name in wanted],
        has_memory="memory" in wanted and not options.check,
        has_import="import" in wanted and not options.check,
        rounds=0 if options.check else options.rounds,
        duration_s=options.duration_s,
        warm_up_s=options.warm_up_s,
        max_foreign_share=options.max_foreign_share,
        # Not resolved: the interpreter of a virtual environment is a link that leads out of it.
        cello_python=options.cello_python and options.cello_python.absolute(),
    )


def build(peers: list[Peer], *, is_cello_given: bool) -> None:
    """Build what is missing; a server that cannot be built is measured as missing."""
    environments.build_wrk()
    for peer in peers:
        try:
            if peer.name == "cello" and not is_cello_given:
                say("building Cello's release wheel")
                environments.build_cello(peer.venv)
            else:
                environments.build(peer)
        except BuildError as error:
            say(f"{peer.name} is not built: {error}")


def build_profile(python: Path) -> str:
    """Ask the kernel which profile it was compiled with."""
    program = "from cello import _kernel; print(getattr(_kernel, 'BUILD_PROFILE', 'unknown'))"
    try:
        done = subprocess.run([python, "-c", program], cwd="/", capture_output=True, text=True, timeout=60)
    except OSError:
        return "missing"
    return done.stdout.strip() if done.returncode == 0 else "missing"


def why_unpublishable(plan: Plan, profile: str, *, is_dirty: bool) -> list[str]:
    """List what keeps the figures of this run from being published."""
    reasons = {
        "--cello-python was given, so it is not known to be the default release wheel": plan.cello_python is not None,
        f"the kernel's build profile is {profile!r}": profile != "release",
        "the checkout differs from its commit": is_dirty,
        "some servers were left out": len(plan.peers) < len(load_peers()),
        "some workloads were left out": len(plan.workloads) < len(WORKLOADS),
        "memory or import was left out": not (plan.has_memory and plan.has_import),
        "it is shorter than a published run": plan.rounds < PUBLISHED_ROUNDS or plan.duration_s < PUBLISHED_DURATION_S,
    }
    return [reason for reason, applies in reasons.items() if applies]


def main() -> int:
    """Build, measure, keep the run and print its tables."""
    options = parse()
    plan = plan_of(options)
    began = time.time()
    (CACHE / "logs").mkdir(parents=True, exist_ok=True)
    # A thousand connections, on both sides of which each is an open file.
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard_limit), hard_limit))
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    commit, is_dirty = provenance.commit(), provenance.is_dirty()
    build(plan.peers, is_cello_given=plan.cello_python is not None)
    profile = build_profile(plan.cello_python or load_peers()["cello"].venv / "bin" / "python")
    # Again after the build: somebody may have changed what was being built.
    is_dirty = is_dirty or provenance.is_dirty() or provenance.commit() != commit
    unpublishable = why_unpublishable(plan, profile, is_dirty=is_dirty)
    built = time.time()
    load_before = os.getloadavg()[0]
    run = Run(plan)
    try:
        run.measure()
    except KeyboardInterrupt:
        unpublishable.append("it was interrupted")
    if options.check:
        return 1 if run.surprises() else 0

    record: Record = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "unpublishable": unpublishable,
        "commit": commit,
        "is_dirty": is_dirty,
        "command": shlex.join(["python", "benchmarks/bench.py", *sys.argv[1:]]),
        "machine": provenance.machine(),
        "versions": provenance.versions(plan.peers, plan.cello_python) | {"Cello's kernel": f"{profile} build"},
        "settings": {
            "rounds": plan.rounds,
            "duration_s": plan.duration_s,
            "warm_up_s": plan.warm_up_s,
            "max_foreign_share": plan.max_foreign_share,
            "server_core": SERVER_CORE,
            "load_core": LOAD_CORE,
            "load_average_before": round(load_before, 2),
        },
        "durations_s": {"building": round(built - began), "measuring": round(time.time() - built)},
        "servers": {peer.name: {"kind": peer.kind, "command": peer.command, "note": peer.note} for peer in plan.peers},
        "workloads": [workload.name for workload in plan.workloads],
        "starts": run.starts,
        "samples": run.samples,
        "memory": run.memory,
        "import_cost": run.import_cost,
        "notes": run.notes,
        "missing": run.missing,
    }
    folder = CACHE / "results" if unpublishable else RESULTS
    path: Path = options.json or folder / f"{record['date'].replace(':', '')}.json"
    write(record, path)
    print(render.render(record, path.name))
    say(f"written to {path}" + "".join(f"\nnot to be published: {reason}" for reason in unpublishable))
    return 0


if __name__ == "__main__":
    sys.exit(main())
