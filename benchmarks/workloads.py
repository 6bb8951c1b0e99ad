"""The workloads: what is sent, and what a right answer to it is."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from io import BufferedReader

from processes import MeasurementError, Server, fetch

HELLO = b'{"message":"Hello, World!"}'
ROW = b'{"id":1,"message":"Hello, World!"}'


@dataclass(frozen=True, slots=True)
class Workload:
    """One request under one kind of load."""

    name: str
    title: str
    path: str
    body: bytes = HELLO
    content_type: str = "application/json"
    connections: int = 64
    pipeline: int = 1
    spinners: int = 0
    has_database: bool = False
    slowest_answer_s: float = 0.0
    duration_factor: int = 1
    is_for_subject_only: bool = False

    @property
    def has_latency(self) -> bool:
        """Tell whether wrk's latencies mean anything: its correction of them breaks where requests are pipelined."""
        return self.pipeline == 1

    @property
    def surroundings(self) -> tuple[int, bool]:
        """What a server is started beside: busy threads in it, and a database."""
        return self.spinners, self.has_database


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("hello", "hello from `def`", "/"),
        Workload("hello_async", "hello from `async def`", "/async"),
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
        Workload("shape_hello", "hello beside the other shapes", "/", is_for_subject_only=True),
        Workload(
            "shape_text",
            "text instead of JSON",
            "/text",
            body=b"Hello, you wide open world!",
            content_type="text/plain",
            is_for_subject_only=True,
        ),
        Workload(
            "shape_numbers",
            "JSON of numbers and a list",
            "/numbers",
            body=b'{"id":42,"x":0.5,"all":[1,2]}',
            is_for_subject_only=True,
        ),
        Workload(
            "shape_parameter",
            "a path parameter",
            "/users/someone-or-other",
            body=b'{"user":"someone-or-other"}',
            is_for_subject_only=True,
        ),
        Workload("database", "one row of a database", "/row", body=ROW, has_database=True),
        Workload("spin8", "hello from `def` beside eight busy Python threads", "/", spinners=8, duration_factor=3),
    )
}
SHAPES = ("shape_text", "shape_numbers", "shape_parameter")


def verify(server: Server, workload: Workload) -> str:
    """Compare a server's answer byte for byte; give a note where it is right but for its bytes.

    Errors: MeasurementError where the answer is not the workload's.
    """
    try:
        answer = fetch(server.port, workload.path)
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
    verify_spinners(server, workload.spinners)
    return next((note for body in bodies if (note := compare(body, workload))), "")


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
    return f"answers {body.decode()} instead of {workload.body.decode()}"


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
