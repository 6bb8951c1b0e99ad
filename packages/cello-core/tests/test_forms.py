"""Forms over real sockets: what clients send, and what handlers see of it."""

from __future__ import annotations

import hashlib
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from serving import PATIENCE_S, Server, read_all

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Reply, Serve

BOUNDARY = "XbX"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
LARGE = bytes(range(256)) * 4 * 1024 * 9

TELL = """
    import asyncio, hashlib, os
    from cello import App
    from cello.errors import UnsupportedMediaType

    app = App()

    def told(form, files):
        kept = {}
        for file in form.get_files():
            kept.setdefault(file.field_name, []).append(
                {"filename": file.filename, "content_type": file.content_type, "size": file.size(),
                 "sha256": hashlib.sha256(file.read()).hexdigest(), "is_on_disk": file.temp_path is not None})
        assert files == form.get_files()
        return {"fields": {name: [v for v in form.get_all(name) if isinstance(v, str)] for name in form.field_names()},
                "files": kept}

    @app.post("/sync")
    def sync(request):
        assert request.form() is request.form()
        return told(request.form(), request.files())

    @app.post("/async")
    async def asynchronous(request):
        form = await request.form()
        await asyncio.sleep(0)
        return told(form, await request.files())

    @app.post("/sizes")
    def sizes(request):
        return [file.size for file in request.files()]

    @app.post("/taken/{how}")
    async def taken(request):
        how = request.params["how"]
        if how == "stream":
            return [piece async for piece in request.stream()]
        return await getattr(request, how)()

    @app.post("/class")
    def refused(request):
        try:
            request.form()
        except UnsupportedMediaType as error:
            return [type(error).__name__, error.status]

    @app.get("/files")
    def files():
        held = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
        return sum(path.endswith("(deleted)") for path in held)

    @app.get("/peak")
    def peak():
        lines = open("/proc/self/status").read().splitlines()
        found = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
        open("/proc/self/clear_refs", "w").write("5")
        return found

    app.run()
"""


def part(parameters: str, content: bytes, *fields: str) -> bytes:
    """A part as it is written."""
    head = "\r\n".join([f"--{BOUNDARY}", f"Content-Disposition: form-data; {parameters}", *fields, "", ""])
    return head.encode() + content + b"\r\n"


def body_of(*parts: bytes) -> bytes:
    """A body of these parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def told(reply: Reply) -> Any:
    """What a handler says of a form."""
    assert reply.status == 200, reply.body
    return reply.json()


def is_problem(reply: Reply, status: int, words: str) -> bool:
    """Whether an answer is a problem of that status whose detail has these words."""
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status, reply.json()["status"]) == (status, status), reply.body
    return words in reply.json()["detail"]


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server whose handlers tell what they see of a form."""
    return serve(TELL, "--env", "production", "--workers", "1")


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_fields_and_files_come_whole(server: Server, path: str) -> None:
    body = body_of(
        part('name="a"', b"1"),
        part('name="f"; filename="x.bin"', LARGE),
        part('name="a"', "ß☺\r\n".encode()),
        part('name="f"; filename="../y.txt"', b"small", "Content-Type: text/plain"),
    )
    form = told(server.request("POST", path, body, MULTIPART))
    assert form["fields"] == {"a": ["1", "ß☺\r\n"]}
    large, small = form["files"]["f"]
    assert large == {
        "filename": "x.bin",
        "content_type": "application/octet-stream",
        "size": len(LARGE),
        "sha256": hashlib.sha256(LARGE).hexdigest(),
        "is_on_disk": True,
    }
    assert (small["filename"], small["content_type"], small["is_on_disk"]) == ("y.txt", "text/plain", False)


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_urlencoded_form_is_read(server: Server, path: str) -> None:
    assert told(server.request("POST", path, b"a=1&a=2&b+c=%C3%BC", URLENCODED)) == {
        "fields": {"a": ["1", "2"], "b c": ["ü"]},
        "files": {},
    }


def test_the_documents_own_snippet_runs(serve: Serve, tmp_path: Path) -> None:
    server = serve(
        f"""
        from cello import App
        app = App()

        def save_file(name, content):
            with open({str(tmp_path)!r} + "/" + name, "wb") as file:
                file.write(content)

        @app.post("/")
        async def upload(request):
            files = await request.files(); form = await request.form()
            for f in files: content = await f.read(); save_file(f.filename, content)
            return form.get("name")

        app.run()
        """
    )
    body = body_of(
        part('name="name"', b"Ada"), part('name="f"; filename="x"', b"1"), part('name="g"; filename="y"', LARGE)
    )
    assert server.request("POST", "/", body, MULTIPART).body == b"Ada"
    assert (tmp_path / "x").read_bytes() == b"1"
    assert (tmp_path / "y").read_bytes() == LARGE


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
def test_a_form_may_come_byte_by_byte(server: Server, is_chunked: bool) -> None:
    content = b"\r\n--Xb\r\n--XbXX\r"
    body = body_of(part('name="a"', b"1"), part('name="f"; filename="x"', content))
    fields = ["POST /sync HTTP/1.1", "Host: a", "Connection: close", f"Content-Type: {MULTIPART['content-type']}"]
    fields.append("Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}")
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall("\r\n".join([*fields, "", ""]).encode())
        for byte in body:
            client.sendall(b"1\r\n%c\r\n" % byte if is_chunked else bytes([byte]))
        if is_chunked:
            client.sendall(b"0\r\n\r\n")
        answer = read_all(client)
    form = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert form["fields"] == {"a": ["1"]}
    assert form["files"]["f"][0]["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (body_of(part("name=a", b"1"))[:-8], MULTIPART, "the form ends in the content of a part, at byte"),
        (body_of(part("x=a", b"1")), MULTIPART, "without a name, at byte"),
        (b"", MULTIPART, "before its first boundary"),
        (body_of(part("name=a", b"1")), {"content-type": "multipart/form-data"}, "no boundary parameter"),
    ],
    ids=["cut short", "no name", "empty", "no boundary"],
)
def test_a_malformed_form_is_a_400_that_says_where(
    server: Server, body: bytes, headers: dict[str, str], words: str
) -> None:
    assert is_problem(server.request("POST", "/sync", body, headers), 400, words)
    assert told(server.request("POST", "/sync", b"a=1", URLENCODED))["fields"] == {"a": ["1"]}


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (
            body_of(part('name="f"; filename="x"', bytes((10 << 20) + 1))),
            MULTIPART,
            'the file "f" is larger than 10 MiB',
        ),
        (body_of(part('name="a"', bytes((1 << 20) + 1))), MULTIPART, 'the field "a" is larger than 1 MiB'),
        (body_of(part("name=a", b"") * 1001), MULTIPART, "more than 1000 parts"),
        (body_of(part("name=f; filename=x", b"") * 1001), MULTIPART, "more than 1000 parts"),
        (body_of(part("name=a", b"", "X: " + "x" * 20_000)), MULTIPART, "larger than 16 KiB"),
        (body_of(part("name=a", b"", *["X: y"] * 40)), MULTIPART, "more than 32 header fields"),
        (b"a=1&" * 1001, URLENCODED, "more than 1000 fields"),
    ],
    ids=["a file", "a field", "parts", "empty files", "a head", "header fields", "pairs"],
)
def test_a_form_beyond_a_limit_is_a_413_that_says_which(
    server: Server, body: bytes, headers: dict[str, str], words: str
) -> None:
    assert is_problem(server.request("POST", "/sync", body, headers), 413, words)
    assert told(server.request("POST", "/sync", b"a=1", URLENCODED))["fields"] == {"a": ["1"]}


def test_a_form_may_be_larger_than_another_body(server: Server) -> None:
    body = body_of(*(part(f"name=f{number}; filename=x", LARGE) for number in range(3)))
    assert len(body) > 10 << 20
    assert len(told(server.request("POST", "/sync", body, MULTIPART))["files"]) == 3


def test_large_files_are_not_held_in_memory(server: Server) -> None:
    body = body_of(*(part(f"name=f{number}; filename=x", LARGE) for number in range(5)))
    for _ in range(2):
        assert server.request("POST", "/sizes", body, MULTIPART).json() == [len(LARGE)] * 5
        server.get("/peak")
    before = server.get("/peak").json()
    server.request("POST", "/sizes", body, MULTIPART)
    assert server.get("/peak").json() - before < 4 << 10


def test_a_form_in_place_of_json_is_a_415(server: Server) -> None:
    body = body_of(part('name="a"', b"1"))
    assert is_problem(server.request("POST", "/taken/json", body, MULTIPART), 415, "The body is a form, and no JSON.")
    assert server.stop().stderr == ""


@pytest.mark.parametrize("how", ["body", "text", "stream"])
def test_a_form_in_parts_has_no_bytes_and_the_log_says_so(server: Server, how: str) -> None:
    body = body_of(part('name="a"', b"1"))
    assert server.request("POST", f"/taken/{how}", body, MULTIPART).status == 500
    assert "whose parts were taken as they came: use form() or files()" in server.stop().stderr


def test_what_is_no_form_is_refused_with_the_exception_of_its_status(server: Server) -> None:
    headers = {"content-type": "application/json"}
    assert server.request("POST", "/class", b"{}", headers).json() == ["UnsupportedMediaType", 415]


def test_temporary_files_vanish_with_the_request(server: Server) -> None:
    before = server.get("/files").json()
    body = body_of(*(part("name=f; filename=x", LARGE) for _ in range(3)))
    for _ in range(3):
        told(server.request("POST", "/async", body, MULTIPART))
        server.request("POST", "/sync", body[:-10], MULTIPART)
    assert server.get("/files").json() == before


PARTS = """
    from cello import App

    app = App()

    @app.post("/echo", stream=True)
    async def echo(request):
        async def told():
            async for part in request.parts():
                yield f"[{part.name} {part.filename} {part.content_type}]"
                async for piece in part:
                    yield piece
        return told()

    @app.post("/names", stream=True)
    async def names(request):
        return [part.name async for part in request.parts()]

    @app.post("/read", stream=True)
    async def read(request):
        told = []
        async for part in request.parts():
            told.append([part.name, (await part.read()).decode(), (await part.read()).decode(), repr(part)])
        return told

    @app.post("/form", stream=True)
    async def form(request):
        form = await request.form()
        return [form.get("a"), [file.filename for file in await request.files()]]

    @app.post("/size", stream=True)
    async def size(request):
        total = 0
        async for part in request.parts():
            async for piece in part:
                total += len(piece)
        return total

    @app.post("/limited", stream=True, body_limit=1000)
    async def limited(request):
        return [part.name async for part in request.parts()]

    @app.post("/there")
    async def there(request):
        return request.parts()

    app.run()
"""

PART_A = b'--XbX\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n'
PART_F = (
    b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\ntwo\r\n'
)
PARTS_END = b"--XbX--\r\n"


def test_parts_can_be_read_before_the_last_byte_has_come(serve: Serve) -> None:
    def chunk(piece: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(piece), piece)

    head = f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART['content-type']}\r\n"
    with serve(PARTS).connect() as client:
        client.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk(PART_A))
        received = b""
        while b"[a None None]" not in received:
            received += client.recv(1000)
        client.sendall(chunk(PART_F) + chunk(PARTS_END))
        while b"two" not in received:
            received += client.recv(1000)
        assert b"[f x.txt text/plain]" in received
        client.sendall(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(1000)


def test_parts_are_passed_over_read_whole_or_collected(serve: Serve) -> None:
    server = serve(PARTS)
    body = PART_A + PART_F + PARTS_END
    assert server.post("/names", body, MULTIPART).json() == ["a", "f"]
    assert server.post("/read", body, MULTIPART).json() == [
        ["a", "one", "", '<UploadPart "a">'],
        ["f", "two", "", '<UploadPart "f", file "x.txt">'],
    ]
    assert server.post("/form", body, MULTIPART).json() == ["one", ["x.txt"]]


@pytest.mark.parametrize(("size", "status"), [(10 << 20, 200), (10 << 20 | 1, 413)])
def test_a_form_has_its_limits_after_pieces_were_taken(serve: Serve, size: int, status: int) -> None:
    # What was left of no limit at all was taken for a limit, in place of the form's own.
    server = serve("""
        from cello import App

        app = App()

        @app.post("/", stream=True)
        async def handler(request):
            first = await anext(request.stream())
            print(first, flush=True)
            form = await request.form()
            return form["f"].size

        app.run()
    """)
    preamble = b"what stands before the first boundary\r\n"
    body = preamble + body_of(part('name="f"; filename="x"', bytes(size)))
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    with server.connect() as connection:
        connection.sendall(f"{head}Content-Type: {MULTIPART['content-type']}\r\n\r\n".encode() + preamble)
        assert server.next_line() == repr(preamble)
        connection.sendall(body[len(preamble) :])
        answer = read_all(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"is larger than 10 MiB" in answer) == (status == 413), answer


def test_what_is_no_form_in_parts_is_refused(serve: Serve) -> None:
    server = serve(PARTS)
    assert server.post("/names", b"{}", {"content-type": "application/json"}).status == 415
    assert server.post("/form", b"{}", {"content-type": "application/json"}).status == 415
    assert server.post("/names", PART_A, MULTIPART).status == 400
    for path in ("/names", "/size", "/read", "/form"):
        refused = server.post(path, b"", MULTIPART)
        assert refused.status == 400
        assert b"ends before its first boundary" in refused.body
    assert server.post("/form", PART_A, MULTIPART).status == 400
    assert server.post("/limited", PART_A * 50 + PARTS_END, MULTIPART).status == 413
    assert server.post("/there", PART_A + PARTS_END, MULTIPART).status == 500
    assert "parts() is for routes with stream=True" in server.stop().stderr


def test_a_file_of_any_size_can_be_read_part_by_part(serve: Serve) -> None:
    server = serve(PARTS)
    server.post("/size", PART_A + PARTS_END, MULTIPART)
    before = server.resident_bytes()
    content = b"x" * (200 << 20)
    body = PART_F.removesuffix(b"two\r\n") + content + b"\r\n" + PARTS_END
    assert server.post("/size", body, MULTIPART).json() == len(content)
    assert server.resident_bytes() - before < 8 << 20
