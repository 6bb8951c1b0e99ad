"""Workers and their supervisor, as real processes: what starts, what ends, and what clients see of it."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from loading import failures_of, load
from serving import Server, Stopped, run_source, run_to_its_end
from supervised import BREAKABLE, HELD, PIDS, answering, children_of, exists, next_error, wait_until, workers_of

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from serving import Launch, Serve


# --- start and stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_start_and_stop_without_a_word_and_leave_nothing_behind(serve: Serve, number: signal.Signals) -> None:
    server = serve(PIDS, "--workers", "3")
    pids = workers_of(server)
    assert len(set(pids)) == 3
    assert server.process.pid not in pids
    assert answering(server, 3) == set(pids)
    assert server.stop(number) == Stopped(0, server.banner[-1], "")
    assert not any(exists(pid) for pid in pids)
    with pytest.raises(ConnectionRefusedError):
        server.connect()


@pytest.mark.parametrize("source", [PIDS.replace("run()", "run(workers=2)"), PIDS], ids=["argument", "environment"])
def test_workers_are_an_argument_and_a_variable_too(serve: Serve, source: str) -> None:
    server = serve(source, environment={} if "workers" in source else {"CELLO_WORKERS": "2"})
    assert answering(server, 2) == set(workers_of(server))
    assert server.stop() == Stopped(0, server.banner[-1], "")


@pytest.mark.parametrize("guard", ["app.run(workers=2)", "if __name__ == '__main__':\n    app.run(workers=2)"])
@pytest.mark.parametrize("way", ["script", "module", "command"])
def test_each_way_to_start_gives_as_many_servers_as_workers(
    launch: Launch, tmp_path: Path, way: str, guard: str
) -> None:
    source = f"import os\nfrom cello import App\napp = App()\napp.get('/')(lambda: os.getpid())\n{guard}\n"
    tmp_path.joinpath("shop.py").write_text(source)
    command = {
        "script": [sys.executable, "shop.py"],
        "module": [sys.executable, "-m", "shop"],
        "command": [sys.executable, "-m", "cello", "run", "shop", "--workers", "2"],
    }[way]
    server = launch(*command, "--port", "0", "--no-logs")
    assert children_of(server) == set(workers_of(server)) == answering(server, 2)
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_one_worker_has_no_supervisor(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "1")
    assert server.get("/").json() == server.process.pid
    assert server.stop() == Stopped(0, f"Cello running at {server.url}\n", "")


def test_the_supervisor_never_imports_the_application(serve: Serve) -> None:
    source = PIDS.replace("app = App()", "app = App()\n    os.write(1, f'import {os.getpid()}\\n'.encode())")
    server = serve(source, "--workers", "2")
    imports = sorted(int(line.split()[1]) for line in server.banner if line.startswith("import"))
    # The first is of the script that became the supervisor.
    assert imports == sorted([server.process.pid, *workers_of(server)]), server.banner


def test_twenty_starts_and_stops_are_all_clean(serve: Serve) -> None:
    for _ in range(20):
        server = serve(PIDS, "--workers", "2")
        pids = workers_of(server)
        assert server.get("/").json() in pids
        assert server.stop() == Stopped(0, server.banner[-1], "")
        assert not any(exists(pid) for pid in pids)


def test_requests_in_flight_are_answered_by_every_worker_before_the_server_stops(serve: Serve, tmp_path: Path) -> None:
    server = serve(
        """
        import asyncio, os, pathlib
        from cello import App

        app = App()

        @app.get("/")
        async def slow():
            print(os.getpid(), flush=True)
            while not pathlib.Path("finish").exists():
                await asyncio.sleep(0.01)
            return os.getpid()

        app.run(workers=2)
        """
    )
    connections: list[socket.socket] = []
    busy: set[str] = set()
    while len(busy) < 2:
        connections.append(server.connect())
        connections[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.add(server.next_line())
    server.send_signal(signal.SIGTERM)
    wait_until(server.is_closed)
    assert server.process.poll() is None
    (tmp_path / "0" / "finish").touch()
    for connection in connections:
        with connection:
            answer = b"".join(iter(lambda: connection.recv(4096), b""))  # noqa: B023 - called before the next
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert answer.rpartition(b"\r\n")[2].decode() in busy
    assert server.wait().exit_code == 0


def test_a_second_interrupt_ends_workers_whatever_they_do(serve: Serve) -> None:
    server = serve(
        """
        import time
        from cello import App

        app = App()

        @app.get("/")
        def endless():
            print("in flight", flush=True)
            while True:
                time.sleep(1)

        app.run(workers=2)
        """
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "in flight"
        server.send_signal(signal.SIGINT)
        # The other one ends by itself: so the first interrupt was heard.
        wait_until(lambda: sum(exists(pid) for pid in workers_of(server)) == 1)
        server.send_signal(signal.SIGINT)
        stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (130, "")
    assert not any(exists(pid) for pid in workers_of(server))


# --- failing to start


def test_a_port_in_use_is_told_once(serve: Serve, tmp_path: Path) -> None:
    for other in (serve(PIDS), serve(PIDS, "--workers", "2")):
        stopped = run_source(tmp_path, PIDS, "--workers", "2", "--port", str(other.port))
        assert stopped.exit_code == 3
        told, _, process = stopped.stderr.partition("\n")
        assert told == (
            f"cello: port {other.port} on 127.0.0.1 is in use: stop the program that has it, "
            f"or choose another: --port {other.port + 1}"
        )
        assert process.startswith("  by process ")


def test_a_module_that_cannot_be_imported_is_told_once(tmp_path: Path) -> None:
    tmp_path.joinpath("shop.py").write_text("import cello\n1 / 0\n")
    stopped = run_to_its_end(tmp_path, sys.executable, "-m", "cello", "run", "shop", "--workers", "2", "--port", "0")
    assert stopped.exit_code == 3
    assert stopped.stderr.startswith("cello: shop could not be imported\nZeroDivisionError: division by zero\n")
    assert stopped.stderr.count("ZeroDivisionError") == 1
    assert stopped.stdout == ""


def test_an_application_that_does_not_start_is_told_once(tmp_path: Path) -> None:
    stopped = run_source(
        tmp_path,
        """
        from cello import App

        app = App()

        @app.on_event("startup")
        def connect():
            raise OSError("no database")

        app.run(workers=3)
        """,
    )
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert re.match(
        r"cello: the startup function connect \(.*app\.py:6\) failed\nOSError: no database\n", stopped.stderr
    )
    assert stopped.stderr.count("no database") == 2  # the error, and the line that raised it


def test_a_worker_that_dies_before_the_first_start_is_done_ends_the_server(tmp_path: Path) -> None:
    source = PIDS.replace("app = App()", "app = App()\n    if 'CELLO_WORKER' in os.environ: os._exit(70)")
    stopped = run_source(tmp_path, source, "--workers", "2")
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert stopped.stderr.startswith("cello: a worker ended with exit code 70 before it had started\n")


@pytest.mark.parametrize("workers", ["0", "-1", "many", "1.5", "1025"])
def test_a_number_of_workers_that_is_none_is_refused(tmp_path: Path, workers: str) -> None:
    stopped = run_source(tmp_path, PIDS, f"--workers={workers}")
    told = f"cello: --workers is {workers!r}: workers are a number from 1 to 1024\n"
    assert (stopped.exit_code, stopped.stderr) == (2, told)


def test_workers_cannot_run_what_was_typed_in(tmp_path: Path) -> None:
    program = "import sys; sys.argv[0] = '-'\nfrom cello import App\nApp().run(workers=2)"
    stopped = run_to_its_end(tmp_path, sys.executable, "-c", program)
    told = "cello: workers run a file or a module: what was typed in they cannot run\n"
    assert (stopped.exit_code, stopped.stderr) == (2, told)


# --- a worker that ends


def test_a_worker_that_is_killed_is_named_and_replaced_and_others_lose_nothing(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "2")
    first, second = workers_of(server)
    with load(server) as clients:
        os.kill(first, signal.SIGKILL)
        successor = int(next_error(server, f"worker {first} was ended by SIGKILL; its successor is worker (\\d+)")[1])
        wait_until(lambda: successor in clients[2].pids or successor in clients[3].pids)
    assert len(failures_of(clients)) <= len(clients), "more than the requests in its hands"
    assert max(len(client.failures) for client in clients) <= 1
    assert children_of(server) == {second, successor} == answering(server, 2)
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_of_a_worker_that_is_killed_it_is_told_how_much_memory_it_had(serve: Serve) -> None:
    eats = PIDS.replace("app.run()", 'app.get("/eat")(lambda: len(bytes(bytearray(100_000_000))))\n\n    app.run()')
    server = serve(eats, "--workers", "2")
    assert server.get("/eat").json() == 100_000_000
    for pid in workers_of(server):
        os.kill(pid, signal.SIGKILL)
    told = [int(next_error(server, r"worker \d+ had up to (\d+) MiB of memory")[1]) for _ in range(2)]
    assert 5 < min(told) < 95 < 190 < max(told) < 400
    assert server.stop().exit_code == 0


def test_a_worker_that_crashes_at_every_start_does_not_stop_the_others(serve: Serve, tmp_path: Path) -> None:
    server = serve(BREAKABLE.replace("'broken'", repr(str(tmp_path / "broken"))), "--workers", "2")
    first, second = workers_of(server)
    (tmp_path / "broken").touch()
    os.kill(first, signal.SIGKILL)
    next_error(server, f"worker {first} was ended by SIGKILL")
    with load(server) as clients:
        for pause_s in ("0.25", "0.5", "1"):
            next_error(server, rf"worker \d+ ended with exit code 70; its successor starts in {pause_s} s")
        (tmp_path / "broken").unlink()
        successor = int(next_error(server, r"worker (\d+) starts")[1])
        wait_until(lambda: any(successor in client.pids for client in clients[2:]))
    assert failures_of(clients) == []
    assert {pid for client in clients for pid in client.pids} == {second, successor}
    assert server.stop().exit_code == 0


def test_a_worker_that_is_told_to_stop_by_somebody_else_is_replaced_without_a_loss(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "2")
    first, second = workers_of(server)
    os.kill(first, signal.SIGTERM)
    successor = int(next_error(server, f"worker {first} was told to stop; its successor is worker (\\d+)")[1])
    assert answering(server, 2) == {second, successor}
    wait_until(lambda: not exists(first))
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_workers_end_when_their_supervisor_is_killed(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "2")
    pids = workers_of(server)
    server.process.kill()
    wait_until(lambda: not any(exists(pid) for pid in pids))


@pytest.mark.parametrize("is_immune", [False, True], ids=["", "nohup"])
def test_a_terminal_that_is_closed_ends_the_server_unless_it_is_immune(tmp_path: Path, is_immune: bool) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if is_immune else signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, "app.py", "--port", "0", "--no-logs", "--workers", "2"])
    shown = b""
    while b"workers" not in shown or not shown.endswith(b"\n"):
        shown += os.read(terminal, 4096)
    workers = [int(number) for number in re.findall(r"\d+", shown.decode().partition("pids")[2])]
    os.close(terminal)
    if is_immune:
        wait_until(lambda: not any(exists(worker) for worker in workers))  # HUP replaces them
        os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0
    assert not any(exists(worker) for worker in workers)


# --- HUP, TTIN, TTOU


def roll(server: Server) -> None:
    """Replaces all workers, and waits until the last one before has ended."""
    before = children_of(server)
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not children_of(server) & before)


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.long)])
def test_a_roll_under_load_loses_nothing(serve: Serve, times: int) -> None:
    server = serve(PIDS, "--workers", "2")
    with load(server) as clients:
        for _ in range(times):
            roll(server)
            now = children_of(server)
            wait_until(lambda: all(client.pids[-1] in now for client in clients))  # noqa: B023 - called at once
    assert failures_of(clients) == []
    assert answering(server, 2) == children_of(server)
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert len(re.findall(r"worker \d+ takes the place of worker \d+\n", stopped.stderr)) == 2 * times


def test_a_roll_loads_new_code_and_one_that_does_not_start_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    server = serve(PIDS.replace("return os.getpid()", "return [1, os.getpid()]"), "--workers", "2")
    script = tmp_path / "0" / "app.py"
    good = script.read_text()
    script.write_text(good.replace("[1,", "[2,"))
    roll(server)
    assert server.get("/").json()[0] == 2
    now = children_of(server)
    script.write_text("1 / 0")
    server.send_signal(signal.SIGHUP)
    next_error(server, r"the successor \d+ ended with exit code 1 before it had started: the workers stay as they are")
    assert children_of(server) == now
    assert server.get("/").json()[1] in now
    script.write_text(good.replace("[1,", "[3,"))
    roll(server)
    assert server.get("/").json()[0] == 3
    assert server.stop().exit_code == 0


def test_a_worker_that_is_being_started_at_a_roll_does_not_keep_the_code_of_before(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(HELD, "--workers", "2")
    first, second = workers_of(server)
    folder = tmp_path / "0"
    (folder / "hold").touch()
    os.kill(first, signal.SIGKILL)
    third = int(next_error(server, r"its successor is worker (\d+)")[1])
    wait_until(lambda: (folder / f"held {third}").exists())
    script = folder / "app.py"
    script.write_text(script.read_text().replace("[1,", "[2,"))
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: len(children_of(server)) == 3)
    (folder / "hold").unlink()
    wait_until(lambda: len(children_of(server) - {second, third}) == len(children_of(server)) == 2)
    answers: dict[int, int] = {}

    def are_all_seen() -> bool:
        number, pid = server.get("/").json()
        answers[pid] = number
        return answers.keys() == children_of(server)

    wait_until(are_all_seen)
    assert set(answers.values()) == {2}
    assert server.stop().exit_code == 0


def test_workers_are_added_and_taken_away_under_load_without_a_loss(serve: Serve) -> None:
    server = serve(PIDS, "--workers", "2")
    first, second = workers_of(server)
    with load(server) as clients:
        server.send_signal(signal.SIGTTOU)
        assert int(next_error(server, r"worker (\d+) is one too many")[1]) == second
        wait_until(lambda: children_of(server) == {first})
        asked = [len(client.pids) for client in clients]
        wait_until(lambda: all(len(client.pids) > before for client, before in zip(clients, asked, strict=True)))
        server.send_signal(signal.SIGTTOU)
        next_error(server, "the last worker stays")
        added: set[int] = set()
        for _ in range(2):  # the first takes the place that is free, the second a new one
            server.send_signal(signal.SIGTTIN)
            added.add(int(next_error(server, r"worker (\d+) is one more")[1]))
        wait_until(lambda: all(any(pid in client.pids for client in clients[2:]) for pid in added))
    assert failures_of(clients) == []
    assert children_of(server) == {first, *added} == answering(server, 3)
    assert server.stop() == Stopped(0, server.banner[-1], "")
