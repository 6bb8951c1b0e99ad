"""The stop of a server: in what order, who is told, and what becomes of those that are not through."""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Blueprint, Request
from cello.testing import AsyncTestClient, TestClient
from serving import PATIENCE_S, Server, read_all, read_until
from supervised import children_of, wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    from serving import Serve

REQUEST = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"

#: Endless routes of every kind: what they do is told on standard output, each line with the process that tells it.
ENDLESS = """
    import asyncio, os, time
    from cello import App, Response

    app = App()

    def say(words):
        os.write(1, f"{os.getpid()} {words}\\n".encode())

    async def events():
        try:
            yield "data: 1\\n\\n"
            say("streaming")
            await asyncio.Event().wait()
        finally:
            say("stream ended")

    @app.get("/events", drain="now")
    async def get_events():
        return Response.stream(events(), content_type="text/event-stream")

    @app.get("/flood", drain="now")
    async def flood():
        say("flooding")
        try:
            while True:
                yield b"x" * 65536
        finally:
            say("flood ended")

    @app.get("/flood/def", drain="now")
    def flood_in_place():
        say("flooding")
        while True:
            yield b"x" * 65536

    @app.get("/poll", drain="now")
    async def poll() -> None:
        say("polling")
        try:
            await asyncio.Event().wait()
        finally:
            say("poll ended")

    @app.get("/partial", drain="now")
    async def partial(request):
        say("polling")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"messages": [], "stopping": request.server_stopping()}

    @app.get("/thread", drain="now", blocking=True)
    def in_thread(request):
        say("polling")
        while not request.server_stopping:
            time.sleep(0.01)
        return "told"

    @app.get("/told")
    async def told(request):
        say("waiting")
        await request.server_stopping
        return {"stopping": request.server_stopping(), "ready": app.is_ready}

    @app.get("/told/stream")
    async def told_stream(request):
        say("waiting")
        yield b"first;"
        await request.server_stopping
        yield b"last;"

    @app.get("/pid")
    def pid(request):
        return {"pid": os.getpid(), "stopping": request.server_stopping(), "ready": app.is_ready}

    app.run()
"""


def ask(server: Server, path: str, words: str) -> socket.socket:
    """Asks a request, and waits until its handler says so."""
    connection = server.connect()
    connection.sendall(REQUEST % path.encode())
    assert server.next_line().endswith(words)
    return connection


# --- drain="now"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stream_that_drains_now_breaks_off_at_the_stop(serve: Serve, workers: str) -> None:
    server = serve(ENDLESS, "--workers", workers)
    with ask(server, "/events", "streaming") as connection:
        assert read_until(connection, b"data: 1\n\n\r\n").startswith(b"HTTP/1.1 200 OK")
        server.send_signal(signal.SIGTERM)
        # Without the last chunk: who counts on the end knows that it was none.
        assert read_all(connection) == b""
    stopped = server.wait()
    assert stopped.is_clean
    assert stopped.stdout.endswith("stream ended\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_that_drains_now_is_a_503_at_the_stop(serve: Serve, number: signal.Signals) -> None:
    server = serve(ENDLESS)
    with ask(server, "/poll", "polling") as connection:
        server.send_signal(number)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    fields = head.lower().split(b"\r\n")
    assert {b"connection: close", b"retry-after: 1", b"content-type: application/problem+json"} <= set(fields)
    assert b'"detail":"The server is stopping."' in body
    stopped = server.wait()
    assert stopped.is_clean
    assert stopped.stdout.endswith("poll ended\n")


@pytest.mark.parametrize("path", ["/flood", "/flood/def"])
def test_a_client_that_takes_nothing_does_not_hold_up_the_stop(serve: Serve, path: str) -> None:
    server = serve(ENDLESS)
    with ask(server, path, "flooding") as connection:
        assert connection.recv(4096)  # and from now on nothing, until there is no room anywhere
        wait_until_quiet(server)
        assert server.stop().is_clean


def wait_until_quiet(server: Server) -> None:
    """Waits until a process has nothing to do."""
    give_up_s = time.monotonic() + PATIENCE_S
    before, now = None, cpu_ticks(server)
    while before != now:
        assert time.monotonic() < give_up_s
        time.sleep(0.2)
        before, now = now, cpu_ticks(server)


def cpu_ticks(server: Server) -> int:
    """The time that a process has computed."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_handler_that_is_cancelled_by_the_stop_may_answer_all_the_same(serve: Serve) -> None:
    server = serve(ENDLESS)
    with ask(server, "/partial", "polling") as connection:
        server.send_signal(signal.SIGTERM)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"messages":[],"stopping":true}')
    assert server.wait().is_clean


def test_a_thread_is_told_of_the_stop(serve: Serve) -> None:
    server = serve(ENDLESS)
    with ask(server, "/thread", "polling") as connection:
        server.send_signal(signal.SIGTERM)
        assert read_all(connection).startswith(b"HTTP/1.1 503 ")  # it was cancelled, though its thread could not be
    assert server.wait().is_clean


# --- request.server_stopping


def test_a_handler_that_waits_for_the_stop_answers_then(serve: Serve) -> None:
    server = serve(ENDLESS)
    assert server.get("/pid").json() == {"pid": server.process.pid, "stopping": False, "ready": True}
    with ask(server, "/told", "waiting") as connection:
        server.send_signal(signal.SIGTERM)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"stopping":true,"ready":false}')
    assert server.wait().is_clean


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stream_that_is_told_of_the_stop_ends_itself_and_is_whole(serve: Serve, workers: str) -> None:
    server = serve(ENDLESS, "--workers", workers)
    with ask(server, "/told/stream", "waiting") as connection:
        read_until(connection, b"first;\r\n")
        server.send_signal(signal.SIGTERM)
        assert read_all(connection) == b"5\r\nlast;\r\n0\r\n\r\n"
    assert server.wait().is_clean


def test_work_in_the_background_is_told_by_what_it_was_given(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()

        async def resend(stopping):
            print("working", flush=True)
            await stopping
            print("told", bool(stopping), stopping(), stopping, flush=True)

        @app.get("/")
        def handler(request):
            request.add_background_task(resend, request.server_stopping)
            return "answered"

        app.run()
    """)
    assert server.get("/").body == b"answered"
    assert server.next_line() == "working"
    stopped = server.stop()
    assert stopped.is_clean
    assert stopped.stdout.endswith("told True True True\n")


def test_whoever_gives_up_waiting_for_the_stop_leaves_the_others_waiting() -> None:
    async def main() -> None:
        app = App()
        told: list[str] = []

        @app.get("/")
        async def handler(request: Request) -> str:
            async def wait(name: str) -> None:
                await request.server_stopping
                told.append(name)

            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(wait(str(number))) for number in range(3)]
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(request.server_stopping, 0.001)
                waiting[1].cancel()
                begun.set()
            return " ".join(told)

        begun = asyncio.Event()
        client = AsyncTestClient(app)
        await client.__aenter__()
        connection = client.connect()
        await connection.send(REQUEST % b"/")
        await begun.wait()
        await asyncio.sleep(0)
        assert not connection.is_receivable()
        await client.__aexit__()
        assert (await connection.receive_all()).endswith(b"\r\n\r\n0 2")

    asyncio.run(main())


def test_a_request_that_is_made_by_hand_has_no_server_that_stops() -> None:
    async def main() -> None:
        request = Request("GET", "/")
        assert not request.server_stopping
        assert request.server_stopping() is False
        assert repr(request.server_stopping) == "False"
        with pytest.raises(RuntimeError, match="made by hand waits for nothing"):
            await request.server_stopping

    asyncio.run(main())


# --- the order of the stop

#: Idle connections are kept for longer than a test takes.
PATIENT = ENDLESS.replace("import asyncio, os, time", "import asyncio, os, time\n    import cello._stopping").replace(
    "app = App()", "app = App()\n    cello._stopping.PATIENCE_S = 25.0"
)


def test_an_idle_connection_gets_one_more_answer_which_says_that_it_is_the_last(serve: Serve) -> None:
    server = serve(PATIENT)
    with server.connect() as idle, server.connect() as late, ask(server, "/told", "waiting") as waiting:
        for connection in (idle, late):
            connection.sendall(REQUEST % b"/pid")
            assert b"connection: close" not in read_until(connection, b"}").lower()
        server.send_signal(signal.SIGTERM)
        assert read_all(waiting).endswith(b'"ready":false}')  # the stop has begun
        wait_until(server.is_closed)
        idle.sendall(REQUEST % b"/pid")
        answer = read_all(idle)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert answer.endswith(b'"stopping":true,"ready":false}')
        late.sendall(REQUEST % b"/poll")
        assert read_all(late).startswith(b"HTTP/1.1 503 ")
    stopped = server.wait()
    assert stopped.is_clean
    assert "poll" not in stopped.stdout  # whoever would be cancelled at once does not begin


def test_an_interrupt_has_no_patience_with_idle_connections(serve: Serve) -> None:
    server = serve(PATIENT)
    with server.connect() as idle:
        idle.sendall(REQUEST % b"/pid")
        read_until(idle, b"}")
        assert server.stop(signal.SIGINT).is_clean
        assert idle.recv(1) == b""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_with_a_delay_serves_on_and_is_not_ready(serve: Serve, workers: str) -> None:
    server = serve(ENDLESS, "--workers", workers, "--shutdown-delay", "600")
    assert server.get("/pid").json()["ready"] is True
    server.send_signal(signal.SIGTERM)
    unready: set[int] = set()

    def are_all_unready() -> bool:
        reply = server.get("/pid").json()  # over a new connection each time
        assert reply["stopping"] is False
        if not reply["ready"]:
            unready.add(reply["pid"])
        return len(unready) == int(workers)

    wait_until(are_all_unready)
    with ask(server, "/events", "streaming") as connection:
        read_until(connection, b"data: 1\n\n\r\n")
        server.send_signal(signal.SIGINT)  # who is at the terminal does not wait
        assert read_all(connection) == b""
    assert server.wait().is_clean


def test_the_delay_passes(serve: Serve) -> None:
    server = serve(ENDLESS.replace("run()", "run(shutdown_delay=0.2)"))
    with ask(server, "/told", "waiting") as connection:
        server.send_signal(signal.SIGTERM)
        assert read_all(connection).endswith(b'{"stopping":true,"ready":false}')
    assert server.wait().is_clean


def test_a_handler_that_will_not_be_cancelled_is_ended_by_a_second_interrupt(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()

        @app.get("/", drain="now")
        async def stubborn() -> None:
            while True:
                try:
                    print("waiting", flush=True)
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        app.run()
    """)
    with ask(server, "/", "waiting"):
        server.send_signal(signal.SIGINT)
        assert server.next_line() == "waiting"
        server.send_signal(signal.SIGINT)
        stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (130, "")


# --- app.is_ready


def test_an_application_is_ready_from_the_end_of_its_start_to_its_stop() -> None:
    app, mounted = App(), App()
    seen: list[tuple[str, bool, bool]] = []

    def note(when: str) -> None:
        seen.append((when, app.is_ready, mounted.is_ready))

    app.on_event("startup")(lambda: note("start-up"))
    app.on_event("shutdown")(lambda: note("shut-down"))
    mounted.get("/")(lambda: note("request"))
    app.mount("/mounted", mounted)
    note("before")
    for _ in range(2):
        with TestClient(app) as client:
            client.get("/mounted/")
        note("after")
    assert seen == [
        ("before", False, False),
        *2
        * [("start-up", False, False), ("request", True, True), ("shut-down", False, False), ("after", False, False)],
    ]
    with pytest.raises(AttributeError):
        app.is_ready = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_an_application_that_does_not_start_was_never_ready() -> None:
    app = App()

    @app.on_event("startup")
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(Exception, match="startup"), TestClient(app):
        pass
    assert app.is_ready is False


# --- workers


def test_streams_that_drain_now_do_not_hold_up_a_roll(serve: Serve) -> None:
    server = serve(ENDLESS, "--workers", "2")
    before = children_of(server)
    streams: list[socket.socket] = []
    busy: set[int] = set()
    while busy != before:
        streams.append(server.connect())
        streams[-1].sendall(REQUEST % b"/events")
        busy.add(int(server.next_line().split()[0]))
    server.send_signal(signal.SIGHUP)
    for connection in streams:
        with connection:
            read_until(connection, b"data: 1\n\n\r\n")
            assert read_all(connection) == b""
    wait_until(lambda: not children_of(server) & before)
    assert len(children_of(server)) == 2
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert len(re.findall(r"worker \d+ takes the place of worker \d+\n", stopped.stderr)) == 2


def test_work_that_is_queued_at_the_stop_of_workers_under_load_is_all_done_once(serve: Serve, tmp_path: Path) -> None:
    server = serve(
        """
        import asyncio, os
        from cello import App

        app = App()
        done = []

        async def work(stopping, name):
            await stopping
            await asyncio.sleep(0)
            done.append(name)

        @app.get("/queue/{name}")
        def queue(request):
            for number in range(125):
                request.add_background_task(work, request.server_stopping, f"{request.params['name']} {number}")
            return os.getpid()

        @app.get("/")
        def hello():
            return "hello"

        @app.on_event("shutdown")
        def tell():
            with open(f"done-{os.getpid()}", "w") as file:
                file.write("\\n".join(done))

        app.run(workers=2)
        """
    )
    is_over = threading.Event()
    loads = [threading.Thread(target=ask_until, args=(server, is_over)) for _ in range(4)]
    for load in loads:
        load.start()
    asked: list[str] = []
    pids: set[int] = set()
    while len(asked) < 8 or len(pids) < 2:
        asked.append(str(len(asked)))
        pids.add(server.get(f"/queue/{asked[-1]}").json())
    server.send_signal(signal.SIGTERM)
    stopped = server.wait()
    is_over.set()
    for load in loads:
        load.join()
    assert stopped.is_clean
    files = sorted((tmp_path / "0").glob("done-*"))
    assert {int(file.name.partition("-")[2]) for file in files} == pids
    done = [line for file in files for line in file.read_text().splitlines()]
    assert len(done) >= 1000
    assert sorted(done) == sorted(f"{name} {number}" for name in asked for number in range(125))


def ask_until(server: Server, is_over: threading.Event) -> None:
    """Asks for as long as somebody answers."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    while not is_over.is_set():
        try:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello"
        except (OSError, http.client.HTTPException):
            connection.close()
            if is_over.wait(0.01):
                return
    connection.close()


# --- without a socket


def make_endless(app: App | Blueprint, begun: Callable[[], object], ended: Callable[[str], object]) -> None:
    """Adds routes that the stop has to end, and one that ends itself."""

    @app.get("/events", drain="now")
    async def events() -> AsyncIterator[str]:
        yield "first;"
        try:
            begun()
            await asyncio.Event().wait()
        finally:
            ended("stream")

    @app.get("/poll", drain="now")
    async def poll(request: Request) -> None:
        request.add_background_task(ended, "background")
        begun()
        try:
            await asyncio.Event().wait()
        finally:
            ended("handler")

    @app.get("/told")
    async def told(request: Request) -> AsyncIterator[str]:
        yield "first;"
        begun()
        await request.server_stopping
        yield "last;"


def test_a_test_client_that_ends_ends_what_drains_now_and_tells_the_others() -> None:
    app = App()
    begun, ended = threading.Semaphore(0), list[str]()
    make_endless(app, begun.release, ended.append)
    client = TestClient(app)
    client.__enter__()
    connections = {path: client.connect() for path in ("/events", "/poll", "/told")}
    for path, connection in connections.items():
        connection.send(REQUEST % path.encode())
        assert begun.acquire(timeout=PATIENCE_S)
    client.__exit__()
    assert connections["/told"].receive_all().endswith(b"6\r\nfirst;\r\n5\r\nlast;\r\n0\r\n\r\n")
    assert connections["/poll"].receive_all().startswith(b"HTTP/1.1 503 ")
    assert connections["/events"].receive_all().endswith(b"6\r\nfirst;\r\n")  # and no last chunk
    assert sorted(ended) == ["background", "handler", "stream"]


def test_a_client_in_a_loop_of_others_that_ends_does_the_same() -> None:
    async def main() -> None:
        app = App()
        begun, ended = asyncio.Semaphore(0), list[str]()
        make_endless(app, begun.release, ended.append)
        client = AsyncTestClient(app)
        await client.__aenter__()
        connections = {path: client.connect() for path in ("/events", "/poll", "/told")}
        for path, connection in connections.items():
            await connection.send(REQUEST % path.encode())
            await begun.acquire()
        await client.__aexit__()
        assert (await connections["/told"].receive_all()).endswith(b"6\r\nfirst;\r\n5\r\nlast;\r\n0\r\n\r\n")
        assert (await connections["/poll"].receive_all()).startswith(b"HTTP/1.1 503 ")
        assert (await connections["/events"].receive_all()).endswith(b"6\r\nfirst;\r\n")
        assert sorted(ended) == ["background", "handler", "stream"]

    asyncio.run(main())


@pytest.mark.parametrize(("own", "status"), [({}, 503), ({"drain": "finish"}, 200)], ids=["", "own"])
def test_a_blueprint_says_it_for_its_routes_and_each_route_for_itself(own: Any, status: int) -> None:
    app, begun = App(), threading.Event()
    blueprint = Blueprint("/shop", drain="now")

    async def wait(request: Request) -> str:
        begun.set()
        await request.server_stopping
        await asyncio.sleep(0)
        return "answered"

    blueprint.get("/", **own)(wait)
    app.register_blueprint(blueprint)
    client = TestClient(app)
    client.__enter__()
    connection = client.connect()
    connection.send(REQUEST % b"/shop/")
    assert begun.wait(PATIENCE_S)
    client.__exit__()
    assert connection.receive_all().startswith(b"HTTP/1.1 %d " % status)


def test_by_asgi_the_end_of_the_lifespan_is_the_stop() -> None:
    async def main() -> None:
        app = App()
        begun, ended = asyncio.Semaphore(0), list[str]()
        make_endless(app, begun.release, ended.append)
        orders: asyncio.Queue[str] = asyncio.Queue()
        phases: list[str] = []

        async def receive_order() -> dict[str, str]:
            return {"type": f"lifespan.{await orders.get()}"}

        async def note_phase(message: Any) -> None:
            phases.append(message["type"])

        async def ask_by_asgi(path: str) -> list[Any]:
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                if sent or ended:
                    await asyncio.Event().wait()
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                sent.append(message)

            scope: dict[str, Any] = {
                "type": "http",
                "http_version": "1.1",
                "method": "GET",
                "path": path,
                "headers": [],
                "query_string": b"",
            }
            try:
                await app.asgi(scope, receive, send)
            except RuntimeError as error:
                sent.append(str(error))
            return sent

        life = asyncio.ensure_future(app.asgi({"type": "lifespan"}, receive_order, note_phase))
        orders.put_nowait("startup")
        requests: list[asyncio.Future[list[Any]]] = []
        for path in ("/events", "/poll", "/told"):
            requests.append(asyncio.ensure_future(ask_by_asgi(path)))
            await begun.acquire()
        assert app.is_ready is True
        orders.put_nowait("shutdown")
        stream, poll, told = await asyncio.gather(*requests)
        assert [message["body"] for message in told[1:]] == [b"first;", b"last;", b""]
        assert poll[0]["status"] == 503
        assert [message["body"] for message in stream[1:-1]] == [b"first;"]
        assert stream[-1].startswith("the answer broke off")
        await life
        assert phases == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert app.is_ready is False
        assert sorted(ended) == ["background", "handler", "stream"]

    asyncio.run(main())
