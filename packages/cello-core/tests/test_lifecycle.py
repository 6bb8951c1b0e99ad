"""Starting and stopping: signals, the events of the life cycle, and exit codes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import Server, Stopped, free_ports, listens, read_all, run_source
from supervised import next_error, wait_until

if TYPE_CHECKING:
    from serving import Serve

HELLO = """
    from cello import App

    app = App()

    @app.get("/")
    async def hello():
        return "hello"

    app.run()
"""

#: Requests that wait until the process gets a SIGUSR1.
WAITING = """
    import asyncio, signal
    from cello import App

    app = App()
    finish = asyncio.Event()

    @app.on_event("startup")
    async def listen():
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, finish.set)

    @app.get("/")
    async def handler():
        print("in flight", flush=True)
        await finish.wait()
        return "answered"

    app.run()
"""

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


# --- stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_server_stops_without_a_word(serve: Serve, number: signal.Signals) -> None:
    server = serve(HELLO)
    assert server.stop(number) == Stopped(0, f"Cello running at {server.url}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_idle_connections_do_not_keep_the_server_from_stopping(serve: Serve, number: signal.Signals) -> None:
    server = serve(HELLO)
    with server.connect() as used, server.connect() as unused:
        used.sendall(REQUEST)
        assert used.recv(4096).endswith(b"hello")
        assert server.stop(number).is_clean
        assert (used.recv(1), unused.recv(1)) == (b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_requests_in_flight_are_answered_before_the_server_stops(serve: Serve, number: signal.Signals) -> None:
    server = serve(WAITING)
    connections = [server.connect() for _ in range(5)]
    for connection in connections:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
    server.send_signal(number)
    wait_until(server.is_closed)
    assert server.process.poll() is None
    server.send_signal(signal.SIGUSR1)
    for connection in connections:
        with connection:
            answer = read_all(connection)
            assert (answer[:15], answer[-12:]) == (b"HTTP/1.1 200 OK", b"\r\n\r\nanswered")
    assert server.wait().is_clean


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("block", ["time.sleep(0.5)", "while time.monotonic() < began_s + 0.5: pass"])
def test_a_handler_that_blocks_is_let_finish(serve: Serve, number: signal.Signals, block: str) -> None:
    server = serve(f"""
        import time
        from cello import App

        app = App()

        @app.get("/")
        def handler() -> None:
            began_s = time.monotonic()
            print("in flight", flush=True)
            {block}
            return time.monotonic() - began_s >= 0.5

        app.run()
    """)
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        server.send_signal(number)
        assert read_all(connection).endswith(b"\r\n\r\ntrue")
    assert server.wait().is_clean


@pytest.mark.parametrize(
    "handler",
    [
        "def handler() -> None:\n    say()\n    while True: pass",
        "def handler() -> None:\n    say()\n    time.sleep(60)",
        "def handler() -> None:\n    say()\n    threading.Event().wait()",
        "async def handler() -> None:\n    say()\n    await asyncio.sleep(60)",
        "async def handler() -> None:\n    say()\n    time.sleep(60)",
        "async def handler() -> None:\n    await asyncio.sleep(0)\n    say()\n    while True: pass",
    ],
    ids=["busy", "sleeping", "waiting", "async", "async and blocking", "async and blocking later"],
)
def test_a_second_interrupt_ends_the_server_whatever_its_handlers_do(serve: Serve, handler: str) -> None:
    server = serve(f"""
import asyncio, threading, time
from cello import App

app = App()

def say():
    print("in flight", flush=True)

@app.get("/")
{handler}

app.run()
    """)
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        server.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.3)
        server.send_signal(signal.SIGINT)
        stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (130, "")


def test_what_is_still_running_at_the_end_is_cancelled_and_cleans_up(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        tasks = set()

        async def work():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                print("task cleaned up", flush=True)

        @app.get("/")
        async def handler() -> None:
            tasks.add(asyncio.create_task(work()))
            await asyncio.sleep(0)
            return "created"

        @app.on_event("shutdown")
        def shutdown():
            print("shutdown", flush=True)

        app.run()
    """)
    assert server.get("/").body == b"created"
    stopped = server.stop()
    assert stopped.is_clean
    assert stopped.stdout.splitlines()[1:] == ["shutdown", "task cleaned up"]


def test_a_handler_that_outlasts_the_deadline_of_the_stop_is_cancelled(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()

        @app.get("/")
        async def handler() -> None:
            print("in flight", flush=True)
            try:
                await asyncio.Event().wait()
            finally:
                print("cancelled", flush=True)

        app.run(shutdown_timeout=0.2)
    """)
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        server.send_signal(signal.SIGTERM)
        assert server.next_line() == "cancelled"
        assert server.wait().is_clean


# --- events


def test_startup_functions_run_in_order_and_shutdown_functions_in_reverse(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()

        @app.on_event("startup")
        def first():
            app.state.number = 41
            print("first up")

        @app.on_event("startup")
        async def second():
            await asyncio.sleep(0)
            app.state.number += 1
            print("second up", flush=True)

        @app.on_event("shutdown")
        async def one():
            await asyncio.sleep(0)
            print("first down")

        @app.on_event("shutdown")
        def two():
            print("second down")

        @app.get("/")
        def number():
            return app.state.number

        app.run()
    """)
    assert server.get("/").json() == 42
    stopped = server.stop()
    assert stopped.is_clean
    assert stopped.stdout.splitlines() == [
        "first up",
        "second up",
        f"Cello running at {server.url}",
        "second down",
        "first down",
    ]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_failing_startup_ends_with_3_and_the_trace_of_its_own_lines(tmp_path: Path, kind: str) -> None:
    stopped = run_source(
        tmp_path,
        f"""
        from cello import App

        app = App()

        @app.on_event("startup")
        {kind} connect():
            open_database()

        @app.on_event("startup")
        def never():
            print("never")

        def open_database():
            raise ConnectionError("no database there")

        app.run()
        """,
    )
    script = tmp_path / "app.py"
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert stopped.stderr.splitlines()[:2] == [
        f"cello: the startup function connect ({script}:6) failed",
        "ConnectionError: no database there",
    ]
    assert stopped.stderr.splitlines()[-4:] == [
        f"  {script}:8 in connect",
        "      open_database()",
        f"  {script}:15 in open_database",
        '      raise ConnectionError("no database there")',
    ]


def test_a_failing_shutdown_is_told_and_does_not_keep_the_others_from_running(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()

        @app.on_event("shutdown")
        def last():
            print("last")

        @app.on_event("shutdown")
        async def fails():
            raise ConnectionError("gone already")

        app.run()
    """)
    stopped = server.stop()
    assert stopped.exit_code != 0
    assert "ConnectionError: gone already" in stopped.stderr
    assert stopped.stdout.splitlines()[1:] == ["last"]


# --- exit codes


@pytest.mark.parametrize(
    "handler",
    [
        "def handler() -> None:\n    sys.exit(5)",
        "async def handler() -> None:\n    sys.exit(5)",
        "async def handler() -> None:\n    await asyncio.sleep(0)\n    sys.exit(5)",
        "async def handler() -> None:\n    asyncio.get_event_loop().call_soon(sys.exit, 5)\n    await asyncio.sleep(9)",
    ],
    ids=["sync", "async", "after an await", "in a callback"],
)
def test_sys_exit_in_a_handler_ends_the_server_with_its_code(serve: Serve, handler: str) -> None:
    server = serve(f"import asyncio, sys\nfrom cello import App\napp = App()\n@app.get('/')\n{handler}\napp.run()")
    with server.connect() as connection:
        connection.sendall(REQUEST)
        stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (5, "")


def test_sys_exit_in_a_startup_function_ends_the_process_with_its_code(tmp_path: Path) -> None:
    stopped = run_source(
        tmp_path,
        """
        import sys
        from cello import App

        app = App()

        @app.on_event("startup")
        async def leave():
            sys.exit(4)

        app.run()
        """,
    )
    assert stopped == Stopped(4, "", "")


def test_a_port_in_use_is_named_and_ends_with_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stopped = run_source(tmp_path, HELLO, "--port", str(port))
    words = (
        f"cello: port {port} on 127.0.0.1 is in use: stop the program that has it, or choose another: "
        f"--port {port + 1}\n  by process {os.getpid()}: "
    )
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    assert stopped.stderr.startswith(words)
    assert "pytest" in stopped.stderr.removeprefix(words)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("203.0.113.7", 'the host "203.0.113.7" is no address of this machine: give 127.0.0.1, 0.0.0.0 or one that is'),
        (
            "no host",
            'the host "no host" cannot be resolved: give an address of this machine, such as 127.0.0.1 or 0.0.0.0',
        ),
    ],
)
def test_a_host_that_cannot_be_listened_on_is_named_and_ends_with_3(tmp_path: Path, host: str, words: str) -> None:
    assert run_source(tmp_path, HELLO, "--host", host) == Stopped(3, "", f"cello: {words}\n")


def test_an_address_that_was_just_left_can_be_listened_on_again(serve: Serve) -> None:
    first = serve(HELLO)
    with first.connect() as connection:
        connection.sendall(REQUEST)
        assert connection.recv(4096).endswith(b"hello")
        assert first.stop().is_clean
    second = serve(HELLO, "--port", str(first.port))
    assert second.get("/").body == b"hello"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "redirection",
    ["0<&- 1>&-", "2>&-", "0<&- 1>&- 2>&-", "1>/dev/full"],
    ids=["in-and-out-closed", "error-closed", "all-closed", "out-full"],
)
def test_a_server_that_cannot_write_serves(tmp_path: Path, redirection: str, workers: int) -> None:
    # A client's connection had the number of standard output, and was sent the line of its own request.
    (tmp_path / "app.py").write_text(textwrap.dedent(HELLO))
    (port,) = free_ports(1)
    options = ["--port", str(port), "--workers", str(workers)]
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh"]
    process = subprocess.Popen(
        [*shell, sys.executable, "app.py", *options],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port=port)
    try:
        wait_until(lambda: listens(port))
        assert [server.get("/").body for _ in range(5)] == [b"hello"] * 5
        assert server.stop().is_clean
    finally:
        server.end()


@pytest.mark.parametrize("redirection", ["", "2>/dev/full"], ids=["heard", "unheard"])
def test_a_server_without_descriptors_left_accepts_again_when_there_are(tmp_path: Path, redirection: str) -> None:
    # What it could not tell of the first ended what accepts.
    (tmp_path / "app.py").write_text(textwrap.dedent(HELLO))
    shell = ["sh", "-c", f'ulimit -n 40; exec "$@" {redirection}', "sh"]
    server = Server.run([*shell, sys.executable, "app.py", "--port", "0", "--no-logs"], tmp_path)
    try:
        connections = [server.connect() for _ in range(60)]
        if redirection:
            descriptors = Path(f"/proc/{server.process.pid}/fd")
            wait_until(lambda: len([*descriptors.iterdir()]) == 40)
        else:
            next_error(server, "no connection can be accepted for a moment: Too many open files")
        for connection in connections:
            connection.close()
        assert server.get("/").body == b"hello"
        stopped = server.stop()
    finally:
        server.end()
    assert stopped.exit_code == 0
    assert all("Too many open files" in line for line in stopped.stderr.splitlines())


@pytest.mark.timeout(300)
def test_a_hundred_starts_and_stops_with_traffic_leave_nothing_behind(tmp_path: Path) -> None:
    source = """
        import asyncio
        from cello import App

        app = App()

        @app.get("/sync")
        def sync_handler():
            return {"kind": "sync"}

        @app.get("/async")
        async def async_handler():
            await asyncio.sleep(0.001)
            return {"kind": "async"}

        @app.get("/thread")
        async def thread():
            return await asyncio.to_thread(str, 1)

        app.run()
    """

    def once(number: int) -> Stopped:
        folder = tmp_path / str(number)
        folder.mkdir()
        server = Server.start(folder, source)
        try:
            paths = ["/sync", "/async", "/thread", "/missing"]
            requests = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths * 5).encode()
            connections = [server.connect() for _ in range(5)]
            for connection in connections:
                connection.sendall(requests)
            # Half of them are stopped amid their work.
            if number % 2:
                assert server.get("/async").json() == {"kind": "async"}
            stopped = server.stop(signal.SIGINT if number % 4 < 2 else signal.SIGTERM)
            for connection in connections:
                connection.close()
            return stopped
        finally:
            server.end()

    with ThreadPoolExecutor(4) as executor:
        ends = list(executor.map(once, range(100)))
    assert [stopped for stopped in ends if not stopped.is_clean] == []
