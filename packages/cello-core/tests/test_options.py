"""Options of routes and of the whole server: each does what it says, or is refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App, ClusterConfig, LimitsConfig, ThreadPoolConfig, TimeoutConfig
from serving import read_all

if TYPE_CHECKING:
    from serving import Serve

STATUS = """
    from cello import App, ProblemDetails, Response

    app = App()
    problem = ProblemDetails("about:blank", "Gone", 410)

    @app.use
    async def middleware(request, call_next):
        return await call_next(request)

    plain = App()
    app.mount("/plain", plain)

    for one in (app, plain):
        one.get("/dict", status=201)(lambda: {"made": True})
        one.get("/text", status=202)(lambda request: "text")
        one.get("/none", status=204)(lambda: None)
        one.get("/tuple", status=201)(lambda: ("own", 203))
        one.get("/response", status=201)(lambda: Response.text("own", status=206))
        one.get("/problem", status=201)(lambda: problem)

        @one.get("/async", status=201)
        async def waiting(request):
            return [1]

        @one.get("/stream", status=203)
        async def streamed():
            async def pieces():
                yield "a"
            return pieces()

    if "alone" in __import__("sys").argv:
        app = plain

    app.run()
"""


@pytest.mark.parametrize("argument", ["within", "alone"])
def test_the_status_of_a_route_is_that_of_answers_that_have_none_of_their_own(serve: Serve, argument: str) -> None:
    server = serve(STATUS, argument)
    statuses = {"dict": 201, "text": 202, "none": 204, "tuple": 203, "response": 206, "problem": 410, "async": 201}
    for path, status in {**statuses, "stream": 203}.items():
        assert (path, server.get(f"/{path}").status) == (path, status)


BLOCKING = """
    import contextvars, sys, threading, time
    from cello import App, Response, ThreadPoolConfig
    from cello.errors import Conflict

    app = App().set_threadpool(ThreadPoolConfig(size=2))
    place = contextvars.ContextVar("place", default="unset")
    gate, waiting = threading.Event(), threading.Semaphore(0)

    @app.use
    async def middleware(request, call_next):
        place.set("set before")
        response = await call_next(request)
        response.headers["x-place"] = place.get()
        return response

    @app.get("/thread", blocking=True)
    def thread(request):
        before = place.get()
        place.set("set in the thread")
        return {"thread": threading.current_thread().name, "before": before, "path": request.path}

    @app.get("/fails", blocking=True)
    def fails():
        place.set("set before it failed")
        raise Conflict("Taken.")

    @app.get("/stops", blocking=True)
    def stops():
        raise StopIteration

    @app.get("/waits", blocking=True)
    def waits():
        print("waits\\n", end="", flush=True)  # in one piece: two threads print it
        gate.wait()
        return threading.current_thread().name

    @app.get("/open")
    def open_gate():
        gate.set()

    app.run(debug=False)
"""


def test_a_blocking_handler_runs_in_a_thread_in_the_context_of_its_request(serve: Serve) -> None:
    server = serve(BLOCKING)
    answer = server.get("/thread")
    assert answer.json() == {"thread": "cello-blocking-1", "before": "set before", "path": "/thread"}
    assert answer.headers["x-place"] == "set in the thread"
    failed = server.get("/fails")
    assert (failed.status, failed.json()["detail"]) == (409, "Taken.")
    assert server.get("/stops").status == 500
    assert "a blocking handler raised StopIteration" in server.stop().stderr


def test_blocking_handlers_keep_nobody_waiting_and_wait_for_a_thread_themselves(serve: Serve) -> None:
    server = serve(BLOCKING)
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        connection.sendall(b"GET /waits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [server.next_line(), server.next_line()] == ["waits", "waits"]
    assert server.get("/open").status == 200  # the loop is free, and the third waits
    assert server.next_line() == "waits"
    answers: list[bytes] = []
    for connection in connections:
        with connection:
            answers.append(read_all(connection).rpartition(b"\r\n\r\n")[2])
    assert set(answers) == {b"cello-blocking-1", b"cello-blocking-2"}


def test_too_many_that_wait_for_a_thread_are_answered_503(serve: Serve) -> None:
    server = serve(
        BLOCKING.replace(
            "    app.run(", "    import cello._threads; cello._threads.WAITING_PER_THREAD = 0\n    app.run("
        )
    )
    connections = [server.connect() for _ in range(2)]
    for connection in connections:
        connection.sendall(b"GET /waits HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [server.next_line(), server.next_line()] == ["waits", "waits"]
    refused = server.get("/thread")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    server.get("/open")
    for connection in connections:
        connection.close()


def test_a_blocking_handler_whose_client_left_is_waited_for(serve: Serve) -> None:
    server = serve(
        """
        import asyncio, threading
        from cello import App
        app = App()
        gate = threading.Event()

        @app.use
        async def middleware(request, call_next):
            request.state.task = asyncio.current_task()
            try:
                return await call_next(request)
            except asyncio.CancelledError:
                print("cancelled, and the handler is", "over" if gate.is_set() else "running", flush=True)
                raise

        @app.get("/", blocking=True)
        def waits(request):
            print("waits", flush=True)
            while not request.disconnected() or not request.state.task.cancelling():
                gate.wait(0.01)
            gate.set()

        app.run()
        """
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "waits"
    assert server.next_line() == "cancelled, and the handler is over"
    assert server.stop().exit_code == 0


TIMEOUTS = """
    import asyncio
    from cello import App, TimeoutConfig

    app = App().set_timeouts(TimeoutConfig(handler=0.2))

    async def sleeps():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            raise

    app.get("/default")(sleeps)
    app.get("/own", timeout=0.1)(sleeps)

    @app.get("/none", timeout=None)
    async def none():
        await asyncio.sleep(1)
        return "slow"

    app.run()
"""


def test_a_handler_that_takes_too_long_is_cancelled_and_answered_503(serve: Serve) -> None:
    server = serve(TIMEOUTS)
    for path in ("/own", "/default"):
        answer = server.get(path)
        assert (answer.status, answer.json()["detail"]) == (503, "The handler took longer than it may.")
        assert server.next_line() == "cancelled"
    assert server.get("/none").body == b"slow"


def test_a_handler_may_go_on_when_its_client_left(serve: Serve) -> None:
    server = serve(
        """
        import asyncio
        from cello import App
        app = App()

        @app.get("/", cancel_on_disconnect=False)
        async def goes_on(request):
            print("began", flush=True)
            while not request.disconnected():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            print("went on", flush=True)

        app.run()
        """
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "began"
    assert server.next_line() == "went on"


def test_the_body_limit_of_the_application_holds_for_every_kind_of_body(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app = App().enable_body_limit(100)

        @app.post("/whole")
        def whole(request):
            return {"bytes": len(request.body())}

        @app.post("/stream", stream=True)
        async def stream(request):
            return {"bytes": len(await request.body())}

        @app.post("/own", body_limit=200)
        def own(request):
            return {"bytes": len(request.body())}

        app.run()
        """
    )
    for path in ("/whole", "/stream"):
        assert server.post(path, b"x" * 100).json() == {"bytes": 100}
        assert server.post(path, b"x" * 101).status == 413
    form = b'--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n' + b"x" * 101 + b"\r\n--b--\r\n"
    assert server.post("/whole", form, {"content-type": "multipart/form-data; boundary=b"}).status == 413
    assert server.post("/own", b"x" * 101).json() == {"bytes": 101}


def test_limits_are_those_that_are_set(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, LimitsConfig
        app = App().set_limits(LimitsConfig(max_header_size=8192, max_body_size=10))
        app.post("/")(lambda: "taken")
        app.run()
        """
    )
    assert server.post("/", b"x" * 11).status == 413
    assert server.post("/", b"x", {"x-large": "y" * 9000}).status == 431


def test_there_are_no_more_connections_than_are_set(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, LimitsConfig
        app = App().set_limits(LimitsConfig(max_connections=2))
        app.post("/")(lambda: "taken")
        app.run()
        """
    )
    with server.connect() as one, server.connect() as two:
        for connection in (one, two):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
        assert server.exchange(b"").startswith(b"HTTP/1.1 503 ")


TIMED = """
    from cello import App, TimeoutConfig
    app = App().set_timeouts(TimeoutConfig(read_header=0.3, read_body=0.3, idle=0.3))
    app.post("/")(lambda: "taken")
    app.run()
"""


def test_the_time_between_the_pieces_of_a_body_is_that_which_is_set(serve: Serve) -> None:
    unfinished = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"
    assert serve(TIMED).first_answer(unfinished).startswith(b"HTTP/1.1 408 ")


def test_the_times_of_heads_and_of_idle_connections_are_those_that_are_set(serve: Serve) -> None:
    server = serve(TIMED)
    assert server.exchange(b"POST / HTTP/1.1\r\n") == b""
    assert server.exchange(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").endswith(b"taken")


def test_setters_chain() -> None:
    app = App()
    chained = (
        app.enable_body_limit(max_size=5)
        .set_limits(LimitsConfig())
        .set_timeouts(TimeoutConfig())
        .set_trusted_proxies([])
        .set_access_log("json", sample_rate=0.5, skip=["/health"])
        .set_request_id_header("X-Request-ID")
        .set_threadpool(ThreadPoolConfig(size=3))
        .register_singleton("db", 7)
        .enable_limits(LimitsConfig(max_connections=5))
        .enable_timeouts(TimeoutConfig(handler=2))
        .enable_cluster(ClusterConfig())
    )
    assert chained is app
    assert app._body_limit == 5


def test_the_defaults_are_those_of_the_kernel() -> None:
    assert vars(LimitsConfig()) == {
        "max_header_size": 32768,
        "max_body_size": 10485760,
        "max_connections": 10000,
        "max_requests_per_connection": None,
    }
    assert vars(TimeoutConfig()) == {
        "read_header_timeout": 10.0,
        "read_body_timeout": 30.0,
        "write_timeout": 30.0,
        "idle_timeout": 75.0,
        "handler_timeout": None,
    }
    assert vars(ThreadPoolConfig()) == {"size": 64}
    assert vars(ClusterConfig()) == {
        "workers": None,
        "cpu_affinity": False,
        "max_restarts": 5,
        "graceful_shutdown": True,
        "shutdown_timeout": 30.0,
    }
    assert repr(ThreadPoolConfig(size=2)) == "ThreadPoolConfig(size=2)"


def test_the_other_names_of_timeouts_mean_the_same() -> None:
    other = TimeoutConfig(request_timeout=30, response_timeout=20, keep_alive_timeout=10)
    assert vars(other) == vars(TimeoutConfig(handler=30, write=20, idle=10))


@pytest.mark.parametrize(
    ("called", "arguments", "kind", "words"),
    [
        (LimitsConfig, {"max_requests_per_connection": 9}, ValueError, "max_requests_per_connection is not supported"),
        (LimitsConfig, {"max_header_size": 10}, ValueError, "it is 8192 or more"),
        (LimitsConfig, {"max_body_size": -1}, ValueError, "it is 0 or more"),
        (LimitsConfig, {"max_connections": "9"}, TypeError, "is no whole number"),
        (TimeoutConfig, {"read_header": 0}, ValueError, "it is more than 0 seconds"),
        (TimeoutConfig, {"handler": float("nan")}, ValueError, "is no time"),
        (TimeoutConfig, {"idle": "5"}, TypeError, "is no number of seconds"),
        (TimeoutConfig, {"idle": 5, "keep_alive_timeout": 6}, TypeError, "idle and keep_alive_timeout are one and the"),
        (ThreadPoolConfig, {"size": 0}, ValueError, "it is 1 or more"),
        (ThreadPoolConfig, {"adaptive": True}, ValueError, "adaptive is not supported: a handler is never moved"),
        (ThreadPoolConfig, {"offload_threshold_ms": 1}, ValueError, "offload_threshold_ms is not supported"),
        (ClusterConfig, {"workers": 0}, ValueError, "workers=0 cannot be: it is 1 or more, and 1024 at most"),
        (ClusterConfig, {"workers": "4"}, TypeError, "workers='4' is no whole number"),
        (ClusterConfig, {"cpu_affinity": 1}, TypeError, "cpu_affinity=1 is neither True nor False"),
        (ClusterConfig, {"max_restarts": -1}, ValueError, "it is 0 or more"),
        (ClusterConfig, {"graceful_shutdown": None}, TypeError, "graceful_shutdown=None is neither True nor False"),
        (ClusterConfig, {"shutdown_timeout": -1}, ValueError, "it is 0 seconds or more, and 86400 at most"),
        (ClusterConfig, {"shutdown_timeout": float("nan")}, ValueError, "it is 0 seconds or more"),
        (ClusterConfig, {"shutdown_timeout": "30"}, TypeError, "is no number of seconds"),
        (App().enable_cluster, {"config": 4}, TypeError, "4 is no ClusterConfig"),
        (App().set_limits, {"limits": TimeoutConfig()}, TypeError, "is no LimitsConfig"),
        (App().enable_body_limit, {"max_size": "1 MiB"}, TypeError, "is no whole number"),
        (App().register_singleton, {"name": "", "value": 1}, ValueError, "a singleton has a name"),
        (App().register_singleton, {"name": 1, "value": 1}, TypeError, "1 is no name of a singleton"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    called: Any, arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        called(**arguments)


PROVIDED = """
    import contextvars, sys
    from typing import Annotated
    from cello import App, Depends

    app, sub = App(), App()
    place = contextvars.ContextVar("place")

    async def connection():
        place.set("set by a dependency")
        print("opened", flush=True)
        yield "connection"
        print("closed", flush=True)

    async def pool():
        print("pool opened", flush=True)
        yield "pool"
        print("pool closed", flush=True)

    @app.on_event("startup")
    def started():
        app.register_singleton("db", "db of the outer")

    @app.on_event("shutdown")
    def stopped():
        print("stopped", flush=True)

    sub.register_singleton("db", "db of the mounted")

    @app.use
    async def middleware(request, call_next):
        response = await call_next(request)
        response.headers["x-seen"] = "yes"
        return response

    app.exception_handler(422)(lambda request, exc: {"refused": exc.status})

    @app.get("/users/{id}", blocking=True, status=201)
    def user(id: int, of: Annotated[str, Depends(connection)], once: str = Depends(pool, scope="app"), page: int = 1):
        import threading
        return [id, of, once, page, place.get(), threading.current_thread().name]

    @app.get("/again")
    def again(db=Depends("db")):
        app.register_singleton("db", "another")
        return db

    for one in (app, sub):
        @one.get("/db")
        def get_users(db=Depends("db")):
            return db

    app.mount("/sub", sub)
    if "override" in sys.argv:
        app.dependency_overrides[connection] = lambda: "another connection"
    app.run()
"""


def test_handlers_in_threads_and_behind_middleware_are_given_their_parameters(serve: Serve) -> None:
    server = serve(PROVIDED)
    answer = server.get("/users/7?page=2")
    expected = [7, "connection", "pool", 2, "set by a dependency", "cello-blocking-1"]
    assert (answer.status, answer.json(), answer.headers["x-seen"]) == (201, expected, "yes")
    refused = server.get("/users/seven")
    assert (refused.status, refused.json()) == (422, {"refused": 422})
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    assert server.banner[0] == "pool opened\n"
    assert stopped.stdout.splitlines()[2:4] == ["opened", "closed"]
    assert stopped.stdout.splitlines()[-2:] == ["pool closed", "stopped"]


def test_each_application_provides_its_own_and_may_do_so_at_any_time(serve: Serve) -> None:
    server = serve(PROVIDED)
    assert (server.get("/db").body, server.get("/sub/db").body) == (b"db of the outer", b"db of the mounted")
    assert (server.get("/again").body, server.get("/db").body) == (b"db of the outer", b"another")


def test_a_dependency_may_be_overridden(serve: Serve) -> None:
    server = serve(PROVIDED.replace("place.get()", "place.get(None)"), "override")
    assert server.get("/users/7").json()[1] == "another connection"
