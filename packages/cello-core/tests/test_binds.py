"""Where a server listens: Unix sockets, several places at once, and sockets it was started with."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cello import _options
from loading import failures_of, load
from serving import Server, Stopped, read_all, run_to_its_end
from supervised import PIDS, answering, children_of, exists, next_error, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Launch

WORKERS = pytest.mark.parametrize("workers", [1, 2])


def start(launch: Launch, folder: Path, *binds: str, workers: int = 1, source: str = PIDS) -> Server:
    """Serves an application at the given places."""
    (folder / "app.py").write_text(textwrap.dedent(source))
    options = [word for bind in binds for word in ("--bind", bind)]
    return launch(sys.executable, "app.py", "--no-logs", "--workers", str(workers), *options)


def run(folder: Path, *arguments: str, source: str = PIDS) -> Stopped:
    """Runs an application that is expected to end by itself."""
    (folder / "app.py").write_text(textwrap.dedent(source))
    return run_to_its_end(folder, sys.executable, "app.py", *arguments)


def at(server: Server, bind: str) -> Server:
    """The server, as clients have it that come by one of its places."""
    return replace(server, port=0, path=bind.removeprefix("unix:"))


def has_gone(server: Server) -> bool:
    """Whether nobody listens any more."""
    try:
        server.connect().close()
    except OSError:
        return True
    return False


# --- Unix sockets


@WORKERS
def test_a_unix_socket_is_served_and_its_file_is_gone_at_the_end(launch: Launch, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "app.sock"
    server = start(launch, tmp_path, f"unix:{path}", workers=workers)
    assert server.banner[-1].startswith(
        f"Cello running at unix:{path}" + (" with 2 workers (" if workers > 1 else "\n")
    )
    assert len(answering(server, workers)) == workers
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert server.stop() == Stopped(0, server.banner[-1], "")
    assert not path.exists()


def test_a_unix_socket_has_the_mode_that_is_asked_for(launch: Launch, tmp_path: Path) -> None:
    server = start(launch, tmp_path, f"unix:{tmp_path}/app.sock?mode=606")
    assert stat.S_IMODE((tmp_path / "app.sock").stat().st_mode) == 0o606
    assert server.banner == [f"Cello running at unix:{tmp_path}/app.sock\n"]


def test_a_path_may_be_relative_and_is_that_of_the_start(launch: Launch, tmp_path: Path) -> None:
    source = PIDS.replace("app = App()", "app = App()\n    app.on_event('startup')(lambda: os.chdir('/'))")
    server = start(launch, tmp_path, "unix:app.sock", source=source)
    assert server.banner == ["Cello running at unix:app.sock\n"]
    assert at(server, f"unix:{tmp_path}/app.sock").get("/").status == 200
    assert server.stop().exit_code == 0
    assert not (tmp_path / "app.sock").exists()


@WORKERS
def test_a_name_without_a_file_is_served(launch: Launch, tmp_path: Path, workers: int) -> None:
    name = f"@cello-test-{os.getpid()}-{workers}"
    server = start(launch, tmp_path, f"unix:{name}", workers=workers)
    assert server.path == name
    assert len(answering(server, workers)) == workers
    assert server.stop() == Stopped(0, server.banner[-1], "")
    assert list(tmp_path.glob("*sock*")) == []


@WORKERS
def test_a_socket_whose_server_is_gone_is_replaced(launch: Launch, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "app.sock"
    first = start(launch, tmp_path, f"unix:{path}", workers=workers)
    pids = children_of(first)
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not any(exists(pid) for pid in pids))
    second = start(launch, tmp_path, f"unix:{path}", workers=workers)
    assert second.get("/").status == 200
    assert second.stop() == Stopped(0, second.banner[-1], "")


def test_of_several_that_replace_a_socket_at_once_one_does(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    command = [sys.executable, "app.py", "--no-logs", "--bind", f"unix:{path}"]
    servers = [
        Server(
            subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True),
            path=str(path),
        )
        for _ in range(3)
    ]
    wait_until(lambda: sum(server.process.poll() is not None for server in servers) == 2)
    for server in servers:
        if server.process.poll() is None:
            assert server.get("/").json() == server.process.pid
            assert server.stop().exit_code == 0
        else:
            assert f"unix:{path} is in use" in server.wait().stderr
    assert not path.exists()


@WORKERS
def test_a_socket_that_is_served_is_refused_with_the_process_that_has_it(
    launch: Launch, tmp_path: Path, workers: int
) -> None:
    path = tmp_path / "app.sock"
    server = start(launch, tmp_path, f"unix:{path}")
    stopped = run(tmp_path, "--bind", f"unix:{path}", "--workers", str(workers))
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert stopped.stderr.startswith(
        f"cello: unix:{path} is in use: stop the program that has it, or choose another with --bind\n"
        f"  by process {server.process.pid}: {sys.executable} app.py"
    )
    assert server.get("/").status == 200
    name = f"@cello-test-{os.getpid()}"
    named = start(launch, tmp_path, f"unix:{name}")
    stopped = run(tmp_path, "--bind", f"unix:{name}", "--workers", str(workers))
    assert stopped.exit_code == 3
    assert f"unix:{name} is in use" in stopped.stderr
    assert f"by process {named.process.pid}" in stopped.stderr


def test_a_socket_with_a_full_queue_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as client:
        slow.bind(str(path))
        slow.listen(0)
        client.connect(str(path))
        assert "is in use" in run(tmp_path, "--bind", f"unix:{path}").stderr
        assert path.exists()


@WORKERS
def test_what_is_no_socket_is_never_deleted(tmp_path: Path, workers: int) -> None:
    (tmp_path / "data").write_text("kept")
    (tmp_path / "link").symlink_to("data")
    for name in ("data", "link"):
        stopped = run(tmp_path, "--bind", f"unix:{tmp_path}/{name}", "--workers", str(workers))
        told = f"cello: {tmp_path}/{name} is there and is no socket: move it away, or choose another with --bind\n"
        assert stopped == Stopped(3, "", told)
        assert (tmp_path / name).read_text() == "kept"


def test_a_path_that_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, words in (
        (f"{tmp_path}/none/app.sock", f"cannot be made: there is no folder {tmp_path}/none"),
        (f"{tmp_path}/file/app.sock", f"cannot be made: there is no folder {tmp_path}/file"),
        (f"{tmp_path}/{'x' * 100}", "is too long: a Unix socket's has 107 bytes at most"),
        ("/proc/app.sock", ""),
    ):
        stopped = run(tmp_path, "--bind", f"unix:{path}")
        assert stopped.exit_code == 3
        assert path in stopped.stderr
        assert words in stopped.stderr


@WORKERS
def test_a_file_that_another_server_has_put_there_stays(launch: Launch, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "app.sock"
    first = start(launch, tmp_path, f"unix:{path}", workers=workers)
    path.unlink()
    second = start(launch, tmp_path, f"unix:{path}", workers=workers)
    assert first.stop().exit_code == 0
    assert second.get("/").status == 200
    assert second.stop().exit_code == 0
    assert not path.exists()


@WORKERS
def test_the_file_is_removed_where_the_application_does_not_start(tmp_path: Path, workers: int) -> None:
    source = PIDS.replace("app = App()", "app = App()\n    app.on_event('startup')(lambda: 1 / 0)")
    stopped = run(tmp_path, "--bind", f"unix:{tmp_path}/app.sock", "--workers", str(workers), source=source)
    assert stopped.exit_code == 3
    assert not (tmp_path / "app.sock").exists()


# --- several places


@WORKERS
def test_several_places_are_served_and_all_are_named(launch: Launch, tmp_path: Path, workers: int) -> None:
    unix = f"unix:{tmp_path}/app.sock"
    server = start(launch, tmp_path, "127.0.0.1:0", unix, "[::1]:0", workers=workers)
    words = server.banner[-1].partition(" with ")[0].strip().removeprefix("Cello running at ")
    first, _, rest = words.partition(", ")
    second, _, third = rest.partition(" and ")
    assert (first, second) == (server.url, unix)
    assert third.startswith("http://[::1]:")
    sixth = replace(server, host="::1", port=int(third.rpartition(":")[2]))
    for one in (server, at(server, unix), sixth):
        assert len(answering(one, workers)) == workers
    assert server.stop() == Stopped(0, server.banner[-1], "")
    assert all(has_gone(one) for one in (server, at(server, unix), sixth))


@WORKERS
def test_where_one_place_cannot_be_had_none_is_served(launch: Launch, tmp_path: Path, workers: int) -> None:
    other = start(launch, tmp_path, "127.0.0.1:0")
    path = tmp_path / "app.sock"
    stopped = run(tmp_path, "--bind", f"unix:{path}", "--bind", f"127.0.0.1:{other.port}", "--workers", str(workers))
    assert stopped.exit_code == 3
    assert f"or choose another: --bind 127.0.0.1:{other.port + 1}\n  by process {other.process.pid}" in stopped.stderr
    assert not path.exists()


def test_places_are_an_argument_and_a_variable_too(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(textwrap.dedent(PIDS))
    environment = {"CELLO_BIND": "127.0.0.1:0,unix:app.sock"}
    server = launch(sys.executable, "app.py", "--no-logs", environment=environment)
    assert server.banner == [f"Cello running at {server.url} and unix:app.sock\n"]
    source = PIDS.replace("run()", "run(bind=['unix:one.sock', 'unix:two.sock'], logs=False)")
    (tmp_path / "app.py").write_text(textwrap.dedent(source))
    server = launch(sys.executable, "app.py")
    assert server.banner == ["Cello running at unix:one.sock and unix:two.sock\n"]


@pytest.mark.parametrize(
    ("command_line", "arguments", "environment", "expected"),
    [
        ({}, {}, {}, ()),
        ({"bind": ["unix:/a", "[::1]:80"]}, {"bind": "unix:/b"}, {"CELLO_BIND": "unix:/c"}, ("unix:/a", "[::1]:80")),
        ({}, {"bind": "unix:/b"}, {"CELLO_BIND": "unix:/c"}, ("unix:/b",)),
        ({}, {"bind": ("unix:/b", "fd://3")}, {}, ("unix:/b", "fd://3")),
        ({}, {}, {"CELLO_BIND": "unix:/c,0.0.0.0:0,0.0.0.0:0"}, ("unix:/c", "0.0.0.0:0", "0.0.0.0:0")),
        ({"port": "1"}, {"bind": "unix:/b"}, {"CELLO_BIND": "unix:/c"}, ()),
        ({}, {"host": "::1"}, {"CELLO_BIND": "unix:/c"}, ()),
        ({"bind": ["unix:/a"]}, {"port": 1}, {"CELLO_HOST": "::1"}, ("unix:/a",)),
        ({}, {}, {"CELLO_BIND": "unix:/c", "PORT": "5000"}, ("unix:/c",)),
    ],
)
def test_the_first_source_that_says_where_decides(
    command_line: dict[str, Any], arguments: dict[str, Any], environment: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert _options.resolve(command_line, arguments, environment).bind == expected


# --- under load


def places(kind: str, folder: Path) -> list[str]:
    """A place that all workers share, and one of TCP beside it."""
    return [f"unix:{folder}/app.sock"] if kind == "unix" else [f"unix:{folder}/app.sock", "127.0.0.1:0"]


def roll(server: Server) -> None:
    """Replaces all workers, and waits until the last one before has ended."""
    before = children_of(server)
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not children_of(server) & before)


@pytest.mark.parametrize("kind", ["unix", "both"])
def test_a_roll_under_load_loses_nothing(launch: Launch, tmp_path: Path, kind: str) -> None:
    server = start(launch, tmp_path, *places(kind, tmp_path), workers=2)
    before = (tmp_path / "app.sock").stat().st_ino
    with load(at(server, server.path)) as clients:
        for _ in range(3):
            roll(server)
            now = children_of(server)
            wait_until(lambda: all(client.pids[-1] in now for client in clients))  # noqa: B023 - called at once
    assert failures_of(clients) == []
    assert (tmp_path / "app.sock").stat().st_ino == before
    assert answering(at(server, server.path), 2) == children_of(server)
    assert server.stop().exit_code == 0


@pytest.mark.parametrize("kind", ["unix", "both"])
def test_a_worker_that_is_killed_takes_only_what_is_in_its_hands(launch: Launch, tmp_path: Path, kind: str) -> None:
    server = start(launch, tmp_path, *places(kind, tmp_path), workers=2)
    first = min(children_of(server))
    with load(at(server, server.path)) as clients:
        os.kill(first, signal.SIGKILL)
        successor = int(next_error(server, f"worker {first} was ended by SIGKILL; its successor is worker (\\d+)")[1])
        wait_until(lambda: successor in clients[2].pids or successor in clients[3].pids)
    assert max(len(client.failures) for client in clients) <= 1
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_workers_are_added_and_taken_away_without_a_loss(launch: Launch, tmp_path: Path) -> None:
    server = start(launch, tmp_path, *places("both", tmp_path), workers=2)
    with load(at(server, server.path)) as clients, load(server) as others:
        server.send_signal(signal.SIGTTOU)
        next_error(server, r"worker \d+ is one too many")
        wait_until(lambda: len(children_of(server)) == 1)
        added: list[int] = []
        for _ in range(2):
            server.send_signal(signal.SIGTTIN)
            added.append(int(next_error(server, r"worker (\d+) is one more")[1]))
        wait_until(lambda: all(any(added[-1] in client.pids for client in some[2:]) for some in (clients, others)))
    assert failures_of([*clients, *others]) == []
    assert answering(at(server, server.path), 3) == children_of(server) == answering(server, 3)
    assert server.stop() == Stopped(0, server.banner[-1], "")


# --- who the client is


CLIENT = """
    import sys
    from cello import App

    app = App()

    @app.get("/")
    def client(request):
        return [request.client_ip, request.remote_addr, request.scheme, request.host]

    async def scope(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr((scope["client"], scope["server"])).encode()})

    app.mount("/asgi", scope)
    if "trust" in sys.argv:
        app.set_trusted_proxies(["unix"])
    app.run()
"""
FORWARDED = {"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}


def test_a_client_of_a_unix_socket_has_no_address(launch: Launch, tmp_path: Path) -> None:
    server = start(launch, tmp_path, f"unix:{tmp_path}/app.sock", source=CLIENT)
    assert server.request("GET", "/", headers=FORWARDED).json() == ["", "", "http", "localhost"]
    assert server.get("/asgi").body.decode() == f"(None, ('{tmp_path}/app.sock', None))"


def test_who_connects_over_a_unix_socket_may_be_trusted_as_a_proxy(launch: Launch, tmp_path: Path) -> None:
    source = CLIENT.replace('if "trust" in sys.argv:', "if True:")
    server = start(launch, tmp_path, f"unix:{tmp_path}/app.sock", "127.0.0.1:0", source=source)
    told = ["192.0.2.7", "", "https", "shop.example"]
    assert at(server, server.path).request("GET", "/", headers=FORWARDED).json() == told
    assert server.request("GET", "/", headers=FORWARDED).json()[:3] == ["127.0.0.1", "127.0.0.1", "http"]


def test_a_unix_socket_has_the_limits_of_any_other(launch: Launch, tmp_path: Path) -> None:
    source = """
        from cello import App, LimitsConfig, TimeoutConfig
        app = App().set_limits(LimitsConfig(max_connections=2)).set_timeouts(TimeoutConfig(read_header=0.3))
        app.get("/")(lambda: "taken")
        app.run()
    """
    server = start(launch, tmp_path, f"unix:{tmp_path}/app.sock", source=source)
    assert server.exchange(b"GET / HTTP/1.1\r\n") == b""
    with server.connect() as one, server.connect() as two:
        for connection in (one, two):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
        with server.connect() as third:
            assert read_all(third).startswith(b"HTTP/1.1 503 ")


def test_a_client_of_a_unix_socket_that_leaves_is_noticed(launch: Launch, tmp_path: Path) -> None:
    source = """
        import asyncio
        from cello import App
        app = App()

        @app.get("/")
        async def waits():
            print("waits", flush=True)
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                print("cancelled", flush=True)
                raise

        app.run()
    """
    server = start(launch, tmp_path, f"unix:{tmp_path}/app.sock", source=source)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "waits"
    assert server.next_line() == "cancelled"
    assert server.stop().exit_code == 0
