"""How many CPUs a process may use: those it may run on, and the time on them that its control groups are given.

Source: cgroups(7), and `cpu.max` of the kernel's "Control Group v2"; a container's limit of CPUs is written there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["affinity", "pin", "quota", "usable"]

#: The trees of control groups, by the controllers they are listed with: the one of version 2, and that for CPUs of 1.
_V2, _V1 = "", "cpu"


def usable() -> int:
    """How many CPUs this process may use: 1 at least."""
    given = quota()
    count = len(affinity())
    return max(1, count if given is None else min(count, given))


def affinity() -> list[int]:
    """The numbers of the CPUs this process may run on, the lowest first."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(number: int, pid: int = 0) -> None:
    """Has a process, or this one, run on one CPU only: the one of that number among those that this one may use.

    Errors: OSError.
    """
    cpus = affinity()
    os.sched_setaffinity(pid, {cpus[number % len(cpus)]})


def quota(root: str = "/") -> int | None:
    """How many CPUs' time the control groups of this process are given, rounded up; None where they have no limit.

    Shape: below the folder `root` are `proc/self` and what is mounted.
    """
    given = [-(-limit.quota_us // limit.period_us) for limit in _limits(root)]
    return min(given, default=None)


class _Limit(NamedTuple):
    quota_us: int
    period_us: int


class _Mount(NamedTuple):
    """Where a tree of control groups can be seen, and which group of it stands there."""

    group: str
    point: str


def _limits(root: str) -> Iterator[_Limit]:
    mounts = _mounts(root)
    for line in _lines(root, "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        tree = _V1 if _V1 in controllers.split(",") else controllers
        if tree not in mounts:
            continue
        for folder in _groups(mounts[tree], path):
            limit = _limit(root, folder, ("cpu.max",) if tree == _V2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
            if limit is not None:
                yield limit


def _mounts(root: str) -> dict[str, _Mount]:
    """The trees that may limit time."""
    found: dict[str, _Mount] = {}
    for line in _lines(root, "proc/self/mountinfo"):
        fields, _, rest = line.partition(" - ")
        words, kinds = fields.split(), rest.split()
        if len(words) < 5 or len(kinds) < 3:
            continue
        mount = _Mount(_unescaped(words[3]), _unescaped(words[4]))
        if kinds[0] == "cgroup2":
            found.setdefault(_V2, mount)
        elif kinds[0] == "cgroup" and _V1 in kinds[2].split(","):
            found.setdefault(_V1, mount)
    return found


def _groups(mount: _Mount, path: str) -> Iterator[str]:
    """The folders of a group and of those around it, as far as they can be seen."""
    top = mount.group.rstrip("/")
    # What is not below the group that is mounted cannot be seen: in a container that is its own.
    inner = path.removeprefix(top) if f"{path}/".startswith(f"{top}/") else ""
    names = [name for name in inner.split("/") if name]
    if ".." in names:
        names = []
    for count in range(len(names), -1, -1):
        yield "/".join((mount.point, *names[:count]))


def _limit(root: str, folder: str, files: tuple[str, ...]) -> _Limit | None:
    words = " ".join(line for file in files for line in _lines(root, f"{folder}/{file}")).split()
    try:
        quota_us, period_us = map(int, words)
    except ValueError:  # "max", or no such file
        return None
    return _Limit(quota_us, period_us) if quota_us > 0 and period_us > 0 else None


def _lines(root: str, path: str) -> list[str]:
    """The lines of a file, none of one that cannot be read."""
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _unescaped(word: str) -> str:
    """A path of mountinfo: what would part the words there is written in octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, character)
    return word
