"""How many workers there are where nobody says it, and what an application says of them."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from cello._config import MOST_WORKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cello._config import ClusterConfig

__all__ = ["default_workers", "said"]


def said(config: ClusterConfig | None) -> Mapping[str, Any]:
    """The options of a server that a config chooses."""
    if config is None:
        return {}
    return {
        "workers": config.workers,
        "cpu_affinity": config.cpu_affinity,
        "shutdown_timeout": config.shutdown_timeout if config.graceful_shutdown else 0.0,
        "max_restarts": config.max_restarts,
    }


def default_workers(*, is_development: bool) -> int:
    """One in development, in production one for each CPU that the process may use.

    One, too, where this process could not become a supervisor: workers run its command line.
    """
    if is_development or not _can_supervise():
        return 1
    from cello._cpus import usable

    return min(usable(), MOST_WORKERS)


def _can_supervise() -> bool:
    is_typed_in = sys.argv[0] in ("", "-") or hasattr(sys, "ps1")
    processes = sys.modules.get("multiprocessing.process")
    is_child = processes is not None and processes.parent_process() is not None
    return not (is_typed_in or is_child) and threading.current_thread() is threading.main_thread()
