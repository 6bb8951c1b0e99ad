"""What is measured without requests: Cello's memory before and after a million, its import, and bare validation."""

import os
import subprocess
import time
from pathlib import Path

from load import drive
from processes import MeasurementError, Server
from record import ImportCost, Memory

MILESTONES = (100_000, 1_000_000)
PATIENCE_S = 300
SETTLE_S = 0.5


def measure_memory(server: Server, load_core: int) -> Memory:
    """Answer a million requests, half of them by `async def`, and read the resident memory on the way.

    Shape: the server has just been started and has answered nothing but its first request.
    """
    time.sleep(SETTLE_S)
    seen = [server.resident_bytes()]
    answered = 0
    for milestone in MILESTONES:
        load = drive(
            server.port, ["/", "/async"], core=load_core, duration_s=PATIENCE_S, request_limit=milestone - answered
        )
        answered += load["requests"]
        if answered < milestone:
            raise MeasurementError(f"{answered} requests in {PATIENCE_S} s")
        time.sleep(SETTLE_S)
        seen.append(server.resident_bytes())
    return {"start_bytes": seen[0], "after_100_000_bytes": seen[1], "after_1_000_000_bytes": seen[2]}


def measure_import(python: Path, core: int, repeats: int) -> ImportCost:
    """Run the interpreter with and without `import cello`, in turn."""
    interpreter_cpu_s(python, "import cello", core)  # writes the bytecode that the measured ones read
    cost: ImportCost = {"bare_s": [], "importing_s": []}
    for _ in range(repeats):
        cost["bare_s"].append(interpreter_cpu_s(python, "pass", core))
        cost["importing_s"].append(interpreter_cpu_s(python, "import cello", core))
    return cost


def measure_bare(python: Path, program: Path, body: bytes, core: int) -> float:
    """Run a program that prints the microseconds of CPU it took for a body."""
    done = subprocess.run(["taskset", "--cpu-list", str(core), python, program], input=body, capture_output=True)
    if done.returncode:
        raise MeasurementError(f"{program.name}: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return round(float(done.stdout), 4)


def interpreter_cpu_s(python: Path, statement: str, core: int) -> float:
    """Give the CPU of an interpreter that runs one statement and ends."""
    child = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), python, "-c", statement],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.stderr is not None
    with child.stderr as errors:
        if child.returncode:
            raise MeasurementError(f"`{statement}`: {errors.read().decode(errors='replace').strip()[-200:]}")
    return usage.ru_utime + usage.ru_stime
