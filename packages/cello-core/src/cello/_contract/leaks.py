"""Whether an application that starts and stops again and again leaves more behind each time."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import threading
import warnings
from types import FunctionType
from typing import TYPE_CHECKING

from cello import App
from cello._contract.running import application, live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._contract.process import Case

__all__ = ["leaks"]

_ROUNDS = 100
#: What is filled once, and kept, is no leak.
_WARM_UP = 10


def leaks(case: Case) -> Iterator[str]:
    """What there is more of after a hundred starts and stops, by one for every second at least."""
    try:
        _live(case, _WARM_UP)
        before = _counted(case)
        _live(case, _ROUNDS)
    except Exception:  # that it works is the matter of `alone`
        return
    after = _counted(case)
    for what, count in after.items():
        if count - before[what] >= _ROUNDS // 2:
            words = (
                "let go in cello_shutdown of what cello_startup takes, and keep what belongs to an application on it"
            )
            yield f"{_ROUNDS} starts and stops leave {count - before[what]} {what} behind: {words}"


def _live(case: Case, rounds: int) -> None:
    for _ in range(rounds):
        live(application(case))


def _counted(case: Case) -> dict[str, int]:
    for _ in range(2):  # what a finalizer lets go of
        gc.collect()
    loggers = [logging.root, *logging.Logger.manager.loggerDict.values()]
    real = [one for one in loggers if isinstance(one, logging.Logger)]
    applications = 0
    own = 0
    everything: list[object] = gc.get_objects()
    for one in everything:
        applications += isinstance(one, App)
        module = one.__module__ if isinstance(one, FunctionType) else type(one).__module__
        own += str(module).partition(".")[0] in case.packages
    return {
        "threads": threading.active_count(),
        "file descriptors": _length("/proc/self/fd", "/dev/fd"),
        "child processes": _children(),
        "loggers": len(loggers),
        "handlers and filters of logging": sum(len(one.handlers) + len(one.filters) for one in real),
        "filters of warnings": len(warnings.filters),
        "functions for the end of the process": atexit._ncallbacks(),
        "import hooks": len(sys.meta_path) + len(sys.path_hooks),
        "entries of sys.path": len(sys.path),
        "variables of the environment": len(os.environ),
        "applications": applications,
        "objects of its own": own,
    }


def _length(*folders: str) -> int:
    """How many entries the first of the folders has that is there."""
    for folder in folders:
        try:
            return len(os.listdir(folder))
        except OSError:
            continue
    return 0


def _children() -> int:
    count = 0
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():
        try:
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                count += len(file.read().split())
        except OSError:
            continue
    return count
