"""What tests ask of a server that has workers."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from serving import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from serving import Server

__all__ = [
    "ANNOUNCED",
    "BREAKABLE",
    "PIDS",
    "Client",
    "answering",
    "children_of",
    "exists",
    "failures_of",
    "load",
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


class Client:
    """Asks for as long as it is let."""

    def __init__(self, server: Server, *, keeps_alive: bool) -> None:
        self.server = server
        self.keeps_alive = keeps_alive
        self.pids: list[int] = []
        self.failures: list[str] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        """Asks; on one connection, or on one for each request."""
        connection = self.connect()
        while not self.is_over.is_set():
            try:
                connection.request("GET", "/", headers={} if self.keeps_alive else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, response.status
                self.pids.append(int(body))
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = self.connect()
        connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """A connection, which opens itself again where the server closed it after an answer."""
        return http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE_S)

    def finish(self) -> None:
        """Asks no more."""
        self.is_over.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def load(server: Server) -> Generator[list[Client]]:
    """Clients of both kinds, each of which has been answered."""
    clients = [Client(server, keeps_alive=keeps_alive) for keeps_alive in (True, True, False, False)]
    try:
        wait_until(lambda: all(client.pids for client in clients))
        yield clients
    finally:
        for client in clients:
            client.finish()


def failures_of(clients: list[Client]) -> list[str]:
    """What failed of all requests."""
    return [failure for client in clients for failure in client.failures]
