"""The clients for tests: each promise of `TestClient` and of `AsyncTestClient`, on every loop that they run on."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import anyio
import httpx
import pytest
import uvloop
from cello import App, BackgroundTasks, Depends, LimitsConfig, Request, Response, TimeoutConfig
from cello.errors import HTTPError, StartError
from cello.loop import EventLoop
from cello.testing import AsyncTestClient, AsyncTransport, TestClient, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop, "cello": EventLoop}

GET = b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n"

asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


class Either:
    """Either client of the tests, with one set of calls to be awaited."""

    def __init__(self, client: TestClient | AsyncTestClient) -> None:
        self.client: Any = client
        self.is_async = isinstance(client, AsyncTestClient)

    async def call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Calls a method of the client, or of what it gave."""
        if not self.is_async:
            return await asyncio.to_thread(function, *arguments, **keywords)
        returned = function(*arguments, **keywords)
        return await returned if inspect.isawaitable(returned) else returned

    async def get(self, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = await self.call(self.client.get, path, **options)
        return answer

    async def post(self, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = await self.call(self.client.post, path, **options)
        return answer

    async def begin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request whose answer is read later."""
        request = self.client.build_request(method, path, **options)
        answer: httpx.Response = await self.call(self.client.send, request, stream=True)
        return answer

    async def close(self, answer: httpx.Response) -> None:
        await self.call(answer.aclose if self.is_async else answer.close)

    def connect(self) -> Line:
        return Line(self, self.client.connect())

    @asynccontextmanager
    async def entered(self) -> AsyncGenerator[Either]:
        names = ("__aenter__", "__aexit__") if self.is_async else ("__enter__", "__exit__")
        await self.call(getattr(self.client, names[0]))
        try:
            yield self
        finally:
            await self.call(getattr(self.client, names[1]), None, None, None)


class Line(NamedTuple):
    """A connection of either client."""

    either: Either
    connection: Any

    async def send(self, data: bytes, **options: Any) -> None:
        await self.either.call(self.connection.send, data, **options)

    async def receive(self, **options: Any) -> bytes:
        received: bytes = await self.either.call(self.connection.receive, **options)
        return received

    async def receive_all(self) -> bytes:
        received: bytes = await self.either.call(self.connection.receive_all)
        return received

    async def ask(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.receive()

    def close(self) -> None:
        self.connection.close()


class Kind(NamedTuple):
    """A kind of client, and the loop it is used in."""

    run: Callable[[Callable[[], Awaitable[None]]], None]
    is_async: bool

    def client(self, app: App, **options: Any) -> Either:
        return Either(AsyncTestClient(app, **options) if self.is_async else TestClient(app, **options))

    def drive(self, app: App, scenario: Callable[[Either], Awaitable[None]], **options: Any) -> None:
        """Runs a scenario with a client of the application."""

        async def main() -> None:
            async with self.client(app, **options).entered() as either:
                await scenario(either)

        self.run(main)


def on(loop: str) -> Callable[[Callable[[], Any]], None]:
    def run(main: Callable[[], Any]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main())

    return run


KINDS = {
    "TestClient": Kind(on("asyncio"), False),
    **{f"AsyncTestClient on {loop}": Kind(on(loop), True) for loop in LOOPS},
    "AsyncTestClient on anyio": Kind(anyio.run, True),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


# --- requests and answers


def test_requests_are_answered_as_over_a_socket(kind: Kind) -> None:
    app = App()

    @app.post("/items/{name}")
    async def item(request: Request) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {
            "name": request.params["name"],
            "query": request.query["q"],
            "body": request.json(),
            "from": [request.client_ip, request.host, request.scheme],
        }

    async def scenario(either: Either) -> None:
        answer = await either.post("/items/caf%C3%A9", params={"q": "1 2"}, json={"n": 1})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json() == {
            "name": "café",
            "query": "1 2",
            "body": {"n": 1},
            "from": ["127.0.0.1", "testserver", "http"],
        }
        assert (await either.get("/items/x")).status_code == 405
        assert (await either.get("/nothing")).json()["detail"] == "No route has this path."
        assert (await either.call(either.client.head, "/nothing")).content == b""

    kind.drive(app, scenario)


def test_the_client_s_address_and_the_scheme_can_be_chosen(kind: Kind) -> None:
    app = App()

    @app.get("/")
    def told(request: Request) -> list[Any]:
        return [str(request.client_ip), request.scheme, bool(request.is_secure), str(request.host)]

    async def scenario(either: Either) -> None:
        assert (await either.get("/")).json() == ["2001:db8::7", "https", True, "example.org"]
        assert (await either.get("http://other/")).json() == ["2001:db8::7", "http", False, "other"]

    kind.drive(app, scenario, client=("2001:db8::7", 80), base_url="https://example.org")
    with pytest.raises(ValueError, match="testclient"):
        kind.client(app, client=("testclient", 80))


def test_cookies_are_kept_and_redirects_followed(kind: Kind) -> None:
    app = App()

    @app.get("/login")
    def login() -> Response:
        response = Response.redirect("/me")
        response.set_cookie("user", "ada")
        return response

    @app.get("/me")
    def me(request: Request) -> str:
        return request.cookies["user"]

    async def scenario(either: Either) -> None:
        answer = await either.get("/login")
        assert (answer.text, str(answer.url)) == ("ada", "http://testserver/me")
        assert (await either.get("/login", follow_redirects=False)).status_code in (302, 307)
        assert either.client.cookies["user"] == "ada"

    kind.drive(app, scenario)


def test_forms_and_files_are_uploaded(kind: Kind) -> None:
    app = App()

    @app.post("/")
    async def upload(request: Request) -> list[Any]:
        form, files = await request.form(), await request.files()
        return [form["title"], files[0].filename, len(await files[0].read())]

    async def scenario(either: Either) -> None:
        answer = await either.post("/", data={"title": "a"}, files={"file": ("a.bin", bytes(2 << 20))})
        assert answer.json() == ["a", "a.bin", 2 << 20]

    kind.drive(app, scenario)


def test_bodies_are_streamed_both_ways(kind: Kind) -> None:
    app = App()

    @app.post("/", stream=True)
    async def echo(request: Request) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield piece.upper()

        return pieces()

    sent = [b"abc" * 10_000] * 50

    async def scenario(either: Either) -> None:
        async def gradually() -> AsyncIterator[bytes]:
            for piece in sent:
                yield piece

        # The answer is under way while the body is, and neither end waits for the other.
        body: Any = gradually() if either.is_async else iter(sent)
        assert (await either.post("/", content=body)).content == b"".join(sent).upper()
        assert (await either.post("/", content=b"".join(sent))).content == b"".join(sent).upper()
        assert (await either.post("/", content=b"short")).content == b"SHORT"

    kind.drive(app, scenario)


def test_an_answer_that_breaks_off_under_an_upload_is_raised(kind: Kind) -> None:
    app = App()

    @app.post("/", stream=True)
    async def begin(request: Request) -> AsyncIterator[bytes]:
        async for piece in request.stream():
            yield piece
            raise LookupError("in the middle")

    @app.post("/refused", stream=True)
    async def refuse() -> None:
        raise HTTPError(403, "no")

    async def scenario(either: Either) -> None:
        with pytest.raises(LookupError, match="in the middle"):
            await either.post("/", content=bytes(1_000_000))
        assert (await either.post("/refused", content=bytes(1_000_000))).status_code == 403

    kind.drive(app, scenario)


def test_any_task_may_read_a_body_after_whatever_was_waited_for(kind: Kind) -> None:
    app = App()

    @app.post("/", stream=True)
    async def measure(request: Request) -> list[int]:
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            first = await anext(request.stream())

            async def rest() -> bytes:
                return await request.body()

            return [len(first) > 0, len(first) + len(await asyncio.create_task(rest()))]

    async def scenario(either: Either) -> None:
        answer = await either.post("/", content=bytes(300_000))
        assert answer.json() == [True, 300_000]

    kind.drive(app, scenario)


def test_a_connection_is_used_again(kind: Kind) -> None:
    app = App()

    @app.get("/")
    def line(request: Request) -> str:
        return str(request._line)

    async def scenario(either: Either) -> None:
        assert {(await either.get("/")).text for _ in range(3)} == {"1"}
        assert (await either.get("/", headers={"connection": "close"})).text == "1"
        assert (await either.get("/")).text == "2"

    kind.drive(app, scenario)


def test_requests_are_answered_side_by_side(kind: Kind) -> None:
    app = App()
    both = asyncio.Barrier(2)

    @app.get("/")
    async def meet() -> str:
        async with both:
            return "met"

    async def scenario(either: Either) -> None:
        answers = await asyncio.gather(either.get("/"), either.get("/"))
        assert [answer.text for answer in answers] == ["met", "met"]

    kind.drive(app, scenario)


def test_blocking_handlers_have_threads_and_background_tasks_run(kind: Kind) -> None:
    app = App()
    done = threading.Event()

    @app.get("/thread", blocking=True)
    def thread() -> str:
        return threading.current_thread().name

    @app.get("/background")
    async def background() -> str:
        BackgroundTasks().add_task(done.set)
        return "later"

    async def scenario(either: Either) -> None:
        assert (await either.get("/thread")).text == "cello-blocking-1"
        assert (await either.get("/background")).text == "later"

    kind.drive(app, scenario)
    assert done.is_set()


def test_a_request_runs_in_a_copy_of_the_context_that_the_client_was_started_in(kind: Kind) -> None:
    app = App()

    @app.get("/")
    async def who() -> str:
        asked, _ = asked_by.get(), asked_by.set("a handler")
        return asked

    async def main() -> None:
        asked_by.set("a test")
        async with kind.client(app).entered() as either:
            assert [(await either.get("/")).text for _ in range(2)] == ["a test", "a test"]
        assert asked_by.get() == "a test"

    kind.run(main)


# --- what went wrong


def failing() -> App:
    app = App()

    @app.get("/now")
    def now() -> None:
        raise ValueError("now")

    @app.get("/later")
    async def later() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    @app.get("/asked")
    async def asked() -> None:
        raise HTTPError(500, "as asked")

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            yield "a beginning"
            await asyncio.sleep(0)
            raise ValueError("in the middle")

        return pieces()

    app.get("/fine")(lambda: "fine")
    return app


def test_what_a_handler_raised_is_raised_by_the_request(kind: Kind) -> None:
    async def scenario(either: Either) -> None:
        for path, words in (("/now", "now"), ("/later", "later"), ("/stream", "in the middle")):
            with pytest.raises(ValueError, match=f"^{words}$") as caught:
                await either.get(path)
            assert "pieces" in str(caught.traceback[-1].name) or words in str(caught.traceback[-1].name)
            assert (await either.get("/fine")).text == "fine"
        assert (await either.get("/asked")).json()["detail"] == "as asked"

    kind.drive(failing(), scenario)


def test_what_a_handler_raised_is_a_500_where_that_is_wanted(kind: Kind) -> None:
    async def scenario(either: Either) -> None:
        for path in ("/now", "/later"):
            answer = await either.get(path)
            assert (answer.status_code, answer.json()["detail"]) == (
                500,
                "The server failed to answer this request.",
            )
        with pytest.raises(httpx.RemoteProtocolError):
            await either.get("/stream")
        assert (await either.get("/fine")).text == "fine"

    kind.drive(failing(), scenario, raise_server_exceptions=False)


def test_in_debug_a_500_shows_what_was_raised(kind: Kind) -> None:
    async def scenario(either: Either) -> None:
        assert (await either.get("/now")).json()["detail"] == "ValueError: now"

    kind.drive(failing(), scenario, raise_server_exceptions=False, debug=True)


def test_what_an_exception_handler_answers_is_an_answer(kind: Kind) -> None:
    app = failing()

    @app.exception_handler(ValueError)
    def caught(_: Request, error: ValueError) -> Response:
        return Response.text(f"caught {error}", status=400)

    async def scenario(either: Either) -> None:
        answer = await either.get("/later")
        assert (answer.status_code, answer.text) == (400, "caught later")

    kind.drive(app, scenario)


# --- the life of the application


def test_the_application_lives_from_the_beginning_of_the_block_to_its_end(kind: Kind) -> None:
    app = App()
    events: list[str] = []

    @app.lifespan
    async def lifespan(_: App) -> AsyncIterator[None]:
        async with anyio.create_task_group():  # which is to be left by the task that has entered it
            events.append("entered")
            yield
            events.append("left")

    @app.on_event("startup")
    async def started() -> None:
        app.state.greeting = "hello"
        events.append("started")

    app.on_event("shutdown")(lambda: events.append("stopped"))

    @app.get("/")
    def greet(request: Request) -> str:
        return str(request.app.state.greeting)

    async def scenario(either: Either) -> None:
        assert events == ["entered", "started"]
        assert (await either.get("/")).text == either.client.app_state.greeting == "hello"
        assert either.client.app is app

    for _ in range(2):
        kind.drive(app, scenario)
        assert events == ["entered", "started", "stopped", "left"]
        events.clear()


def test_a_start_or_an_end_that_fails_is_raised_by_the_block(kind: Kind) -> None:
    async def scenario(either: Either) -> None: ...

    events: list[Literal["startup", "shutdown"]] = ["startup", "shutdown"]
    for event in events:
        app = App()

        @app.on_event(event)
        def fail() -> None:
            raise OSError("no database")

        with pytest.raises(StartError, match=f"the {event} function .* failed") as caught:
            kind.drive(app, scenario)
        assert isinstance(caught.value.__cause__, OSError)
    app = App()
    for _ in range(2):
        app.get("/")(lambda: "twice")
    with pytest.raises(StartError, match="two handlers"):
        kind.drive(app, scenario)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (App, "the class App is no application of Cello: make one, App()"),
        (App().asgi, "an object of Asgi is no application of Cello: give the App that it is the asgi of"),
        ("shop:app", "'shop:app' is no application of Cello: a client for tests is given the App itself"),
    ],
)
@pytest.mark.parametrize("client", [TestClient, AsyncTestClient, Transport, AsyncTransport])
def test_what_is_no_application_is_refused_with_what_to_give(
    client: Callable[[Any], Any], given: Any, words: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        client(given)


def test_a_client_of_another_loop_says_what_to_do() -> None:
    app = App()
    app.get("/")(lambda: "fine")
    with asyncio.Runner() as runner, asyncio.Runner() as other:
        client = AsyncTestClient(app)
        runner.run(client.__aenter__())
        with pytest.raises(RuntimeError, match=r"started in another loop than the one that asks: .* loop_scope="):
            other.run(client.get("/"))
        assert runner.run(client.get("/")).text == "fine"
        runner.run(client.__aexit__())


def test_without_a_loop_of_asyncio_it_is_said_which_to_take() -> None:
    entering = AsyncTestClient(App()).__aenter__()
    with pytest.raises(RuntimeError, match=r"no loop of asyncio runs here, .* of anyio's backends take asyncio"):
        entering.send(None)  # as a loop of another kind does


def test_a_request_outside_of_the_block_says_what_to_do(kind: Kind) -> None:
    app = App()

    async def main() -> None:
        either = kind.client(app)
        with pytest.raises(RuntimeError, match="use the client in a `with` block"):
            either.connect()
        with pytest.raises(RuntimeError, match="use the client in a `with` block"):
            await kind.client(app).get("/")
        async with either.entered():
            async with kind.client(App()).entered():
                pass
            with pytest.raises(RuntimeError, match="served by another client"):
                async with kind.client(app).entered():
                    pass
        with pytest.raises(RuntimeError, match="closed"):
            await either.get("/")

    kind.run(main)


def test_a_handler_that_hangs_does_not_keep_the_block_from_ending(kind: Kind) -> None:
    app = App()
    ended: list[str] = []
    begun = threading.Semaphore(0)

    for path, is_cancelled in (("/left", True), ("/kept", False)):

        @app.get(path, cancel_on_disconnect=is_cancelled)
        async def hang(request: Request) -> None:
            begun.release()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(str(request.path))

    app.on_event("shutdown")(lambda: ended.append("the application"))

    async def scenario(either: Either) -> None:
        lines = [either.connect(), either.connect()]
        for line, path in zip(lines, (b"/left", b"/kept"), strict=True):
            await line.send(GET % path)
            assert await asyncio.to_thread(begun.acquire, timeout=20)

    kind.drive(app, scenario, shutdown_timeout_s=0.1)
    assert sorted(ended) == ["/kept", "/left", "the application"]


def test_what_ends_the_process_ends_the_block(kind: Kind) -> None:
    app = App()

    @app.get("/")
    async def leave() -> None:
        raise SystemExit(7)

    async def scenario(either: Either) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await either.get("/")

    if kind.is_async:
        with pytest.raises(SystemExit, match="7"):
            kind.drive(app, scenario)
        return

    async def main() -> None:
        either = kind.client(app)
        with pytest.raises(SystemExit, match="7"):
            await asyncio.to_thread(leave_within, either.client)

    def leave_within(client: TestClient) -> None:
        with client, pytest.raises(httpx.HTTPError):
            for _ in range(2):  # the first may be answered before the loop ends
                client.get("/").raise_for_status()

    kind.run(main)


def is_no_more_than(before: tuple[int, int], now: tuple[int, int]) -> bool:
    """Whether there are as many threads and descriptors as before, or fewer: garbage of others may go meanwhile."""
    return all(one <= other for one, other in zip(now, before, strict=True))


def test_nothing_is_left_behind(kind: Kind) -> None:
    app = App()
    app.get("/", blocking=True)(lambda: "here")

    @app.get("/hang")
    async def hang() -> None:
        await asyncio.Event().wait()

    async def scenario(either: Either) -> None:
        assert (await either.get("/")).text == "here"
        await either.connect().send(GET % b"/hang")

    def left() -> tuple[int, int]:
        gc.collect()
        for thread in threading.enumerate():
            if thread.name.startswith(("cello-blocking", "cello-test")):
                thread.join()
        return len([*Path("/proc/self/task").iterdir()]), len([*Path("/proc/self/fd").iterdir()])

    async def main() -> None:
        async with kind.client(app).entered() as either:
            await scenario(either)
        await asyncio.get_running_loop().shutdown_default_executor()

    kind.run(main)
    before = left()
    for _ in range(20):
        kind.run(main)
    assert is_no_more_than(before, left())

    async def often() -> None:
        for _ in range(80):
            async with kind.client(app).entered() as either:
                await scenario(either)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.get_running_loop().shutdown_default_executor()

    kind.run(often)
    assert is_no_more_than(before, left())


def test_no_signal_is_handled() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with TestClient(App()) as client:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert client.get("/").status_code == 404


# --- overrides


def test_dependencies_are_overridden_until_the_block_ends(kind: Kind) -> None:
    def database() -> str:
        return "the database"

    app, mounted = App(), App()
    app.dependency_overrides[len] = "kept"
    for one in (app, mounted):

        @one.get("/")
        def show(data: Any = Depends(database), name: Any = Depends("name")) -> list[str]:
            return [data, name]

        one.register_singleton("name", "given")
    app.mount("/inner", mounted)

    async def overridden(either: Either) -> None:
        assert (await either.get("/")).json() == ["a fake", "another"]
        assert (await either.get("/inner/")).json() == ["a fake", "another"]

    async def plain(either: Either) -> None:
        assert (await either.get("/inner/")).json() == ["the database", "given"]

    kind.drive(app, overridden, overrides={database: lambda: "a fake", "name": "another"})
    assert (app.dependency_overrides, mounted.dependency_overrides) == ({len: "kept"}, {})
    kind.drive(app, plain)


def test_limits_and_timeouts_are_those_of_the_client_until_the_block_ends(kind: Kind) -> None:
    app = App()

    @app.post("/")
    async def length(request: Request) -> str:
        return str(len(await request.body()))

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    async def limited(either: Either) -> None:
        assert (await either.post("/", content=b"12345")).text == "5"
        assert (await either.post("/", content=b"123456")).status_code == 413
        assert (await either.get("/slow")).status_code == 503

    async def plain(either: Either) -> None:
        assert (await either.post("/", content=b"123456")).text == "6"

    kind.drive(app, limited, limits=LimitsConfig(max_body_size=5), timeouts=TimeoutConfig(handler=0.05))
    kind.drive(app, plain)


# --- limits, timeouts and what needs a wire


def test_requests_are_refused_natively(kind: Kind) -> None:
    app = App()
    app.get("/")(lambda: "fine")

    async def scenario(either: Either) -> None:
        fields = {f"x-{number}": "" for number in range(101)}
        assert (await either.get("/", headers=fields)).status_code == 431
        assert (await either.get("/", headers={"x": "y" * (32 << 10)})).status_code == 431
        assert (await either.get("/" + "a" * (16 << 10))).status_code == 414
        line = either.connect()
        await line.send(b"no request\r\n\r\n")
        assert (await line.receive_all()).startswith(b"HTTP/1.1 400 ")
        assert (await either.get("/")).text == "fine"

    kind.drive(app, scenario)


def test_a_connection_too_many_is_told_so(kind: Kind) -> None:
    app = App()
    app.get("/")(lambda: "fine")

    async def scenario(either: Either) -> None:
        first = either.connect()
        assert (await first.ask(GET % b"/")).endswith(b"fine")
        second = either.connect()
        assert (await second.receive_all()).startswith(b"HTTP/1.1 503 ")

    kind.drive(app, scenario, limits=LimitsConfig(max_connections=1))


def test_a_head_that_does_not_come_and_a_connection_that_idles_are_closed(kind: Kind) -> None:
    app = App()
    app.get("/")(lambda: "fine")

    async def scenario(either: Either) -> None:
        slow, idle = either.connect(), either.connect()
        await slow.send(b"GET / HTTP/1.1\r\nHo")
        assert (await idle.ask(GET % b"/")).endswith(b"fine")
        assert (await slow.receive_all(), await idle.receive_all()) == (b"", b"")

    kind.drive(app, scenario, timeouts=TimeoutConfig(read_header=0.1, idle=0.1))


def test_pipelined_requests_are_answered_in_order(kind: Kind) -> None:
    app = App()

    @app.get("/{number}")
    async def answer(request: Request) -> str:
        await asyncio.sleep(0)
        return f"<{request.params['number']}>"

    async def scenario(either: Either) -> None:
        line = either.connect()
        last = b"GET /9 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        await line.send(b"".join(GET % b"/%d" % number for number in range(9)) + last)
        received = await line.receive_all()
        assert [received.count(b"<%d>" % number) for number in range(10)] == [1] * 10
        assert sorted(range(10), key=lambda number: received.index(b"<%d>" % number)) == [*range(10)]

    kind.drive(app, scenario)


def test_a_client_that_takes_nothing_holds_the_stream_back(kind: Kind) -> None:
    app = App()
    sent = 0

    @app.get("/")
    async def flood() -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 8 << 20:
                sent += 64 << 10
                yield bytes(64 << 10)
                await asyncio.sleep(0)

        return pieces()

    async def scenario(either: Either) -> None:
        line = either.connect()
        await line.send(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        await line.receive(max_bytes=1)
        before = -1
        while sent != before:  # until it makes no progress any more
            before = sent
            await asyncio.sleep(0.02)
        assert sent < 1 << 20
        assert len(await line.receive_all()) > 8 << 20
        assert sent == 8 << 20

    kind.drive(app, scenario)


def test_a_server_that_takes_nothing_holds_the_client_back(kind: Kind) -> None:
    app = App()
    goes_on = threading.Event()

    @app.post("/", stream=True)
    async def sink(request: Request) -> str:
        await asyncio.to_thread(goes_on.wait)
        return str(len(await request.body()))

    async def scenario(either: Either) -> None:
        line = either.connect()
        await line.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2000000\r\n\r\n")
        with pytest.raises(TimeoutError):
            await line.send(bytes(2_000_000), timeout_s=0.1)
        line.close()
        goes_on.set()
        assert (await either.post("/", content=bytes(2_000_000))).text == "2000000"

    kind.drive(app, scenario)


def test_waiting_for_an_answer_has_an_end(kind: Kind) -> None:
    app = App()

    @app.get("/")
    @app.post("/", stream=True)
    async def hang() -> None:
        await asyncio.Event().wait()

    async def scenario(either: Either) -> None:
        with pytest.raises(httpx.ReadTimeout, match="waited for too long"):
            await either.get("/", timeout=0.05)
        with pytest.raises(httpx.WriteTimeout, match="waited for too long"):
            await either.post("/", content=bytes(1_000_000), timeout=0.05)
        with pytest.raises(TimeoutError):
            await either.connect().receive(timeout_s=0.01)

    kind.drive(app, scenario)


# --- clients that leave


def test_a_client_that_leaves_in_the_middle_cancels_the_handler(kind: Kind) -> None:
    app = App()
    cancelled: list[str] = []
    is_begun, is_cancelled = threading.Event(), threading.Event()

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            try:
                yield "a beginning"
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("stream")
                is_cancelled.set()
                raise

        return pieces()

    @app.get("/handler")
    async def handler() -> None:
        is_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("handler")
            is_cancelled.set()
            raise

    async def scenario(either: Either) -> None:
        answer = await either.begin("GET", "/stream")
        assert answer.status_code == 200
        await either.close(answer)
        assert await asyncio.to_thread(is_cancelled.wait, 20)
        is_cancelled.clear()
        for leave in ("close", "shut_down_sending"):
            line = either.connect()
            await line.send(GET % b"/handler")
            assert await asyncio.to_thread(is_begun.wait, 20)
            getattr(line.connection, leave)()
            assert await asyncio.to_thread(is_cancelled.wait, 20)
            is_begun.clear()
            is_cancelled.clear()

    kind.drive(app, scenario)
    assert cancelled == ["stream", "handler", "handler"]


def test_a_handler_can_ask_whether_its_client_is_there(kind: Kind) -> None:
    app = App()
    found: list[bool] = []
    asked, left = threading.Event(), threading.Event()

    @app.get("/", blocking=True)
    def ask(request: Request) -> None:
        found.append(request.disconnected())
        asked.set()
        left.wait(20)
        found.append(request.disconnected())

    async def scenario(either: Either) -> None:
        line = either.connect()
        await line.send(GET % b"/")
        assert await asyncio.to_thread(asked.wait, 20)
        line.close()
        left.set()

    kind.drive(app, scenario)
    assert found == [False, True]


def test_a_stream_that_breaks_off_without_a_length_is_no_end() -> None:
    app = failing()
    with TestClient(app, raise_server_exceptions=False) as client, client.connect() as connection:
        connection.send(b"GET /stream HTTP/1.0\r\nHost: test\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.receive_all()


# --- around the clients


def test_the_transports_serve_clients_of_one_s_own() -> None:
    app = App()
    app.get("/")(lambda: "fine")
    with httpx.Client(transport=Transport(app), base_url="http://mine") as client:
        assert client.get("/").text == "fine"

    async def main() -> None:
        async with httpx.AsyncClient(transport=AsyncTransport(app), base_url="http://mine") as client:
            assert (await client.get("/")).text == "fine"

    asyncio.run(main())


def test_threads_share_a_client() -> None:
    app = App()

    @app.get("/{number}")
    def number(request: Request) -> str:
        return request.params["number"]

    found: list[str] = []
    with TestClient(app) as client:

        def ask(number: int) -> None:
            found.extend(client.get(f"/{number}").text for _ in range(20))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == sorted(str(number) for number in range(4) for _ in range(20))


def test_a_client_that_nobody_closes_does_not_keep_the_process() -> None:
    source = """
        from cello import App
        from cello.testing import TestClient

        client = TestClient(App()).__enter__()
        print(client.get("/").status_code)
    """
    done = python(source)
    assert (done.returncode, done.stdout) == (0, "404\n")


def test_without_httpx_it_is_said_what_is_missing() -> None:
    done = python("import sys\nsys.modules['httpx'] = None\nimport cello.testing")
    assert "ImportError: cello.testing needs httpx: pip install 'cello-core[testing]'" in done.stderr


def python(source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


# --- the plugin of pytest


@pytest.fixture
def pytest_run(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs tests given by their source, and a conftest.py, with the plugin."""

    def run(tests: str, conftest: str, *plugins: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "conftest.py").write_text(textwrap.dedent(conftest))
        (tmp_path / "test_it.py").write_text(textwrap.dedent(tests))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        loaded = [word for name in ("cello._pytest", *plugins) for word in ("-p", name)]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *loaded, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=50,
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=False,
        )

    yield run


CONFTEST = """
    import pytest
    from cello import App

    @pytest.fixture
    def cello_app():
        app = App()
        app.get("/")(lambda: "fine")
        return app
"""


def test_the_fixtures_give_started_clients(pytest_run: Callable[..., Any]) -> None:
    tests = """
        def test_sync(cello_client):
            assert cello_client.get("/").text == "fine"
    """
    done = pytest_run(tests, CONFTEST)
    assert "1 passed" in done.stdout
    tests += """
        import pytest

        @pytest.mark.asyncio
        async def test_async(cello_async_client):
            assert (await cello_async_client.get("/")).text == "fine"
    """
    done = pytest_run(tests, CONFTEST, "pytest_asyncio.plugin")
    assert "2 passed" in done.stdout
    done = pytest_run(tests.replace("mark.asyncio", "mark.anyio"), CONFTEST + ANYIO, "anyio.pytest_plugin")
    assert "2 passed" in done.stdout


ANYIO = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def test_a_fixture_without_an_application_says_what_to_write(pytest_run: Callable[..., Any]) -> None:
    done = pytest_run("def test_it(cello_client): ...", "")
    assert "no fixture says which application is tested: in conftest.py write" in done.stdout
    assert "def cello_app():" in done.stdout


def test_the_plugin_imports_nothing_but_pytest() -> None:
    source = "import pytest, sys\nimport cello._pytest\nprint('httpx' in sys.modules, 'cello.testing' in sys.modules)"
    assert python(source).stdout == "False False\n"
