"""Files as responses: whole, in part, to be kept and to be shown, and what becomes of them while they are sent."""

from __future__ import annotations

import email.utils
import http.client
import os
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cello import Response
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Serve, Server

MIB = 1 << 20
EVERY_BYTE = bytes(range(256))

APP = """
    import os
    from cello import App, Response

    app = App()
    folder = os.environ["FILES"]

    @app.get("/file/{name}")
    def kept(request):
        return Response.file(f"{folder}/{request.params['name']}")

    @app.get("/send/{name}")
    def shown(request):
        return Response.sendfile(f"{folder}/{request.params['name']}")

    @app.get("/part/{name}/{range}")
    def part(request):
        return Response.file_range(f"{folder}/{request.params['name']}", request.params["range"])

    shared = Response.sendfile(f"{folder}/shared") if os.path.exists(f"{folder}/shared") else None

    @app.get("/shared")
    def one_for_all():
        return shared

    @app.get("/")
    def hello():
        return "hello"

    app.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are that a server sends."""
    path = tmp_path / "files"
    path.mkdir()
    return path


def start(serve: Serve, folder: Path) -> Server:
    """Serves what is in a folder."""
    return serve(APP, environment={"FILES": str(folder)})


def numbered(length: int) -> bytes:
    """Bytes that tell where they stand, among them all that no text has."""
    return (b"".join(index.to_bytes(4, "big") for index in range(length // 4 + 1)) + EVERY_BYTE)[-length:]


# --- what is sent


@pytest.mark.parametrize("length", [0, 1, 65_536, 65_537, 262_144, 1_000_003])
def test_a_file_is_sent_byte_by_byte_to_get_and_by_its_head_to_head_on_one_connection(
    serve: Serve, folder: Path, length: int
) -> None:
    content = numbered(length) if length else b""
    (folder / "data.bin").write_bytes(content)
    server = start(serve, folder)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.connect()
    stays = connection.sock
    assert stays
    for path in ("/send/data.bin", "/file/data.bin", "/part/data.bin/bytes=0-", "/part/data.bin/none"):
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            if not length and path.endswith("bytes=0-"):
                assert answer.status == 416
                continue
            assert answer.status == (206 if path.endswith("bytes=0-") else 200)
            assert answer.getheader("content-type") == "application/octet-stream"
            assert answer.getheader("content-length") == (str(length) if length or method == "GET" else None)
            assert body == (content if method == "GET" else b"")
            assert connection.sock is stays
    connection.close()


def test_pipelined_requests_for_files_are_answered_in_order(serve: Serve, folder: Path) -> None:
    sizes = [3, 300_000, 70_000, 1_000_000]
    for size in sizes:
        (folder / str(size)).write_bytes(numbered(size))
    server = start(serve, folder)
    requests = [f"GET /send/{size} HTTP/1.1\r\nHost: x\r\n\r\n" for size in sizes]
    with server.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall("".join(requests).encode())
        for size in sizes:
            head = b"".join(iter(answers.readline, b"\r\n")).lower()
            assert head.startswith(b"http/1.1 200 ")
            assert f"content-length: {size}\r\n".encode() in head
            assert answers.read(size) == numbered(size)


def test_an_attachment_has_a_name_and_what_is_shown_has_none_and_neither_tells_the_path(
    serve: Serve, folder: Path
) -> None:
    (folder / "data.txt").write_bytes(b"\xff")
    server = start(serve, folder)
    kept, shown = server.get("/file/data.txt"), server.get("/send/data.txt")
    part = server.get("/part/data.txt/bytes=0-0")
    assert kept.headers["content-disposition"] == 'attachment; filename="data.txt"'
    assert "content-disposition" not in shown.headers
    assert "content-disposition" not in part.headers
    for reply in (kept, shown, part):
        assert reply.body == b"\xff"
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert not [value for value in reply.headers.values() if str(folder) in value]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.svg", "image/svg+xml"),
        ("a.pdf", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("a.wasm", "application/wasm"),
        ("a.nothing-known", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_extension_tells_the_type_unless_it_is_given(tmp_path: Path, name: str, content_type: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    nameless = tmp_path / "upload-1"
    nameless.write_bytes(b"x")
    assert Response.sendfile(path).content_type() == content_type
    assert Response.file(path).content_type() == content_type
    assert Response.file(nameless, filename=name).content_type() == content_type
    assert Response.file_range(path, None).content_type() == content_type
    for told in (
        Response.sendfile(path, "x/y"),
        Response.file(path, content_type="x/y"),
        Response.file_range(path, None, "x/y"),
    ):
        assert told.headers.get_all("content-type") == ["x/y"]


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ("naïve €.txt", "attachment; filename=\"na_ve _.txt\"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt"),
        ('"a\\b/c".txt', "attachment; filename=\"_a_b_c_.txt\"; filename*=UTF-8''%22a_b_c%22.txt"),
        ("50%.txt", "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("../x", 'attachment; filename=".._x"'),
    ],
)
def test_a_filename_is_given_so_that_every_client_reads_it_alike(tmp_path: Path, name: str, disposition: str) -> None:
    path = tmp_path / "x"
    path.touch()
    assert Response.file(path, filename=name).headers["content-disposition"] == disposition


def test_a_filename_that_is_none_is_refused_and_one_from_the_disk_is_made_one(tmp_path: Path) -> None:
    path = tmp_path / "a\r\nb"
    path.touch()
    assert Response.file(path).headers["content-disposition"] == 'attachment; filename="a__b"'
    for name in ("", "a\r\nb", "\0"):
        with pytest.raises(ValueError, match="the filename "):
            Response.file(path, filename=name)


def test_the_last_change_is_told_unless_it_is_to_come(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    os.utime(path, (1_000_000_000, 1_000_000_000))
    for response in (Response.file(path), Response.sendfile(path), Response.file_range(path, "bytes=0-")):
        if response.status == 200:
            assert response.headers["last-modified"] == email.utils.formatdate(1_000_000_000, usegmt=True)
    for odd_s in (-1, 32_503_680_000):
        os.utime(path, (odd_s, odd_s))
        assert "last-modified" not in Response.sendfile(path).headers


# --- ranges

TEN = b"\xff\x00\x01\x02\x03\x04\x05\x06\x07\xfe"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=2-5", (2, 5)),
        ("bytes=2-", (2, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-99", (0, 9)),
        ("bytes=9-99999999999999999999999", (9, 9)),
        ("BYTES = 2-5", (2, 5)),
        ("bytes= 2-5 , ", (2, 5)),
        ("bytes=10-,2-5", (2, 5)),
        ("bytes=2-5,10-", (2, 5)),
    ],
)
def test_a_range_is_answered_with_its_part(tmp_path: Path, asked: str, part: tuple[int, int]) -> None:
    path = tmp_path / "ten"
    path.write_bytes(TEN)
    first, last = part
    response = Response.file_range(path, asked)
    assert (response.status, response.body()) == (206, TEN[first : last + 1])
    assert response.headers["content-range"] == f"bytes {first}-{last}/10"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.content_length() == last + 1 - first


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=1",
        "bytes=+1-2",
        "bytes=1-2-3",
        "bytes=0-1,x",
        "bytes=10-,5-2",
        "bytes=0-1,4-5",
        "lines=0-1",
        "bytes:0-1",
    ],
)
def test_what_is_no_range_or_several_is_answered_with_the_whole(tmp_path: Path, asked: str | None) -> None:
    path = tmp_path / "ten"
    path.write_bytes(TEN)
    response = Response.file_range(path, asked)
    assert (response.status, response.body(), response.headers["accept-ranges"]) == (200, TEN, "bytes")
    assert "content-range" not in response.headers


@pytest.mark.parametrize(
    "asked", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-", "bytes=10-,11-"]
)
def test_a_range_beyond_the_end_is_a_416(tmp_path: Path, asked: str) -> None:
    path = tmp_path / "ten"
    path.write_bytes(TEN)
    response = Response.file_range(path, asked)
    assert (response.status, response.content_type()) == (416, "application/problem+json")
    assert response.headers["content-range"] == "bytes */10"
    assert b'"detail":"The range lies beyond the end of the file."' in response.body()


@given(st.text("0123456789-, =bytes\u00e9", max_size=20).map(lambda ranges: f"bytes={ranges}") | st.text(max_size=20))
def test_whatever_is_asked_for_only_what_is_there_is_sent(asked: str) -> None:
    content = Path(__file__).read_bytes()
    response = Response.file_range(__file__, asked)
    assert response.status in (200, 206, 416)
    if response.status == 200:
        assert response.body() == content
    if response.status == 206:
        first, last, length = (int(number) for number in re.findall(r"\d+", response.headers["content-range"]))
        assert 0 <= first <= last < length == len(content)
        assert response.body() == content[first : last + 1]


def test_of_an_empty_file_there_is_no_part(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert Response.file_range(path, "bytes=0-").headers["content-range"] == "bytes */0"
    assert (Response.file_range(path, "bytes=-1").status, Response.file_range(path, None).status) == (200, 200)


# --- what a request asks of a file


def validators(server: Server, path: str) -> tuple[str, str]:
    """The entity tag and the last change that an answer tells."""
    headers = server.get(path).headers
    return headers["etag"], headers["last-modified"]


def at(path: Path, moment_s: int, content: bytes = TEN) -> None:
    """Writes a file as if at a moment."""
    path.write_bytes(content)
    os.utime(path, (moment_s, moment_s))


NOVEMBER_S = 784_111_777
BEFORE, THEN, LATER = (email.utils.formatdate(NOVEMBER_S + s, usegmt=True) for s in (-1, 0, 1))
EVERY = ("/file/ten", "/send/ten", "/part/ten/none")


@pytest.mark.parametrize("path", EVERY)
def test_who_has_a_file_is_told_so(serve: Serve, folder: Path, path: str) -> None:
    at(folder / "ten", NOVEMBER_S)
    server = start(serve, folder)
    etag, modified = validators(server, path)
    assert (etag[0], etag[-1], modified) == ('"', '"', THEN)
    for fields in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", W/{etag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": THEN},
        {"If-Modified-Since": LATER},
        {"If-None-Match": etag, "If-Modified-Since": BEFORE, "Range": "bytes=0-1"},
    ):
        for method in ("GET", "HEAD"):
            reply = server.request(method, path, headers=fields)
            assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag), fields
            assert not {"content-type", "content-disposition", "content-range"} & reply.headers.keys()
    for fields in (
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": BEFORE},
        {"If-Modified-Since": "yesterday"},
        {"If-None-Match": '"other"', "If-Modified-Since": LATER},
        {"If-Match": etag},
        {"If-Match": "*"},
        {"If-Unmodified-Since": THEN},
    ):
        reply = server.request("GET", path, headers=fields)
        assert (reply.status, reply.body) == (200, TEN), fields


@pytest.mark.parametrize("path", EVERY)
def test_who_wants_a_file_as_it_was_is_told_that_it_is_another(serve: Serve, folder: Path, path: str) -> None:
    at(folder / "ten", NOVEMBER_S)
    server = start(serve, folder)
    etag, _ = validators(server, path)
    for fields in ({"If-Match": '"other"'}, {"If-Match": f"W/{etag}"}, {"If-Unmodified-Since": BEFORE}):
        reply = server.request("GET", path, headers=fields)
        assert (reply.status, reply.headers["content-type"]) == (412, "application/problem+json"), fields
        assert reply.json()["title"] == "Precondition Failed"
        assert not {"etag", "last-modified", "content-disposition"} & reply.headers.keys()


def test_a_tag_is_of_one_content_and_a_new_one_has_another(serve: Serve, folder: Path) -> None:
    server = start(serve, folder)
    tags = set[str]()
    for moment_s, content in ((NOVEMBER_S, TEN), (NOVEMBER_S + 1, TEN), (NOVEMBER_S, TEN + b"x")):
        at(folder / "ten", moment_s, content)
        tags |= {validators(server, path)[0] for path in EVERY}
    assert len(tags) == 3


@pytest.mark.parametrize("path", ["/file/ten", "/send/ten"])
def test_the_range_of_a_request_is_heeded(serve: Serve, folder: Path, path: str) -> None:
    at(folder / "ten", NOVEMBER_S)
    server = start(serve, folder)
    etag, modified = validators(server, path)
    for fields in ({}, {"If-Range": etag}, {"If-Range": modified}, {"If-Match": etag}, {"If-None-Match": '"other"'}):
        reply = server.request("GET", path, headers={"Range": "bytes=2-5", **fields})
        assert (reply.status, reply.headers["content-range"], reply.body) == (206, "bytes 2-5/10", TEN[2:6]), fields
        assert (reply.headers["etag"], reply.headers["accept-ranges"]) == (etag, "bytes")
    for fields in (
        {"Range": "bytes=2-5", "If-Range": '"other"'},
        {"Range": "bytes=2-5", "If-Range": f"W/{etag}"},
        {"Range": "bytes=2-5", "If-Range": BEFORE},
        {"Range": "bytes=10-", "If-Range": '"other"'},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "lines=0-1"},
    ):
        reply = server.request("GET", path, headers=fields)
        assert (reply.status, reply.body) == (200, TEN), fields
        assert "content-range" not in reply.headers
    beyond = server.request("GET", path, headers={"Range": "bytes=10-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */10")
    assert (beyond.headers["content-type"], beyond.json()["instance"]) == ("application/problem+json", path)
    head = server.request("HEAD", path, headers={"Range": "bytes=2-5"})
    assert (head.status, head.headers["content-length"]) == (200, "10")


def test_a_part_that_was_chosen_is_of_the_file_that_the_client_has_or_all_of_it(serve: Serve, folder: Path) -> None:
    at(folder / "ten", NOVEMBER_S)
    server = start(serve, folder)
    etag, _ = validators(server, "/send/ten")
    path = "/part/ten/bytes=2-5"
    assert server.request("GET", path, headers={"If-Range": etag}).body == TEN[2:6]
    whole = server.request("GET", path, headers={"If-Range": '"other"'})
    assert (whole.status, whole.body) == (200, TEN)
    assert "content-range" not in whole.headers
    assert server.request("GET", path, headers={"Range": "bytes=0-0"}).body == TEN[2:6]
    assert server.request("GET", path, headers={"If-None-Match": etag}).status == 304


FIELDS = """
    import os
    from cello import App, Response

    app = App()
    path = os.environ["FILES"] + "/ten"

    def guard(request, call_next):
        response = call_next(request)
        response.set_header("x-status", str(response.status))
        return response

    @app.route("/own", methods=["GET", "POST"], middleware=[guard])
    def own(request):
        headers = {"etag": '"own"', "cache-control": "no-cache", "x-own": "1"}
        return Response.file(path, filename="a.txt", headers=headers)

    @app.get("/made")
    def made():
        return Response.sendfile(path), 203

    @app.exception_handler(KeyError)
    def fallback(request, error):
        return Response.sendfile(path)

    @app.get("/fallback")
    def failing():
        raise KeyError("x")

    app.run()
"""


def test_fields_of_ones_own_are_sent_with_whatever_becomes_of_a_file(serve: Serve, folder: Path) -> None:
    at(folder / "ten", NOVEMBER_S)
    server = serve(FIELDS, environment={"FILES": str(folder)})
    for status, fields in (
        (200, {}),
        (206, {"Range": "bytes=0-1", "If-Range": '"own"'}),
        (304, {"If-None-Match": '"own"'}),
        (412, {"If-Match": '"other"'}),
        (416, {"Range": "bytes=99-"}),
    ):
        reply = server.request("GET", "/own", headers=fields)
        assert (reply.status, reply.headers["x-own"], reply.headers["x-status"]) == (status, "1", "200")
        assert (reply.headers.get("etag"), reply.headers.get("cache-control")) == (
            ('"own"', "no-cache") if status < 400 else (None, None)
        )
    assert server.request("POST", "/own", headers={"Range": "bytes=0-1", "If-None-Match": "*"}).status == 200
    assert server.request("GET", "/made", headers={"Range": "bytes=0-1", "If-None-Match": "*"}).status == 203
    assert server.request("GET", "/fallback", headers={"Range": "bytes=0-1"}).body == TEN[:2]


def test_parts_of_a_large_file_are_sent_byte_by_byte(serve: Serve, folder: Path) -> None:
    content = numbered(1_000_000)
    (folder / "large").write_bytes(content)
    server = start(serve, folder)
    for first, last in ((0, 999_999), (3, 3), (65_530, 700_001), (999_000, 999_999)):
        reply = server.get(f"/part/large/bytes={first}-{last}")
        assert (reply.status, reply.headers["content-range"]) == (206, f"bytes {first}-{last}/1000000")
        assert reply.body == content[first : last + 1]
    head = server.request("HEAD", "/part/large/bytes=10-19")
    assert (head.status, head.headers["content-length"], head.body) == (206, "10", b"")
    beyond = server.get("/part/large/bytes=1000000-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */1000000")


# --- what is no file


def test_what_cannot_be_sent_is_the_error_that_opening_it_is(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    listening = tmp_path / "socket"
    kinds: list[Callable[[str | Path], Response]] = [
        Response.file,
        Response.sendfile,
        lambda path: Response.file_range(path, None),
    ]
    for make in kinds:
        with pytest.raises(FileNotFoundError) as missing:
            make(tmp_path / "missing")
        assert missing.value.filename == str(tmp_path / "missing")
        with pytest.raises(IsADirectoryError):
            make(str(tmp_path))
        # Without a writer, opening it would wait for one.
        with pytest.raises(OSError, match=r"fifo.* cannot be sent: it is no regular file"):
            make(fifo)
        with pytest.raises(OSError, match="it is no regular file"):
            make("/dev/zero")
        with pytest.raises(NotADirectoryError):
            make("/dev/null/x")
        with pytest.raises(ValueError, match="is no path"):
            make("a\0b")
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(listening))
            with pytest.raises(OSError):
                make(listening)
        listening.unlink()


def test_a_missing_file_is_a_500_that_does_not_tell_the_path(serve: Serve, folder: Path) -> None:
    server = serve(APP, "--env", "production", "--workers", "1", environment={"FILES": str(folder)})
    reply = server.get("/send/secret")
    assert reply.status == 500
    assert b"secret" not in reply.body.replace(b'"instance":"/send/secret"', b"")
    assert "FileNotFoundError" in server.stop().stderr


# --- while it is sent


def files_open(server: Server, path: Path) -> int:
    """How many descriptors of the server are of a file."""
    count = 0
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            count += entry.readlink() == path
        except FileNotFoundError:
            continue
    return count


def wait_until_closed(server: Server, path: Path) -> None:
    """Waits until the server has let go of a file; it answers others meanwhile."""
    give_up_s = time.monotonic() + 20
    while files_open(server, path):
        assert time.monotonic() < give_up_s
        assert server.get("/").body == b"hello"


def ask(server: Server, path: str, stack: ExitStack) -> http.client.HTTPResponse:
    """Asks, and reads the head only."""
    connection = stack.enter_context(server.connect())
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = stack.enter_context(http.client.HTTPResponse(connection))
    answer.begin()
    return answer


def test_a_large_file_is_never_in_memory(serve: Serve, folder: Path) -> None:
    path = folder / "large"
    with path.open("wb") as file:
        for _ in range(40):
            file.write(numbered(MIB))
    server = start(serve, folder)
    assert server.get("/send/large").status == 200
    before_bytes = server.resident_bytes()
    with ExitStack() as stack:
        answers = [ask(server, "/send/large", stack) for _ in range(8)]
        while answers:
            answers = [answer for answer in answers if answer.read(MIB)]
            # Measured: 3 MiB.
            assert server.resident_bytes() - before_bytes < 8 * MIB
    wait_until_closed(server, path)


def test_a_client_that_leaves_in_the_middle_has_the_file_closed(serve: Serve, folder: Path) -> None:
    path = folder / "large"
    path.write_bytes(bytes(40 * MIB))
    server = start(serve, folder)
    for name in ("send", "file"):
        with ExitStack() as stack:
            answers = [ask(server, f"/{name}/large", stack) for _ in range(3)]
            assert all(len(answer.read(MIB)) == MIB for answer in answers)
            assert files_open(server, path) == 3
        wait_until_closed(server, path)
    assert server.request("HEAD", "/send/large").headers["content-length"] == str(40 * MIB)
    wait_until_closed(server, path)
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_one_response_sends_its_file_to_many_at_once_as_it_was_opened(serve: Serve, folder: Path) -> None:
    content = numbered(3 * MIB)
    path = folder / "shared"
    path.write_bytes(content)
    server = start(serve, folder)
    # What stands under its name later is another file.
    path.unlink()
    path.write_bytes(b"another")
    with ExitStack() as stack:
        answers = [ask(server, "/shared", stack) for _ in range(4)]
        pieces: list[list[bytes]] = [[] for _ in answers]
        # Each reads at a pace of its own, and all are under way together.
        for turn in range(3 * MIB // 4096 + 1):
            for index, answer in enumerate(answers):
                pieces[index].append(answer.read(4096 * (index + 1) if turn % 2 else 4096))
        assert [b"".join(parts) + answer.read() for parts, answer in zip(pieces, answers, strict=True)] == [content] * 4


def test_a_file_that_becomes_shorter_breaks_the_connection_and_is_never_padded(serve: Serve, folder: Path) -> None:
    path = folder / "large"
    path.write_bytes(b"x" * (40 * MIB))
    server = start(serve, folder)
    with ExitStack() as stack:
        answer = ask(server, "/send/large", stack)
        os.truncate(path, MIB)
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert set(broken.value.partial) == {ord("x")}
    assert server.get("/").body == b"hello"
    stderr = server.stop().stderr
    assert stderr.startswith(f"cello: sending {path} broke off at byte ")
    assert stderr.endswith(": the file has become shorter\n")


def test_a_server_that_stops_sends_to_its_end_what_it_has_begun(serve: Serve, folder: Path) -> None:
    content = numbered(20 * MIB)
    (folder / "large").write_bytes(content)
    server = start(serve, folder)
    with ExitStack() as stack:
        answer = ask(server, "/send/large", stack)
        begun = answer.read(MIB)
        server.process.terminate()
        assert begun + answer.read() == content
    assert server.wait().exit_code == 0
