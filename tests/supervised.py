"""What tests ask of a server that has workers."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from serving import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Server

__all__ = [
    "ANNOUNCED",
    "BREAKABLE",
    "HELD",
    "PIDS",
    "answering",
    "children_of",
    "exists",
    "next_error",
    "wait_until",
    "workers_of",
]

#: Each answer is the number of the process that gave it.
PIDS = """
    import asyncio, os
    from cello import App

    app = App()

    @app.get("/")
    async def pid():
        await asyncio.sleep(0)
        return os.getpid()

    app.run()
"""

#: Ends at start where the file `broken` is in the folder.
BREAKABLE = PIDS.replace("app = App()", "app = App()\n    if os.path.exists('broken'): os._exit(70)")

#: Tells that it is there by a file, and starts no further while the file `hold` is in the folder.
HELD = (
    PIDS.replace("return os.getpid()", "return [1, os.getpid()]")
    .replace(
        "app = App()",
        """app = App()
    open(f"held {os.getpid()}", "w").close()
    while os.path.exists("hold"): time.sleep(0.01)""",
    )
    .replace("asyncio, os", "asyncio, os, time")
)

ANNOUNCED = re.compile(r"Cello running at http://127\.0\.0\.1:\d+ with (\d+) workers? \(pids? ([\d, ]+)\)\n")


def workers_of(server: Server) -> list[int]:
    """The workers that were announced."""
    announced = ANNOUNCED.fullmatch(server.banner[-1])
    assert announced is not None, server.banner
    pids = [int(pid) for pid in announced[2].split(", ")]
    assert len(pids) == int(announced[1])
    return pids


def children_of(server: Server) -> set[int]:
    """The workers there are."""
    pid = server.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def exists(pid: int) -> bool:
    """Whether a process is there, other than as a zombie that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(is_so: Callable[[], bool]) -> None:
    """Asks until it is so."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_s, "it never came to be"
        time.sleep(0.005)


def next_error(server: Server, words: str) -> re.Match[str]:
    """Waits for a line of standard error that has these words."""
    assert server.process.stderr is not None
    for line in server.process.stderr:
        if found := re.search(words, line):
            return found
    raise AssertionError(f"there was no line with {words!r}")


def answering(server: Server, count: int) -> set[int]:
    """The first `count` workers that answer, each on connections of its own."""
    found: set[int] = set()

    def are_all_found() -> bool:
        found.add(server.get("/").json())
        return len(found) == count

    wait_until(are_all_found)
    return found
