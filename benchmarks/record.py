"""The shape of what a run leaves behind, its writing and its reading."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from peers import HERE

RESULTS = HERE / "results"
LOOP_RESULTS = RESULTS / "loops"
WORKER_RESULTS = RESULTS / "workers"


class Sample(TypedDict):
    """One server under one workload in one round.

    Units: `base_us` is the CPU of what its cost is counted above, measured right after it, where there is such.
    """

    round: int
    workload: str
    server: str
    cpu_us: float
    requests_per_s: float
    p50_us: int
    p99_us: int
    requests: int
    duration_s: float
    bytes_per_answer: float
    errors: int
    server_cores: float
    load_cores: float
    foreign_share: float
    base_us: NotRequired[float]


class Start(TypedDict):
    """A server at its first answer."""

    ready_s: float
    resident_bytes: int
    processes: int


class Memory(TypedDict):
    """Cello's resident memory over its first million requests."""

    start_bytes: int
    after_100_000_bytes: int
    after_1_000_000_bytes: int


class ImportCost(TypedDict):
    """CPU of an interpreter that imports `cello` and of one that does not, run for run."""

    bare_s: list[float]
    importing_s: list[float]


class Remark(TypedDict):
    """What is to be known about one server under one workload."""

    server: str
    workload: str
    text: str


class Described(TypedDict):
    """How a server was started."""

    kind: str
    command: list[str]
    note: str


class Origin(TypedDict):
    """Where figures come from. `unpublishable` says why they may not be published; it is empty where they may."""

    date: str
    unpublishable: list[str]
    commit: str
    is_dirty: bool
    command: str
    machine: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, float]
    durations_s: dict[str, float]


class Record(Origin):
    """A whole run of servers."""

    servers: dict[str, Described]
    workloads: list[str]
    starts: dict[str, Start]
    samples: list[Sample]
    memory: Memory | None
    import_cost: ImportCost | None
    notes: list[Remark]
    missing: list[Remark]


class LoopSample(TypedDict):
    """One loop at one kind of work in one round."""

    round: int
    workload: str
    loop: str
    cpu_us: float
    operations: int
    duration_s: float
    cores: float
    foreign_share: float


class LoopRecord(Origin):
    """A whole run of loops. In its remarks, a server is a loop."""

    loops: dict[str, Described]
    workloads: list[str]
    samples: list[LoopSample]
    missing: list[Remark]


class WorkerSample(TypedDict):
    """So many workers, with as many cores, in one round. Before `server` was noted, all were Cello's."""

    server: NotRequired[str]
    round: int
    workers: int
    cpu_us: float
    requests_per_s: float
    requests: int
    errors: int
    server_cores: float
    load_cores: float
    foreign_share: float


class WorkerRecord(Origin):
    """A whole run of workers.

    Units: `idle_cpu_ms` is in ten seconds.
    """

    samples: list[WorkerSample]
    idle_cpu_ms: list[float]
    ready_ms: list[float]


def write(record: Record | LoopRecord | WorkerRecord, path: Path) -> None:
    """Write a run as JSON, one line a sample."""
    text = json.dumps({**record, "samples": "SAMPLES"}, indent=1, ensure_ascii=False)
    samples = ",\n  ".join(json.dumps(sample) for sample in record["samples"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace('"SAMPLES"', f"[\n  {samples}\n ]") + "\n")


def read(path: Path) -> Record:
    """Read a run of servers."""
    return cast("Record", json.loads(path.read_text()))


def read_loops(path: Path) -> LoopRecord:
    """Read a run of loops."""
    return cast("LoopRecord", json.loads(path.read_text()))


def read_workers(path: Path) -> WorkerRecord:
    """Read a run of workers."""
    return cast("WorkerRecord", json.loads(path.read_text()))


def is_of_loops(path: Path) -> bool:
    """Tell whether a file is a run of loops."""
    return "loops" in json.loads(path.read_text())


def is_of_workers(path: Path) -> bool:
    """Tell whether a file is a run of workers."""
    return "ready_ms" in json.loads(path.read_text())


def newest_publishable(folder: Path, workloads: Collection[str] = ()) -> Path | None:
    """Find the last run in a folder whose figures may be published; of some workloads, if they are named."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        run = json.loads(path.read_text())
        if not run["unpublishable"] and (not workloads or {*workloads} & {*run["workloads"]}):
            return path
    return None


def part_of(record: Record, workloads: Collection[str]) -> Record:
    """What a run says of some workloads. Its remarks on others stay with those."""
    return {
        **record,
        "workloads": [name for name in record["workloads"] if name in workloads],
        "samples": [sample for sample in record["samples"] if sample["workload"] in workloads],
        "notes": [note for note in record["notes"] if note["workload"] in workloads],
        "missing": [gap for gap in record["missing"] if gap["workload"] in workloads],
    }
