"""`App.asgi`, one message at a time."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import weakref
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cello import App, LimitsConfig, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable

type Message = dict[str, Any]

PATIENCE_S = 20.0
#: The client stays, and sends nothing more.
STAYS: Message = {"type": "stays"}
LEAVES: Message = {"type": "http.disconnect"}


def piece(body: bytes = b"", more_body: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more_body}


@dataclass
class Reply:
    """What an application sent."""

    messages: list[Message] = field(default_factory=list[Message])

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def pieces(self) -> list[bytes]:
        return [message["body"] for message in self.messages[1:]]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def is_whole(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False


def scope_of(method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "scheme": "http",
        "headers": list(headers),
        "client": ("192.0.2.7", 40000),
        "server": ("testserver", 80),
        **more,
    }


async def call(app: App, scope: dict[str, Any], *messages: Message, reply: Reply | None = None) -> Reply:
    """Brings an application one request, of these messages."""
    reply = reply or Reply()
    rest = iter(messages or (piece(), STAYS))

    async def receive() -> Message:
        message = next(rest, STAYS)
        if message is STAYS:
            await asyncio.Event().wait()
        return message

    async def send(message: Any) -> None:
        reply.messages.append(message)

    async with asyncio.timeout(PATIENCE_S):
        await app.asgi(scope, receive, send)
    return reply


def ask(
    app: App, method: str, path: str, *messages: Message, headers: Iterable[tuple[bytes, bytes]] = (), **more: Any
) -> Reply:
    return asyncio.run(call(app, scope_of(method, path, headers, **more), *messages))


@pytest.fixture
def app() -> App:
    app = App()

    @app.get("/")
    def hello(request: Request) -> dict[str, Any]:
        return {
            "path": request.path,
            "query": request.query.get("q"),
            "host": request.headers.get("host"),
            "client": request.remote_addr,
            "scheme": request.scheme,
            "names": sorted(request.headers.keys()),
        }

    @app.get("/a/{name}")
    def named(request: Request) -> str:
        return request.params["name"]

    @app.post("/echo")
    async def echo(request: Request) -> bytes:
        return await request.body()

    return app


def test_a_request_is_answered_by_its_handler(app: App) -> None:
    reply = ask(app, "GET", "/", query_string=b"q=1", headers=[(b"host", b"example.org")])
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    said = json.loads(reply.body)
    assert said["query"] == "1"
    assert said["host"] == "example.org"
    assert said["client"] == "192.0.2.7"
    assert reply.is_whole


def test_the_callable_is_one_and_the_same(app: App) -> None:
    assert app.asgi is app.asgi


def test_the_application_itself_is_called_as_its_asgi_is(app: App) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            assert (await client.get("/a/violin")).text == "violin"

    assert inspect.iscoroutinefunction(app.__call__)  # by which servers know ASGI 3
    asyncio.run(main())


def test_a_request_without_a_host_is_to_the_server_it_came_to(app: App) -> None:
    assert json.loads(ask(app, "GET", "/").body)["host"] == "testserver:80"


def test_https_is_believed_and_a_client_with_a_name_has_no_address(app: App) -> None:
    said = json.loads(ask(app, "GET", "/", scheme="https", client=("testclient", 50000)).body)
    assert said["scheme"] == "https"
    assert not said["client"]
    assert json.loads(ask(app, "GET", "/", client=None).body)["client"] == ""


@pytest.mark.parametrize("client", [("192.0.2.7", "40000"), ("192.0.2.7", None), ["192.0.2.7", 1 << 20]])
def test_a_client_s_port_may_be_text_or_none(app: App, client: Any) -> None:
    assert json.loads(ask(app, "GET", "/", client=client).body)["client"] == "192.0.2.7"


def test_fields_of_the_other_connection_stay_there(app: App) -> None:
    of_connection = [
        (name, b"x") for name in (b"connection", b"keep-alive", b"te", b"upgrade", b"expect", b"proxy-connection")
    ]
    reply = ask(app, "GET", "/", headers=[(b"host", b"a"), *of_connection, (b"x-own", b"1")])
    assert json.loads(reply.body)["names"] == ["host", "x-own"]
    assert not {"connection", "transfer-encoding", "keep-alive", "date"} & reply.headers.keys()


@pytest.mark.parametrize(
    ("path", "raw_path", "name"),
    [("/a/b c", b"/a/b%20c", "b c"), ("/a/b/c", b"/a/b%2Fc", "b/c"), ("/a/ü%?", None, "ü%?"), ("/a/x", b"/a/x?y", "x")],
)
def test_a_path_is_the_one_that_was_sent(app: App, path: str, raw_path: bytes | None, name: str) -> None:
    reply = ask(app, "GET", path, raw_path=raw_path)
    assert reply.body.decode() == name


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [("/under us/a/x", b"/under%20us/a/x"), ("/under us/a/x", None), ("/a/x", b"/a/x"), ("/under us/a/x", b"/a/x")],
)
def test_the_path_that_the_application_is_under_is_not_routed(app: App, path: str, raw_path: bytes | None) -> None:
    assert ask(app, "GET", path, raw_path=raw_path, root_path="/under us").body == b"x"


def test_the_path_that_the_application_is_under_is_its_root(app: App) -> None:
    assert json.loads(ask(app, "GET", "/under", root_path="/under").body)["path"] == "/"
    assert ask(app, "GET", "/underneath", root_path="/under").status == 404


@pytest.mark.parametrize(
    ("root", "told", "raw"),
    [("/under us", "/under us", "/under%20us"), ("/a/b/", "/a/b", "/a/b"), ("/%C3", "/%C3", "/%25C3"), ("", "", "")],
)
def test_the_path_that_the_application_is_under_is_told_and_part_of_the_url(root: str, told: str, raw: str) -> None:
    app = App()
    urls: list[str] = []

    @app.get("/items/{id}")
    def item(request: Request) -> Response:
        urls.append(request.url)
        request.add_background_task(lambda: urls.append(request.url))
        return Response.redirect(f"{request.root_path}/items")

    path = f"{root.rstrip('/')}/items/1"
    reply = ask(app, "GET", path, headers=[(b"host", b"example.org")], root_path=root, query_string=b"a=1")
    assert reply.headers["location"] == f"{told.replace(' ', '%20')}/items"
    assert urls == [f"http://example.org{raw}/items/1?a=1"] * 2


def test_a_mounted_application_s_root_is_within_that_of_the_application() -> None:
    app = App()
    scopes: list[dict[str, Any]] = []

    async def mounted(scope: dict[str, Any], _: Any, send: Any) -> None:
        assert scope["type"] == "http"
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    app.mount("/m", mounted)
    assert ask(app, "GET", "/r s/m/x y", root_path="/r s").status == 200
    (scope,) = scopes
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/r s/m", "/r s/m/x y", b"/r%20s/m/x%20y")


def test_what_the_application_cannot_be_under_is_not_told() -> None:
    app = App()

    @app.get("/")
    def home(request: Request) -> list[str]:
        return [request.root_path, request.url]

    assert json.loads(ask(app, "GET", "/", root_path="under").body) == ["", "http://testserver:80/"]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-evil", b"a\r\nx: y")],
        [(b"x-evil", b"a\nx: y")],
        [(b"x-evil", b"a\0")],
        [(b"x-evil: 1\r\nx", b"y")],
        [(b"", b"y")],
        [(b"content-length", b"1"), (b"content-length", b"2")],
        [(b"content-length", b"+1")],
    ],
)
def test_fields_that_no_request_can_have_are_refused(app: App, headers: list[tuple[bytes, bytes]]) -> None:
    reply = ask(app, "POST", "/echo", piece(b"x"), headers=headers)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/", "raw_path": b"/ HTTP/1.1\r\nx: y\r\n\r\n"},
        {"path": "/", "query_string": b"a b\r\n"},
        {"path": "no/slash"},
        {"path": "/a/\udcff"},
        {"path": "/", "method": "GET / HTTP/1.1\r\n\r\nGET"},
    ],
)
def test_lines_that_no_request_can_have_are_refused(app: App, scope: dict[str, Any]) -> None:
    assert asyncio.run(call(app, {**scope_of("GET", "/"), **scope})).status == 400


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"6")], [(b"transfer-encoding", b"chunked")]])
def test_a_body_comes_in_as_many_pieces_as_it_likes(app: App, headers: list[tuple[bytes, bytes]]) -> None:
    messages = [piece(b"abc", more_body=True), piece(b"", more_body=True), piece(b"def")]
    assert ask(app, "POST", "/echo", *messages, headers=headers).body == b"abcdef"


def test_a_large_body_comes_whole(app: App) -> None:
    body = bytes(range(256)) * 4096
    assert ask(app, "POST", "/echo", piece(body)).body == body


def test_a_body_that_is_too_long_is_refused_before_it_is_here() -> None:
    app = App().set_limits(LimitsConfig(max_body_size=1000))

    @app.post("/")
    def take() -> None: ...

    stated = ask(app, "POST", "/", STAYS, headers=[(b"content-length", b"5000")])
    assert stated.status == 413
    found = ask(app, "POST", "/", *[piece(b"x" * 600, more_body=True)] * 3, STAYS)
    assert found.status == 413


def test_refusals_are_those_of_the_server(app: App) -> None:
    assert ask(app, "GET", "/none").status == 404
    refused = ask(app, "DELETE", "/echo")
    assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")


def test_head_and_statuses_without_a_body_have_none(app: App) -> None:
    @app.get("/empty")
    def empty() -> Response:
        return Response(None, status=204)

    head = ask(app, "HEAD", "/")
    assert int(head.headers["content-length"]) > 0
    assert head.body == b""
    assert head.is_whole
    reply = ask(app, "GET", "/empty")
    assert (reply.status, reply.body, reply.is_whole) == (204, b"", True)


def test_fields_of_one_name_stay_apart(app: App) -> None:
    @app.get("/cookies")
    def cookies() -> Response:
        return Response("", headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")])

    reply = ask(app, "GET", "/cookies")
    assert [value for name, value in reply.messages[0]["headers"] if name == b"set-cookie"] == [b"a=1", b"b=2"]


def test_a_streamed_answer_is_sent_piece_by_piece() -> None:
    app = App()
    taken = asyncio.Event()

    @app.get("/")
    async def stream() -> AsyncIterator[bytes]:
        yield b"first"
        await taken.wait()
        yield b"second"

    async def main() -> list[bytes]:
        pieces: list[bytes] = []

        async def receive() -> Message:
            return await asyncio.Event().wait() if pieces else piece()  # type: ignore[return-value]

        async def send(message: Any) -> None:
            if message.get("body"):
                pieces.append(message["body"])
                taken.set()

        async with asyncio.timeout(PATIENCE_S):
            await app.asgi(scope_of("GET", "/"), receive, send)
        return pieces

    assert asyncio.run(main()) == [b"first", b"second"]


def test_a_server_that_takes_nothing_is_not_flooded() -> None:
    app = App()
    made = 0

    @app.get("/")
    async def stream() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1
            yield b"x" * 10_000

    async def main() -> int:
        is_blocked, go_on = asyncio.Event(), asyncio.Event()
        total = 0

        async def receive() -> Message:
            return piece()

        async def send(message: Any) -> None:
            nonlocal total
            total += len(message.get("body", b""))
            if not go_on.is_set():
                is_blocked.set()
                await go_on.wait()

        asked = asyncio.ensure_future(app.asgi(scope_of("GET", "/"), receive, send))
        await is_blocked.wait()
        before = -1
        while before != made:  # until the handler, too, waits
            before = made
            for _ in range(20):
                await asyncio.sleep(0)
        assert made < 200
        go_on.set()
        async with asyncio.timeout(PATIENCE_S):
            await asked
        return total

    assert asyncio.run(main()) == 10_000_000


def test_an_answer_that_breaks_off_is_raised() -> None:
    app, pieces = App(), list[bytes]()
    taken = asyncio.Event()

    @app.get("/")
    async def stream() -> AsyncIterator[bytes]:
        yield b"first"
        await taken.wait()
        raise LookupError("in the middle")

    async def receive() -> Message:
        return piece()

    async def send(message: Any) -> None:
        if message.get("body"):
            pieces.append(message["body"])
            taken.set()

    with pytest.raises(RuntimeError, match="broke off"):
        asyncio.run(as_coroutine(app.asgi(scope_of("GET", "/"), receive, send)))
    assert pieces == [b"first"]


@pytest.mark.parametrize("messages", [(piece(), LEAVES), (piece(b"x"), LEAVES), (piece(b"x", more_body=True), LEAVES)])
def test_a_client_that_leaves_has_its_handler_cancelled(messages: tuple[Message, ...]) -> None:
    app = App()
    ended = asyncio.Event()

    @app.post("/", stream=True)
    async def wait(request: Request) -> None:
        try:
            async for _ in request.stream():
                pass
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main() -> Reply:
        reply = await call(app, scope_of("POST", "/"), *messages)
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        return reply

    assert asyncio.run(main()).messages == []


def test_a_client_that_left_before_its_request_is_not_answered(app: App) -> None:
    assert ask(app, "GET", "/", LEAVES).messages == []


def test_what_receive_raises_is_raised(app: App) -> None:
    async def receive() -> Message:
        raise LookupError("no more")

    async def send(_: Any) -> None: ...

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(as_coroutine(app.asgi(scope_of("POST", "/echo", [(b"content-length", b"1")]), receive, send)))


async def as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


def test_requests_are_answered_beside_each_other() -> None:
    app = App()
    both = asyncio.Barrier(2)

    @app.get("/")
    async def meet() -> str:
        await both.wait()
        return "met"

    async def main() -> list[bytes]:
        replies = await asyncio.gather(*(call(app, scope_of("GET", "/")) for _ in range(2)))
        return [reply.body for reply in replies]

    assert asyncio.run(main()) == [b"met", b"met"]


def test_over_the_limit_of_connections_is_a_503() -> None:
    app = App().set_limits(LimitsConfig(max_connections=1))
    is_held, is_over = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def hold() -> None:
        is_held.set()
        await is_over.wait()

    async def main() -> int:
        first = asyncio.ensure_future(call(app, scope_of("GET", "/")))
        await is_held.wait()
        second = await call(app, scope_of("GET", "/"))
        is_over.set()
        await first
        return second.status

    assert asyncio.run(main()) == 503


def test_a_handler_has_the_context_of_the_server_and_of_the_start() -> None:
    app = App()
    of_start: ContextVar[str] = ContextVar("of_start")
    of_server: ContextVar[str] = ContextVar("of_server")

    @app.on_event("startup")
    async def start() -> None:
        of_start.set("start")

    @app.get("/")
    async def tell() -> list[str]:
        return [of_start.get("none"), of_server.get("none")]

    async def main() -> list[Any]:
        first = await call(app, scope_of("GET", "/"))
        of_server.set("server")
        second = await call(app, scope_of("GET", "/"))
        return [json.loads(reply.body) for reply in (first, second)]

    assert asyncio.run(main()) == [["start", "none"], ["start", "server"]]


@dataclass
class Lifespan:
    """A server that tells an application when it starts and ends."""

    app: App
    sent: list[Message] = field(default_factory=list[Message])
    steps: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])
    told: asyncio.Queue[Message] = field(default_factory=asyncio.Queue[Message])

    async def run(self) -> None:
        async def receive() -> Message:
            return {"type": f"lifespan.{await self.steps.get()}"}

        async def send(message: Any) -> None:
            self.told.put_nowait(message)

        await self.app.asgi({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    async def tell(self, step: str) -> Message:
        self.steps.put_nowait(step)
        async with asyncio.timeout(PATIENCE_S):
            return await self.told.get()


def in_lifespan[T](app: App, main: Callable[[Lifespan], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        lifespan = Lifespan(app)
        life = asyncio.ensure_future(lifespan.run())
        try:
            return await main(lifespan)
        finally:
            life.cancel()
            await asyncio.wait([life])

    return asyncio.run(run())


def test_the_application_starts_and_ends_as_the_server_says() -> None:
    app, steps = App(), list[str]()
    app.on_event("startup")(lambda: steps.append("startup"))
    app.on_event("shutdown")(lambda: steps.append("shutdown"))

    @app.get("/")
    def seen() -> list[str]:
        return steps

    async def main(lifespan: Lifespan) -> None:
        assert await lifespan.tell("startup") == {"type": "lifespan.startup.complete"}
        assert json.loads((await call(app, scope_of("GET", "/"))).body) == ["startup"]
        assert await lifespan.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
        assert steps == ["startup", "shutdown"]

    for _ in range(2):  # an application may be served again
        steps.clear()
        in_lifespan(app, main)


def test_a_start_that_fails_is_told_to_the_server(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.on_event("startup")
    def fail() -> None:
        raise LookupError("no database")

    async def main(lifespan: Lifespan) -> None:
        told = await lifespan.tell("startup")
        assert told["type"] == "lifespan.startup.failed"
        assert "LookupError: no database" in told["message"]

    in_lifespan(app, main)
    assert "no database" in caplog.text


def test_routes_that_cannot_be_are_told_to_the_server() -> None:
    app = App()
    app.get("/same")(lambda: "1")
    app.get("/same")(lambda: "2")

    async def main(lifespan: Lifespan) -> None:
        told = await lifespan.tell("startup")
        assert told["type"] == "lifespan.startup.failed"
        assert "/same" in told["message"]

    in_lifespan(app, main)


def test_an_end_that_fails_is_told_to_the_server() -> None:
    app = App()

    @app.on_event("shutdown")
    def fail() -> None:
        raise LookupError("no database")

    async def main(lifespan: Lifespan) -> None:
        await lifespan.tell("startup")
        told = await lifespan.tell("shutdown")
        assert told["type"] == "lifespan.shutdown.failed"
        assert "no database" in told["message"]

    in_lifespan(app, main)


def test_a_server_without_lifespan_has_it_started_by_the_first_request_of_each_loop() -> None:
    app, starts = App(), list[str]()
    app.on_event("startup")(lambda: starts.append("startup"))

    @app.get("/")
    def seen() -> list[str]:
        return starts

    async def main() -> None:
        first, second = await asyncio.gather(*(call(app, scope_of("GET", "/")) for _ in range(2)))
        assert first.body == second.body

    asyncio.run(main())
    assert len(starts) == 1
    asyncio.run(main())
    assert len(starts) == 2


def test_an_application_is_let_go_with_the_loop_that_it_was_served_in_with_lifespan_and_without() -> None:
    def served(has_lifespan: bool) -> weakref.ref[App]:
        app = App()
        app.get("/")(lambda: "answer")

        async def main(lifespan: Lifespan) -> None:
            await lifespan.tell("startup")
            assert (await call(app, scope_of("GET", "/"))).body == b"answer"
            await lifespan.tell("shutdown")

        async def alone() -> None:
            assert (await call(app, scope_of("GET", "/"))).body == b"answer"

        if has_lifespan:
            in_lifespan(app, main)
        else:
            asyncio.run(alone())
        return weakref.ref(app)

    for has_lifespan in (True, False):
        app = served(has_lifespan)
        gc.collect()
        assert app() is None, f"lifespan: {has_lifespan}"


def test_a_start_that_fails_is_raised_from_the_request() -> None:
    app = App()

    @app.on_event("startup")
    def fail() -> None:
        raise LookupError("no database")

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(Exception, match="startup function"):
                await call(app, scope_of("GET", "/"))

    asyncio.run(main())


def test_a_second_loop_at_the_same_time_is_an_error(app: App) -> None:
    async def main() -> None:
        await call(app, scope_of("GET", "/"))
        with pytest.raises(RuntimeError, match="in one loop"):
            await asyncio.to_thread(ask, app, "GET", "/")

    asyncio.run(main())


def test_a_websocket_is_refused_and_the_log_says_so(app: App, caplog: pytest.LogCaptureFixture) -> None:
    reply = asyncio.run(call(app, {"type": "websocket", "path": "/ws"}, {"type": "websocket.connect"}))
    assert [message["type"] for message in reply.messages] == ["websocket.close"]
    assert "'/ws' was refused" in caplog.text


def test_what_is_neither_is_an_error(app: App) -> None:
    with pytest.raises(ValueError, match="'ftp'"):
        asyncio.run(call(app, {"type": "ftp"}))


def test_httpx_asks_it_in_process(app: App) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(app=app.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            assert (await client.get("/?q=2")).json()["host"] == "example.org"
            assert (await client.post("/echo", content=b"x" * 300_000)).content == b"x" * 300_000
            assert (await client.get("/none")).status_code == 404

    asyncio.run(main())


@pytest.mark.parametrize(("variables", "is_told"), [({}, False), ({"CELLO_DEBUG": "1"}, True)])
def test_clients_are_told_of_errors_where_the_environment_says_so(
    variables: dict[str, str], is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CELLO_ENV", "CELLO_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    app = App()

    @app.get("/")
    def fail() -> None:
        raise LookupError("a secret")

    reply = ask(app, "GET", "/")
    assert reply.status == 500
    assert (b"a secret" in reply.body) is is_told
