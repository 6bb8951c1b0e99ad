"""Applications of ASGI under a path: what the specification has a server do, seen over real sockets."""

from __future__ import annotations

import json
import signal
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Request
from serving import leave, read_all, read_until, run_source

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve, Server, Stopped

MIB = 1 << 20

HEAD = """
import asyncio, contextlib, logging, sys
from cello import App, Response

app = App()
seen = asyncio.Queue()


@app.get("/seen")
async def get_seen(request):
    return await seen.get()


@app.get("/alive")
def alive(request):
    return "alive"


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


def of_http(function):
    async def application(scope, receive, send):
        assert scope["type"] == "http"
        await function(scope, receive, send)

    return application

"""


def mounted(serve: Serve, source: str, path: str = "/m", *arguments: str) -> Server:
    """Serves the function `mounted` of the source under a path; `/seen` answers with what is put into `seen`."""
    name = "mounted" if "lifespan" in source else "of_http(mounted)"
    return serve(f'{HEAD}{dedent(source)}\n\napp.mount("{path}", {name})\napp.run()\n', *arguments)


def get(path: str, method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def logged(stopped: Stopped) -> str:
    assert stopped.exit_code == 0, stopped
    return stopped.stderr


def silent(server: Server) -> None:
    assert logged(server.stop()) == ""


# --- the scope

TELL = """
    import json

    def plain(value):
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    async def mounted(scope, receive, send):
        assert scope["type"] == "http"
        await start(send)
        await body(send, json.dumps(plain(scope)).encode())
"""


def test_the_scope_tells_the_request_as_it_was_sent(serve: Serve) -> None:
    server = mounted(serve, TELL)
    head = "BREW /m/a%20b/%C3%A9%2Fc?x=%20&y HTTP/1.1\r\nHost: a:1\r\nX-Two: 1\r\nx-other: \xff\r\nX-TWO: 2\r\n\r\n"
    answer = server.first_answer(head.encode("latin-1"))
    scope: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert scope.pop("client")[0] == "127.0.0.1"
    scope.pop("server")
    assert sorted(scope.pop("headers")) == [["host", "a:1"], ["x-other", "\xff"], ["x-two", "1"], ["x-two", "2"]]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "BREW",
        "scheme": "http",
        "path": "/m/a b/é/c",
        "raw_path": "/m/a%20b/%C3%A9%2Fc",
        "query_string": "x=%20&y",
        "root_path": "/m",
        "extensions": {"http.response.pathsend": {}},
        "state": {},
    }


def test_the_scope_tells_of_the_connection(serve: Serve) -> None:
    server = mounted(serve, TELL)
    with server.connect() as connection:
        client = list(connection.getsockname())
        connection.sendall(b"GET /m HTTP/1.0\r\n\r\n")
        scope: dict[str, Any] = json.loads(read_all(connection).partition(b"\r\n\r\n")[2])
    assert (scope["http_version"], scope["client"], scope["server"]) == ("1.0", client, ["127.0.0.1", server.port])


@pytest.mark.parametrize(
    ("at", "path", "root"),
    [
        ("/m", "/m", "/m"),
        ("/m", "/m/", "/m"),
        ("/m", "/m//", "/m"),
        ("/m", "/%6D/x/", "/m"),
        ("/m/", "/m/x", "/m"),
        ("/{who}/m", "/you%20/m/x/y", "/you /m"),
        ("/{who}/m", "/you/m", "/you/m"),
        ("/é", "/%C3%A9/x", "/é"),
        ("/", "/", ""),
        ("", "/x/y", ""),
        ("/", "//", ""),
    ],
)
def test_the_root_path_is_what_leads_to_the_application(serve: Serve, at: str, path: str, root: str) -> None:
    scope = mounted(serve, TELL, at).get(path).json()
    assert (scope["root_path"], scope["raw_path"]) == (root, path)
    assert scope["path"].startswith(root)


def test_a_method_is_told_in_upper_case_and_every_one_arrives(serve: Serve) -> None:
    server = mounted(serve, TELL)
    for method in ("get", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"):
        answer = server.exchange(get("/m/x", method))
        assert f'"method": "{method.upper()}"'.encode() in answer


def test_the_proxies_that_are_trusted_tell_the_client_and_the_scheme(serve: Serve) -> None:
    server = mounted(serve, f'{dedent(TELL)}\napp.set_trusted_proxies(["127.0.0.1"])')
    fields = {"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https"}
    scope = server.request("GET", "/m/", headers=fields).json()
    assert (scope["client"], scope["scheme"]) == (["192.0.2.7", 0], "https")


# --- routing, and what stands around it


def test_routes_win_over_what_is_mounted_by_path_and_by_method(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        @app.get("/m/own")
        def own(request):
            return "own"

        @app.get("/m/{name:int}")
        def number(request):
            return "number"

        @app.get("/{*rest}")
        def rest(request):
            return "rest"

        async def mounted(scope, receive, send):
            await start(send)
            await body(send, scope["method"].encode())
        """,
    )
    answers = {path: server.get(path).body for path in ("/m/own", "/m/7", "/m/seven", "/m", "/n")}
    assert answers == {"/m/own": b"own", "/m/7": b"number", "/m/seven": b"GET", "/m": b"GET", "/n": b"rest"}
    assert server.post("/m/own", b"").body == b"POST"
    assert server.request("OPTIONS", "/m/own").body == b"OPTIONS"


def test_what_stands_around_handlers_stands_around_the_application(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def outer(request, call_next):
            if request.path == "/m/stop":
                return Response.text("stopped", 403)
            response = await call_next(request)
            response.headers["x-outer"] = f"{response.status} {request.params}"
            return response

        app.use(outer)

        @app.exception_handler(KeyError)
        def no_key(request, exc):
            return {"no": str(exc)}, 404

        async def mounted(scope, receive, send):
            if scope["path"] == "/m/key":
                raise KeyError("key")
            await start(send, 201, [(b"x-own", b"1"), (b"x-own", b"2")])
            for piece in (b"a", b"b", b""):
                await body(send, piece, more=piece != b"")
        """,
    )
    answer = server.get("/m/x")
    assert (answer.status, answer.body) == (201, b"ab")
    assert answer.headers["x-outer"] == "201 {'mounted_path': 'x'}"
    assert (server.get("/m/stop").status, server.get("/m/stop").body) == (403, b"stopped")
    assert (server.get("/m/key").status, server.get("/m/key").json()) == (404, {"no": "'key'"})
    silent(server)


def test_applications_are_mounted_in_mounted_applications(serve: Serve) -> None:
    server = serve(
        f"""{HEAD}
inner = App()
async def mounted(scope, receive, send):
    await start(send)
    await body(send, scope["root_path"].encode())

inner.mount("/b", mounted)
app.mount("/a", inner)
app.mount("/c", mounted)
app.run()
"""
    )
    assert (server.get("/a/b/x").body, server.get("/c").body, server.get("/a/c").status) == (b"/a/b", b"/c", 404)


def test_what_middleware_puts_in_the_place_of_a_stream_ends_it(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def instead(request, call_next):
            await call_next(request)
            return Response.text("instead")

        app.use(instead)

        async def mounted(scope, receive, send):
            await start(send)
            for _ in range(100):
                await body(send, b"x" * 65536, more=True)
            await body(send)
            while (await receive())["type"] != "http.disconnect":
                pass
            seen.put_nowait("it went on")
        """,
    )
    assert server.get("/m").body == b"instead"
    assert server.get("/seen").body == b"instead"
    silent(server)


# --- what is received


def test_a_body_arrives_in_pieces_and_then_the_client_leaves(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            assert all(message["type"] == "http.request" for message in messages)
            await start(send)
            await body(send, b"".join(message["body"] for message in messages), more=True)
            await body(send)
            seen.put_nowait((await receive())["type"])
        """,
    )
    assert server.post("/m", b"x" * 200_000).body == b"x" * 200_000
    assert server.get("/seen").body == b"http.disconnect"
    chunked = b"POST /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = server.exchange(chunked + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert answer.endswith(b"5\r\nabcde\r\n0\r\n\r\n")
    assert server.get("/seen").body == b"http.disconnect"
    assert server.get("/m").body == b""
    silent(server)


def test_the_client_is_asked_for_its_body_when_it_is_received(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            if scope["path"] == "/m/take":
                await receive()
            await start(send)
            await body(send, b"done")
        """,
    )
    for path, asked in (("take", True), ("leave", False)):
        with server.connect() as connection:
            connection.sendall(
                f"POST /m/{path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".encode()
            )
            first = connection.recv(25)
            assert (first == b"HTTP/1.1 100 Continue\r\n\r\n") == asked
            connection.sendall(b"abc" if asked else b"")
            assert read_until(connection, b"done").startswith(b"HTTP/1.1 200" if asked else b"")


def test_an_upload_waits_for_the_application(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await receive()
            seen.put_nowait("first")
            await go.wait()
            count = 0
            while (message := await receive())["more_body"]:
                count += len(message["body"])
            await start(send)
            await body(send, b"all")

        go = asyncio.Event()

        @app.get("/go")
        def let_go(request):
            go.set()
        """
        + "\n        app.enable_body_limit(1 << 30)\n",
    )
    before = server.resident_bytes()
    with server.connect() as connection:
        connection.sendall(b"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 268435456\r\n\r\n")
        connection.sendall(b"x" * 1000)
        assert server.get("/seen").body == b"first"
        connection.settimeout(1)
        sent = 1000
        with pytest.raises(TimeoutError):
            while True:
                sent += connection.send(b"x" * 65536)
        assert sent < 32 * MIB
        assert server.resident_bytes() - before < 32 * MIB
        connection.settimeout(20)
        server.get("/go")
        while sent < 268435456:
            sent += connection.send(b"x" * min(1 << 20, 268435456 - sent))
        assert read_until(connection, b"all").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("limit", ["default", "app", "mount"])
def test_the_limit_of_bodies_holds(serve: Serve, limit: str) -> None:
    said = {
        "default": 'app.mount("/m", of_http(mounted))',
        "app": 'app.enable_body_limit(1000)\napp.mount("/m", of_http(mounted))',
        "mount": 'app.mount("/m", of_http(mounted), body_limit=1000)',
    }
    most = 10 * MIB if limit == "default" else 1000
    server = serve(
        f"""{HEAD}
async def mounted(scope, receive, send):
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    seen.put_nowait(message["type"])
    await start(send)
    await body(send, message["type"].encode())

{said[limit]}
app.run()
"""
    )
    assert server.post("/m", b"x" * most).body == b"http.request"
    assert server.get("/seen").body == b"http.request"
    promised = f"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: {most + 1}\r\n\r\n".encode()
    assert server.first_answer(promised).startswith(b"HTTP/1.1 413 ")  # of which the application hears nothing
    chunked = b"POST /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = server.first_answer(chunked + f"{most + 1:x}\r\n".encode() + b"x" * (most + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert server.get("/seen").body == b"http.disconnect"
    silent(server)


# --- what is sent

ANSWERS = """
    async def empty(send):
        await start(send)
        await send({"type": "http.response.body"})

    async def length(send):
        await start(send, 200, [[b"content-length", b"5"], [b"x-list", b"1"]])
        await body(send, bytearray(b"hello"))

    async def streamed_length(send):
        await start(send, 200, [(b"Content-Length", b"5")])
        await body(send, b"he", more=True)
        await body(send, memoryview(b"llo"), more=True)
        await body(send)

    async def no_content(send):
        await start(send, 204, [(b"x-a", b"1"), (b"content-length", b"3")])
        await body(send, b"abc", more=True)
        await body(send)

    async def not_modified(send):
        await start(send, 304, [(b"etag", b'"a"')])
        await body(send)

    async def framed(send):
        await start(send, 200, [(b"transfer-encoding", b"chunked"), (b"connection", b"upgrade")])
        await body(send, b"abc")

    async def closing(send):
        await start(send, 200, [(b"connection", b"x, Close")])
        await body(send, b"abc")

    async def cookies(send):
        await start(send, 200, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-type", b"x/y")])
        await body(send, b"abc")

    async def odd(send):
        await start(send, 599)
        await body(send, b"abc")

    async def mounted(scope, receive, send):
        await globals()[scope["path"].removeprefix("/m/")](send)
"""


def answer_of(server: Server, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, fields without the date, and what follows them, on a connection that is kept where it can be."""
    with server.connect() as connection:
        connection.sendall(
            f"{method} /m/{path} HTTP/1.1\r\nHost: a\r\n\r\nGET /alive HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        )
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if received.endswith(b"\r\n\r\nalive"):
                break
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines)
    del fields[b"date"]
    return int(first.split()[1]), fields, rest.partition(b"HTTP/1.1 200 OK")[0]


def test_answers_are_sent_as_they_were_given(serve: Serve) -> None:
    server = mounted(serve, ANSWERS)
    assert answer_of(server, "empty") == (200, {b"content-length": b"0"}, b"")
    assert answer_of(server, "length") == (200, {b"x-list": b"1", b"content-length": b"5"}, b"hello")
    assert answer_of(server, "streamed_length") == (200, {b"content-length": b"5"}, b"hello")
    assert answer_of(server, "no_content") == (204, {b"x-a": b"1"}, b"")
    assert answer_of(server, "not_modified") == (304, {b"etag": b'"a"'}, b"")
    assert answer_of(server, "framed") == (200, {b"content-length": b"3"}, b"abc")
    assert answer_of(server, "odd") == (599, {b"content-length": b"3"}, b"abc")
    cookies = server.exchange(get("/m/cookies"))
    assert b"set-cookie: a=1\r\nset-cookie: b=2\r\n" in cookies
    assert cookies.count(b"content-type") == 1
    silent(server)


def test_an_application_may_close_the_connection(serve: Serve) -> None:
    closed = answer_of(mounted(serve, ANSWERS), "closing")
    assert closed == (200, {b"connection": b"close", b"content-length": b"3"}, b"abc")


@pytest.mark.parametrize("name", ["length", "streamed_length", "no_content", "not_modified", "odd"])
def test_head_is_answered_with_the_head_of_get(serve: Serve, name: str) -> None:
    server = mounted(serve, ANSWERS)
    status, fields, rest = answer_of(server, name, "HEAD")
    assert (status, fields, rest) == (*answer_of(server, name)[:2], b"")
    silent(server)


def test_head_of_nothing_does_not_say_how_long_nothing_is(serve: Serve) -> None:
    server = mounted(serve, ANSWERS)
    assert answer_of(server, "empty", "HEAD") == (200, {}, b"")
    assert answer_of(server, "empty") == (200, {b"content-length": b"0"}, b"")


def test_a_streamed_answer_of_unknown_length_is_sent_piece_by_piece(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await start(send)
            for piece in (b"first", b"second", b"third"):
                await body(send, piece, more=True)
                await go.wait()
                go.clear()
            await body(send)

        go = asyncio.Event()

        @app.get("/go")
        def let_go(request):
            go.set()
        """,
    )
    with server.connect() as connection:
        connection.sendall(get("/m"))
        head = read_until(connection, b"5\r\nfirst\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        assert b"content-type" not in head
        for piece in (b"6\r\nsecond\r\n", b"5\r\nthird\r\n", b"0\r\n\r\n"):
            server.get("/go")
            assert read_until(connection, piece) == piece
        assert read_all(connection) == b""


def test_the_head_is_not_sent_before_the_first_body(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await start(send)
            seen.put_nowait("started")
            await asyncio.get_running_loop().create_future()
        """,
    )
    with server.connect() as connection:
        connection.sendall(get("/m"))
        assert server.get("/seen").body == b"started"
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_a_client_that_does_not_read_keeps_the_application_waiting(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        sent = 0

        async def mounted(scope, receive, send):
            global sent
            await start(send)
            for _ in range(1024):
                await body(send, bytes(65536), more=True)
                sent += 65536
            await body(send)

        @app.get("/sent")
        def get_sent(request):
            return sent
        """,
    )
    before = server.resident_bytes()
    with server.connect() as connection:
        connection.sendall(get("/m"))
        last = -1
        while (now := server.get("/sent").json()) != last or not now:
            last = now
        assert now < 32 * MIB
        assert server.resident_bytes() - before < 32 * MIB
        assert len(read_all(connection)) > 1024 * 65536


def test_a_file_is_sent_by_its_path(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        import os

        with open("film", "wb") as film:
            film.write(b"film" * 100_000)

        async def mounted(scope, receive, send):
            await start(send, 200, [(b"content-length", scope["query_string"])])
            await send({"type": "http.response.pathsend", "path": os.path.abspath("film")})
            seen.put_nowait("sent")
        """,
    )
    assert server.get("/m?400000").body == b"film" * 100_000
    assert server.get("/seen").body == b"sent"
    assert server.request("HEAD", "/m?400000").headers["content-length"] == "400000"
    assert server.get("/m?7").status == 500
    assert "the content-length promises 7 bytes, and the body has 400000" in logged(server.stop())


# --- after the answer


def test_the_client_has_its_answer_before_the_application_goes_on(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await start(send)
            if scope["path"] == "/m/streamed":
                await body(send, b"done", more=True)
                await body(send)
            else:
                await body(send, b"done")
            await go.wait()
            go.clear()
            seen.put_nowait("worked")

        go = asyncio.Event()

        @app.get("/go")
        def let_go(request):
            go.set()
        """,
    )
    for path in ("/m", "/m/streamed"):
        assert server.get(path).body == b"done"
        server.get("/go")
        assert server.get("/seen").body == b"worked"


def test_work_that_keeps_the_thread_comes_after_the_answer(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def slow(request, call_next):
            response = await call_next(request)
            await asyncio.sleep(0.05)
            log.append("middleware")
            return response

        log = []
        app.use(slow)

        async def mounted(scope, receive, send):
            await start(send)
            await body(send, b"done")
            log.append("work")
            seen.put_nowait(list(log))
        """,
    )
    assert server.get("/m").body == b"done"
    assert server.get("/seen").json()[:2] == ["middleware", "work"]


def test_the_server_stops_after_work_that_follows_an_answer(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                print("shut down", flush=True)
                await send({"type": "lifespan.shutdown.complete"})
                return
            await start(send)
            await body(send, b"done")
            await asyncio.sleep(0.3)
            print("worked", flush=True)
        """,
    )
    assert server.get("/m").body == b"done"
    stopped = server.stop()
    assert stopped.stdout.splitlines()[-2:] == ["worked", "shut down"]


# --- clients that leave


@pytest.mark.parametrize("when", ["before", "between", "sending"])
def test_a_client_that_leaves_is_told_of_and_nothing_is_cancelled(serve: Serve, when: str) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            try:
                when = scope["path"].removeprefix("/m/")
                assert (await receive()) == {"type": "http.request", "body": b"", "more_body": False}
                if when != "before":
                    await start(send)
                    await body(send, b"first", more=True)
                seen.put_nowait("waits")
                if when == "sending":
                    for _ in range(1000):
                        await body(send, bytes(65536), more=True)
                else:
                    assert await receive() == {"type": "http.disconnect"}
                assert await receive() == {"type": "http.disconnect"}
                if when == "before":
                    await start(send)
                await body(send, b"unheard", more=True)
                await body(send, b"unheard")
                seen.put_nowait("went on")
            except BaseException as error:
                seen.put_nowait(repr(error))
                raise
        """,
    )
    connection = server.connect()
    connection.sendall(get(f"/m/{when}"))
    assert server.get("/seen").body == b"waits"
    leave(connection)
    assert server.get("/seen").body == b"went on"
    assert server.get("/alive").body == b"alive"
    silent(server)


def test_one_that_leaves_within_its_body_is_told_of(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            seen.put_nowait((await receive())["type"])
            seen.put_nowait((await receive())["type"])
            raise OSError("the client has left")
        """,
    )
    connection = server.connect()
    connection.sendall(b"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert server.get("/seen").body == b"http.request"
    leave(connection)
    assert server.get("/seen").body == b"http.disconnect"
    silent(server)


def test_an_application_that_sends_on_and_on_keeps_nobody_waiting(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await start(send)
            while True:
                await body(send, b"x" * 1000, more=True)
        """,
    )
    connection = server.connect()
    connection.sendall(get("/m"))
    assert connection.recv(1000)
    leave(connection)
    assert {server.get("/alive").body for _ in range(20)} == {b"alive"}
    server.send_signal(signal.SIGKILL)


def test_what_fails_since_its_client_left_is_no_error(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await receive()
            seen.put_nowait("waits")
            if scope["path"] == "/m/streaming":
                await start(send)
                await body(send, b"first", more=True)
            await receive()
            seen.put_nowait("told")
            raise RuntimeError("the client has left")
        """,
    )
    for path in ("/m", "/m/streaming"):
        connection = server.connect()
        connection.sendall(get(path))
        assert server.get("/seen").body == b"waits"
        leave(connection)
        assert server.get("/seen").body == b"told"
    silent(server)


def test_a_handler_s_timeout_ends_the_application(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        from cello import TimeoutConfig

        app.set_timeouts(TimeoutConfig(handler=0.2))

        async def mounted(scope, receive, send):
            if scope["type"] == "lifespan":
                raise NotImplementedError
            try:
                await asyncio.sleep(60)
            finally:
                seen.put_nowait("ended")
        """,
    )
    assert server.get("/m").status == 503
    assert server.get("/seen").body == b"ended"
    silent(server)


# --- mistakes


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ValueError('its own')", "ValueError: its own"),
        ("pass", "returned before it had answered"),
        ("await start(send)", "returned before it had answered"),
        ("await body(send)", "sent 'http.response.body' before 'http.response.start'"),
        ("await start(send); await start(send)", "sent 'http.response.start' twice"),
        ("await send({'type': 'http.response.trailers'})", "sent 'http.response.trailers', which answers no request"),
        ("await send({'type': 'http.response.start', 'status': 200, 'trailers': True})", "has trailers"),
        ("await send({})", "KeyError: 'type'"),
        ("await start(send, 103); await body(send)", "103 is no status of a response"),
        ("await start(send, 'OK'); await body(send)", "TypeError"),
        (
            "await start(send, 200, [('a', 'b')]); await body(send)",
            "('a', 'b') is no header field: it is a pair of bytes",
        ),
        ("await start(send, 200, [b'ab']); await body(send)", "b'ab' is no header field"),
        ("await start(send, 200, [(b'a b', b'')]); await body(send)", '"a b" is no name of a header field'),
        ("await start(send, 200, [(b'a', b'b\\r\\nc: d')]); await body(send)", "has a line break"),
        ("await start(send, 200, [(b'content-length', b'x')]); await body(send)", '"x" is no content-length'),
        (
            "await start(send, 200, [(b'content-length', b'3')]); await body(send, b'ab')",
            "promises 3 bytes, and the body has 2",
        ),
        ("await start(send); await body(send, 'text')", "a body of ASGI is bytes, not str"),
        ("raise asyncio.CancelledError", "CancelledError"),
    ],
)
def test_what_is_no_answer_is_a_500_and_told_in_the_log(serve: Serve, source: str, words: str) -> None:
    server = mounted(serve, f"async def mounted(scope, receive, send):\n    {source}\n")
    assert server.get("/m").status == 500
    assert server.get("/alive").body == b"alive"
    told = logged(server.stop())
    assert words in told
    assert "GET /m failed (request " in told


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ValueError('its own')", "ValueError: its own"),
        ("pass", "returned before its answer was complete"),
        ("await start(send)", "sent 'http.response.start' twice"),
        ("await body(send, 7, more=True)", "a body of ASGI is bytes, not int"),
        ("await body(send, b'x' * 9)", "sent more than its content-length promises"),
        ("await body(send, b'x' * 7)", "sent less than its content-length promises"),
    ],
)
def test_what_goes_wrong_after_the_head_breaks_the_connection(serve: Serve, source: str, words: str) -> None:
    server = mounted(
        serve,
        f"""
go = asyncio.Event()

@app.get("/go")
def let_go(request):
    go.set()

async def mounted(scope, receive, send):
    await start(send, 200, [(b'content-length', b'10')] if scope["query_string"] else [])
    await body(send, b"ab", more=True)
    if scope["path"] == "/m":
        await go.wait()
    {source}
""",
    )
    query = "?length" if "promises" in words else ""
    with server.connect() as connection:
        connection.sendall(get(f"/m{query}"))
        assert read_until(connection, b"ab" if query else b"ab\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        server.get("/go")
        assert b"0\r\n\r\n" not in read_all(connection)
    assert server.get(f"/m/at-once{query}").status == 500  # nothing of the answer was sent yet
    told = logged(server.stop())
    assert told.count(words) == 2
    assert "GET /m: the body broke off (request " in told


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ValueError('its own')", "ValueError: its own"),
        ("await body(send)", "sent 'http.response.body' after its answer was complete"),
    ],
)
def test_what_goes_wrong_after_the_answer_is_told_in_the_log(serve: Serve, source: str, words: str) -> None:
    server = mounted(
        serve,
        f"""
async def mounted(scope, receive, send):
    await start(send)
    await body(send, b"whole")
    {source}
""",
    )
    assert server.get("/m").body == b"whole"
    told = logged(server.stop())
    assert words in told
    assert "GET /m failed (request " in told


# --- lifespan

LIFESPAN = """
async def mounted(scope, receive, send):
    if scope["type"] == "http":
        await start(send)
        scope["state"]["n"] = scope["state"].get("n", 0) + 1
        await body(send, repr(scope["state"]).encode())
        return
    assert scope["type"] == "lifespan" and scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
    assert await receive() == {"type": "lifespan.startup"}
    print("up", flush=True)
    scope["state"]["n"] = 6
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    print("down", flush=True)
    await send({"type": "lifespan.shutdown.complete"})
"""


def test_a_lifespan_stands_within_that_of_the_application_and_comes_once(serve: Serve) -> None:
    server = mounted(
        serve,
        f"""
@app.lifespan
def outer(app):
    print("outer up", flush=True)
    yield
    print("outer down", flush=True)

@app.on_event("startup")
def starting():
    print("starting", flush=True)

@app.on_event("shutdown")
def stopping():
    print("stopping", flush=True)

{LIFESPAN}

app.mount("/twice", mounted)
""",
    )
    assert [server.get(path).body for path in ("/m", "/m", "/twice")] == [b"{'n': 7}"] * 3
    stopped = server.stop()
    lines = [line for line in stopped.stdout.splitlines() if "running" not in line]
    assert lines == ["outer up", "starting", "up", "down", "stopping", "outer down"]
    assert stopped.stderr == ""


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("raise NotImplementedError", False),
        ("return", False),
        ("await start(send)", False),
        ("await receive(); raise KeyError('gone')", True),
    ],
)
def test_an_application_without_a_lifespan_is_served(serve: Serve, source: str, is_told: bool) -> None:
    server = mounted(
        serve,
        f"""
async def mounted(scope, receive, send):
    if scope["type"] == "lifespan":
        {source}
        return
    await start(send)
    await body(send, b"served")
""",
    )
    assert server.get("/m").body == b"served"
    told = logged(server.stop())
    assert ("raised at its start, and is served all the same" in told) == is_told
    assert bool(told) == is_told


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            'await receive(); await send({"type": "lifespan.startup.failed", "message": "no database"})',
            "could not start: no database",
        ),
        ('await send({"type": "lifespan.startup.failed"})', "could not start: it did not say why"),
    ],
)
def test_an_application_that_cannot_start_is_not_served(tmp_path: Path, source: str, words: str) -> None:
    stopped = run_source(
        tmp_path,
        f"""{HEAD}
@app.lifespan
def outer(app):
    yield
    print("outer down")

async def mounted(scope, receive, send):
    {source}

app.mount("/m", mounted)
app.run()
""",
    )
    assert stopped.exit_code == 3
    assert words in stopped.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('await send({"type": "lifespan.shutdown.failed", "message": "not closed"})', "failed at its end: not closed"),
        ("raise ValueError('its own')", "ValueError: its own"),
    ],
)
def test_what_fails_at_the_stop_is_told(serve: Serve, source: str, words: str) -> None:
    server = mounted(
        serve,
        f"""
async def mounted(scope, receive, send):
    await receive()
    await send({{"type": "lifespan.startup.complete"}})
    await receive()
    {source}
""",
    )
    stopped = server.stop()
    assert stopped.exit_code == 3
    assert words in stopped.stderr


def test_one_that_ends_before_the_stop_is_left_alone(serve: Serve) -> None:
    server = mounted(
        serve,
        """
        async def mounted(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
        """,
    )
    silent(server)


# --- what can be mounted


class Application:
    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """An application that is an object."""


def wsgi(environ: object, start_response: object) -> list[bytes]:
    """An application of WSGI."""
    raise AssertionError((environ, start_response))


class Old:
    """An application of the first ASGI."""

    def __init__(self, scope: object) -> None:
        self.scope = scope


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("shop", "'shop' is no application: mount an App, or one of ASGI"),
        (wsgi, "takes two arguments, as applications of WSGI do: mount it by an adapter, WSGIMiddleware"),
        (Old, "is no application of ASGI 3: it is to take .scope, receive, send."),
    ],
)
def test_what_is_no_application_is_refused(app: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        App().mount("/m", app)


def test_what_cannot_be_mounted_so_is_refused() -> None:
    with pytest.raises(TypeError, match="body_limit= is for applications of ASGI"):
        App().mount("/m", App(), body_limit=7)
    with pytest.raises(ValueError, match="body_limit=-1 of the mounted application /m is no number of bytes"):
        App().mount("/m", Application(), body_limit=-1)
    with pytest.raises(ValueError, match='does not start with "/"'):
        App().mount("m", Application())


def test_mounted_routes_are_among_the_routes() -> None:
    app = App().mount("/m", Application())
    assert [(route.method, route.path) for route in app.routes] == [("*", "/m"), ("*", "/m/{*mounted_path}")]


def test_two_under_one_path_are_an_error_at_start_that_names_both(tmp_path: Path) -> None:
    stopped = run_source(
        tmp_path,
        f"{HEAD}\nasync def one(a, b, c): ...\nasync def two(a, b, c): ...\n"
        'app.mount("/m", one)\napp.mount("/m/", two)\napp.run()\n',
    )
    assert stopped.exit_code == 3
    assert "* /m has two handlers: " in stopped.stderr
    assert " in one\n" in stopped.stderr
    assert " in two\n" in stopped.stderr


def test_a_request_made_by_hand_has_a_scope() -> None:
    scope = Request("GET", "/a%20b/c?d", headers={"x-a": "1"}, client=("192.0.2.1", 7))._asgi_scope(is_under=False)
    assert (scope["path"], scope["root_path"], scope["raw_path"]) == ("/a b/c", "/a b/c", b"/a%20b/c")
    assert (scope["client"], scope["server"]) == (("192.0.2.1", 7), None)
    assert (b"x-a", b"1") in scope["headers"]
