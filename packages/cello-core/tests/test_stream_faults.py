"""Streams and bodies when something goes wrong: clients that leave, tasks that are cancelled, code that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from serving import leave, read_all, read_until

if TYPE_CHECKING:
    from serving import Serve, Server

MIB = 1 << 20


def start(serve: Serve, source: str, *arguments: str) -> Server:
    """Serves an application whose routes are given; `/seen` answers with what was noted in `seen`, once it is there."""
    head = """
        import asyncio, contextlib, gc, sys
        from cello import App, Response
        from cello.errors import HTTPError

        app = App()
        seen = asyncio.Queue()

        @app.get("/seen")
        async def get_seen(request):
            return await seen.get()

        @app.get("/alive")
        def alive(request):
            return "alive"
    """
    return serve(head + source + "\n        app.run()\n", *arguments)


def get(path: str, version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode()


def post(path: str, length: int, body: bytes = b"", *fields: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {length}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def silent(server: Server) -> None:
    stopped = server.stop()
    lines = [line for line in stopped.stderr.splitlines() if "kept everybody waiting" not in line]
    assert (stopped.exit_code, lines) == (0, [])


# --- errors


def test_a_panic_under_a_stream_aborts_its_connection(serve: Serve) -> None:
    server = start(
        serve,
        """
        from cello._kernel import _panic

        @app.get("/later")
        async def later(request):
            async def pieces():
                yield "begun"
                await asyncio.sleep(0.01)
                _panic()
            return pieces()

        @app.get("/at-once")
        async def at_once(request):
            async def pieces():
                yield "never seen"
                _panic()
            return pieces()

        @app.get("/sync")
        def sync(request):
            def pieces():
                yield "x" * 100_000
                _panic()
            return pieces()
        """,
    )
    for path in ("/later", "/sync"):
        answer = server.exchange(get(path))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert not answer.endswith(b"0\r\n\r\n")
    assert server.get("/at-once").status == 500
    stderr = server.stop().stderr
    assert stderr.count("the body broke off") == 2
    assert stderr.count("native code panicked") == 3


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_generator_whose_piece_is_none_is_closed_in_its_own_task(serve: Serve, kind: str) -> None:
    rest = "await asyncio.sleep(0)" if kind == "async def" else ""
    server = start(
        serve,
        f"""
        @app.get("/")
        async def handler(request):
            task = asyncio.current_task()
            {kind} pieces():
                try:
                    yield "begun"
                    {rest}
                    yield 1
                finally:
                    {rest}
                    seen.put_nowait(asyncio.current_task() is task)
            return pieces()

        @app.get("/typed")
        async def typed(request):
            {kind} pieces():
                try:
                    yield 1
                finally:
                    {rest or "pass"}
            return Response.stream(pieces(), content_type="text/plain")
        """,
    )
    with contextlib.suppress(http.client.HTTPException):
        server.get("/")
    assert server.get("/seen").body == b"true"
    assert server.get("/typed").status == 500
    assert "brought forth a int" in server.stop().stderr


def test_a_generator_that_raises_what_ends_iterations_has_failed(serve: Serve) -> None:
    server = start(
        serve,
        """
        ERRORS = {"stop": StopIteration, "stop-async": StopAsyncIteration, "exit": GeneratorExit}

        @app.get("/{error}")
        async def handler(request):
            async def pieces():
                yield "begun"
                await asyncio.sleep(0.01)
                raise ERRORS[request.params["error"]]
            return pieces()

        @app.get("/handler/{error}")
        async def raising(request):
            await asyncio.sleep(0)
            raise ERRORS[request.params["error"]]
        """,
    )
    for error in ("stop", "stop-async", "exit"):
        answer = server.exchange(get(f"/{error}"))
        assert b"begun" in answer
        assert not answer.endswith(b"0\r\n\r\n")
        assert server.get(f"/handler/{error}").status == 500
    assert server.get("/alive").body == b"alive"


def test_an_iterator_may_end_where_it_is_asked(serve: Serve) -> None:
    server = start(
        serve,
        """
        class Pieces:
            left = 2

            def __aiter__(self):
                return self

            def __anext__(self):
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return asyncio.sleep(0, "x")

        @app.get("/")
        async def handler(request):
            return Pieces()

        @app.post("/echo")
        async def echo(request):
            return request.stream()

        @app.post("/echo-streamed", stream=True)
        async def echo_streamed(request):
            return request.stream()
        """,
    )
    assert server.get("/").body == b"xx"
    for path in ("/echo", "/echo-streamed"):
        assert server.post(path, b"body").body == b"body"
        assert server.post(path, b"").body == b""
    silent(server)


@pytest.mark.parametrize(("error", "code"), [("SystemExit(7)", 7), ("KeyboardInterrupt()", 130)])
def test_what_ends_the_process_does_so_when_the_client_has_left_too(serve: Serve, error: str, code: int) -> None:
    server = start(
        serve,
        f"""
        @app.get("/")
        async def handler(request):
            print("begun", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                raise {error}
        """,
    )
    with server.connect() as client:
        client.sendall(get("/"))
        assert server.next_line() == "begun"
    assert server.wait().exit_code == code


def test_the_log_tells_what_a_handler_raised_after_its_client_had_left(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/")
        async def handler(request):
            print("begun", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                seen.put_nowait("left")
                raise ValueError("in the clean-up")
        """,
    )
    with server.connect() as client:
        client.sendall(get("/"))
        assert server.next_line() == "begun"
    assert server.get("/seen").body == b"left"
    assert "ValueError: in the clean-up" in server.stop().stderr


def test_a_handler_that_is_cancelled_and_returns_all_the_same_is_let_be(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/{kind}")
        async def handler(request):
            async def pieces():
                yield "never"
            print("begun", flush=True)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.put_nowait("cancelled")
                return pieces() if request.params["kind"] == "stream" else "never read"
        """,
    )
    for kind in ("whole", "stream"):
        with server.connect() as client:
            client.sendall(get(f"/{kind}"))
            assert server.next_line() == "begun"
        assert server.get("/seen").body == b"cancelled"
    silent(server)


# --- clients that leave


LEAVING = {
    "it waits before its first piece": "await asyncio.sleep(60); yield 'x'",
    "it waits after its first piece": "yield 'x'; await asyncio.sleep(60)",
    "it swallows the cancellation and goes on": """
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        yield 'x'
                        await asyncio.sleep(60)""",
    "it ignores that it is closed": """
                while True:
                    try:
                        yield 'x' * 100_000
                    except GeneratorExit:
                        pass""",
    "it waits while it is closed": """
                try:
                    while True:
                        yield 'x' * 10_000
                finally:
                    await asyncio.sleep(0.001)
                    await asyncio.sleep(0.001)""",
    "it raises while it is closed": """
                try:
                    while True:
                        yield 'x' * 10_000
                finally:
                    raise ValueError("closed")""",
    "it raises when it is cancelled": """
                try:
                    yield 'x'
                    await asyncio.sleep(60)
                finally:
                    raise ValueError("cancelled")""",
    "its cancellation is shielded": """
                yield 'x'
                await asyncio.shield(asyncio.sleep(0.01))""",
}


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("typed", [True, False])
def test_no_task_is_left_when_a_client_leaves(serve: Serve, how: str, typed: bool) -> None:
    made = 'Response.stream(pieces(), content_type="text/plain")' if typed else "pieces()"
    server = start(
        serve,
        f"""
        @app.get("/stream")
        async def stream(request):
            print("begun", flush=True)
            asyncio.current_task().add_done_callback(lambda task: seen.put_nowait("over"))
            async def pieces():
                {LEAVING[how]}
            return {made}
        """,
    )
    for ends in (leave, socket.socket.close):
        client = server.connect()
        client.sendall(get("/stream"))
        assert server.next_line() == "begun"
        ends(client)
        assert server.get("/seen").body == b"over"
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert ("Traceback" in stopped.stderr or "broke off" in stopped.stderr) == ("raises" in how or "ignores" in how)


def test_a_held_back_head_does_not_keep_what_its_client_has_left(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/")
        async def handler(request):
            print("begun", flush=True)
            async def pieces():
                try:
                    await asyncio.sleep(60)
                    yield "never"
                finally:
                    await asyncio.sleep(0)
                    seen.put_nowait([asyncio.current_task().cancelling()])
            return pieces()
        """,
    )
    with server.connect() as client:
        client.sendall(get("/"))
        assert server.next_line() == "begun"
    assert server.get("/seen").json() == [1]
    silent(server)


def test_clients_that_leave_at_any_moment_leave_nothing_behind(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.post("/{how}", stream=True)
        async def handler(request):
            how = request.params["how"]
            async def pieces():
                async for piece in request.stream():
                    if how == "rest":
                        await asyncio.sleep(0)
                    yield piece
                yield "end"
            if how == "whole":
                return len(await request.body())
            return pieces()

        @app.get("/left")
        async def left(request):
            gc.collect()
            return [len(asyncio.all_tasks()), [type(thing).__name__ for thing in gc.get_objects()].count("Request")]
        """,
    )
    first = server.get("/left").json()
    for how in ("echo", "rest", "whole"):
        for sent in (0, 1, 1000, 70_000, 300_000):
            for taken in (0, 1, 100_000):
                for ends in (leave, socket.socket.close):
                    client = server.connect()
                    client.setblocking(True)
                    client.settimeout(0.05)
                    client.sendall(post(f"/{how}", 400_000))
                    try:
                        client.sendall(b"x" * sent)
                        got = 0
                        while got < taken and sent and how != "whole":
                            got += len(client.recv(65536))
                    except TimeoutError:
                        pass
                    ends(client)
    now: list[int] = []
    for _ in range(100):
        if (now := server.get("/left").json())[0] == first[0]:
            break
    assert now[0] == first[0]
    assert now[1] <= first[1] + 1
    silent(server)


def test_handlers_that_fail_leave_nothing_behind_whatever_they_know_of_their_task(serve: Serve) -> None:
    server = start(
        serve,
        """
        from cello._kernel import Request

        @app.get("/fails")
        async def fails(request):
            task = asyncio.current_task()
            async with asyncio.timeout(5) as timeout:
                await asyncio.sleep(0)
                raise HTTPError(404)

        @app.get("/leaves")
        async def leaves(request):
            task = asyncio.current_task()
            print("begun", flush=True)
            async with asyncio.TaskGroup() as group:
                await asyncio.sleep(60)

        @app.get("/left")
        async def left(request):
            gc.collect()
            return [sum(type(thing) is kind for thing in gc.get_objects()) for kind in (Request, asyncio.Task)]
        """,
    )
    first = server.get("/left").json()
    for _ in range(20):
        assert server.get("/fails").status == 404
        with server.connect() as client:
            client.sendall(get("/leaves"))
            assert server.next_line() == "begun"
    now: list[int] = []
    for _ in range(100):
        if (now := server.get("/left").json()) == first:
            break
    assert now == first


def test_a_stream_that_outlives_its_client_does_not_wait_for_room(serve: Serve) -> None:
    server = start(
        serve,
        """
        import cello._serving

        compose = cello._serving.compose

        def patient(*settled):
            composed = compose(*settled)
            return composed._replace(plans=[plan._replace(cancel_on_disconnect=False) for plan in composed.plans])

        cello._serving.compose = patient

        @app.get("/")
        async def handler(request):
            async def pieces():
                try:
                    while True:
                        yield b"x" * 100_000
                finally:
                    await asyncio.sleep(0)
                    seen.put_nowait("closed")
            return pieces()
        """,
    )
    with server.connect() as client:
        client.sendall(get("/"))
        client.recv(100)
    assert server.get("/seen").body == b"closed"
    silent(server)


# --- stopping


def test_a_server_that_is_interrupted_twice_ends_in_the_middle_of_streams_and_uploads(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/endless")
        async def endless(request):
            async def pieces():
                try:
                    while True:
                        yield b"x" * 10_000
                        await asyncio.sleep(0)
                finally:
                    await asyncio.sleep(0)
            return pieces()

        @app.get("/endless-sync")
        def endless_sync(request):
            def pieces():
                while True:
                    yield b"x" * 10_000
            return pieces()

        @app.get("/held")
        async def held(request):
            async def pieces():
                await asyncio.sleep(60)
                yield "x"
            return pieces()

        @app.post("/upload", stream=True)
        async def upload(request):
            asyncio.ensure_future(request.body())
            await asyncio.sleep(60)
        """,
    )
    clients: list[socket.socket] = []
    for request in (get("/endless"), get("/endless-sync"), get("/held"), post("/upload", 1000, b"x"), get("/alive")):
        client = server.connect()
        client.sendall(request)
        clients.append(client)
    clients[-1].recv(1000)
    server.send_signal(signal.SIGINT)
    with pytest.raises(ConnectionError):
        while True:  # until it stops
            server.connect().close()
    server.send_signal(signal.SIGINT)
    stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (130, "")
    for client in clients:
        client.close()


def test_a_server_whose_time_to_stop_is_over_ends_streams_uploads_and_files(serve: Serve) -> None:
    server = start(
        serve,
        """
        import pathlib

        pathlib.Path("big").write_bytes(bytes(64 << 20))

        @app.get("/endless")
        async def endless(request):
            async def pieces():
                try:
                    while True:
                        yield b"x" * 10_000
                        await asyncio.sleep(0)
                finally:
                    await asyncio.sleep(0.01)
            return pieces()

        @app.get("/endless-sync")
        def endless_sync(request):
            def pieces():
                while True:
                    yield b"x" * 10_000
            return pieces()

        @app.get("/held")
        async def held(request):
            async def pieces():
                await asyncio.sleep(60)
                yield "x"
            return pieces()

        @app.post("/upload", stream=True)
        async def upload(request):
            async for piece in request.stream():
                pass

        @app.post("/elsewhere", stream=True)
        async def elsewhere(request):
            await asyncio.gather(request.body(), asyncio.sleep(60))

        @app.get("/file")
        def file(request):
            return Response.file("big")
        """,
        "--shutdown-timeout",
        "0.2",
    )
    clients: list[socket.socket] = []
    requests = [get("/endless"), get("/endless-sync"), get("/held"), get("/file"), post("/upload", 1000, b"x")]
    for request in (*requests, post("/elsewhere", 1000, b"x"), get("/alive")):
        client = server.connect()
        client.sendall(request)
        clients.append(client)
    clients[-1].recv(1000)
    silent(server)
    for client in clients:
        client.close()


# --- what asyncio and others see


def test_the_task_of_a_handler_is_one_in_every_way_that_libraries_look_at(serve: Serve) -> None:
    server = start(
        serve,
        """
        sys.set_coroutine_origin_tracking_depth(3)

        async def inner():
            task = asyncio.current_task()
            await asyncio.sleep(0)
            frames = [frame.f_code.co_name for frame in task.get_stack()][-1:]
            import io
            out = io.StringIO()
            task.print_stack(file=out)
            return [asyncio.iscoroutine(task.get_coro()), frames, "handler" in out.getvalue(), "handler" in repr(task),
                    task in asyncio.all_tasks(), task.cancelling()]

        @app.get("/")
        async def handler(request):
            return await inner()

        @app.get("/stream")
        async def stream(request):
            async def pieces():
                yield repr(await inner())
            return pieces()

        @app.get("/sync")
        def synchronous(request):
            async def pieces():
                yield repr(await inner())
            return pieces()

        @app.get("/timeout")
        async def timeout(request):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)

        @app.get("/uncancel")
        async def uncancel(request):
            task = asyncio.current_task()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
            return [task.cancelling(), task.uncancel()]
        """,
    )
    assert server.get("/").json() == [True, ["handler"], True, True, True, 0]
    for path in ("/stream", "/sync"):
        assert server.get(path).body.startswith(b"[True, "), path
    assert server.get("/uncancel").json() == [1, 0]
    assert server.get("/timeout").status == 500


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_scopes_of_anyio_may_reach_over_pieces(serve: Serve, kind: str) -> None:
    server = start(
        serve,
        f"""
        import anyio

        @app.get("/")
        {kind} handler(request):
            async def pieces():
                async with anyio.create_task_group() as group:
                    send, receive = anyio.create_memory_object_stream[str](0)
                    async def produce():
                        async with send:
                            for number in range(3):
                                await send.send(str(number))
                    group.start_soon(produce)
                    async with receive:
                        async for item in receive:
                            yield item
                with anyio.move_on_after(0.01) as scope:
                    yield " waits"
                    await anyio.sleep(60)
                yield f" {{scope.cancelled_caught}}"
                with anyio.fail_after(5):
                    async with anyio.create_task_group() as group:
                        with anyio.CancelScope() as inner:
                            group.start_soon(lambda: cancel_soon(inner))
                            await anyio.sleep_forever()
                yield f" {{inner.cancelled_caught}}"
            async def cancel_soon(scope):
                await anyio.sleep(0)
                scope.cancel()
            return pieces()

        @app.get("/leaves")
        {kind} leaves(request):
            async def pieces():
                try:
                    async with anyio.create_task_group() as group:
                        group.start_soon(anyio.sleep_forever)
                        while True:
                            yield "x"
                            await anyio.sleep(0.001)
                finally:
                    with anyio.CancelScope(shield=True):
                        await anyio.sleep(0.001)
                    seen.put_nowait("closed")
            return pieces()
        """,
    )
    assert server.get("/").body == b"012 waits True True"
    with server.connect() as client:
        client.sendall(get("/leaves"))
        client.recv(100)
    assert server.get("/seen").body == b"closed"
    silent(server)


def test_a_slow_step_of_a_stream_is_told_in_debug_mode(serve: Serve) -> None:
    server = serve(
        """
        import asyncio, time
        from cello import App

        app = App()

        @app.on_event("startup")
        async def debug():
            asyncio.get_running_loop().set_debug(True)

        @app.get("/")
        async def handler(request):
            async def pieces():
                yield "x"
                await asyncio.sleep(0.001)
                time.sleep(0.2)
                yield "y"
            return pieces()

        app.run()
        """
    )
    assert server.get("/").body == b"xy"
    assert " took 0." in server.stop().stderr


# --- HTTP


def test_a_connection_goes_on_after_streams_that_are_not_sent(serve: Serve) -> None:
    server = start(
        serve,
        """
        async def pieces():
            yield "x"

        @app.get("/stream")
        async def stream(request):
            return pieces()

        @app.get("/no-content")
        async def no_content(request):
            return pieces(), 204
        """,
    )
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(3):
        for method, path, status in (("HEAD", "/stream", 200), ("GET", "/no-content", 500), ("GET", "/stream", 200)):
            connection.request(method, path)
            reply = connection.getresponse()
            assert (reply.status, reply.will_close) == (status, False)
            reply.read()
    connection.close()


def test_a_stream_that_breaks_off_is_not_the_whole_to_an_old_client(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/broken")
        async def broken(request):
            async def pieces():
                yield "begun"
                await asyncio.sleep(0.001)
                raise ValueError("later")
            return pieces()

        @app.get("/whole")
        async def whole(request):
            async def pieces():
                yield "begun"
                await asyncio.sleep(0.001)
                yield ", ended"
            return pieces()
        """,
    )
    assert server.exchange(get("/whole", "1.0")).endswith(b"begun, ended")
    with server.connect() as client, pytest.raises(ConnectionResetError):
        client.sendall(get("/broken", "1.0"))
        read_all(client)


def test_the_next_request_of_a_connection_follows_a_stream_that_was_pipelined(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/stream")
        async def stream(request):
            async def pieces():
                for _ in range(3):
                    yield "x" * 50_000
                    await asyncio.sleep(0)
            return pieces()
        """,
    )
    with server.connect() as client:
        client.sendall(get("/stream") * 3 + get("/alive"))
        received = read_until(client, b"alive")
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.count(b"x") == 450_000 + 4  # text


# --- bodies of requests


BODIES = """
        @app.post("/gathered", stream=True)
        async def gathered(request):
            results = await asyncio.gather(request.body(), request.body(), return_exceptions=True)
            return [len(result) if isinstance(result, bytes) else type(result).__name__ for result in results]

        @app.post("/given-up", stream=True)
        async def given_up(request):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await request.body()
            print("given up", flush=True)
            return len(await request.body())

        @app.post("/given-up-form", stream=True)
        async def given_up_form(request):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await request.form()
            print("given up", flush=True)
            results = []
            for again in (request.form, request.body, request.stream().__anext__):
                try:
                    results.append(len(await again()))
                except HTTPError as error:
                    results.append(error.status)
            return results

        @app.post("/twice", stream=True, body_limit=1000)
        async def twice(request):
            results = []
            for _ in range(2):
                try:
                    results.append(len(await request.body()))
                except HTTPError as error:
                    results.append(error.status)
            try:
                async for piece in request.stream():
                    results.append(len(piece))
            except HTTPError as error:
                results.append(error.status)
            return results

        @app.post("/background", stream=True)
        async def background(request):
            async def read():
                try:
                    total = 0
                    async for piece in request.stream():
                        total += len(piece)
                    seen.put_nowait(total)
                except HTTPError as error:
                    seen.put_nowait(str(error))
            app.state.task = asyncio.create_task(read())
            await asyncio.sleep(0)
            return "returned"

        @app.post("/first", stream=True)
        async def first(request):
            async for piece in request.stream():
                return len(piece)

        @app.post("/again", stream=True)
        async def again(request):
            reading = request.body()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reading
            print("given up", flush=True)
            return len(await reading)

        @app.post("/impatient", stream=True)
        async def impatient(request):
            stream, total = request.stream(), 0
            while True:
                try:
                    async with asyncio.timeout(0.001):
                        total += len(await anext(stream))
                except TimeoutError:
                    if not total:
                        print("waiting", flush=True)
                        total = 0
                except StopAsyncIteration:
                    return total

        @app.post("/waits", stream=True)
        async def waits(request):
            asyncio.current_task().add_done_callback(lambda task: seen.put_nowait("over"))
            async for piece in request.stream():
                print("piece", flush=True)
                await asyncio.sleep(60)
"""


def test_a_body_that_two_read_is_not_divided_between_them(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        client.sendall(post("/gathered", 300_000, b"x" * 100_000))
        client.sendall(b"x" * 200_000)
        assert read_until(client, b"]").endswith(b"[300000,300000]")


def test_a_body_whose_reading_was_given_up_is_read_on_from_there(serve: Serve) -> None:
    server = start(serve, BODIES)
    for path in ("/given-up", "/again"):
        with server.connect() as client:
            client.sendall(post(path, 10, b"12345"))
            assert server.next_line() == "given up"
            client.sendall(b"67890")
            assert read_until(client, b"\r\n\r\n10").startswith(b"HTTP/1.1 200")


def test_a_form_whose_reading_was_given_up_is_not_taken_for_its_rest(serve: Serve) -> None:
    server = start(serve, BODIES)
    form = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
    with server.connect() as client:
        fields = "Content-Type: multipart/form-data; boundary=b"
        client.sendall(post("/given-up-form", len(form), form[:-20], fields))
        assert server.next_line() == "given up"
        client.sendall(form[-20:])
        assert read_until(client, b"]").endswith(b"[500,500,500]")


def test_a_body_that_failed_once_has_failed_for_good(serve: Serve) -> None:
    server = start(serve, BODIES)
    chunk = b"258\r\n" + b"x" * 600 + b"\r\n"
    head = b"POST /twice HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as client:
        client.sendall(head + chunk * 2)
        assert read_until(client, b"]").endswith(b"[413,413,413]")
    with server.connect() as client:
        client.sendall(head + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n")
        assert read_until(client, b"]").startswith(b"HTTP/1.1 200")


def test_what_reads_a_body_after_its_request_is_told_that_it_is_over(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        client.sendall(post("/background", 10, b"12345"))
        assert read_until(client, b"returned").startswith(b"HTTP/1.1 200")
        assert b"over before" in server.get("/seen").body
    silent(server)


def test_a_connection_is_kept_when_all_of_a_body_was_taken_though_not_its_end(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        for _ in range(3):
            client.sendall(post("/first", 5, b"12345"))
            assert read_until(client, b"\r\n\r\n5").startswith(b"HTTP/1.1 200")


def test_an_impatient_reader_gets_all_of_a_body(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        client.sendall(post("/impatient", 100_000))
        assert server.next_line() == "waiting"
        assert server.next_line() == "waiting"
        client.sendall(b"x" * 50_000)
        client.sendall(b"x" * 50_000)
        assert read_until(client, b"100000").startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_after_a_piece_ends_a_handler_that_waits_for_something_else(serve: Serve) -> None:
    server = start(serve, BODIES)
    for ends in (leave, socket.socket.close):
        client = server.connect()
        client.sendall(post("/waits", 10, b"12345"))
        assert server.next_line() == "piece"
        ends(client)
        assert server.get("/seen", timeout_s=5).body == b"over"


def test_a_client_that_asks_first_is_told_to_go_on_when_its_body_is_read(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        client.sendall(post("/first", 5, b"", "Expect: 100-continue"))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"12345")
        assert read_until(client, b"\r\n\r\n5").startswith(b"HTTP/1.1 200")
        client.sendall(get("/alive"))
        assert read_until(client, b"alive").startswith(b"HTTP/1.1 200")


def test_trailers_are_passed_over(serve: Serve) -> None:
    server = start(serve, BODIES)
    with server.connect() as client:
        head = b"POST /gathered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n"
        client.sendall(head + b"3\r\nabc\r\n0\r\nA: b\r\n\r\n" + get("/alive"))
        received = read_until(client, b"alive")
    assert b"[3,3]" in received
