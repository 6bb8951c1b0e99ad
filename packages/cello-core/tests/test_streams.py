"""Bodies that are brought forth while they are sent, over real sockets."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving import Serve, Server

MIB = 1 << 20

KINDS = """
    import asyncio
    from cello import App

    app = App()

    @app.get("/async")
    async def asynchronous(request):
        async def pieces():
            for number in range(100):
                yield f"{number} "
        return pieces()

    @app.get("/slow")
    async def slow(request):
        async def pieces():
            for number in range(10):
                await asyncio.sleep(0.001)
                yield f"{number} "
        return pieces()

    @app.get("/sync")
    def synchronous(request):
        return (f"{number} " for number in range(100))

    @app.get("/async-of-def")
    def asynchronous_of_def(request):
        async def pieces():
            for number in range(100):
                await asyncio.sleep(0)
                yield f"{number} "
        return pieces()

    @app.get("/sync-of-async")
    async def synchronous_of_async(request):
        await asyncio.sleep(0)
        return (f"{number} ".encode() for number in range(100))

    @app.get("/large")
    def large(request):
        return (bytes([65 + number]) * 300_000 for number in range(10))

    @app.get("/kinds")
    def kinds(request):
        return iter(["text é ", b"bytes ", bytearray(b"bytearray "), memoryview(b"memoryview")])

    @app.get("/nothing")
    def nothing(request):
        return iter([])

    app.run()
"""

HUNDRED = " ".join(str(number) for number in range(100)) + " "


def test_generators_of_either_kind_are_streamed_from_handlers_of_either_kind(serve: Serve) -> None:
    server = serve(KINDS)
    for path in ("/async", "/sync", "/async-of-def", "/sync-of-async"):
        reply = server.get(path)
        assert (reply.status, reply.body.decode()) == (200, HUNDRED), path
        assert reply.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in reply.headers
    assert server.get("/slow").body == b"0 1 2 3 4 5 6 7 8 9 "
    assert server.get("/large").body == b"".join(bytes([65 + number]) * 300_000 for number in range(10))
    assert server.get("/nothing").body == b""


def test_the_pieces_of_a_stream_are_text_or_bytes(serve: Serve) -> None:
    assert serve(KINDS).get("/kinds").body.decode() == "text é bytes bytearray memoryview"


def test_the_first_piece_tells_the_content_type_where_nobody_else_does(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App, Response

        app = App()

        async def of(*pieces):
            for piece in pieces:
                await asyncio.sleep(0.001)
                yield piece

        @app.get("/text")
        async def text(request):
            return of("text", b"bytes")

        @app.get("/bytes")
        async def binary(request):
            return of(b"bytes", "text")

        @app.get("/said")
        async def said(request):
            return Response.stream(of("a,b"), content_type="text/csv")

        @app.get("/tuple")
        async def with_status(request):
            return of("made"), 201, {"X-Made": "yes"}

        @app.get("/none")
        async def none(request):
            return of()

        app.run()
    """)
    expected = {"/text": "text/plain; charset=utf-8", "/bytes": "application/octet-stream", "/said": "text/csv"}
    for path, content_type in expected.items():
        assert server.get(path).headers["content-type"] == content_type
    made = server.get("/tuple")
    assert (made.status, made.headers["x-made"], made.body) == (201, "yes", b"made")
    nothing = server.get("/none")
    assert (nothing.status, nothing.body) == (200, b"")
    assert "content-type" not in nothing.headers


def test_a_response_whose_stream_was_sent_cannot_be_sent_again(serve: Serve) -> None:
    server = serve("""
        from cello import App, Response

        app = App()
        shared = Response.stream(iter(["once"]))

        @app.get("/")
        def get(request):
            return shared

        app.run()
    """)
    assert server.get("/").body == b"once"
    assert server.get("/").status == 500
    assert "make one for each request" in server.stop().stderr


def test_a_connection_is_kept_after_a_stream(serve: Serve) -> None:
    server = serve(KINDS)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for path in ("/async", "/slow", "/sync", "/nothing", "/large") * 3:
        connection.request("GET", path)
        reply = connection.getresponse()
        assert reply.status == 200
        assert len(reply.read()) == {"/large": 3_000_000, "/slow": 20, "/nothing": 0}.get(path, len(HUNDRED))
    connection.close()


def test_an_old_client_gets_a_stream_that_ends_with_the_connection(serve: Serve) -> None:
    answer = serve(KINDS).exchange(b"GET /async HTTP/1.0\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.decode() == HUNDRED


def test_head_gets_the_head_of_a_stream_whose_generator_is_not_asked(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()
        asked = []

        @app.get("/sync")
        def sync(request):
            def pieces():
                try:
                    asked.append("sync")
                    yield "x"
                finally:
                    asked.append("closed")
            return pieces()

        @app.get("/async")
        async def asynchronous(request):
            async def pieces():
                asked.append("async")
                yield "x"
            return pieces()

        @app.get("/asked")
        def get_asked(request):
            return asked

        app.run()
    """)
    for path in ("/sync", "/async"):
        reply = server.request("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")
        assert "content-length" not in reply.headers
    assert server.get("/asked").json() == []


FAILING = """
    import asyncio
    from cello import App

    app = App()
    events = []

    @app.get("/at-once")
    async def at_once(request):
        async def pieces():
            yield "never seen"
            raise ValueError("at once")
        return pieces()

    @app.get("/at-once-sync")
    def at_once_sync(request):
        def pieces():
            raise ValueError("at once")
            yield
        return pieces()

    @app.get("/later")
    async def later(request):
        async def pieces():
            yield "begun"
            await asyncio.sleep(0.001)
            raise ValueError("later")
        return pieces()

    @app.get("/wrong-piece")
    async def wrong_piece(request):
        async def pieces():
            yield "begun"
            await asyncio.sleep(0.001)
            yield {"a": 1}
        return pieces()

    app.run()
"""


def test_a_stream_that_fails_before_anything_is_sent_is_an_error_like_any_other(serve: Serve) -> None:
    server = serve(FAILING, "--env", "production", "--workers", "1")
    for path in ("/at-once", "/at-once-sync"):
        reply = server.get(path)
        assert (reply.status, reply.json()["status"]) == (500, 500)
        assert b"at once" not in reply.body
    assert "ValueError: at once" in server.stop().stderr


def test_an_error_after_the_head_aborts_the_connection_and_is_logged(serve: Serve) -> None:
    server = serve(FAILING)
    for path in ("/later", "/wrong-piece"):
        answer = server.exchange(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"begun" in answer
        assert not answer.endswith(b"0\r\n\r\n"), "the client would take it for the whole"
    stderr = server.stop().stderr
    assert "GET /later: the body broke off" in stderr
    assert "ValueError: later" in stderr
    assert "its pieces are str or bytes" in stderr


LEAVING = """
    import asyncio
    from cello import App

    app = App()
    ended = asyncio.Event()
    events = []

    async def waiting():
        try:
            yield "begun"
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            events.append("waiting ended")
            ended.set()

    async def endless():
        try:
            while True:
                yield b"x" * 10_000
        finally:
            await asyncio.sleep(0)
            events.append("endless ended")
            ended.set()

    def endless_sync():
        try:
            while True:
                yield b"x" * 10_000
        finally:
            events.append("endless_sync ended")
            ended.set()

    @app.get("/waiting")
    async def get_waiting(request):
        return waiting()

    @app.get("/endless")
    async def get_endless(request):
        return endless()

    @app.get("/endless_sync")
    def get_endless_sync(request):
        return endless_sync()

    @app.get("/ended")
    async def get_ended(request):
        await ended.wait()
        ended.clear()
        return events.pop()

    app.run()
"""


def test_a_generator_ends_when_its_client_leaves(serve: Serve) -> None:
    server = serve(LEAVING)
    for name in ("waiting", "endless", "endless_sync"):
        with server.connect() as client:
            client.sendall(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert server.get("/ended").body.decode() == f"{name} ended"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_the_body_is_brought_forth_in_the_task_and_context_of_the_handler(serve: Serve) -> None:
    server = serve("""
        import asyncio, contextvars
        from cello import App

        app = App()
        name = contextvars.ContextVar("name")

        @app.get("/async")
        async def handler(request):
            name.set("set by the handler")
            task = asyncio.current_task()
            async def pieces():
                yield f"{name.get()}, {asyncio.current_task() is task}"
                await asyncio.sleep(0)
                async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                    child = group.create_task(asyncio.sleep(0, ", and waits"))
                yield child.result()
            return pieces()

        @app.get("/sync")
        def synchronous(request):
            name.set("set by the def handler")
            def pieces():
                yield name.get()
            return pieces()

        app.run()
    """)
    assert server.get("/async").body == b"set by the handler, True, and waits"
    assert server.get("/sync").body == b"set by the def handler"


def test_a_gigabyte_for_a_client_that_hardly_reads_stays_out_of_memory(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()
        brought = 0

        @app.get("/gigabyte")
        async def gigabyte(request):
            async def pieces():
                global brought
                for _ in range(1024):
                    brought += 1
                    yield b"x" * (1 << 20)
            return pieces()

        @app.get("/brought")
        def get_brought(request):
            return brought

        app.run()
    """)
    server.get("/brought")
    before = server.resident_bytes()
    with server.connect() as client:
        client.sendall(b"GET /gigabyte HTTP/1.1\r\nHost: a\r\n\r\n")
        most = 0
        for _ in range(20):
            assert client.recv(1024)
            most = max(most, server.resident_bytes())
            time.sleep(0.05)  # the client's slowness is the subject
        assert most - before < 8 * MIB
        assert server.get("/brought").json() < 32


def test_a_thousand_streams_leave_nothing_behind(serve: Serve) -> None:
    server: Server = serve("""
        import asyncio, gc
        from cello import App

        app = App()

        @app.get("/stream")
        async def stream(request):
            async def pieces():
                for number in range(3):
                    yield "x" * 1000
                    await asyncio.sleep(0)
            return pieces()

        @app.get("/left")
        async def left(request):
            gc.collect()
            kinds = [type(thing).__name__ for thing in gc.get_objects()]
            return [kinds.count("async_generator"), len(asyncio.all_tasks())]

        app.run()
    """)
    first = server.get("/left").json()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(1000):
        connection.request("GET", "/stream")
        assert connection.getresponse().read() == b"x" * 3000
    connection.close()
    assert server.get("/left").json() == first
