"""What workers share, with real processes: exact over all of them, whichever are killed or replaced."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from supervised import children_of, next_error, wait_until, workers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from serving import Serve, Server

SHARING = """
    import os
    from cello import App
    from cello.shared import TokenBucket

    app = App()
    plain = app.shared.counter("plain")
    by_page = app.shared.counter("pages", labels=("page",))
    limit = app.shared.rate_limit("limit", TokenBucket(50, 36_000), keys=1000)
    failures = app.shared.expiring_map("failures", 3600)

    @app.get("/add/{page}")
    def add(request):
        plain.add()
        by_page.labels(page=request.params["page"]).add(2)
        return failures.add(request.params["page"])

    @app.get("/limited/{key}")
    def limited(request):
        return {"allowed": limit.decide(request.params["key"]).allowed, "pid": os.getpid()}

    @app.get("/first/{key}")
    def first(request):
        return failures.replace(request.params["key"], None, 7)

    @app.get("/totals")
    def totals():
        pages = {reading.labels["page"]: reading.value for reading in by_page.readings()}
        return {"pid": os.getpid(), "plain": plain.value(), "pages": pages, "violin": failures.get("violin")}

    app.run()
"""


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


def asked(server: Server, path: str) -> Any:
    """The answer to a request on a connection of its own; None where there was none."""
    try:
        return server.get(path).json()
    except (OSError, http.client.HTTPException):
        return None


def answers(server: Server, path: str, threads: int, each: int) -> list[Any]:
    """The answers to requests that are sent at the same time."""
    found: list[Any] = []

    def ask() -> None:
        for _ in range(each):
            found.append(asked(server, path))

    with in_threads(threads, ask):
        pass
    assert len(found) == threads * each
    return found


def totals_of_all(server: Server, workers: set[int], *, is_quiet: bool = True) -> dict[str, Any]:
    """What each of the workers says, which is the same where nobody else asks."""
    told: dict[int, dict[str, Any]] = {}

    def have_all_told() -> bool:
        if (totals := asked(server, "/totals")) is not None:
            told[totals.pop("pid")] = totals
        return workers <= told.keys()

    wait_until(have_all_told)
    first, *others = [told[pid] for pid in workers]
    assert not is_quiet or others == [first] * len(others)
    return first


def test_every_worker_knows_exactly_what_all_have_counted(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "4")
    found = answers(server, "/add/violin", 4, 50) + answers(server, "/add/cello", 4, 25)
    assert sorted(found) == sorted([*range(1, 201), *range(1, 101)])
    totals = totals_of_all(server, {*workers_of(server)})
    assert totals == {"plain": 300, "pages": {"cello": 200, "violin": 400}, "violin": 200}
    assert server.stop().exit_code == 0


def test_a_limit_is_one_for_all_workers_under_load(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "3")
    found = answers(server, "/limited/one", 4, 30)
    assert sum(answer["allowed"] for answer in found) == 50
    assert {answer["pid"] for answer in found} == {*workers_of(server)}
    assert asked(server, "/limited/another")["allowed"]
    assert server.stop().exit_code == 0


def test_of_all_who_come_first_at_the_same_time_one_does(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "2")
    for key in range(10):
        assert sum(answers(server, f"/first/{key}", 4, 2)) == 1
    assert server.stop().exit_code == 0


def test_a_worker_that_is_killed_takes_nothing_with_it(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "2")
    first, second = workers_of(server)
    answers(server, "/add/violin", 2, 20)
    assert sum(answer["allowed"] for answer in answers(server, "/limited/one", 2, 20)) == 40
    os.kill(first, signal.SIGKILL)
    successor = int(next_error(server, rf"worker {first} was ended by SIGKILL; its successor is worker (\d+)")[1])
    assert totals_of_all(server, {second, successor})["plain"] == 40
    assert sum(answer["allowed"] for answer in answers(server, "/limited/one", 2, 20)) == 10
    answers(server, "/add/violin", 2, 5)
    assert totals_of_all(server, {second, successor}) == {"plain": 50, "pages": {"violin": 100}, "violin": 50}
    assert server.stop().exit_code == 0


def test_under_load_a_killed_worker_loses_no_count_of_what_was_answered(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "2")
    workers = {*workers_of(server)}
    found: list[Any] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            found.append(asked(server, "/add/violin"))

    with in_threads(3, ask):
        try:
            for _ in range(3):
                seen = len(found)
                wait_until(lambda: len(found) > seen + 20)  # noqa: B023 - it is over before the next round
                first, *_ = sorted(workers)
                os.kill(first, signal.SIGKILL)
                next_error(server, rf"worker {first} was ended by SIGKILL")
                wait_until(lambda: len(children_of(server) - workers) == 1)  # noqa: B023 - as above
                workers = children_of(server)
                totals_of_all(server, workers, is_quiet=False)
        finally:
            is_over.set()
    answered = sum(answer is not None for answer in found)
    plain: int = asked(server, "/totals")["plain"]
    assert answered <= plain <= len(found)
    assert server.stop().exit_code == 0


def test_a_roll_keeps_what_was_counted(serve: Serve) -> None:
    server = serve(SHARING, "--workers", "2")
    answers(server, "/add/violin", 2, 10)
    answers(server, "/limited/one", 2, 25)
    old = children_of(server)
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not children_of(server) & old)
    answers(server, "/add/cello", 2, 10)
    totals = totals_of_all(server, children_of(server))
    assert totals == {"plain": 40, "pages": {"cello": 40, "violin": 40}, "violin": 20}
    assert not any(answer["allowed"] for answer in answers(server, "/limited/one", 2, 5))
    assert server.stop().exit_code == 0


def test_new_code_that_wants_another_size_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    server = serve(SHARING, "--workers", "2")
    answers(server, "/add/violin", 1, 1)
    old = children_of(server)
    (script,) = tmp_path.glob("*/app.py")
    script.write_text(script.read_text().replace("keys=1000", "keys=9000"))
    server.send_signal(signal.SIGHUP)
    next_error(server, "the rate limit 'limit' of 'app', .* for 9,000 keys cannot be had: .* only a restart")
    assert totals_of_all(server, old)["plain"] == 1
    assert server.stop().exit_code == 0


def test_new_code_may_have_another_limit_under_the_name(serve: Serve, tmp_path: Path) -> None:
    server = serve(SHARING, "--workers", "2")
    assert sum(answer["allowed"] for answer in answers(server, "/limited/one", 2, 30)) == 50
    old = children_of(server)
    (script,) = tmp_path.glob("*/app.py")
    script.write_text(script.read_text().replace("TokenBucket(50, 36_000)", "TokenBucket(90, 36_000)"))
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not children_of(server) & old)
    # Of the tokens that were taken each is as long in coming back as it was to be.
    assert not any(answer["allowed"] for answer in answers(server, "/limited/one", 2, 5))
    assert asked(server, "/limited/another")["allowed"]
    assert server.stop().exit_code == 0


def test_one_process_has_what_is_shared_for_itself(serve: Serve) -> None:
    server = serve(SHARING)
    answers(server, "/add/violin", 2, 10)
    assert totals_of_all(server, {server.process.pid}) == {"plain": 20, "pages": {"violin": 40}, "violin": 20}
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
