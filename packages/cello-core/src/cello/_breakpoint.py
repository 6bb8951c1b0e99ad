"""`breakpoint()` while a server is debugged: Python's own debugger, which leaves Ctrl-C to the server."""

from __future__ import annotations

import os
import sys

__all__ = ["attend", "was_entered"]

_is_entered = False


def attend() -> None:
    """Has `breakpoint()` come here, unless it was told to go elsewhere."""
    if sys.breakpointhook is sys.__breakpointhook__ and "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = _stop_here


def was_entered() -> bool:
    """Whether somebody was at the prompt since this was asked the last time."""
    global _is_entered
    found, _is_entered = _is_entered, False
    return found


def _stop_here(*, header: str | None = None) -> None:
    from pdb import Pdb  # costs more to import than all of the framework

    from cello._launch import EXIT_INTERRUPTED

    class Debugger(Pdb):
        def cmdloop(self, intro: str | None = None) -> None:
            """Reads commands; a second Ctrl-C ends the process, as it does elsewhere."""
            global _is_entered
            _is_entered = True
            try:
                super().cmdloop(intro)
            except KeyboardInterrupt:
                raise SystemExit(EXIT_INTERRUPTED) from None

    # After the first `continue` it would take Ctrl-C for itself, and enter the debugger.
    debugger = Debugger(nosigint=True)
    if header is not None:
        debugger.message(header)
    debugger.set_trace(sys._getframe().f_back)
