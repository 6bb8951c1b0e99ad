"""Applications served by a process of their own, for tests that drive them over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Launch",
    "Reply",
    "Serve",
    "Server",
    "Stopped",
    "free_ports",
    "leave",
    "listens",
    "read_all",
    "read_answer",
    "read_until",
    "run_source",
    "run_to_its_end",
]

PATIENCE_S = 20.0
#: A head, with the length of what follows.
CONTENT_LENGTH = re.compile(rb"(?is).*?\r\ncontent-length: (\d+)\r\n(?:.*?\r\n)??\r\n")
#: What names a slow handler: a line, and those of its place.
SLOW = re.compile(r"^.* kept everybody waiting .*\n(?:  .*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """An answer: its header fields by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Stopped:
    """What a server left behind."""

    exit_code: int
    stdout: str
    #: Without `slow`.
    stderr: str
    #: The lines that name slow handlers: on a busy machine any may be one.
    slow: str = field(default="", compare=False)

    @classmethod
    def of(cls, exit_code: int, stdout: str, stderr: str) -> Stopped:
        """Takes the lines about slow handlers out of the others."""
        slow = "".join(match[0] for match in SLOW.finditer(stderr))
        return cls(exit_code, stdout, SLOW.sub("", stderr), slow)

    @property
    def is_clean(self) -> bool:
        """Whether it ended as it should, without a word."""
        return (self.exit_code, self.stderr) == (0, "")


class Serve(Protocol):
    """Starts an application given by its source; what is still running at the end of the test is ended."""

    def __call__(self, source: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Server: ...


class Launch(Protocol):
    """Starts a command that serves, in the test's folder; what is still running at the end of the test is ended."""

    def __call__(
        self, *command: str, environment: Mapping[str, str] | None = None, descriptors: Sequence[int] = ()
    ) -> Server: ...


class UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket; a path that begins with `@` is a name without a file."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        """Opens it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(f"\0{self.path[1:]}" if self.path.startswith("@") else self.path)
        except OSError:
            self.close()
            raise


@dataclass
class Server:
    """A served application. It listens on a port of its own choice, known once it said so on standard output."""

    process: subprocess.Popen[str]
    host: str = "127.0.0.1"
    #: 0 where it listens on none.
    port: int = 0
    #: Of a Unix socket that it listens on.
    path: str = ""
    banner: list[str] = field(default_factory=list[str])

    @classmethod
    def start(
        cls,
        folder: Path,
        source: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        driver: Sequence[str] = (),
    ) -> Server:
        """Writes the source to a file and runs it with `--port 0 --no-logs` and the given arguments.

        Shape: `driver` is the script, with arguments of its own, that is to run the file in the interpreter's place.
        """
        script = folder / "app.py"
        script.write_text(textwrap.dedent(source))
        command = [sys.executable, *driver, str(script), "--port", "0", "--no-logs", *arguments]
        return cls.run(command, folder, environment=environment)

    @classmethod
    def run(
        cls,
        command: list[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> Server:
        """Runs a command that serves, with descriptors of the test's, and waits until it says where."""
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=descriptors,
        )
        server = cls(process)
        assert process.stdout is not None
        for line in process.stdout:
            server.banner.append(line)
            if "running at " in line:
                if found := re.search(r"http://(\S+):(\d+)", line):
                    server.host, server.port = found[1].strip("[]"), int(found[2])
                if found := re.search(r"unix:([^\s,]+)", line):
                    server.path = found[1]
                return server
        stopped = server.wait()
        raise AssertionError(f"the server did not start: exit {stopped.exit_code}\n{stopped.stdout}{stopped.stderr}")

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Reply:
        """One request on a connection of its own."""
        connection = self.dial(timeout_s)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, response.read())
        finally:
            connection.close()

    def dial(self, timeout_s: float = PATIENCE_S) -> http.client.HTTPConnection:
        """A connection that asks, which opens itself again where the server closed it after an answer."""
        if self.port:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        return UnixConnection(self.path, timeout_s)

    def get(self, path: str, timeout_s: float = PATIENCE_S) -> Reply:
        """A GET on a connection of its own."""
        return self.request("GET", path, timeout_s=timeout_s)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """A POST on a connection of its own."""
        return self.request("POST", path, body, headers)

    def connect(self, timeout_s: float = PATIENCE_S) -> socket.socket:
        """A bare connection."""
        if not self.port:
            dialled = UnixConnection(self.path, timeout_s)
            dialled.connect()
            return dialled.sock
        connection = socket.create_connection((self.host, self.port), timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def is_closed(self) -> bool:
        """Whether it accepts no more connections, having been told to stop."""
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # it was still in the queue when the socket was closed
        return False

    def exchange(self, data: bytes, timeout_s: float = PATIENCE_S) -> bytes:
        """Sends bytes on a connection of its own and returns all that comes back until the server closes it."""
        with self.connect(timeout_s) as connection:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    def first_answer(self, data: bytes, timeout_s: float = PATIENCE_S) -> bytes:
        """Sends bytes on a connection of its own and returns one answer, which says how long its body is."""
        with self.connect(timeout_s) as connection:
            connection.sendall(data)
            return read_answer(connection)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends the process a signal."""
        self.process.send_signal(number)

    def next_line(self) -> str:
        """Waits for a line of the process's standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def wait(self) -> Stopped:
        """Waits until the process has ended."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE_S)
        return Stopped.of(self.process.returncode, "".join(self.banner) + stdout, stderr)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Stopped:
        """Asks the server to stop and waits until it has."""
        self.send_signal(number)
        return self.wait()

    def resident_bytes(self) -> int:
        """The memory the process has in use (RSS)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Ends the process whatever it does, and waits for it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def read_answer(connection: socket.socket) -> bytes:
    """One answer, which says how long its body is."""
    answer = b""
    while not (found := CONTENT_LENGTH.search(answer)) or len(answer) < found.end() + int(found[1]):
        chunk = connection.recv(65536)
        assert chunk, answer
        answer += chunk
    return answer


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to an end that is known."""
    received = b""
    while not received.endswith(end):
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


def read_all(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(4096), b""))


def leave(connection: socket.socket) -> None:
    """Closes a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody has."""
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in bound]


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run_to_its_end(folder: Path, *command: str) -> Stopped:
    """Runs a command that is expected to end by itself."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder, check=False)
    return Stopped.of(ended.returncode, ended.stdout, ended.stderr)


def run_source(folder: Path, source: str, *arguments: str) -> Stopped:
    """Runs an application given by its source, with `--port 0`, that is expected to end by itself."""
    script = folder / "app.py"
    script.write_text(textwrap.dedent(source))
    return run_to_its_end(folder, sys.executable, str(script), "--port", "0", *arguments)
