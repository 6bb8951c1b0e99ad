"""Standard streams that are not there, or cannot be written."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["fill", "flush"]


def fill() -> None:
    """Has each standard stream that the process was started without lead nowhere.

    Otherwise the next descriptor gets its number: a client's connection would be sent the lines of the log.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(nowhere, True)  # workers need one as well
            setattr(sys, name, open(nowhere, "w" if number else "r", closefd=False))  # noqa: SIM115


def flush() -> None:
    """Writes what standard output and standard error hold back, as far as they can be written."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
