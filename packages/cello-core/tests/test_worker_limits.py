"""Workers that are replaced for what they have used up, or for going on no more: real processes, under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from cello import _options
from cello._worker import lifespan
from cello.errors import OptionError
from loading import failures_of, load
from serving import PATIENCE_S, Stopped, run_source
from supervised import BREAKABLE, PIDS, answering, children_of, exists, next_error, wait_until, workers_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cello._options import Options
    from serving import Serve, Server

WORN = ("--max-requests-jitter", "0", "--max-requests")

#: Handlers that keep their worker, or only seem to.
KEEPING = """
    import asyncio, ctypes, os, time
    from cello import App

    app = App()
    kept = []

    @app.get("/")
    def pid():
        return os.getpid()

    @app.get("/loop")
    def loops():
        while True:
            pass

    @app.get("/sleep")
    async def sleeps():
        time.sleep(1000)

    @app.get("/call")
    def calls():
        ctypes.PyDLL(None).sleep(1000)

    @app.get("/await")
    async def awaits():
        await asyncio.sleep(2.5)

    @app.get("/thread", blocking=True)
    def in_thread():
        time.sleep(2.5)

    @app.get("/large")
    def large():
        kept.append(b"x" * (256 << 20))
        return os.getpid()

    app.run(debug=False)
"""


def options(**arguments: Any) -> Options:
    """As they are for `run()` with these arguments."""
    return _options.resolve({}, arguments, {})


# --- options


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("max_requests", "1000", 1000),
        ("max_requests", 0, 0),
        ("max_rss", "512M", 512 << 20),
        ("max_rss", "1.5 GiB", 3 << 29),
        ("max_rss", "65536kb", 64 << 20),
        ("max_rss", 1 << 30, 1 << 30),
        ("max_rss", "0", 0),
        ("worker_timeout", "2.5", 2.5),
        ("worker_timeout", 30, 30.0),
        ("worker_timeout", 0, 0.0),
    ],
)
def test_what_a_worker_may_take_is_an_option_of_each_source(argument: str, value: Any, expected: float) -> None:
    variable = f"CELLO_{argument.upper()}"
    other = "99" if argument != "max_rss" else "99M"
    for found in (
        _options.resolve({argument: value}, {argument: other}, {variable: other}),
        _options.resolve({}, {argument: value}, {variable: other}),
        _options.resolve({}, {}, {variable: str(value)}),
    ):
        assert getattr(found, argument) == expected
        assert found.is_supervised == (expected > 0)
    assert getattr(options(), argument) == 0
    assert not options().is_supervised


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_requests": "many"}, "max_requests=...) is 'many': give a whole number, or 0 for none"),
        ({"max_requests": -1}, "is -1: give a whole number"),
        ({"max_requests": 1.5}, "is 1.5: give a whole number"),
        ({"max_rss": "plenty"}, "is 'plenty': give bytes, or text such as '512M' or '1.5G'"),
        ({"max_rss": 512}, "is 512, which is 512 bytes: it is 16M or more"),
        ({"max_rss": -1}, "is -1: give bytes"),
        ({"worker_timeout": "soon"}, "is 'soon': give seconds, 0.1 or more"),
        ({"worker_timeout": 0.01}, "is 0.01: give seconds, 0.1 or more"),
        ({"worker_timeout": float("nan")}, "is nan: give seconds"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=re.escape(words)):
        options(**arguments)


def test_the_number_of_answers_is_spread_by_chance() -> None:
    assert lifespan(options()) == 0
    assert lifespan(options(max_requests=5, max_requests_jitter=0)) == 5
    drawn = {lifespan(options(max_requests=1000)) for _ in range(200)}
    assert len(drawn) > 20
    assert all(900 <= count <= 1100 for count in drawn)
    assert {lifespan(options(max_requests=1, max_requests_jitter=9)) for _ in range(200)} == {*range(1, 11)}


def test_a_bad_limit_on_the_command_line_ends_with_its_words(tmp_path: Path) -> None:
    stopped = run_source(tmp_path, PIDS, "--max-rss", "plenty")
    told = "cello: --max-rss is 'plenty': give bytes, or text such as '512M' or '1.5G', or 0 for none\n"
    assert (stopped.exit_code, stopped.stderr) == (2, told)


# --- answers


def test_worn_workers_are_replaced_under_load_without_a_loss(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "2", *WORN, "100")
    with load(server) as clients:
        for _ in range(2):
            worn = next_error(server, r"worker (\d+) has answered 100 requests, and is replaced")[1]
            next_error(server, rf"worker \d+ takes the place of worker {worn}\n")
            wait_until(lambda: not exists(int(worn)))  # noqa: B023 - called at once
    assert failures_of(clients) == []
    assert server.stop().exit_code == 0


def test_one_worker_is_replaced_as_well_and_has_a_supervisor_for_it(serve: Serve) -> None:
    server = serve(PIDS, *WORN, "5")
    (first,) = workers_of(server)
    assert server.banner[-1] == f"Cello running at {server.url} with 1 worker (pid {first})\n"
    assert [server.get("/").json() for _ in range(5)] == [first] * 5
    next_error(server, rf"worker {first} has answered 5 requests, and is replaced")
    wait_until(lambda: server.get("/").json() != first)
    wait_until(lambda: not exists(first))
    assert server.stop().exit_code == 0


def test_a_worn_worker_is_replaced_where_files_are_watched_too(serve: Serve) -> None:
    server = serve(PIDS, "--reload", *WORN, "5")
    first = server.get("/").json()
    assert [server.get("/").json() for _ in range(4)] == [first] * 4
    next_error(server, rf"worker {first} has answered 5 requests, and is replaced")
    wait_until(lambda: not exists(first))
    assert server.get("/").json() != first
    assert server.stop().exit_code == 0


def test_a_worn_worker_whose_successor_does_not_start_stays(serve: Serve, tmp_path: Path) -> None:
    server = serve(BREAKABLE.replace("'broken'", repr(str(tmp_path / "broken"))), *WORN, "5")
    (first,) = workers_of(server)
    (tmp_path / "broken").touch()
    assert [server.get("/").json() for _ in range(5)] == [first] * 5
    next_error(server, r"the successor \d+ ended with exit code 70 before it had started: the workers stay as they are")
    assert [server.get("/").json() for _ in range(10)] == [first] * 10
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")  # it was not tried again at once


# --- memory


def test_a_worker_with_too_much_memory_is_replaced_without_a_loss(serve: Serve) -> None:
    server = serve(KEEPING, "--workers", "2", "--max-rss", "200M")
    before = {*workers_of(server)}
    with load(server) as clients:
        large = server.get("/large").json()
        words = rf"worker {large} has (\d+) MiB of memory, more than max_rss=200 MiB, and is replaced"
        assert 200 <= int(next_error(server, words)[1]) < 400
        next_error(server, rf"worker \d+ takes the place of worker {large}\n")
        wait_until(lambda: not exists(large))
    assert failures_of(clients) == []
    assert children_of(server) & before == before - {large}
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_a_worker_that_begins_with_too_much_is_told_of_and_stays(serve: Serve) -> None:
    server = serve(KEEPING, "--max-rss", "16M")
    (first,) = workers_of(server)
    next_error(server, rf"worker {first} has \d+ MiB when it begins to serve, more than max_rss=16 MiB: it is not")
    assert server.get("/").json() == first
    assert server.stop() == Stopped(0, server.banner[-1], "")


# --- progress


@contextlib.contextmanager
def connections_by_worker(server: Server, count: int) -> Generator[dict[int, http.client.HTTPConnection]]:
    """A connection to each worker, by process."""
    found: dict[int, http.client.HTTPConnection] = {}
    with contextlib.ExitStack() as stack:

        def are_all_found() -> bool:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
            stack.callback(connection.close)
            found.setdefault(ask(connection), connection)
            return len(found) == count

        wait_until(are_all_found)
        yield found


def ask(connection: http.client.HTTPConnection) -> int:
    """Who answers on a connection."""
    connection.request("GET", "/")
    pid: int = json.loads(connection.getresponse().read())
    return pid


@pytest.mark.parametrize(("path", "function"), [("/loop", "loops"), ("/sleep", "sleeps"), ("/call", "calls")])
def test_a_worker_that_makes_no_progress_tells_what_it_does_and_is_replaced(
    serve: Serve, path: str, function: str
) -> None:
    server = serve(KEEPING, "--workers", "2", "--worker-timeout", "1")
    with connections_by_worker(server, 2) as connections:
        stuck, neighbour = connections
        connections[stuck].request("GET", path)
        assert [ask(connections[neighbour]) for _ in range(100)] == [neighbour] * 100
        next_error(
            server, rf"worker {stuck} has made no progress for [12]\.\d s, and is ended; this is what it does:\n"
        )
        next_error(server, rf'File ".*app\.py", line \d+ in {function}\n')
        successor = int(next_error(server, rf"worker {stuck} made no progress; its successor is worker (\d+)\n")[1])
        assert ask(connections[neighbour]) == neighbour
    assert answering(server, 2) == {neighbour, successor}
    assert server.stop().exit_code == 0


def test_a_worker_that_rests_or_waits_makes_progress(serve: Serve) -> None:
    server = serve(KEEPING, "--workers", "2", "--worker-timeout", "0.4")
    before = {*workers_of(server)}
    for path in ("/await", "/thread"):  # others have nothing to do at all meanwhile
        assert server.get(path).status == 200
    assert answering(server, 2) == before
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_a_worker_that_leaves_and_makes_no_progress_holds_up_no_roll(serve: Serve) -> None:
    server = serve(KEEPING, "--workers", "2", "--worker-timeout", "1")
    before = {*workers_of(server)}
    with server.connect() as connection:
        connection.sendall(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.send_signal(signal.SIGHUP)
        next_error(server, r"worker \d+ has made no progress for")
        wait_until(lambda: not children_of(server) & before and len(children_of(server)) == 2)
    assert answering(server, 2) == children_of(server)
    assert server.stop().exit_code == 0
