"""Bodies of requests: as values, awaited, and while they arrive; over real sockets."""

from __future__ import annotations

import hashlib
import http.client
from typing import TYPE_CHECKING

import pytest
from serving import read_all, read_answer, run_source

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

MIB = 1 << 20

VALUES = """
    from cello import App

    app = App()

    @app.post("/plain")
    def plain(request):
        return [request.body().decode(), request.text(), request.json(), request.body().decode()]

    @app.post("/awaited")
    async def awaited(request):
        return [(await request.body()).decode(), await request.text(), await request.json(),
                (await request.body_async()).decode(), await request.text_async(), await request.json_async()]

    @app.post("/json")
    async def json(request):
        value = request.json()
        return [type(value).__mro__[-2].__name__, await value, await request.json() == value, value]

    @app.post("/constant")
    async def constant(request):
        value = request.json()
        return [await request.json(), request.json(), value, f"{await request.json()}", await request.json_async()]

    @app.post("/later")
    async def later(request):
        return await wait_for(request.json())

    async def wait_for(value):
        return await value if hasattr(value, "__await__") else ["as it is", value]

    @app.post("/thread", blocking=True)
    def thread(request):
        return [request.json(), request.json() is request.json()]

    @app.post("/pieces")
    async def pieces(request):
        return [piece.decode() async for piece in request.stream()]

    app.run()
"""


def test_a_body_is_a_value_and_may_be_awaited(serve: Serve) -> None:
    server = serve(VALUES)
    body = '{"a": "é"}'
    assert server.post("/plain", body.encode()).json() == [body, body, {"a": "é"}, body]
    assert server.post("/awaited", body.encode()).json() == [body, body, {"a": "é"}] * 2


@pytest.mark.parametrize(
    ("document", "kind"),
    [('{"a":[1]}', "dict"), ("[1,2]", "list"), ('"text"', "str"), ("12", "int"), ("1.5", "float")],
)
def test_json_of_any_kind_may_be_awaited(serve: Serve, document: str, kind: str) -> None:
    reply = serve(VALUES).post("/json", document.encode())
    assert reply.body.decode() == f'["{kind}",{document},true,{document}]'


@pytest.mark.parametrize(("document", "shown"), [("true", "True"), ("false", "False"), ("null", "None")])
def test_what_cannot_be_subclassed_may_be_awaited_where_it_is_asked_for(
    serve: Serve, document: str, shown: str
) -> None:
    server = serve(VALUES)
    wanted = f'[{document},{document},{document},"{shown}",{document}]'
    assert server.post("/constant", document.encode()).body.decode() == wanted
    assert server.post("/later", document.encode()).body.decode() == f'["as it is",{document}]'
    assert server.post("/thread", document.encode()).body.decode() == f"[{document},true]"


def test_text_that_is_no_utf8_is_replaced(serve: Serve) -> None:
    server = serve("""
        from cello import App

        app = App()

        @app.post("/")
        def text(request):
            return request.text()

        app.run()
    """)
    assert server.post("/", b"a\xffb").body.decode() == "a\N{REPLACEMENT CHARACTER}b"


def test_a_body_that_is_there_is_streamed_as_one_piece(serve: Serve) -> None:
    server = serve(VALUES)
    assert server.post("/pieces", b"one").json() == ["one"]
    assert server.post("/pieces", b"").json() == []


STREAMING = """
    import asyncio, hashlib
    from cello import App

    app = App()
    held = []

    @app.post("/digest", stream=True)
    async def digest(request):
        total, sha = 0, hashlib.sha256()
        async for piece in request.stream():
            total += len(piece)
            sha.update(piece)
        return [total, sha.hexdigest()]

    @app.post("/first", stream=True)
    async def first(request):
        async for piece in request.stream():
            return piece

    @app.post("/echo", stream=True)
    async def echo(request):
        async def pieces():
            async for piece in request.stream():
                yield piece.upper()
        return pieces()

    @app.post("/echo/{name}", stream=True, status=201)
    async def echo_itself(request, name: str):
        yield name
        async for piece in request.stream():
            yield piece.upper()

    @app.post("/whole", stream=True)
    async def whole(request):
        return [(await request.body()).decode(), await request.text(), await request.json()]

    @app.post("/begun", stream=True)
    async def begun(request):
        async for piece in request.stream():
            break
        return [piece.decode(), await request.text()]

    @app.post("/slowly", stream=True)
    async def slowly(request):
        async for piece in request.stream():
            await asyncio.Event().wait()

    @app.post("/limited", stream=True, body_limit=1000)
    async def limited(request):
        return len(await request.body())

    @app.post("/refused", stream=True)
    async def refused(request):
        return "no, thank you"

    @app.post("/small", body_limit=10)
    async def small(request):
        return len(request.body())

    @app.post("/large", body_limit=20 << 20)
    async def large(request):
        return len(request.body())

    @app.get("/alive")
    def alive(request):
        return "alive"

    app.run()
"""


def chunked(path: str, *pieces: bytes, ended: bool = True) -> bytes:
    """A POST whose body is sent in chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + body + (b"0\r\n\r\n" if ended else b"")


def test_a_handler_takes_the_pieces_of_a_body_before_the_last_has_come(serve: Serve) -> None:
    with serve(STREAMING).connect() as client:
        client.sendall(chunked("/echo", b"one", ended=False))
        received = b""
        while b"ONE" not in received:
            received += client.recv(1000)
        client.sendall(b"3\r\ntwo\r\n")
        while b"TWO" not in received:
            received += client.recv(1000)
        client.sendall(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(1000)


def test_a_streamed_body_can_be_read_whole_and_from_where_it_is(serve: Serve) -> None:
    server = serve(STREAMING)
    assert server.post("/whole", b'{"a": 1}').json() == ['{"a": 1}', '{"a": 1}', {"a": 1}]
    with server.connect() as client:
        client.sendall(chunked("/begun", b"one", ended=False))
        client.sendall(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
        received = b""
        while not received.endswith(b"]"):
            received += client.recv(1000)
    assert b'"one"' in received.split(b"[")[1] or b'"onetwothree"' in received


def test_the_connection_is_kept_after_a_streamed_body(serve: Serve) -> None:
    server = serve(STREAMING)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    body = b"x" * 300_000
    expected = [len(body), hashlib.sha256(body).hexdigest()]
    for _ in range(20):
        connection.request("POST", "/digest", body)
        reply = connection.getresponse()
        assert reply.read().decode() == f'[{expected[0]},"{expected[1]}"]'
    connection.request("GET", "/alive")
    assert connection.getresponse().read() == b"alive"
    connection.close()


def test_a_gigabyte_that_is_uploaded_stays_out_of_memory(serve: Serve) -> None:
    server = serve(STREAMING)
    server.get("/alive")
    before = most = server.resident_bytes()
    piece = b"x" * MIB
    with server.connect() as client:
        client.sendall(f"POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: {1024 * MIB}\r\n\r\n".encode())
        for number in range(1024):
            client.sendall(piece)
            if number % 32 == 0:
                most = max(most, server.resident_bytes())
        answer = read_answer(client)
    assert f"[{1024 * MIB},".encode() in answer
    assert most - before < 8 * MIB


def test_a_handler_that_takes_nothing_lets_its_client_wait(serve: Serve) -> None:
    server = serve(STREAMING)
    server.get("/alive")
    before = server.resident_bytes()
    with server.connect() as client:
        client.settimeout(1)
        client.sendall(f"POST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: {1024 * MIB}\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * (64 * MIB))
        assert server.resident_bytes() - before < 8 * MIB


def test_what_a_handler_leaves_of_its_body_ends_the_connection_after_the_answer(serve: Serve) -> None:
    server = serve(STREAMING)
    for path, words in (("/first", b"x"), ("/refused", b"no, thank you")):
        with server.connect() as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {8 * MIB}\r\n\r\nx".encode())
            answer = read_answer(client)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert words in answer
            client.sendall(b"x" * MIB)
            assert read_all(client) == b""
    assert server.get("/alive").body == b"alive"


def test_a_route_has_a_limit_of_its_own(serve: Serve) -> None:
    server = serve(STREAMING)
    assert server.post("/small", b"x" * 10).json() == 10
    assert server.post("/small", b"x" * 11).status == 413
    assert server.post("/large", b"x" * (11 * MIB)).json() == 11 * MIB
    assert server.post("/limited", b"x" * 1000).json() == 1000
    assert server.post("/limited", b"x" * 1001).status == 413
    with server.connect() as client:
        client.sendall(chunked("/limited", b"x" * 600, b"x" * 600))
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


def test_who_sends_all_of_a_body_that_is_refused_gets_its_answer(serve: Serve) -> None:
    server = serve(STREAMING)
    for size in (11, 30):
        assert server.post("/small", b"x" * (size * MIB)).status == 413
    assert server.get("/alive").body == b"alive"


def test_a_streamed_body_that_is_read_whole_has_the_limit_of_all_bodies(serve: Serve) -> None:
    server = serve(STREAMING)
    reply = server.first_answer(chunked("/whole", *[b"x" * MIB] * 11))
    assert reply.startswith(b"HTTP/1.1 413")
    assert b"longer than this server accepts" in reply


def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_handler(serve: Serve) -> None:
    server = serve(STREAMING)
    with server.connect() as client:
        client.sendall(chunked("/digest", b"one", ended=False))
    assert server.get("/alive").body == b"alive"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_a_handler_can_ask_whether_its_client_has_left(serve: Serve) -> None:
    server = serve("""
        import sys
        from cello import App

        app = App()
        seen = []

        @app.get("/stays")
        def stays(request):
            return request.disconnected()

        @app.get("/leaves")
        def leaves(request):
            print("begun", flush=True)
            while not request.disconnected():
                pass
            seen.append(request)
            return "never read"

        @app.get("/seen")
        def get_seen(request):
            return [request.disconnected() for request in seen]

        app.run()
    """)
    assert server.get("/stays").json() is False
    with server.connect() as client:
        client.sendall(b"GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.next_line() == "begun"
    assert server.get("/seen").json() == [True]


def test_a_generator_takes_the_body_that_it_answers(serve: Serve) -> None:
    server = serve(STREAMING)
    answer = server.post("/echo/name:", b"one" * 100_000)
    assert (answer.status, answer.body) == (201, b"name:" + b"ONE" * 100_000)
    with server.connect() as client:
        client.sendall(chunked("/echo/x:", b"one", ended=False))
        received = b""
        while b"x:" not in received or b"ONE" not in received:
            received += client.recv(65536)


def test_a_def_handler_cannot_stream_a_body(tmp_path: Path) -> None:
    stopped = run_source(
        tmp_path,
        """
        from cello import App

        app = App()

        @app.post("/", stream=True)
        def upload(request):
            return "never"

        app.run()
        """,
    )
    assert stopped.exit_code == 3
    assert "make it an async def" in stopped.stderr
    assert "app.py:" in stopped.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("streem=True", "did you mean stream?"),
        ("body_limit='10'", "is no number of bytes"),
        ("body_limit=-1", "it is 0 or more"),
        ("gards=[]", "which nothing provides"),
    ],
)
def test_an_option_that_is_none_is_refused_where_it_stands(tmp_path: Path, option: str, words: str) -> None:
    source = f"""
        from cello import App

        app = App()

        @app.post("/", {option})
        async def upload(request):
            return "never"

        app.run()
        """
    stopped = run_source(tmp_path, source)
    assert stopped.exit_code == 1
    assert words in stopped.stderr
