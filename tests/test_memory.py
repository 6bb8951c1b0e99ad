"""What clients cost in memory: it stays bounded, whatever they promise, send, or leave unread."""

from __future__ import annotations

import re
import resource
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve, Server

pytestmark = pytest.mark.timeout(120)

MB = 1_000_000
MIB = 1 << 20

CONNECTIONS = 10_000
BUDGET_BYTES = 256 * MIB
ROOM_PAUSE_S = 5.0

APP = """
    import asyncio
    from cello import App, Response
    from cello.errors import HTTPError

    app = App()
    piece = bytes(8_000_000)
    made = Response.text("x" * 8_000_000)

    @app.get("/")
    def hello():
        return "hello"

    @app.post("/")
    def receive(request):
        return {"received": len(request.body())}

    @app.get("/async")
    async def suspended():
        await asyncio.sleep(0)
        return "hello"

    @app.get("/teapot")
    def refused():
        raise HTTPError(418, "I am a teapot.")

    @app.get("/100-MB")
    def huge():
        return bytes(100_000_000)

    @app.get("/8-MB/bytes")
    def big():
        return piece

    @app.get("/8-MB/response")
    def big_response():
        return made

    @app.get("/asleep")
    async def asleep():
        await asyncio.Event().wait()

    @app.get("/tasks")
    async def tasks():
        return len(asyncio.all_tasks())

    app.run()
"""

#: What every sender of a body begins with. Of its 10 MiB it never sends all.
PROMISE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n"
NEARLY_ALL = bytes(10 * MIB - 100_000)


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Lets this process, and the server that it starts, have more open files than the server takes connections."""
    needed = CONNECTIONS + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), max(hard, needed)))
    except (ValueError, PermissionError):
        pytest.skip(f"the system allows a process no {needed} open files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, needed)))


class Growth:
    """The memory that a server has come to use since this was made, which has answered a first request."""

    def __init__(self, server: Server) -> None:
        assert server.get("/").body == b"hello"
        self._server = server
        self._before_bytes = server.resident_bytes()

    def bytes(self) -> int:
        """What it has more, now."""
        return self._server.resident_bytes() - self._before_bytes

    def wait_until_under(self, limit_bytes: int) -> None:
        """Waits until the server has noticed that clients left, and let go of what they cost."""
        give_up_s = time.monotonic() + 20
        while self.bytes() >= limit_bytes:
            assert time.monotonic() < give_up_s, f"{self.bytes() / MB:.1f} MB more were not given back"
            assert self._server.get("/").body == b"hello"

    def peak_bytes(self) -> int:
        """What it had more at worst."""
        status = Path(f"/proc/{self._server.process.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        assert found
        peak = int(found[1]) * 1024 - self._before_bytes
        print(f"{self.bytes() / MB:.1f} MB more, {peak / MB:.1f} MB at worst")
        return peak


def open_at(server: Server) -> list[int]:
    """For each connection that the server has open, how many bytes of what was sent to it are still to be read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{server.port:04X}")]
    assert ours, "the listening socket is missing"
    established_or_left_by_the_client = ("01", "08")
    return [int(row[4].rpartition(":")[2], 16) for row in ours if row[3] in established_or_left_by_the_client]


def wait_until_all_is_read(server: Server) -> None:
    """Waits until nothing that was sent is left in the system's buffers; the server answers others meanwhile."""
    give_up_s = time.monotonic() + 20
    while any(open_at(server)):
        assert time.monotonic() < give_up_s
        assert server.get("/").body == b"hello"


def wait_until_all_are_closed(server: Server) -> None:
    """Waits until the server has let go of every connection."""
    give_up_s = time.monotonic() + 20
    while open_at(server):
        assert time.monotonic() < give_up_s


def read_to_end(connection: socket.socket) -> bytes:
    """What comes until the connection is closed, or reset after that."""
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def open_all(server: Server, count: int, data: bytes, stack: ExitStack) -> list[socket.socket]:
    """Opens connections that each send the same."""
    connections: list[socket.socket] = []
    for _ in range(count):
        connection = stack.enter_context(server.connect())
        connection.sendall(data)
        connections.append(connection)
    return connections


def ask_and_read_nothing(server: Server, requests: bytes, stack: ExitStack) -> socket.socket:
    """Sends requests and waits for the first byte of the answer, but takes nothing."""
    connection = stack.enter_context(server.connect())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(requests)
    assert connection.recv(1, socket.MSG_PEEK) == b"H"
    return connection


def get(path: str) -> bytes:
    """A request as it is sent."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.usefixtures("descriptors")
def test_a_promised_body_costs_nothing_until_it_is_sent(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    for _ in range(3):
        with ExitStack() as stack:
            open_all(server, CONNECTIONS - 10, PROMISE + b"a few bytes", stack)
            wait_until_all_is_read(server)
            assert server.get("/").body == b"hello"
            # 98 GiB are promised. Measured: 160 MB, 16 KB for each connection and its request; then 232 and 260 MB,
            # since the allocator does not find all the room again, with 260 to 273 MB from there on.
            assert growth.peak_bytes() < 400 * MB
        wait_until_all_are_closed(server)


@pytest.mark.long
@pytest.mark.usefixtures("descriptors")
def test_ten_thousand_heads_that_do_not_end_cost_their_own_length(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    endless = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 31_000
    for _ in range(3):
        with ExitStack() as stack:
            open_all(server, CONNECTIONS - 10, endless, stack)
            wait_until_all_is_read(server)
            # 310 MB are sent. Measured: 413, 539 and 579 MB, with 593 MB from there on.
            assert growth.peak_bytes() < 750 * MB
        wait_until_all_are_closed(server)


@pytest.mark.usefixtures("descriptors")
def test_the_connection_over_the_limit_is_refused_with_503_until_another_is_closed(serve: Serve) -> None:
    server = serve(APP)
    with ExitStack() as stack:
        connections = open_all(server, CONNECTIONS, get("/"), stack)
        assert connections[-1].recv(4096).startswith(b"HTTP/1.1 200 ")
        refused = server.exchange(b"")
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nConnection: close\r\n" in refused
        connections[0].sendall(get("/"))
        assert connections[0].recv(4096).startswith(b"HTTP/1.1 200 ")
        connections[1].close()
        give_up_s = time.monotonic() + 20
        answer = b""
        while not answer.startswith(b"HTTP/1.1 200 ") and time.monotonic() < give_up_s:
            with suppress(ConnectionResetError, BrokenPipeError):  # refused before the request was read
                answer = server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_bodies_over_the_common_budget_are_refused_with_503_after_a_pause(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)

    def send_one_too_many(_: int) -> tuple[bytes, float]:
        began_s = time.monotonic()
        with server.connect(timeout_s=40) as connection:
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(PROMISE + NEARLY_ALL)
            return read_to_end(connection), time.monotonic() - began_s

    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        fitting = open_all(server, BUDGET_BYTES // len(NEARLY_ALL), PROMISE + NEARLY_ALL, stack)
        wait_until_all_is_read(server)
        for answer, seconds in threads.map(send_one_too_many, range(2)):
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nretry-after: 1\r\n" in answer
            assert seconds >= ROOM_PAUSE_S
        # Measured: 270 MB for a budget of 268 MB.
        assert growth.peak_bytes() < BUDGET_BYTES + 40 * MB
        fitting[0].sendall(bytes(10 * MIB - len(NEARLY_ALL)))
        assert fitting[0].recv(4096).endswith(b'{"received":10485760}')
    assert server.post("/", bytes(10 * MIB)).json() == {"received": 10 * MIB}
    growth.wait_until_under(40 * MB)


def test_what_forms_held_is_given_back(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()

        @app.post("/")
        async def count(request):
            return (await request.form()).file_count()

        @app.get("/")
        def hello(request):
            return "hello"

        app.run()
    """)
    growth = Growth(server)
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + bytes(MB) + b"\r\n"
    body, end = part * 10, b"--x--\r\n"
    head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with ExitStack() as stack:
        clients = open_all(server, 15, f"{head}Content-Length: {len(body + end)}\r\n\r\n".encode() + body, stack)
        wait_until_all_is_read(server)
        assert growth.bytes() > 140 * MB
        for client in clients:
            client.sendall(end)
            assert client.recv(4096).endswith(b"\r\n\r\n10")
    growth.wait_until_under(40 * MB)


@pytest.mark.long
def test_sixty_bodies_at_once_never_hold_more_than_the_common_budget(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)

    def send(_: int) -> bytes:
        with server.connect(timeout_s=110) as connection:
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(PROMISE + NEARLY_ALL)
            return read_to_end(connection)

    with ThreadPoolExecutor(60) as threads, ExitStack() as stack:
        stack.callback(server.end)
        answers = as_completed([threads.submit(send, number) for number in range(60)])
        # All come as far as the budget goes, then some have to leave their share to others.
        for answer in islice(answers, 3):
            assert answer.result().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert server.get("/").body == b"hello"
        # Measured: 281 to 316 MB for a budget of 268 MB; buffers that grow are copied.
        assert growth.peak_bytes() < BUDGET_BYTES + 100 * MB


def test_a_body_of_30_gigabytes_is_refused_after_ten_mebibytes(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent_bytes = 0
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent_bytes < 30_000 * MB and not select.select([connection], [], [], 0)[0]:
                connection.sendall(chunk)
                sent_bytes += 0x40000
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    # What is more than the limit is in the buffers of the two systems, or swallowed before the close. Measured: 14 MiB.
    assert 10 * MIB < sent_bytes < 64 * MIB
    # Measured: 11 to 19 MB, for a buffer that doubles up to 10 MiB.
    assert growth.peak_bytes() < 40 * MB


def test_who_does_not_read_a_great_answer_costs_that_answer_and_nobody_elses_time(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    with ExitStack() as stack:
        ask_and_read_nothing(server, get("/100-MB"), stack)
        assert [server.get("/").body for _ in range(100)] == [b"hello"] * 100
        # It is there once. Measured: 101 MB.
        assert growth.bytes() < 120 * MB
        assert growth.peak_bytes() < 120 * MB
    growth.wait_until_under(20 * MB)


# Measured: 400 MB where each answer is a copy of its own, 6 MB where all are one Response.
@pytest.mark.parametrize(("path", "bound_bytes"), [("/8-MB/bytes", 500 * MB), ("/8-MB/response", 30 * MB)])
def test_fifty_slow_readers_of_a_great_answer_cost_a_copy_each_at_most(
    serve: Serve, path: str, bound_bytes: int
) -> None:
    server = serve(APP)
    growth = Growth(server)
    # What was used is used again: the second time costs no more.
    for _ in range(2):
        with ExitStack() as stack:
            for _ in range(50):
                ask_and_read_nothing(server, get(path), stack)
            assert server.get("/").body == b"hello"
            assert growth.peak_bytes() < bound_bytes
        wait_until_all_are_closed(server)


def test_pipelined_requests_for_great_answers_are_answered_one_at_a_time(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    with ExitStack() as stack:
        ask_and_read_nothing(server, get("/8-MB/response") * 50, stack)
        assert [server.get("/").body for _ in range(100)] == [b"hello"] * 100
        # Measured: under 1 MB, where 50 answers would be 400 MB.
        assert growth.peak_bytes() < 20 * MB


def test_who_sends_requests_and_reads_no_answers_is_soon_read_no_more(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    requests = get("/") * 1000
    with ExitStack() as stack:
        connection = ask_and_read_nothing(server, get("/"), stack)
        connection.setblocking(False)
        sent_bytes = refusals = 0
        while refusals < 50 and sent_bytes < 1000 * MB:
            try:
                sent_bytes += connection.send(requests)
                refusals = 0
            except BlockingIOError:
                refusals += 1
                assert server.get("/").body == b"hello"
        assert refusals == 50
        # What was sent waits in the system's buffers. Measured: under 1 MB.
        assert growth.peak_bytes() < 10 * MB


def pipeline(server: Server, path: str, status: bytes, count: int, batch: int = 100) -> None:
    """Sends `count` requests on one connection, a batch at a time, and reads all the answers."""
    with server.connect() as connection:
        for _ in range(count // batch):
            connection.sendall(get(path) * batch)
            answered, rest = 0, b""
            while answered < batch:
                received = connection.recv(1 << 18)
                assert received
                rest += received
                answered += rest.count(b"HTTP/1.1 " + status)
                rest = rest[-11:]


@pytest.mark.parametrize(
    ("path", "status"), [("/", b"200"), ("/async", b"200"), ("/teapot", b"418")], ids=["plain", "suspended", "raising"]
)
def test_a_hundred_thousand_requests_leave_nothing_behind(serve: Serve, path: str, status: bytes) -> None:
    server = serve(APP)
    pipeline(server, path, status, 20_000)
    warm_bytes = server.resident_bytes()
    pipeline(server, path, status, 80_000)
    # A hundred bytes a request would be 8 MB. Measured: 0.
    assert server.resident_bytes() - warm_bytes < 2 * MB


def test_a_thousand_clients_that_leave_in_the_middle_leave_nothing_behind(serve: Serve) -> None:
    server = serve(APP)
    growth = Growth(server)
    idle_tasks = server.get("/tasks").json()

    def wait_for_tasks(wanted: int) -> None:
        give_up_s = time.monotonic() + 20
        while (running := server.get("/tasks").json()) != wanted:
            assert time.monotonic() < give_up_s, f"{running} tasks, not {wanted}"

    for _ in range(10):
        with ExitStack() as stack:
            open_all(server, 100, get("/asleep"), stack)
            wait_for_tasks(idle_tasks + 100)
        wait_for_tasks(idle_tasks)
    # Measured: 1 MB, all of it by the first hundred.
    assert growth.peak_bytes() < 10 * MB
