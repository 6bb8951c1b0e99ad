"""What becomes of processes whose parent has ended: Linux's `prctl`, where the C library has it."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["adopt_orphans", "end_with"]

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36

# Settled here: between fork and exec nothing is to be imported.
_prctl: Callable[[int, int], int] | None = getattr(ctypes.CDLL(None), "prctl", None)


def adopt_orphans() -> None:
    """Makes this process the parent of all that its children leave behind."""
    if _prctl is not None:
        _prctl(_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """Has this process killed when its parent ends; it ends here where that has happened already."""
    if _prctl is not None:
        _prctl(_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)
