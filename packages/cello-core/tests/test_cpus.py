"""How many CPUs a process may use, by control groups that are laid out in a folder, and by those of this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from cello import ClusterConfig, _cluster, _cpus
from serving import run_to_its_end

if TYPE_CHECKING:
    from pathlib import Path

V2 = "30 24 0:26 {group} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 24 0:29 {group} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct"
OTHERS = (
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "32 24 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset",
    "broken",
    "",
)


def machine(folder: Path, mounts: list[str], groups: str, files: dict[str, str]) -> str:
    """Lays out what a process sees of its control groups."""
    files = {
        "proc/self/mountinfo": "\n".join((*OTHERS, *mounts)),
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{path}": f"{content}\n" for path, content in files.items()},
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return str(folder)


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("250000 50000", 5),
        ("max 100000", None),
        ("0 100000", None),
        ("100000 0", None),
        ("", None),
        ("what it will say one day", None),
    ],
)
def test_the_time_that_a_group_is_given_is_rounded_up(tmp_path: Path, content: str, cpus: int | None) -> None:
    root = machine(tmp_path, [V2.format(group="/")], "0::/shop\n", {"shop/cpu.max": content})
    assert _cpus.quota(root) == cpus


@pytest.mark.parametrize(
    ("limited", "cpus"),
    [("system.slice/shop/cpu.max", 3), ("system.slice/cpu.max", 3), ("cpu.max", 3), ("other.slice/cpu.max", 4)],
    ids=["its own", "around it", "the root, as a container has it", "another"],
)
def test_the_groups_around_limit_as_well(tmp_path: Path, limited: str, cpus: int) -> None:
    files = {"system.slice/shop/cpu.max": "400000 100000", "cpu.max": "max 100000", limited: "300000 100000"}
    root = machine(tmp_path, [V2.format(group="/")], "0::/system.slice/shop\n", files)
    assert _cpus.quota(root) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("350000", 4), ("-1", None)])
def test_groups_of_version_1_limit_too(tmp_path: Path, quota: str, cpus: int | None) -> None:
    files = {
        "cpu,cpuacct/shop/cpu.cfs_quota_us": quota,
        "cpu,cpuacct/shop/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        # Where both versions are there, the controller is in one of them.
        "unified/shop/cgroup.procs": "1",
    }
    mounts = [V1.format(group="/"), V2.format(group="/").replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")]
    root = machine(tmp_path, mounts, "4:cpu,cpuacct:/shop\n3:cpuset:/\n1:name=systemd:/shop\n0::/shop\n", files)
    assert _cpus.quota(root) == cpus


@pytest.mark.parametrize("group", ["/docker/3f2a", "/elsewhere", "/", "/docker/3f", "/.."])
@pytest.mark.parametrize("path", ["/docker/3f2a", "/../../init", "/"])
def test_in_a_container_the_group_that_is_mounted_is_its_own(tmp_path: Path, group: str, path: str) -> None:
    root = machine(tmp_path, [V2.format(group=group)], f"0::{path}\n", {"cpu.max": "200000 100000"})
    assert _cpus.quota(root) == 2


def test_a_group_below_the_one_that_is_mounted_is_found(tmp_path: Path) -> None:
    files = {"cpu.max": "max 100000", "worker/cpu.max": "100000 100000"}
    root = machine(tmp_path, [V2.format(group="/docker/3f2a")], "0::/docker/3f2a/worker\n", files)
    assert _cpus.quota(root) == 1


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    mount = V2.format(group="/").replace("/sys/fs/cgroup", r"/sys/fs/cgroup/a\040b\134c")
    root = machine(tmp_path, [mount], "0::/x:y\n", {"a b\\c/x:y/cpu.max": "100000 100000"})
    assert _cpus.quota(root) == 1


def test_where_nothing_is_told_there_is_no_limit(tmp_path: Path) -> None:
    assert _cpus.quota(str(tmp_path)) is None
    assert _cpus.quota(machine(tmp_path, [], "0::/shop\nbroken\n\n", {})) is None


@pytest.mark.parametrize(("allowed", "given", "cpus"), [(8, None, 8), (8, 3, 3), (2, 3, 2), (1, 0, 1)])
def test_the_least_of_all_limits_counts_and_there_is_one_at_least(
    monkeypatch: pytest.MonkeyPatch, allowed: int, given: int | None, cpus: int
) -> None:
    monkeypatch.setattr(_cpus, "affinity", lambda: list(range(allowed)))
    monkeypatch.setattr(_cpus, "quota", lambda: given)
    assert _cpus.usable() == cpus


def test_this_machine_has_as_many_as_it_lets_a_process_run_on(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    assert _cpus.affinity() == sorted(allowed)
    assert 1 <= _cpus.usable() <= len(allowed)
    assert ClusterConfig.auto().workers == _cpus.usable()
    told = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from cello import _cpus; "
    told += "print(_cpus.usable(), _cpus.affinity() == [min(os.sched_getaffinity(0))])"
    assert run_to_its_end(tmp_path, sys.executable, "-c", told).stdout == "1 True\n"


# --- the default


def test_the_default_is_one_in_development_and_the_cpus_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cpus, "usable", lambda: 5)
    assert _cluster.default_workers(is_development=True) == 1
    assert _cluster.default_workers(is_development=False) == 5
    monkeypatch.setattr(_cpus, "usable", lambda: 5000)
    assert _cluster.default_workers(is_development=False) == 1024


TELL = "from cello._cluster import default_workers; import cello._cpus; cello._cpus.usable = lambda: 5\n"
FORK = "import multiprocessing; child = multiprocessing.get_context('fork')."
ASK = "print(default_workers(is_development=False))"


@pytest.mark.parametrize(
    ("program", "workers"),
    [
        (ASK, 5),
        (f"import threading; thread = threading.Thread(target=lambda: {ASK}); thread.start(); thread.join()", 1),
        (f"import sys; sys.ps1 = '> '; {ASK}", 1),
        (f"import sys; sys.argv[0] = '-'; {ASK}", 1),
        (f"{FORK}Process(target=lambda: {ASK}); child.start(); child.join()", 1),
    ],
    ids=["script", "thread", "prompt", "piped in", "multiprocessing"],
)
def test_the_default_is_one_where_the_command_line_cannot_be_run_again(
    tmp_path: Path, program: str, workers: int
) -> None:
    (tmp_path / "program.py").write_text(TELL + program)
    assert run_to_its_end(tmp_path, sys.executable, "program.py").stdout == f"{workers}\n"
