"""The workloads: what is sent, and what a right answer to it is."""

import http.client
import json
import socket
import time
from dataclasses import dataclass, field
from io import BufferedReader

from bodies import ARTICLES, BOUNDARY, FILE_BYTES, INVOICE, ORDER, RECEIPT, STREAMED, UPLOAD, compact
from peers import Peer
from processes import MeasurementError, Server, fetch

HELLO = b'{"message":"Hello, World!"}'
ROW = b'{"id":1,"message":"Hello, World!"}'
NEIGHBOURS, LAST_NEIGHBOUR = 300, "/section299/7/details"
LONGEST_SHOWN_BYTES = 200
JSON_SENT = {"Content-Type": "application/json"}
SUBJECTS = ("cello", "cello-again")
STARLETTES = ("granian-starlette", "uvicorn-starlette")


@dataclass(frozen=True, slots=True, order=True)
class Surroundings:
    """What a server is started with: threads, a database, routes that nobody asks for, models, mounts, an echo."""

    spinners: int = 0
    has_database: bool = False
    neighbours: int = 0
    has_models: bool = False
    has_mounted: bool = False
    has_echo: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """One request under one kind of load. With a body to send, it is a POST.

    Shape: `servers` are the names of those that are asked, where not all are. What a server costs may be counted above
    another workload of its own, `above`, or above a program in `apps/` that is given the body, `above_program`.
    """

    name: str
    title: str
    path: str
    body: bytes = HELLO
    content_type: str = "application/json"
    is_streamed: bool = False
    sent_headers: dict[str, str] = field(default_factory=dict[str, str])
    sent_body: bytes = b""
    connections: int = 64
    pipeline: int = 1
    surroundings: Surroundings = Surroundings()
    slowest_answer_s: float = 0.0
    duration_factor: int = 1
    servers: tuple[str, ...] = ()
    above: str = ""
    above_program: str = ""

    def is_asked_of(self, peer: Peer) -> bool:
        """Tell whether a server is there for it."""
        return (not self.servers or peer.name in self.servers) and (not peer.only or self.name in peer.only)

    @property
    def is_for_subject_only(self) -> bool:
        """Tell whether no peer is asked it."""
        return self.servers == SUBJECTS[:1]

    @property
    def has_latency(self) -> bool:
        """Tell whether wrk's latencies mean anything: its correction of them breaks where requests are pipelined."""
        return self.pipeline == 1


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("hello", "hello from `def`", "/"),
        Workload("hello_async", "hello from `async def`", "/async"),
        Workload(
            "layers10",
            "ten layers of middleware around hello from `async def`",
            "/layers",
            servers=(*SUBJECTS, *STARLETTES),
            above="hello_async",
        ),
        Workload(
            "layers10_blind",
            "ten layers that do not see the answer around hello from `async def`",
            "/layers/blind",
            servers=STARLETTES,
            above="hello_async",
        ),
        Workload("suspend", "a handler that suspends once", "/suspend"),
        Workload("pipelined16", "hello from `def`, 16 requests pipelined", "/", pipeline=16),
        # Longer, so that accepting a thousand connections is little of what is measured.
        Workload(
            "sleep1000",
            "1,000 connections, each in a sleep of 50 ms",
            "/sleep",
            connections=1000,
            slowest_answer_s=0.05,
            duration_factor=2,
        ),
        Workload(
            "param",
            f"a path parameter behind {NEIGHBOURS} other routes",
            "/users/42",
            body=b'{"id":42,"name":"User 42"}',
            surroundings=Surroundings(neighbours=NEIGHBOURS),
        ),
        Workload(
            "query",
            "three query parameters and a header",
            "/search?q=rust%20web&page=2&limit=20",
            body=b'{"q":"rust web","page":2,"limit":20,"client":"bench"}',
            sent_headers={"X-Client": "bench"},
        ),
        Workload(
            "upload",
            "a form with a file of 1 MiB",
            "/upload",
            body=compact({"filename": "blob.bin", "size": FILE_BYTES}),
            sent_headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            sent_body=UPLOAD,
            connections=8,
        ),
        Workload(
            "stream",
            "100 chunks of 1 KiB from an async generator",
            "/stream",
            body=STREAMED,
            content_type="text/plain",
            is_streamed=True,
            connections=16,
        ),
        Workload("out_64k", "64 KiB of JSON", "/articles", body=ARTICLES),
        Workload(
            "in_1k",
            "1 KiB of JSON to parse",
            "/orders",
            body=RECEIPT,
            sent_headers=JSON_SENT,
            sent_body=ORDER,
        ),
        Workload(
            "body_pydantic",
            "1 KiB of JSON into a pydantic model, behind two dependencies",
            "/models",
            body=INVOICE,
            sent_headers=JSON_SENT,
            sent_body=ORDER,
            surroundings=Surroundings(has_models=True),
            servers=(*SUBJECTS, "granian-fastapi", "uvicorn-fastapi", "granian-litestar", "granian-blacksheep"),
            above_program="bare_validation.py",
        ),
        Workload(
            "body_msgspec",
            "1 KiB of JSON into a msgspec struct",
            "/structs",
            body=INVOICE,
            sent_headers=JSON_SENT,
            sent_body=ORDER,
            surroundings=Surroundings(has_models=True),
            servers=(*SUBJECTS, "django-bolt", "granian-litestar"),
        ),
        Workload(
            "mounted",
            "hello from a Starlette application that is mounted, beside the same under uvicorn",
            "/starlette",
            surroundings=Surroundings(has_mounted=True),
            servers=(*SUBJECTS, "uvicorn-starlette"),
        ),
        Workload(
            "mounted_bare",
            "hello from an ASGI callable that is mounted, beside the same under uvicorn",
            "/bare",
            surroundings=Surroundings(has_mounted=True),
            servers=(*SUBJECTS, "uvicorn-asgi"),
        ),
        Workload("shape_hello", "hello beside the other shapes", "/", servers=SUBJECTS[:1]),
        Workload(
            "shape_text",
            "text instead of JSON",
            "/text",
            body=b"Hello, you wide open world!",
            content_type="text/plain",
            servers=SUBJECTS[:1],
        ),
        Workload(
            "shape_numbers",
            "JSON of numbers and a list",
            "/numbers",
            body=b'{"id":42,"x":0.5,"all":[1,2]}',
            servers=SUBJECTS[:1],
        ),
        Workload(
            "shape_parameter",
            "a path parameter",
            "/people/someone-or-other",
            body=b'{"user":"someone-or-other"}',
            servers=SUBJECTS[:1],
        ),
        Workload("database", "one row of a database", "/row", body=ROW, surroundings=Surroundings(has_database=True)),
        Workload(
            "spin8",
            "hello from `def` beside eight busy Python threads",
            "/",
            surroundings=Surroundings(spinners=8),
            duration_factor=3,
        ),
        Workload(
            "echo",
            "a handler that waits for an echo over a connection of asyncio's",
            "/echo",
            surroundings=Surroundings(has_echo=True),
            servers=(*SUBJECTS, "granian-rsgi"),
        ),
        Workload(
            "echo_spin8",
            "that echo beside eight busy Python threads",
            "/echo",
            surroundings=Surroundings(spinners=8, has_echo=True),
            duration_factor=3,
            servers=(*SUBJECTS, "granian-rsgi"),
        ),
    )
}
SHAPES = ("shape_text", "shape_numbers", "shape_parameter")
#: HTTP and asyncio's own input and output on one loop, and who else wants the interpreter.
TOGETHER = ("echo", "echo_spin8")
#: What requests bring and what answers take. What is in neither is about serving as such.
CONTENT = (
    "layers10",
    "layers10_blind",
    "param",
    "query",
    "upload",
    "stream",
    "out_64k",
    "in_1k",
    "body_pydantic",
    "body_msgspec",
)
SERVING = tuple(name for name in WORKLOADS if name not in (*CONTENT, *TOGETHER))


def verify(server: Server, workload: Workload) -> str:
    """Compare a server's answer byte for byte; give a note where it is right but for its bytes.

    Errors: MeasurementError where the answer is not the workload's.
    """
    try:
        verify_neighbours(server, workload)
        answer = fetch(server.port, workload.path, headers=workload.sent_headers, body=workload.sent_body)
        bodies = [answer.body]
        if workload.pipeline > 1:
            bodies += fetch_pipelined(server.port, workload.path, workload.pipeline)
    except (OSError, http.client.HTTPException) as error:
        raise MeasurementError(f"no answer to {workload.path}: {error!r}") from None
    if answer.status != 200:
        raise MeasurementError(f"{workload.path} got status {answer.status}")
    if not answer.content_type.startswith(workload.content_type):
        raise MeasurementError(f"{workload.path} has content type {answer.content_type!r}")
    if answer.took_s < workload.slowest_answer_s:
        raise MeasurementError(f"{workload.path} answered after {answer.took_s * 1000:.0f} ms")
    if workload.is_streamed and answer.has_length:
        raise MeasurementError(f"{workload.path} has a content-length, so it was not streamed")
    verify_spinners(server, workload.surroundings.spinners)
    return next((note for body in bodies if (note := compare(body, workload))), "")


def verify_neighbours(server: Server, workload: Workload) -> None:
    """Ask the last of the routes that the workload wants beside its own."""
    if workload.surroundings.neighbours and fetch(server.port, LAST_NEIGHBOUR).status != 200:
        raise MeasurementError(f"{LAST_NEIGHBOUR} is no route, so {workload.path} does not stand behind the others")


def verify_spinners(server: Server, wanted: int, patience_s: float = 5) -> None:
    """Wait until as many busy threads as the workload wants have named themselves."""
    deadline_s = time.monotonic() + patience_s
    while (spinning := server.spinners()) != wanted:
        if time.monotonic() > deadline_s:
            raise MeasurementError(f"{spinning} busy threads where {wanted} are wanted")
        time.sleep(0.05)


def compare(body: bytes, workload: Workload) -> str:
    """Give a note where a body means the same in other bytes."""
    if body == workload.body:
        return ""
    try:
        is_same = workload.content_type == "application/json" and json.loads(body) == json.loads(workload.body)
    except ValueError:
        is_same = False
    if not is_same:
        raise MeasurementError(f"{workload.path} answered {body[:80]!r}")
    return f"answers {shown(body)} instead of {shown(workload.body)}"


def shown(body: bytes) -> str:
    """Show a body, or its size where it is long."""
    return body.decode() if len(body) <= LONGEST_SHOWN_BYTES else f"{len(body):,} bytes"


def fetch_pipelined(port: int, path: str, depth: int) -> list[bytes]:
    """Send `depth` requests at once on one connection and read as many bodies."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, connection.makefile("rb") as stream:
        connection.sendall(request * depth)
        return [read_body(stream) for _ in range(depth)]


def read_body(stream: BufferedReader) -> bytes:
    """Read the next of several responses, which `http.client` cannot: it closes the stream after one."""
    if b" 200 " not in (status := stream.readline()):
        raise MeasurementError(f"a pipelined request got {status!r}")
    headers = http.client.parse_headers(stream)
    return stream.read(int(headers["content-length"]))
