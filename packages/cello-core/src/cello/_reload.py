"""What `--reload` is for the process that serves, and which folders are watched for it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from cello._options import Options

__all__ = ["RELOAD_TIMEOUT_S", "about", "leave_interrupts", "terms_of"]

#: How long requests and streams may go on when a file was saved, or Ctrl-C was pressed.
RELOAD_TIMEOUT_S = 0.2


def terms_of(options: Options, is_script: bool) -> dict[str, Any]:
    """What the supervisor is told of what it is to watch."""
    from cello._plugins.settings_file import settings_paths

    return {
        "folder": _folder(is_script),
        "include": options.reload_include,
        "exclude": options.reload_exclude,
        "files": settings_paths(),
    }


def about(options: Options) -> dict[str, Any]:
    """What the supervisor is told of a worker: how the application is to be served, and what it was imported from."""
    return {
        "served": [options.host, options.port, options.workers, options.bind],
        "files": _imported() if options.reload else [],  # the code may say by now that it is not to be reloaded
    }


def leave_interrupts(loop: asyncio.AbstractEventLoop) -> None:
    """Leaves Ctrl-C, which reaches the worker that has the terminal, to the supervisor."""
    if loop.remove_signal_handler(signal.SIGINT):
        signal.signal(signal.SIGINT, _ignore)  # not SIG_IGN, which processes that are started here would inherit


def _imported() -> list[str]:
    """The files of all modules that are no libraries'."""
    from cello._trace import is_library

    paths = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(os.path.abspath(path) for path in paths if isinstance(path, str) and not is_library(path))


def _folder(is_script: bool) -> str:
    """The working directory; for a script that is elsewhere its folder, and for one that is anywhere below the root."""
    here, main = os.getcwd(), sys.modules["__main__"]
    if not is_script or main.__spec__ is not None:
        return here
    folder = os.path.dirname(os.path.abspath(getattr(main, "__file__", None) or "-"))
    return here if here != "/" and os.path.commonpath((here, folder)) == here else folder


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass
