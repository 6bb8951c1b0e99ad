"""What systemd passes to a server and is told by it, with a manager of the test's own in its place."""

from __future__ import annotations

import os
import signal
import socket
import sys
import textwrap
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cello import _options
from cello._sd_listen import passed, take
from cello._sd_notify import Notifier
from cello.errors import OptionError
from loading import failures_of, load
from serving import PATIENCE_S, Server, Stopped, run_to_its_end
from supervised import PIDS, answering, children_of, next_error, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from serving import Launch

WORKERS = pytest.mark.parametrize("workers", [1, 2])

#: Does what systemd does: the descriptors come to be 3 and on, and the process that it becomes is told of them.
ACTIVATE = """
    import fcntl, os, sys

    numbers, names, *command = sys.argv[1:]
    apart = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in numbers.split(",")]
    os.closerange(3, 100)
    for index, number in enumerate(apart):
        os.dup2(number, 3 + index)
        os.close(number)
    os.environ |= {"LISTEN_FDS": str(len(apart)), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": names}
    os.execvp(command[0], command)
"""


def activation(folder: Path, sockets: Sequence[socket.socket], names: str, *arguments: str) -> list[str]:
    """The command that starts an application with sockets."""
    (folder / "activate.py").write_text(textwrap.dedent(ACTIVATE))
    numbers = ",".join(str(one.fileno()) for one in sockets)
    return [sys.executable, "activate.py", numbers, names, sys.executable, "app.py", "--no-logs", *arguments]


def activate(
    launch: Launch, folder: Path, sockets: Sequence[socket.socket], *arguments: str, names: str = "", source: str = PIDS
) -> Server:
    """Starts an application with sockets."""
    (folder / "app.py").write_text(textwrap.dedent(source))
    command = activation(folder, sockets, names, *arguments)
    return launch(*command, descriptors=[one.fileno() for one in sockets])


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """A listening socket of TCP, and a Unix one: blocking, as the manager makes them."""
    with ExitStack() as stack:
        both = [stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX)]
        both[0].bind(("127.0.0.1", 0))
        both[1].bind(str(tmp_path / "web.sock"))
        for one in both:
            one.listen(128)
        yield both


# --- sockets


@WORKERS
def test_the_sockets_that_were_passed_are_served_and_stay_when_the_server_stops(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket], workers: int
) -> None:
    server = activate(launch, tmp_path, sockets, "--workers", str(workers))
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    assert server.banner[-1].startswith(f"Cello running at {url} and unix:{tmp_path}/web.sock")
    unix = replace(server, port=0)
    assert len(answering(server, workers)) == len(answering(unix, workers)) == workers
    assert server.stop() == Stopped(0, server.banner[-1], "")
    with server.connect() as first, unix.connect() as second:  # they wait for the next one
        for connection in (first, second):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        again = activate(launch, tmp_path, sockets, "--workers", str(workers))
        for connection in (first, second):
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert again.stop() == Stopped(0, again.banner[-1], "")


ENVIRONMENT = """
    import os
    from cello import App

    app = App()

    @app.get("/")
    def variables():
        return [name for name in os.environ if name.startswith(("LISTEN", "NOTIFY", "WATCHDOG"))]

    app.run()
"""


@WORKERS
def test_no_process_that_the_server_starts_is_told_of_the_manager(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket], manager: Manager, workers: int
) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(ENVIRONMENT))
    command = activation(tmp_path, sockets, "a:b", "--workers", str(workers))
    server = launch(*command, descriptors=[one.fileno() for one in sockets], environment=manager.environment(60))
    assert server.get("/").json() == []


def test_sockets_are_told_apart_by_their_names_and_numbers(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket]
) -> None:
    server = activate(launch, tmp_path, sockets, "--bind", "fd://admin", "--bind", "fd://3", names="web:admin")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    assert server.banner[-1] == f"Cello running at unix:{tmp_path}/web.sock and {url}\n"
    assert server.get("/").status == replace(server, port=0).get("/").status == 200
    assert server.stop() == Stopped(0, server.banner[-1], "")


@WORKERS
def test_who_says_where_to_listen_is_told_of_sockets_that_are_left(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket], workers: int
) -> None:
    server = activate(launch, tmp_path, sockets, "--port", "0", "--workers", str(workers))
    assert server.port != sockets[0].getsockname()[1]
    told = "systemd passed fd://3, fd://4, which nobody is to listen on: leave out where to listen, or say it"
    assert server.stop() == Stopped(0, server.banner[-1], f"cello: {told}\n")


@WORKERS
def test_a_descriptor_is_served_whoever_passed_it(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket], workers: int
) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    number = sockets[0].fileno()
    command = [sys.executable, "app.py", "--no-logs", "--bind", f"fd://{number}", "--workers", str(workers)]
    server = launch(*command, descriptors=[number])
    assert len(answering(server, workers)) == workers
    assert server.stop() == Stopped(0, server.banner[-1], "")
    server.connect().close()


@WORKERS
def test_a_descriptor_that_is_none_is_told(tmp_path: Path, workers: int) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    for number, told in (
        (250, "there is no descriptor 250: whoever starts the server has to pass it on"),
        (1, "descriptor 1 is no socket: pass one that listens"),
    ):
        arguments = ["--bind", f"fd://{number}", "--workers", str(workers)]
        stopped = run_to_its_end(tmp_path, sys.executable, "app.py", *arguments)
        assert stopped == Stopped(3, "", f"cello: {told}\n")


def test_a_socket_that_does_not_listen_is_told(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        for one in (idle, datagrams):
            command = [sys.executable, "app.py", "--bind", f"fd://{one.fileno()}"]
            with pytest.raises(AssertionError, match="is no socket that listens for streams: pass one that does"):
                Server.run(command, tmp_path, descriptors=[one.fileno()])


def test_sockets_of_another_process_are_not_taken() -> None:
    own, other = str(os.getpid()), str(os.getppid())
    assert passed({"LISTEN_FDS": "2", "LISTEN_PID": own}) == {3: "", 4: ""}
    assert passed({"LISTEN_FDS": "2", "LISTEN_PID": own, "LISTEN_FDNAMES": "web:admin"}) == {3: "web", 4: "admin"}
    assert passed({"LISTEN_FDS": "2", "LISTEN_PID": other}) == {}
    assert passed({"LISTEN_FDS": "2"}) == {}
    assert passed({"LISTEN_FDS": "two", "LISTEN_PID": own}) == {}


def test_sockets_are_the_last_source_of_where_to_listen() -> None:
    environment = {"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}
    assert _options.resolve({}, {}, environment).bind == ("fd://3", "fd://4")
    assert _options.resolve({"port": "1"}, {}, environment).bind == ()
    assert _options.resolve({}, {"bind": "unix:/a"}, environment).bind == ("unix:/a",)
    assert _options.resolve({}, {}, environment | {"PORT": "1"}).bind == ()
    assert _options.resolve({}, {}, environment | {"LISTEN_PID": "1"}).bind == ()


def test_a_name_that_no_socket_has_is_refused() -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "web"}
    with pytest.raises(OptionError, match="systemd passed no socket called 'admin': there are web"):
        take(["fd://admin"], environment)
    assert environment == {}
    with pytest.raises(OptionError, match="systemd passed no socket called 'web': there are none"):
        take(["fd://web"], environment)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_roll_and_a_killed_worker_lose_nothing_of_what_was_passed(
    launch: Launch, tmp_path: Path, sockets: list[socket.socket], kind: str
) -> None:
    server = activate(launch, tmp_path, sockets, "--workers", "2")
    clients_of = server if kind == "tcp" else replace(server, port=0)
    with load(clients_of) as clients:
        for _ in range(2):
            before = children_of(server)
            server.send_signal(signal.SIGHUP)
            wait_until(lambda: not children_of(server) & before)  # noqa: B023 - called at once
            now = children_of(server)
            wait_until(lambda: all(client.pids[-1] in now for client in clients))  # noqa: B023 - called at once
        assert failures_of(clients) == []
        os.kill(first := min(children_of(server)), signal.SIGKILL)
        successor = int(next_error(server, f"worker {first} was ended by SIGKILL; its successor is worker (\\d+)")[1])
        wait_until(lambda: successor in clients[2].pids or successor in clients[3].pids)
    assert max(len(client.failures) for client in clients) <= 1
    assert server.stop().exit_code == 0


# --- notices


class Manager:
    """What listens to notices."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_S)

    def environment(self, watchdog_s: float = 0.0) -> dict[str, str]:
        """What the server is started with."""
        watched = {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))} if watchdog_s else {}
        return {"NOTIFY_SOCKET": self.address, **watched}

    def next(self) -> dict[str, str]:
        """The next notice."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def next_of(self, name: str) -> dict[str, str]:
        """The next notice that is no sign of life; it is of this kind."""
        while "WATCHDOG" in (notice := self.next()):
            pass
        assert notice[name] == "1", notice
        return notice


@pytest.fixture(params=["file", "name"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Manager]:
    """A manager, at a path or under a name without a file."""
    manager = Manager(str(tmp_path / "notify") if request.param == "file" else f"@cello-test-{os.getpid()}")
    yield manager
    manager.socket.close()


def start(launch: Launch, folder: Path, environment: dict[str, str], workers: int, source: str = PIDS) -> Server:
    """Starts an application that has a manager."""
    (folder / "app.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "app.py", "--port", "0", "--no-logs", "--workers", str(workers)]
    return launch(*command, environment=environment)


@WORKERS
def test_the_manager_is_told_when_it_serves_and_when_it_stops(
    launch: Launch, tmp_path: Path, manager: Manager, workers: int
) -> None:
    server = start(launch, tmp_path, manager.environment(), workers)
    suffix = " with 2 workers" if workers > 1 else ""
    pid = str(server.process.pid)
    assert manager.next() == {"READY": "1", "MAINPID": pid, "STATUS": f"Running at {server.url}{suffix}"}
    server.send_signal(signal.SIGTERM)
    assert manager.next() == {"STOPPING": "1", "STATUS": "Answering the requests that are left"}
    assert server.wait() == Stopped(0, server.banner[-1], "")


@WORKERS
def test_a_server_that_does_not_start_is_never_ready(tmp_path: Path, workers: int) -> None:
    manager = Manager(str(tmp_path / "notify"))
    source = PIDS.replace("app = App()", "app = App()\n    app.on_event('startup')(lambda: 1 / 0)")
    (tmp_path / "app.py").write_text(textwrap.dedent(source))
    command = ["env", f"NOTIFY_SOCKET={manager.address}", sys.executable, "app.py", "--port", "0"]
    assert run_to_its_end(tmp_path, *command, "--workers", str(workers)).exit_code == 3
    manager.socket.setblocking(False)
    told: list[dict[str, str]] = []
    with pytest.raises(BlockingIOError):
        while True:
            told.append(manager.next())
    assert all("READY" not in notice for notice in told)
    manager.socket.close()


def test_a_roll_is_told_from_its_beginning_to_its_end(launch: Launch, tmp_path: Path, manager: Manager) -> None:
    server = start(launch, tmp_path, manager.environment(), 2)
    ready = manager.next_of("READY")
    good = (tmp_path / "app.py").read_text()
    for source in (good, "1 / 0", good):
        wait_until(lambda: len(children_of(server)) == 2)
        before = children_of(server)
        (tmp_path / "app.py").write_text(source)
        begun_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.send_signal(signal.SIGHUP)
        assert begun_us <= int(manager.next_of("RELOADING")["MONOTONIC_USEC"])
        assert manager.next_of("READY") == ready
        if source == good:
            assert len(children_of(server) - before) == 2
        else:
            assert children_of(server) == before
    server.send_signal(signal.SIGTERM)
    manager.next_of("STOPPING")
    assert server.wait().exit_code == 0


@WORKERS
def test_signs_of_life_are_given_for_as_long_as_the_server_lives(
    launch: Launch, tmp_path: Path, manager: Manager, workers: int
) -> None:
    server = start(launch, tmp_path, manager.environment(0.2), workers)
    manager.next_of("READY")
    assert [manager.next() for _ in range(4)] == [{"WATCHDOG": "1"}] * 4
    server.send_signal(signal.SIGTERM)
    manager.next_of("STOPPING")
    assert server.wait() == Stopped(0, server.banner[-1], "")


def test_a_loop_that_hangs_gives_no_sign_of_life(launch: Launch, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    source = """
        import pathlib, time
        from cello import App

        app = App()

        @app.get("/")
        def hangs():
            print("hangs", flush=True)
            while not pathlib.Path("go").exists():
                time.sleep(0.01)

        app.run()
    """
    server = start(launch, tmp_path, manager.environment(0.1), 1, source)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "hangs"
        manager.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                manager.next()
        time.sleep(0.5)  # ten signs would come
        with pytest.raises(BlockingIOError):
            manager.next()
        (tmp_path / "go").touch()
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
    manager.socket.settimeout(PATIENCE_S)
    assert manager.next() == {"WATCHDOG": "1"}
    assert server.stop().exit_code == 0
    manager.socket.close()


def test_a_manager_that_is_not_there_keeps_nobody_from_serving(launch: Launch, tmp_path: Path) -> None:
    for address in (str(tmp_path / "nobody"), "vsock:2:1234", "@cello-nobody"):
        server = start(launch, tmp_path, {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"}, 1)
        assert server.get("/").json() == server.process.pid
        assert server.stop() == Stopped(0, server.banner[-1], "")


@pytest.mark.parametrize(
    ("environment", "is_watched"),
    [
        ({"WATCHDOG_USEC": "3000000"}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({}, False),
    ],
)
def test_signs_of_life_are_for_the_process_that_they_are_asked_of(
    environment: dict[str, str], is_watched: bool
) -> None:
    environment["NOTIFY_SOCKET"] = "/nowhere"
    assert (Notifier(environment).due_s is not None) is is_watched
    assert environment == {}
