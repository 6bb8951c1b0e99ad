"""What workers have done, counted in memory that outlives them: with real processes, some of which are killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._kernel import Arena
from cello.testing import TestClient
from serving import Stopped, run_to_its_end
from supervised import children_of, next_error, wait_until, workers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from serving import Serve, Server

COUNTED = """
    import os, subprocess, sys
    from cello import App

    app, sub = App(), App()
    app.mount("/sub", sub)

    @app.get("/")
    def pid():
        return os.getpid()

    @sub.get("/workers")
    def workers(request):
        return {"asked": os.getpid(), "workers": request.app.workers()}

    @app.get("/environment")
    def environment():
        program = "import os; print([*{'CELLO_WORKER', 'CELLO_PLACE'} & {*os.environ}], os.listdir('/proc/self/fd'))"
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout

    app.run()
"""


class Tally:
    """Asks a server, and counts for itself what was answered and what was not."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answered = 0
        self.unanswered = 0
        self.lock = threading.Lock()

    def ask(self, path: str) -> Any:
        """One request on a connection of its own; None where it was not answered."""
        try:
            body = self.server.get(path).body
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.unanswered += 1
            return None
        with self.lock:
            self.answered += 1
        return json.loads(body)

    def load(self, paths: Iterable[str]) -> None:
        """Many requests, each on a connection of its own."""
        for path in paths:
            self.ask(path)

    def slots(self) -> list[dict[str, Any]]:
        """What one of the workers says of all."""
        slots: list[dict[str, Any]] = self.ask("/sub/workers")["workers"]
        return slots


def total(slots: list[dict[str, Any]], name: str) -> int:
    """The sum over all slots."""
    return sum(slot[name] for slot in slots)


@contextlib.contextmanager
def in_threads(count: int, function: Callable[[], object]) -> Generator[None]:
    """Runs a function in threads, and waits for their end."""
    threads = [threading.Thread(target=function) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def test_every_worker_knows_exactly_what_all_have_answered(serve: Serve) -> None:
    server = serve(COUNTED, "--workers", "4")
    tally = Tally(server)
    with in_threads(4, lambda: tally.load(["/", "/missing"] * 100)):
        pass
    assert tally.answered == 800
    asked: set[int] = set()

    def have_all_told() -> bool:
        before = tally.answered
        told = tally.ask("/sub/workers")
        asked.add(told["asked"])
        slots = told["workers"]
        assert [slot["slot"] for slot in slots] == [0, 1, 2, 3]
        assert [slot["pid"] for slot in slots] == workers_of(server)
        assert total(slots, "restarts") == 0
        assert total(slots, "requests") == before
        assert total(slots, "connections") == before + 1  # the one that asks
        return len(asked) == 4

    wait_until(have_all_told)
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_requests_on_one_connection_are_counted_each(serve: Serve) -> None:
    server = serve(COUNTED, "--workers", "2")
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert server.exchange(request * 99 + last).count(b"HTTP/1.1 200 OK") == 100
    slots = Tally(server).slots()
    assert (total(slots, "requests"), total(slots, "connections")) == (100, 2)


def test_what_was_counted_outlives_a_worker_that_is_killed(serve: Serve) -> None:
    server = serve(COUNTED, "--workers", "2")
    first, second = workers_of(server)
    tally = Tally(server)
    tally.load(["/"] * 40)
    before = tally.slots()
    os.kill(first, signal.SIGKILL)
    successor = int(next_error(server, rf"worker {first} was ended by SIGKILL; its successor is worker (\d+)")[1])
    wait_until(lambda: tally.slots()[0]["pid"] == successor)
    answered = tally.answered
    after = tally.slots()
    assert tally.unanswered == 0
    assert total(after, "requests") == answered
    assert after[0]["requests"] >= before[0]["requests"]
    assert [slot["pid"] for slot in after] == [successor, second]
    assert [slot["restarts"] for slot in after] == [1, 0]
    assert [slot["started_at"] == was["started_at"] for slot, was in zip(after, before, strict=True)] == [False, True]
    assert server.stop().exit_code == 0


def successor_of(pids: list[int], tally: Tally) -> int | None:
    """Who has the first slot after all of these; None where nobody has yet."""
    pid: int | None = tally.slots()[0]["pid"]
    return None if pid in pids else pid


def test_under_load_nothing_is_lost_but_what_a_killed_worker_had_in_its_hands(serve: Serve) -> None:
    server = serve(COUNTED, "--workers", "2")
    tally = Tally(server)
    is_over = threading.Event()
    pids = [workers_of(server)[0]]
    with in_threads(2, lambda: tally.load(iter(lambda: "" if is_over.is_set() else "/", ""))):
        try:
            for _ in range(3):
                os.kill(pids[-1], signal.SIGKILL)
                next_error(server, rf"worker {pids[-1]} was ended by SIGKILL")
                wait_until(lambda: successor_of(pids, tally) is not None)
                pids.append(successor_of(pids, tally) or 0)
        finally:
            is_over.set()
    slots = tally.slots()
    assert slots[0]["restarts"] == 3
    # An answer may have been counted and not sent.
    assert tally.answered - 1 <= total(slots, "requests") <= tally.answered - 1 + tally.unanswered
    assert tally.unanswered <= 2 * 3
    assert server.stop().exit_code == 0


def test_neither_a_roll_nor_the_number_of_workers_changes_what_was_counted(serve: Serve) -> None:
    server = serve(COUNTED, "--workers", "2")
    tally = Tally(server)
    tally.load(["/"] * 10)
    old = children_of(server)
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not children_of(server) & old)
    slots = tally.slots()
    assert {slot["pid"] for slot in slots} == children_of(server)
    assert [slot["restarts"] for slot in slots] == [1, 1]
    assert total(slots, "requests") == 10
    server.send_signal(signal.SIGTTOU)
    wait_until(lambda: len(children_of(server)) == 1)
    slots = tally.slots()
    assert (slots[1]["pid"], slots[1]["started_at"]) == (None, None)
    assert total(slots, "requests") == 11
    server.send_signal(signal.SIGTTIN)
    wait_until(lambda: tally.slots()[1]["pid"] is not None)
    answered = tally.answered
    slots = tally.slots()
    assert {slot["pid"] for slot in slots} == children_of(server)
    assert [slot["restarts"] for slot in slots] == [1, 2]
    assert total(slots, "requests") == answered
    assert server.stop().exit_code == 0


def test_one_server_counts_for_itself(serve: Serve) -> None:
    server = serve(COUNTED)
    server.get("/")
    (slot,) = Tally(server).slots()
    del slot["started_at"]
    pid = server.process.pid
    assert slot == {"slot": 0, "pid": pid, "requests": 1, "connections": 2, "restarts": 0}


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "supervised"])
def test_programs_that_a_worker_starts_know_nothing_of_what_is_shared(serve: Serve, arguments: tuple[str, ...]) -> None:
    server = serve(COUNTED, *arguments)
    assert server.get("/environment").body.decode().strip() == "[] ['0', '1', '2', '3']"


def test_nothing_is_counted_before_the_first_start_and_by_nobody_after_the_last_stop() -> None:
    app = App()
    app.get("/")(lambda: "answer")
    assert app.workers() == []
    with TestClient(app) as client:
        client.get("/")
        (during,) = app.workers()
    assert (during.requests, during.restarts, during.pid) == (1, 0, os.getpid())
    (after,) = app.workers()
    assert (after.requests, after.pid, after.started_at) == (1, None, None)


def test_what_is_no_arena_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the file can shrink"):
        Arena.open(os.memfd_create("other"))
    with pytest.raises(OSError, match="invalid input parameter"):
        Arena.open(-1)
    arena = Arena.create()
    with pytest.raises(OSError, match="the arena is full"):
        arena.sit(0, 1 << 20, False)
    opened = Arena.open(arena.fileno())
    opened.sit(7, 0, False)
    assert arena.slots() == []
    program = f"import os; os.fstat({arena.fileno()})"
    assert "Bad file descriptor" in run_to_its_end(tmp_path, sys.executable, "-c", program).stderr
