"""Stream transports as protocols and libraries see them: each scenario on the loop, and on asyncio's own, which tells
that it expects the right thing."""

from __future__ import annotations

import array
import asyncio
import contextvars
import hashlib
import io
import logging
import os
import socket
import ssl
import time
import tracemalloc
import weakref
from asyncio.trsock import TransportSocket
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from cello.loop import EventLoop
from recording import Noting, Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    type Address = Any
    type Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PATIENCE_S = 8.0
MIB = 1 << 20

#: How a transport comes to be: over which family, and at which end.
KINDS = ["tcp-client", "tcp-server", "unix-client", "unix-server"]
#: What streams are carried by.
CARRIERS = ["tcp", "unix", "tls"]

#: Of nobody but these tests: "localhost", valid until 2120.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgi4HlJqtxVVx1UsfP
0XnYi4pkFUO5cp1+ACgtRpxDpN2hRANCAASyiwMmza4v6lbfb1+a6jnTnDd5UB0j
y3sbmLIBqI2xa7x9d0IKBGAcgRKgKTSGRxbSxovmIiDca0ccv2RlHeal
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLKLAybNri/qVt9v
X5rqOdOcN3lQHSPLexuYsgGojbFrvH13QgoEYByBEqApNIZHFtLGi+YiINxrRxy/
ZGUd5qWjTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBTy70tFIAEdRWsFfhwLca5FI6LaajAKBggqhkjOPQQD
AgNHADBEAiBUYb1VzWhLnTRRbBysWnnrJMll/toGMh+Eoupz8SSjQQIgLgiwZKI3
5wliDeQFRK4K0xEPg+ELS2V6IvRGLQ9ouZA=
-----END CERTIFICATE-----
"""


class TLS(NamedTuple):
    """The contexts of both ends."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class BufferedRecorder(Noting, asyncio.BufferedProtocol):
    """Offers buffers of the test's choice, one after the other; the last for ever."""

    def __init__(self, *buffers: Any, acts: dict[str, Callable[[], object]] | None = None) -> None:
        super().__init__(acts)
        self._buffers = list(buffers)

    def get_buffer(self, sizehint: int) -> Any:
        self.hint = sizehint
        self.note("buffer")
        return self._buffers[0]

    def buffer_updated(self, nbytes: int) -> None:
        used = self._buffers.pop(0) if len(self._buffers) > 1 else self._buffers[0]
        self.received += memoryview(used).cast("B")[:nbytes]
        self.note("data")


class Link[Of: Noting]:
    """A transport, its protocol, and a bare socket at the other end."""

    def __init__(self, protocol: Of, peer: socket.socket) -> None:
        self.protocol = protocol
        self.peer = peer
        self.transport = protocol.transport
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.peer, data)

    async def receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            received += (piece := await self._loop.sock_recv(self.peer, min(length - len(received), MIB)))
            assert piece, f"the end after {len(received)} bytes"
        return bytes(received)

    async def receive_all(self) -> bytes:
        return b"".join([piece async for piece in self._pieces()])

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await self._loop.sock_recv(self.peer, MIB):
            yield piece

    def block(self) -> int:
        """Writes until the system takes no more. Returns how many bytes were written in all."""
        written = 0
        while not self.transport.get_write_buffer_size():
            self.transport.write(bytes(100_000))
            written += 100_000
        return written


def reset(peer: socket.socket) -> None:
    """Vanishes: what is under way is lost, and the other end is told so."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def bare(*, is_unix: bool) -> socket.socket:
    if is_unix:
        return socket.socket(socket.AF_UNIX)
    return socket.socket(proto=socket.IPPROTO_TCP)


def listen(family: str) -> socket.socket:
    listener = bare(is_unix=family == "unix")
    listener.bind("" if family == "unix" else ("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    return listener


async def connect(address: Address) -> socket.socket:
    """A bare socket that is connected."""
    peer = bare(is_unix=not isinstance(address, tuple))
    peer.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(peer, address)
    except OSError:
        peer.close()
        raise
    return peer


async def serve(make: Callable[[], asyncio.BaseProtocol], listener: socket.socket, **options: Any) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    if listener.family == socket.AF_UNIX:
        return await loop.create_unix_server(make, sock=listener, **options)
    return await loop.create_server(make, sock=listener, **options)


async def turns(number: int = 5) -> None:
    """Lets everything have its turn that is ready, and what that makes ready."""
    for _ in range(number):
        await asyncio.sleep(0)


def is_lost(transport: Any) -> bool:
    return transport.get_protocol() is None


@asynccontextmanager
async def linked[Of: Noting](kind: str, protocol: Of) -> AsyncGenerator[Link[Of]]:
    """The protocol's connection, of one of KINDS."""
    loop = asyncio.get_running_loop()
    family, _, side = kind.partition("-")
    with listen(family) as listener, ExitStack() as sockets:
        server = None
        if side == "server":
            server = await serve(lambda: protocol, listener)
            peer = sockets.enter_context(await connect(listener.getsockname()))
            await protocol.until(lambda: protocol.made_on is not None)
        else:
            near = sockets.enter_context(await connect(listener.getsockname()))
            peer = sockets.enter_context((await loop.sock_accept(listener))[0])
            if family == "unix":
                await loop.create_unix_connection(lambda: protocol, sock=near)
            else:
                await loop.create_connection(lambda: protocol, sock=near)
        link = Link(protocol, peer)
        try:
            yield link
        finally:
            if not is_lost(link.transport):
                link.transport.abort()
                await turns()
            if server is not None:
                server.close()
                await server.wait_closed()


@asynccontextmanager
async def streams(carrier: str, tls: TLS, **options: Any) -> AsyncGenerator[tuple[Streams, Streams]]:
    """Both ends of a connection, the client's first."""
    there: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
    listener = listen(carrier)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.set_result((reader, writer))

    if carrier == "unix":
        server = await asyncio.start_unix_server(accept, sock=listener, **options)
    else:
        secure: dict[str, Any] = {"ssl": tls.server} if carrier == "tls" else {}
        server = await asyncio.start_server(accept, sock=listener, **options, **secure)
    near = await connect(listener.getsockname())
    if carrier == "unix":
        here = await asyncio.open_unix_connection(sock=near, **options)
    else:
        names: dict[str, Any] = {"ssl": tls.client, "server_hostname": "localhost"} if carrier == "tls" else {}
        here = await asyncio.open_connection(sock=near, **options, **names)
    try:
        yield here, await there
    finally:
        for _, writer in (here, await there):
            if not writer.transport.is_closing():
                writer.transport.abort()
        await turns()
        server.close()
        await server.wait_closed()


class Lab:
    """Runs scenarios on one kind of loop, and notes what its exception handler is told."""

    def __init__(self, factory: type[asyncio.AbstractEventLoop]) -> None:
        self.factory = factory
        self.reports: list[dict[str, Any]] = []

    @property
    def is_ours(self) -> bool:
        return self.factory is EventLoop

    def runner(self) -> asyncio.Runner:
        runner = asyncio.Runner(loop_factory=self.factory)
        runner.get_loop().set_exception_handler(lambda _, report: self.reports.append(report))
        return runner

    def run[Result](self, main: Coroutine[Any, Any, Result]) -> Result:
        async def bounded() -> Result:
            async with asyncio.timeout(PATIENCE_S):
                return await main

        with self.runner() as runner:
            return runner.run(bounded())

    def take_report(self) -> dict[str, Any]:
        """The only report there is."""
        assert len(self.reports) == 1, self.reports
        return self.reports.pop()


@pytest.fixture(params=[EventLoop, asyncio.SelectorEventLoop], ids=["cello", "asyncio"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = Lab(request.param)
    yield lab
    assert lab.reports == []


@pytest.fixture
def ours() -> Iterator[Lab]:
    """For what asyncio's own loop does otherwise, or not at all."""
    lab = Lab(EventLoop)
    yield lab
    assert lab.reports == []


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tls(tmp_path: Path) -> TLS:
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return TLS(server, ssl.create_default_context(cafile=str(path)))


# --- write buffers


def test_writing_is_paused_over_the_high_limit_and_resumed_at_the_low_one(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            transport, protocol = link.transport, link.protocol
            transport.set_write_buffer_limits(high=100 * MIB)
            written = link.block()
            size = transport.get_write_buffer_size()
            transport.set_write_buffer_limits(high=size + 10, low=size // 2)
            assert transport.get_write_buffer_limits() == (size // 2, size + 10)
            protocol.events.clear()
            transport.write(b"x" * 10)
            assert protocol.events == []
            transport.write(b"y")
            assert (protocol.events, protocol.paused_at) == (["paused"], [size + 11])
            transport.write(b"z")
            assert protocol.events == ["paused"]
            rest = await link.receive(written + 12)
            assert rest[-12:] == b"xxxxxxxxxxyz"
            await protocol.until(lambda: "resumed" in protocol.events)
            assert protocol.resumed_at[0] <= size // 2
            assert protocol.events == ["paused", "resumed"]

    lab.run(main())


def test_limits_have_asyncio_s_defaults_and_are_checked(lab: Lab, kind: str) -> None:
    async def main() -> list[object]:
        async with linked(kind, Recorder()) as link:
            transport = link.transport
            seen: list[object] = [transport.get_write_buffer_limits(), transport.get_write_buffer_size()]
            for limits in ({"high": 100}, {"low": 100}, {"high": 0}, {"high": 7, "low": 7}, {}):
                transport.set_write_buffer_limits(**limits)
                seen.append(transport.get_write_buffer_limits())
            for wrong in ({"high": 1, "low": 2}, {"high": -1}, {"low": -1}):
                with pytest.raises(ValueError, match=r"high \(-?\d+\) must be >= low \(-?\d+\) must be >= 0"):
                    transport.set_write_buffer_limits(**wrong)
            return seen

    kib = 1024
    assert lab.run(main()) == [
        (16 * kib, 64 * kib),
        0,
        (25, 100),
        (100, 400),
        (0, 0),
        (7, 7),
        (16 * kib, 64 * kib),
    ]


def test_lower_limits_pause_at_once_what_is_over_them(lab: Lab, kind: str) -> None:
    async def main() -> list[str]:
        async with linked(kind, Recorder()) as link:
            link.transport.set_write_buffer_limits(high=100 * MIB)
            link.block()
            assert link.protocol.events == ["made"]
            link.transport.set_write_buffer_limits(high=0)
            return [*link.protocol.events]

    assert lab.run(main()) == ["made", "paused"]


@pytest.mark.parametrize("method", ["pause_writing", "resume_writing"])
def test_what_flow_control_raises_is_reported_and_harms_nothing(lab: Lab, kind: str, method: str) -> None:
    async def main() -> None:
        protocol = Recorder(acts={"paused" if method == "pause_writing" else "resumed": fail})
        async with linked(kind, protocol) as link:
            link.transport.set_write_buffer_limits(high=0)
            written = link.block()
            link.transport.write(b"end")
            received = await link.receive(written + 3)
            await protocol.until(lambda: "resumed" in protocol.events)
            assert received.endswith(b"\0end")
            assert not link.transport.is_closing()

    lab.run(main())
    report = lab.take_report()
    assert report["message"] == f"protocol.{method}() failed"
    assert isinstance(report["exception"], LookupError)
    assert isinstance(report["transport"], asyncio.Transport)
    assert isinstance(report["protocol"], Recorder)


def fail() -> None:
    raise LookupError("on purpose")


def test_memory_stays_bounded_where_a_writer_drains_and_the_reader_is_slow(lab: Lab, tls: TLS) -> None:
    size, piece = 24 * MIB, bytes(64 * 1024)

    async def main(carrier: str) -> int:
        async with streams(carrier, tls) as ((_, writer), (reader, _)):

            async def write() -> None:
                for _ in range(size // len(piece)):
                    writer.write(piece)
                    await writer.drain()

            async def read() -> None:
                left = size
                while left:
                    left -= len(await reader.read(10_000))
                    if left % 7 == 0:
                        await turns(2)

            async with asyncio.TaskGroup() as group:
                tracemalloc.start()
                try:
                    write_all, read_all = group.create_task(write()), group.create_task(read())
                    await asyncio.wait([write_all, read_all])
                    return tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()

    for carrier in ("tcp", "unix"):
        assert lab.run(main(carrier)) < 2 * MIB


# --- what may be written


def test_what_is_written_arrives_whatever_it_is_kept_in(lab: Lab, kind: str) -> None:
    class Bytes(bytes):
        pass

    pieces: list[Any] = [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"memoryview"),
        memoryview(b"a slice of it")[2:7],
        memoryview(array.array("i", [1, 2, 3])),
        memoryview(array.array("d", [0.5, -0.5]))[1:],
        memoryview(bytes(range(12))).cast("B", (3, 4)),
        Bytes(b"an heir of bytes"),
        b"",
        bytearray(),
        memoryview(b""),
    ]
    expected = b"".join(bytes(piece) for piece in pieces)

    async def main(is_blocked: bool) -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block() if is_blocked else 0
            for piece in pieces:
                link.transport.write(piece)
            received = await link.receive(written + len(expected))
            assert received[written:] == expected

    lab.run(main(is_blocked=False))
    if lab.is_ours:  # asyncio's own takes the length of a view for its number of bytes
        lab.run(main(is_blocked=True))


def test_a_buffer_that_changes_after_the_call_is_sent_as_it_was(ours: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            own = bytearray(b"before")
            link.transport.write(own)
            own[:] = b"after!"
            own.extend(b"and longer")
            view = bytearray(b"before")
            link.transport.write(memoryview(view))
            view[:] = b"after!"
            link.transport.writelines([view, memoryview(view)])
            view[:] = b"beyond"
            received = await link.receive(written + 24)
            assert received[written:] == b"beforebeforeafter!after!"

    ours.run(main())


def test_a_bytearray_that_is_sent_in_part_is_the_caller_s_again(ours: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            big = bytearray(b"x" * (16 * MIB))
            link.transport.write(big)
            assert 0 < link.transport.get_write_buffer_size() < len(big)
            big.clear()
            assert await link.receive(16 * MIB) == b"x" * (16 * MIB)

    ours.run(main())


@pytest.mark.parametrize("wrong", ["text", None, 7, array.array("B"), [b"list"]], ids=repr)
def test_what_is_not_bytes_is_refused(lab: Lab, kind: str, wrong: Any) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            refusal = f"data argument must be a bytes-like object, not '{type(wrong).__name__}'"
            with pytest.raises(TypeError) as refused:
                link.transport.write(wrong)
            assert str(refused.value) == refusal
            with pytest.raises(TypeError):
                link.transport.writelines(cast("Any", [b"right", "wrong"]))
            link.transport.write(b"next")
            assert await link.receive(4) == b"next"

    lab.run(main())


def test_nothing_can_be_written_after_write_eof(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            assert link.transport.can_write_eof()
            link.transport.write(b"last")
            link.transport.write_eof()
            link.transport.write_eof()
            with pytest.raises(RuntimeError, match=r"^Cannot call write\(\) after write_eof\(\)$"):
                link.transport.write(b"more")
            with pytest.raises(RuntimeError, match=r"^Cannot call write\(\) after write_eof\(\)$"):
                link.transport.write(b"")
            with pytest.raises(RuntimeError, match=r"^Cannot call writelines\(\) after write_eof\(\)$"):
                link.transport.writelines([b"more"])
            assert await link.receive_all() == b"last"
            assert not link.transport.is_closing()

    lab.run(main())


def test_writes_to_a_lost_connection_are_silent_and_then_warned_of(
    lab: Lab, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[int]:
        async with linked(kind, Recorder()) as link:
            link.transport.abort()
            await link.protocol.until_lost()
            counts: list[int] = []
            for _ in range(10):
                link.transport.write(b"x")
                counts.append(len(caplog.records))
            link.transport.write(b"")
            return [*counts, len(caplog.records)]

    with caplog.at_level(logging.WARNING, "asyncio"):
        counts = lab.run(main())
    assert counts[:4] == [0, 0, 0, 0]
    assert counts[5:] == [count + counts[5] for count in (0, 1, 2, 3, 4, 4)]
    assert {record.getMessage() for record in caplog.records} == {"socket.send() raised exception."}


@pytest.mark.parametrize("is_blocked", [False, True], ids=["at once", "after what waits"])
def test_writelines_takes_more_pieces_than_the_system_does(lab: Lab, kind: str, is_blocked: bool) -> None:
    pieces = [b"%d," % number for number in range(5000)]

    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block() if is_blocked else 0
            link.transport.writelines(pieces)
            link.transport.writelines(piece for piece in pieces)
            link.transport.writelines([])
            link.transport.writelines([b"", bytearray(b"end"), memoryview(b"")])
            received = await link.receive(written + 2 * len(b"".join(pieces)) + 3)
            assert received[written:] == b"".join(pieces) * 2 + b"end"

    lab.run(main())


def test_writelines_pauses_the_protocol_as_write_does(ours: Lab, kind: str) -> None:
    async def main() -> list[str]:
        async with linked(kind, Recorder()) as link:
            link.transport.writelines([bytes(MIB)] * 64)
            return [*link.protocol.events]

    assert ours.run(main()) == ["made", "paused"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_64_mib_arrive_intact_both_ways_at_once_with_slow_readers(lab: Lab, carrier: str, tls: TLS) -> None:
    block = hashlib.shake_256(b"cello").digest(MIB)

    def piece(end: int, number: int) -> bytes:
        return b"%d %8d" % (end, number) + block[10:]

    async def write(writer: asyncio.StreamWriter, end: int) -> None:
        for number in range(64):
            writer.write(piece(end, number))
            if number % 3:
                await writer.drain()

    async def read(reader: asyncio.StreamReader, end: int) -> None:
        for number in range(64):
            assert await reader.readexactly(MIB) == piece(end, number)
            await turns(number % 5)

    async def main() -> None:
        async with streams(carrier, tls) as (here, there), asyncio.TaskGroup() as group:
            for end, ((reader, _), (_, writer)) in enumerate([(here, there), (there, here)]):
                group.create_task(write(writer, end))
                group.create_task(read(reader, end))

    lab.run(main())


# --- reading


@pytest.mark.parametrize("length", [32 * 1024, 256 * 1024, 256 * 1024 + 1, 3 * MIB + 7])
def test_large_pieces_a_small_one_and_the_end_right_behind_are_received(lab: Lab, kind: str, length: int) -> None:
    large = hashlib.shake_256(b"cello").digest(length)
    sent = large * 3 + b"small"

    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            await link.send(sent)
            link.peer.shutdown(socket.SHUT_WR)
            await link.protocol.until_lost()
            assert link.protocol.received == sent
            assert link.protocol.events[-2:] == ["eof", "lost"]

    lab.run(main())


@pytest.mark.parametrize("length", [1, 7, 4096, 4097, MIB])
def test_a_buffered_protocol_is_given_what_fits_its_buffers(lab: Lab, kind: str, length: int) -> None:
    sent = bytes(range(256)) * 20

    async def main() -> None:
        async with linked(kind, BufferedRecorder(bytearray(length))) as link:
            await link.send(sent)
            assert await link.protocol.until_received(len(sent)) == sent
            link.peer.shutdown(socket.SHUT_WR)
            await link.protocol.until_lost()
            assert link.protocol.events[-2:] == ["eof", "lost"]

    lab.run(main())


def test_a_buffer_may_be_any_writable_memory(lab: Lab, kind: str) -> None:
    sent = bytes(range(240))
    own = bytearray(100)

    async def main() -> None:
        protocol = BufferedRecorder(
            array.array("i", [0] * 5),
            memoryview(bytearray(30))[7:17],
            memoryview(own),
            memoryview(array.array("d", [0.0] * 3)),
            memoryview(bytearray(8)).cast("B", (2, 4)),
            bytearray(20),
        )
        async with linked(kind, protocol) as link:
            await link.send(sent)
            assert await protocol.until_received(len(sent)) == sent
            assert own == sent[30:130]

    lab.run(main())


def test_a_buffer_is_the_protocol_s_own_between_receptions(lab: Lab, kind: str) -> None:
    own = bytearray(10)

    async def main() -> None:
        protocol = BufferedRecorder(own, acts={"data": lambda: own.extend(b"grown")})
        async with linked(kind, protocol) as link:
            await link.send(b"0123456789")
            assert await protocol.until_received(10) == b"0123456789"
            assert own == b"0123456789grown"
            own.clear()
            own.extend(bytes(3))

    lab.run(main())


@pytest.mark.parametrize(
    ("buffer", "error"),
    [
        (bytearray(), RuntimeError),
        (b"read-only", (TypeError, BufferError)),
        (memoryview(b"read-only"), (TypeError, BufferError)),
        (memoryview(bytearray(20))[::2], (TypeError, BufferError, ValueError)),
        (None, TypeError),
        ("text", TypeError),
    ],
    ids=["empty", "bytes", "read-only view", "every other byte", "None", "text"],
)
def test_a_buffer_that_cannot_be_received_into_is_a_fatal_error(lab: Lab, kind: str, buffer: Any, error: Any) -> None:
    async def main() -> None:
        async with linked(kind, BufferedRecorder(buffer)) as link:
            await link.send(b"x")
            await link.protocol.until_lost()
            assert isinstance(link.protocol.error, error)
            assert link.protocol.events == ["made", "buffer", "lost"]

    lab.run(main())
    report = lab.take_report()
    assert report["message"].startswith("Fatal ")
    assert isinstance(report["exception"], error)
    assert isinstance(report["protocol"], BufferedRecorder)


def test_the_protocol_is_switched_between_the_kinds_in_mid_stream(lab: Lab, kind: str) -> None:
    async def main() -> None:
        first, third = Recorder(), Recorder()
        second: BufferedRecorder = BufferedRecorder(bytearray(2))
        async with linked(kind, first) as link:
            transport = link.transport
            first.acts["data"] = lambda: transport.set_protocol(second)

            def go_on() -> None:
                if len(second.received) >= 4:
                    transport.set_protocol(third)

            second.acts["data"] = go_on
            await link.send(b"first")
            await first.until_received(5)
            assert transport.get_protocol() is second
            await link.send(b"abcdefgh")
            await third.until_received(4)
            link.peer.shutdown(socket.SHUT_WR)
            await third.until_lost()
        protocols: list[Noting] = [first, second, third]
        assert [bytes(protocol.received) for protocol in protocols] == [b"first", b"abcd", b"efgh"]
        assert first.events == ["made", "data"]
        assert second.events == ["buffer", "data", "buffer", "data"]
        assert third.events == ["data", "eof", "lost"]

    lab.run(main())


def test_a_protocol_may_replace_its_own_callback(lab: Lab, kind: str) -> None:
    # As state machines do.
    async def main() -> None:
        async with linked(kind, Recorder()) as link, asyncio.timeout(2):
            protocol = link.protocol
            head = asyncio.get_running_loop().create_future()
            body = asyncio.get_running_loop().create_future()

            def first(data: bytes) -> None:
                head.set_result(data)
                vars(protocol)["data_received"] = body.set_result

            vars(protocol)["data_received"] = first
            await link.send(b"head")
            assert await head == b"head"
            await link.send(b"body")
            assert await body == b"body"

    lab.run(main())


def test_a_protocol_that_only_writes_needs_no_data_received(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(2), linked(kind, Noting()) as link:
            link.transport.pause_reading()
            link.transport.write(b"hello")
            assert await link.receive(5) == b"hello"

    lab.run(main())


def test_reading_is_paused_inside_data_received(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            transport, protocol = link.transport, link.protocol
            protocol.acts["data"] = transport.pause_reading
            await link.send(b"one")
            await protocol.until_received(3)
            assert not transport.is_reading()
            transport.pause_reading()
            await link.send(b"two")
            link.peer.shutdown(socket.SHUT_WR)
            await turns(20)
            assert protocol.events == ["made", "data"]

            def hesitate() -> None:
                transport.pause_reading()
                transport.resume_reading()

            protocol.acts["data"] = hesitate
            transport.resume_reading()
            transport.resume_reading()
            assert transport.is_reading()
            await protocol.until_lost()
            assert protocol.received == b"onetwo"
            assert protocol.events == ["made", "data", "data", "eof", "lost"]
            transport.pause_reading()
            transport.resume_reading()
            assert not transport.is_reading()

    lab.run(main())


def test_reading_that_is_paused_in_connection_made_waits(lab: Lab, kind: str) -> None:
    async def main() -> None:
        protocol = Recorder()
        protocol.acts["made"] = lambda: protocol.transport.pause_reading()
        async with linked(kind, protocol) as link:
            await link.send(b"early")
            await turns(20)
            assert protocol.events == ["made"]
            link.transport.resume_reading()
            assert await protocol.until_received(5) == b"early"

    lab.run(main())


# --- ends


@pytest.mark.parametrize("keeps_open", [None, False])
def test_a_connection_is_closed_after_its_peer_s_end_of_stream(lab: Lab, kind: str, keeps_open: bool | None) -> None:
    async def main() -> None:
        async with linked(kind, Recorder(keeps_open=keeps_open)) as link:
            link.protocol.acts["eof"] = lambda: link.transport.write(b"still said")
            link.peer.shutdown(socket.SHUT_WR)
            await link.protocol.until_lost()
            assert link.protocol.events == ["made", "eof", "lost"]
            assert link.protocol.error is None
            assert await link.receive_all() == b"still said"

    lab.run(main())


def test_a_connection_that_is_kept_open_is_written_to_after_its_peer_s_end_of_stream(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder(keeps_open=True)) as link:
            link.peer.shutdown(socket.SHUT_WR)
            await link.protocol.until(lambda: "eof" in link.protocol.events)
            await turns(20)
            assert not link.transport.is_closing()
            written = link.block()
            link.transport.write(b"answer")
            assert (await link.receive(written + 6))[-6:] == b"answer"
            link.transport.close()
            assert await link.receive_all() == b""
            assert link.protocol.events.count("eof") == 1

    lab.run(main())


def test_an_open_half_costs_no_time(lab: Lab, kind: str) -> None:
    # The end of the stream is there to be read for ever.
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with linked(kind, Recorder(keeps_open=True)) as link:
            link.peer.shutdown(socket.SHUT_WR)
            await link.protocol.until(lambda: "eof" in link.protocol.events)
            began_s, ends_s = time.process_time(), loop.time() + 0.2
            while loop.time() < ends_s:
                await asyncio.sleep(ends_s - loop.time())
            assert time.process_time() - began_s < 0.1

    lab.run(main())


def test_the_end_that_is_written_follows_what_waits_and_reading_goes_on(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            link.transport.write_eof()
            assert link.transport.get_write_buffer_size() > 0
            received = await link.receive_all()
            assert len(received) == written
            await link.send(b"I still talk")
            assert await link.protocol.until_received(12) == b"I still talk"
            assert not link.transport.is_closing()

    lab.run(main())


def test_close_delivers_what_waits(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            link.transport.write(b"the end")
            link.transport.close()
            link.transport.close()
            assert link.transport.is_closing()
            assert not link.transport.is_reading()
            await turns()
            assert "lost" not in link.protocol.events
            received = await link.receive(written + 7)
            assert received[-8:] == b"\0the end"
            await link.protocol.until_lost()
            assert link.protocol.error is None

    lab.run(main())


def test_write_after_close_adds_to_what_waits(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            link.transport.close()
            link.transport.write(b"more")
            received = await link.receive_all()
            assert len(received) == written + 4
            assert received.endswith(b"more")

    lab.run(main())


def test_abort_drops_what_waits(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            link.transport.abort()
            link.transport.abort()
            link.transport.close()
            assert link.transport.is_closing()
            assert link.transport.get_write_buffer_size() == 0
            assert "lost" not in link.protocol.events
            await link.protocol.until_lost()
            assert link.protocol.events.count("lost") == 1
            assert link.protocol.error is None
            assert len(await link.receive_all()) < written

    lab.run(main())


def test_abort_cuts_short_a_close_that_waits(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            link.block()
            link.transport.close()
            await turns()
            assert "lost" not in link.protocol.events
            link.transport.abort()
            await link.protocol.until_lost()
            assert link.protocol.events.count("lost") == 1

    lab.run(main())


@pytest.mark.parametrize("way", ["close", "abort"])
def test_a_connection_is_ended_inside_connection_made(lab: Lab, kind: str, way: str) -> None:
    async def main() -> None:
        def leave() -> None:
            protocol.transport.write(b"bye")
            getattr(protocol.transport, way)()

        protocol = Recorder(acts={"made": leave})
        async with linked(kind, protocol) as link:
            assert await link.receive_all() == b"bye"
            await protocol.until_lost()
            assert protocol.events == ["made", "lost"]

    lab.run(main())


@pytest.mark.parametrize("way", ["close", "abort"])
def test_a_connection_is_ended_inside_data_received(lab: Lab, kind: str, way: str) -> None:
    async def main() -> None:
        protocol = Recorder()
        protocol.acts["data"] = lambda: getattr(protocol.transport, way)()
        async with linked(kind, protocol) as link:
            await link.send(b"x" * 300_000 if kind.startswith("tcp") else b"x")
            await protocol.until_lost()
            assert protocol.events == ["made", "data", "lost"]
            assert protocol.error is None

    lab.run(main())


# --- what protocols raise


def test_what_connection_made_raises_is_reported_and_the_connection_goes_on(lab: Lab, kind: str) -> None:
    async def main() -> None:
        protocol = Recorder(acts={"made": fail})
        async with linked(kind, protocol) as link:
            await link.send(b"x")
            assert await protocol.until_received(1) == b"x"

    lab.run(main())
    assert isinstance(lab.take_report()["exception"], LookupError)


@pytest.mark.parametrize("event", ["data", "eof"])
@pytest.mark.parametrize("error", [LookupError("on purpose"), asyncio.CancelledError(), GeneratorExit()], ids=repr)
def test_what_a_reception_raises_is_reported_and_ends_the_connection(
    lab: Lab, kind: str, event: str, error: BaseException
) -> None:
    def throw() -> None:
        raise error

    async def main() -> None:
        protocol = Recorder(acts={event: throw})
        async with linked(kind, protocol) as link:
            link.block()
            await link.send(b"x")
            if event == "eof":
                link.peer.shutdown(socket.SHUT_WR)
            await protocol.until_lost()
            assert protocol.error is error
            assert link.transport.get_write_buffer_size() == 0

    lab.run(main())
    report = lab.take_report()
    name = {"data": "data_received", "eof": "eof_received"}[event]
    assert report["message"] == f"Fatal error: protocol.{name}() call failed."
    assert report["exception"] is error
    assert isinstance(report["transport"], asyncio.Transport)
    assert isinstance(report["protocol"], Recorder)


@pytest.mark.parametrize("event", ["buffer", "data"])
def test_what_a_buffered_protocol_raises_is_reported_and_ends_the_connection(lab: Lab, kind: str, event: str) -> None:
    async def main() -> None:
        protocol = BufferedRecorder(bytearray(10), acts={event: fail})
        async with linked(kind, protocol) as link:
            await link.send(b"x")
            await protocol.until_lost()
            assert isinstance(protocol.error, LookupError)

    lab.run(main())
    report = lab.take_report()
    name = {"buffer": "get_buffer", "data": "buffer_updated"}[event]
    assert report["message"] == f"Fatal error: protocol.{name}() call failed."
    assert isinstance(report["exception"], LookupError)


def test_an_oserror_of_a_protocol_ends_the_connection_without_a_word(lab: Lab, kind: str) -> None:
    def throw() -> None:
        raise FileNotFoundError(2, "on purpose")

    async def main() -> None:
        async with linked(kind, Recorder(acts={"data": throw})) as link:
            await link.send(b"x")
            await link.protocol.until_lost()
            assert isinstance(link.protocol.error, FileNotFoundError)

    lab.run(main())


def test_what_connection_lost_raises_is_reported_and_the_socket_is_closed(lab: Lab, kind: str) -> None:
    async def main() -> None:
        protocol = Recorder(acts={"lost": fail})
        async with linked(kind, protocol) as link:
            link.transport.close()
            assert await link.receive_all() == b""
            await turns()
            assert link.transport.get_protocol() is None

    lab.run(main())
    assert isinstance(lab.take_report()["exception"], LookupError)


def test_what_a_protocol_factory_raises_ends_that_connection_only(lab: Lab) -> None:
    async def main(family: str) -> None:
        served, failures = Recorder(), iter([True, False])

        def make() -> Recorder:
            if next(failures):
                fail()
            return served

        listener = listen(family)
        server = await serve(make, listener)
        first, second = [await connect(listener.getsockname()) for _ in range(2)]
        with first, second:
            if lab.is_ours:  # asyncio's own leaves it to the collector of garbage
                assert await asyncio.get_running_loop().sock_recv(first, 1) == b""
            await served.until(lambda: served.made_on is not None)
            served.transport.abort()
            await served.until_lost()
            await turns()
            server.close()
            await server.wait_closed()

    if lab.is_ours:  # asyncio's own reports it in debug mode only
        for family in ("tcp", "unix"):
            lab.run(main(family))
            report = lab.take_report()
            assert report["message"] == "Error on transport creation for incoming connection"
            assert isinstance(report["exception"], LookupError)


@pytest.mark.parametrize("event", ["made", "data", "eof", "lost"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_what_ends_the_process_ends_the_run(lab: Lab, kind: str, event: str, error: BaseException) -> None:
    def throw() -> None:
        protocol.acts.clear()
        raise error

    async def main() -> None:
        async with linked(kind, protocol) as link:
            await link.send(b"x")
            await protocol.until_received(1)
            link.peer.shutdown(socket.SHUT_WR)
            await protocol.until_lost()

    with lab.runner() as runner:

        async def start() -> asyncio.Task[None]:
            return asyncio.create_task(main())

        async def finish(task: asyncio.Task[None]) -> None:
            async with asyncio.timeout(2):
                await task

        protocol = runner.run(made(lambda: Recorder(acts={event: throw})))
        task = runner.run(start())
        with pytest.raises(type(error)):
            runner.run(finish(task))
        if event in ("eof", "lost") or (event == "made" and not lab.is_ours):  # asyncio's own has not begun to read
            task.cancel()
        else:  # the connection goes on in the next run
            runner.run(finish(task))
            assert protocol.events[-2:] == ["eof", "lost"]


async def made[Of](make: Callable[[], Of]) -> Of:
    """For what has to be made inside a loop."""
    return make()


# --- what is known of a transport


def test_a_transport_is_one_of_asyncio_s_and_says_what_it_is(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            transport = link.transport
            assert isinstance(transport, asyncio.Transport)
            assert isinstance(transport, asyncio.BaseTransport)
            assert not isinstance(transport, asyncio.DatagramTransport)
            assert transport.get_protocol() is link.protocol
            assert "fd=" in repr(transport)
            assert "clos" not in repr(transport)
            assert (transport.is_reading(), transport.is_closing()) == (True, False)
            transport.close()
            assert "closing" in repr(transport)
            assert transport.get_protocol() is link.protocol
            await link.protocol.until_lost()
            await turns()
            assert "closed" in repr(transport)
            assert transport.get_protocol() is None
            assert (transport.is_reading(), transport.is_closing()) == (False, True)
            for call in (transport.close, transport.pause_reading, transport.resume_reading, transport.write_eof):
                call()

    lab.run(main())


def test_the_addresses_are_known_and_still_are_after_the_close(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            transport = link.transport
            names = link.peer.getsockname(), link.peer.getpeername()
            for _ in range(2):
                assert (transport.get_extra_info("peername"), transport.get_extra_info("sockname")) == names
                assert transport.get_extra_info("nothing") is None
                assert transport.get_extra_info("nothing", 7) == 7
                transport.close()
                await link.protocol.until_lost()
                await turns()

    lab.run(main())


def test_the_socket_is_shown_and_can_be_asked_and_set(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            shown = link.transport.get_extra_info("socket")
            assert isinstance(shown, TransportSocket)
            assert link.transport.get_extra_info("socket") is shown
            assert (shown.getsockname(), shown.getpeername()) == (link.peer.getpeername(), link.peer.getsockname())
            assert (shown.family, shown.type, shown.gettimeout()) == (link.peer.family, socket.SOCK_STREAM, 0.0)
            if kind.startswith("tcp"):
                assert shown.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            shown.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            assert shown.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert not os.get_inheritable(shown.fileno())
            link.transport.close()
            await link.protocol.until_lost()
            await turns()
            assert shown.fileno() == -1

    lab.run(main())


def test_the_socket_is_still_known_after_the_close(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            link.transport.close()
            await link.protocol.until_lost()
            await turns()
            shown = link.transport.get_extra_info("socket")
            assert shown is not None
            assert shown.fileno() == -1

    lab.run(main())


def unix_addresses(folder: Path) -> list[Address]:
    return [str(folder / "path"), str(folder / "Pfad mit Ümlaut"), b"\0cello-tests-" + folder.name.encode(), ""]


@pytest.mark.parametrize("place", range(4), ids=["path", "unicode", "abstract", "unnamed"])
def test_unix_names_are_those_of_the_socket_module(lab: Lab, tmp_path: Path, place: int) -> None:
    async def main() -> None:
        name = unix_addresses(tmp_path)[place]
        protocol = Recorder()
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as peer:
            listener.bind(name)
            listener.listen()
            if place == 0:
                peer.bind(str(tmp_path / "peer"))
            elif place == 2:
                peer.bind(b"\0cello-peer-" + tmp_path.name.encode())
            peer.setblocking(False)
            server = await serve(lambda: protocol, listener)
            await asyncio.get_running_loop().sock_connect(peer, listener.getsockname())
            await protocol.until(lambda: protocol.made_on is not None)
            assert protocol.transport.get_extra_info("peername") == peer.getsockname()
            assert protocol.transport.get_extra_info("sockname") == peer.getpeername()
            assert protocol.transport.get_extra_info("sockname") == (name or peer.getpeername())
            protocol.transport.close()
            await protocol.until_lost()
            await turns()
            server.close()
            await server.wait_closed()

    lab.run(main())


def test_a_unix_path_that_is_no_text_is_told_as_the_system_s_bytes(lab: Lab, tmp_path: Path) -> None:
    async def main() -> None:
        protocol = Recorder()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(bytes(tmp_path) + b"/\xff")
            listener.listen()
            listener.setblocking(False)
            near = await connect(listener.getsockname())
            await asyncio.get_running_loop().create_unix_connection(lambda: protocol, sock=near)
            assert protocol.transport.get_extra_info("peername") == near.getpeername()
            protocol.transport.abort()
            await protocol.until_lost()

    lab.run(main())


def test_ipv6_names_have_four_parts_also_where_the_peer_is_an_ipv4_one(lab: Lab) -> None:
    async def main() -> None:
        protocols: list[Recorder] = []

        def make() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        server = await serve(make, listener)
        port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        for host, seen in [("::1", "::1"), ("127.0.0.1", "::ffff:127.0.0.1")]:
            here, protocol = await loop.create_connection(Recorder, host, port)
            own = here.get_extra_info("sockname")
            here.write(b"x")
            while not (protocols and protocols[-1].received):
                await asyncio.sleep(0)
            there = protocols.pop()
            assert there.transport.get_extra_info("peername") == (seen, own[1], 0, 0)
            assert there.transport.get_extra_info("sockname") == (seen, port, 0, 0)
            assert here.get_extra_info("peername") == ((host, port, 0, 0) if host == "::1" else (host, port))
            here.close()
            await protocol.until_lost()
            await there.until_lost()
        await turns()
        server.close()
        await server.wait_closed()

    lab.run(main())


def test_nothing_keeps_a_transport_or_its_protocol_after_the_close(lab: Lab, kind: str) -> None:
    async def main() -> None:
        references: list[weakref.ref[Any]] = []

        async def one() -> None:
            protocol = Recorder()
            async with linked(kind, protocol) as link:
                references.extend([weakref.ref(protocol), weakref.ref(link.transport)])
                await link.send(b"x")
                await protocol.until_received(1)
                if lab.is_ours:
                    link.transport.get_extra_info("socket")
                link.transport.close()
                await protocol.until_lost()
                protocol.made_on = None
                await turns()

        await one()
        await turns()
        assert [reference() for reference in references] == [None, None]

    lab.run(main())


# --- contexts

place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


class Placed(Recorder):
    """Notes with each event where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = [f"factory {place.get()}"]

    def note(self, event: str) -> None:
        self.places.append(f"{event} {place.get()}")
        super().note(event)


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_server_s_callbacks_see_the_context_in_which_it_was_started(lab: Lab, family: str) -> None:
    async def main() -> None:
        protocols: list[Placed] = []

        def make() -> Placed:
            protocols.append(Placed())
            return protocols[-1]

        place.set("start")
        listener = listen(family)
        server = await serve(make, listener)
        place.set("later")
        for _ in range(2):
            with await connect(listener.getsockname()) as peer:
                await asyncio.get_running_loop().sock_sendall(peer, b"x")
            while not protocols or "lost" not in protocols[-1].events:
                await asyncio.sleep(0)
            await turns()
            events = ["factory", "made", "data", "eof", "lost"]
            assert protocols.pop().places == [f"{event} start" for event in events]
        server.close()
        await server.wait_closed()

    lab.run(main())


def test_a_client_s_callbacks_see_the_context_of_who_connects(lab: Lab) -> None:
    async def main() -> None:
        with listen("tcp") as listener:
            place.set("caller")
            near = await connect(listener.getsockname())
            _, protocol = await asyncio.get_running_loop().create_connection(Placed, sock=near)
            place.set("later")
            peer, _ = await asyncio.get_running_loop().sock_accept(listener)
            with peer:
                peer.send(b"x")
            await protocol.until_lost()
            assert protocol.places == [f"{event} caller" for event in ("factory", "made", "data", "eof", "lost")]

    lab.run(main())


def test_what_connection_made_sets_is_seen_by_that_connection_and_no_other(ours: Lab) -> None:
    # asyncio's own gives each callback a context of its own.
    class Setting(Placed):
        def note(self, event: str) -> None:
            super().note(event)
            if event == "made":
                place.set(f"set {len(protocols)}")

    protocols: list[Setting] = []

    def make() -> Setting:
        protocols.append(Setting())
        return protocols[-1]

    async def main() -> None:
        place.set("start")
        listener = listen("tcp")
        server = await serve(make, listener)
        for number in (1, 2):
            with await connect(listener.getsockname()) as peer:
                await asyncio.get_running_loop().sock_sendall(peer, b"x")
            while len(protocols) < number or "lost" not in protocols[-1].events:
                await asyncio.sleep(0)
        await turns()
        server.close()
        await server.wait_closed()
        assert place.get() == "start"

    ours.run(main())
    assert [protocol.places[:3] for protocol in protocols] == [
        ["factory start", "made start", "data set 1"],
        ["factory start", "made start", "data set 2"],
    ]


# --- servers and sockets


def test_a_transport_s_descriptor_is_refused_to_others(lab: Lab) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listen("tcp") as listener:
            near = await connect(listener.getsockname())
            peer, _ = await loop.sock_accept(listener)
            with peer:
                transport, protocol = await loop.create_connection(Recorder, sock=near)
                refused = pytest.raises(RuntimeError, match=r"File descriptor .* is used by transport")
                for descriptor in (near, near.fileno(), transport.get_extra_info("socket").fileno()):
                    for call in (loop.add_reader, loop.add_writer):
                        with refused:
                            call(descriptor, print)
                    for remove in (loop.remove_reader, loop.remove_writer):
                        with refused:
                            remove(descriptor)
                with refused:
                    await loop.sock_recv(near, 1)
                with refused:
                    await loop.create_connection(Recorder, sock=near)
                peer.send(b"x")
                assert await protocol.until_received(1) == b"x"
                transport.abort()
                await protocol.until_lost()
                await turns()
                with socket.socket() as other:  # may have got the same number
                    loop.add_reader(other, print)
                    loop.remove_reader(other)

    lab.run(main())


def test_a_descriptor_of_an_accepted_connection_is_refused_to_others(lab: Lab) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with linked("tcp-server", Recorder()) as link:
            with pytest.raises(RuntimeError, match=r"File descriptor .* is used by transport"):
                loop.add_reader(link.transport.get_extra_info("socket").fileno(), print)

    lab.run(main())


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_an_accepted_socket_is_connected(lab: Lab, family: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listen(family) as listener, await connect(listener.getsockname()) as peer:
            accepted, _ = await loop.sock_accept(listener)
            transport, protocol = await loop.connect_accepted_socket(Recorder, accepted)
            assert protocol.events == ["made"]
            transport.write(b"hello")
            assert await loop.sock_recv(peer, 100) == b"hello"
            transport.close()
            await protocol.until_lost()
            await turns()
            assert accepted.fileno() == -1

    lab.run(main())


def test_a_server_listens_on_several_sockets(lab: Lab) -> None:
    async def main() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read())
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(echo, ["127.0.0.1", "::1", "127.0.0.2"], 0, backlog=1)
        addresses = [each.getsockname() for each in server.sockets]
        assert len(addresses) == 3

        async def ask(number: int) -> bytes:
            host, port, *_ = addresses[number % 3]
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"%d" % number)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

        for number in range(12):
            assert await ask(number) == b"%d" % number
        server.close()
        await server.wait_closed()
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*address[:2])

    lab.run(main())


def close_each(transports: list[asyncio.Transport]) -> None:
    for transport in transports:
        transport.close()


#: Since 3.13 a server does it itself.
ENDINGS = ["close each", *(name for name in ("close_clients", "abort_clients") if hasattr(asyncio.Server, name))]


@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_closed_server_waits_for_its_connections(lab: Lab, family: str, ending: str) -> None:
    async def main() -> None:
        protocols = [Recorder(), Recorder()]
        waiting = iter(protocols)
        listener = listen(family)
        address = listener.getsockname()
        server = await serve(lambda: next(waiting), listener)
        with await connect(address) as first, await connect(address) as second:
            for protocol in protocols:
                await protocol.until_made()
            server.close()
            assert not server.is_serving()
            closed = asyncio.create_task(server.wait_closed())
            await turns()
            assert not closed.done()
            with pytest.raises(ConnectionRefusedError):
                await connect(address)
            first.send(b"x")
            assert await protocols[0].until_received(1) == b"x"
            if ending == "close each":
                close_each([protocol.transport for protocol in protocols])
            else:
                getattr(server, ending)()
            await closed
            assert [protocol.events[-1] for protocol in protocols] == ["lost", "lost"]
            assert await asyncio.get_running_loop().sock_recv(second, 1) == b""

    lab.run(main())


def test_a_server_is_closed_by_one_of_its_own_connections(lab: Lab) -> None:
    async def main() -> None:
        listener = listen("tcp")
        address = listener.getsockname()
        protocol = Recorder(acts={"made": lambda: server.close()})
        server = await serve(lambda: protocol, listener)
        with await connect(address) as first:
            await protocol.until(lambda: protocol.made_on is not None)
            first.send(b"x")
            assert await protocol.until_received(1) == b"x"
        await protocol.until_lost()
        await server.wait_closed()
        assert protocol.events == ["made", "data", "eof", "lost"]

    lab.run(main())


# --- TLS


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each line in capitals; after "TLS" both go on encrypted."""
    try:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
            if line == b"tls\n":
                await writer.start_tls(secure.get().server)
    finally:
        writer.close()


secure: contextvars.ContextVar[TLS] = contextvars.ContextVar("secure")


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_both_ends_go_over_to_tls_in_mid_stream(lab: Lab, tls: TLS, family: str) -> None:
    async def main() -> None:
        secure.set(tls)
        listener = listen(family)
        near = await connect(listener.getsockname())
        if family == "unix":
            server = await asyncio.start_unix_server(shout, sock=listener)
            reader, writer = await asyncio.open_unix_connection(sock=near)
        else:
            server = await asyncio.start_server(shout, sock=listener)
            reader, writer = await asyncio.open_connection(sock=near)
        writer.write(b"plain\n")
        assert await reader.readline() == b"PLAIN\n"
        writer.write(b"tls\n")
        assert await reader.readline() == b"TLS\n"
        await writer.start_tls(tls.client, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert writer.get_extra_info("socket").fileno() > 0
        writer.write(b"x" * 50_000 + b"\n")
        assert await reader.readline() == b"X" * 50_000 + b"\n"
        writer.close()
        await writer.wait_closed()
        await turns()
        server.close()
        await server.wait_closed()

    lab.run(main())


class LaterLoop(EventLoop):
    """Hands over what asyncio's own code does in later versions of Python."""

    def _make_socket_transport(self, *arguments: Any, **options: Any) -> Any:
        return super()._make_socket_transport(*arguments, **{"context": contextvars.copy_context(), **options})

    def _make_ssl_transport(self, *arguments: Any, **options: Any) -> Any:
        return super()._make_ssl_transport(*arguments, **{"context": contextvars.copy_context(), **options})


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_transport_may_be_told_its_context(carrier: str, tls: TLS) -> None:
    async def main() -> None:
        async with streams(carrier, tls) as ((_, writer), (reader, _)):
            writer.write(b"told\n")
            assert await reader.readline() == b"told\n"

    Lab(LaterLoop).run(main())


def test_tls_agrees_on_a_protocol_and_switches_python_s(lab: Lab, tls: TLS) -> None:
    async def main() -> None:
        tls.server.set_alpn_protocols(["b", "a"])
        tls.client.set_alpn_protocols(["a", "b"])
        there, first, second = Recorder(), Recorder(), BufferedRecorder(bytearray(3))
        listener = listen("tcp")
        server = await serve(lambda: there, listener, ssl=tls.server)
        near = await connect(listener.getsockname())
        here, _ = await asyncio.get_running_loop().create_connection(
            lambda: first, sock=near, ssl=tls.client, server_hostname="localhost"
        )
        assert here.get_extra_info("ssl_object").selected_alpn_protocol() == "b"
        await there.until(lambda: there.made_on is not None)
        there.transport.write(b"first")
        await first.until_received(5)
        here.set_protocol(second)
        there.transport.write(b"second")
        assert await second.until_received(6) == b"second"
        here.close()
        await there.until_lost()
        await second.until_lost()
        assert (there.events, there.error) == (["made", "eof", "lost"], None)
        await turns()
        server.close()
        await server.wait_closed()

    lab.run(main())


class OwnTLSObject(ssl.SSLObject):
    """What an owner of a context has it make."""


@pytest.mark.parametrize("kind_of_object", [ssl.SSLObject, OwnTLSObject])
def test_a_context_makes_what_its_owner_has_it_make(lab: Lab, tls: TLS, kind_of_object: type[ssl.SSLObject]) -> None:
    tls.client.sslobject_class = kind_of_object

    async def main() -> None:
        async with streams("tls", tls) as ((reader, writer), (_, far_writer)):
            assert isinstance(writer.get_extra_info("ssl_object"), kind_of_object)
            far_writer.write(b"x")
            assert await reader.readexactly(1) == b"x"

    lab.run(main())
    assert tls.client.sslobject_class is kind_of_object
    assert tls.server.sslobject_class is ssl.SSLObject


def test_a_handshake_that_takes_too_long_ends_the_connection_on_either_end(lab: Lab, tls: TLS) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = listen("tcp")
        server = await serve(Recorder, listener, ssl=tls.server, ssl_handshake_timeout=0.1)
        with await connect(listener.getsockname()) as silent:
            assert await loop.sock_recv(silent, 1) == b""
        server.close()
        await server.wait_closed()
        with listen("tcp") as deaf:
            near = await connect(deaf.getsockname())
            options: dict[str, Any] = {"ssl": tls.client, "server_hostname": "localhost"}
            with pytest.raises(ConnectionAbortedError, match=r"SSL handshake is taking longer than 0\.1 seconds"):
                await loop.create_connection(Recorder, sock=near, ssl_handshake_timeout=0.1, **options)
            await turns()
            assert near.fileno() == -1

    lab.run(main())


def test_garbage_in_place_of_a_handshake_ends_that_connection_only(lab: Lab, tls: TLS) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = listen("tcp")
        made = [Recorder(), Recorder()]
        waiting = iter(made)
        server = await serve(lambda: next(waiting), listener, ssl=tls.server)
        with await connect(listener.getsockname()) as rude:
            await loop.sock_sendall(rude, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while await loop.sock_recv(rude, 1000):
                pass
        near = await connect(listener.getsockname())
        options: dict[str, Any] = {"ssl": tls.client, "server_hostname": "localhost"}
        here, protocol = await loop.create_connection(Recorder, sock=near, **options)
        here.write(b"polite")
        assert await made[1].until_received(6) == b"polite"
        assert made[0].events == []
        here.close()
        await protocol.until_lost()
        await made[1].until_lost()
        await turns()
        server.close()
        await server.wait_closed()

    lab.run(main())


def test_a_tls_stream_that_is_cut_off_ends_with_what_came(lab: Lab, tls: TLS) -> None:
    async def main() -> list[str]:
        there = Recorder()
        listener = listen("tcp")
        server = await serve(lambda: there, listener, ssl=tls.server)
        near = await connect(listener.getsockname())
        options: dict[str, Any] = {"ssl": tls.client, "server_hostname": "localhost"}
        here, protocol = await asyncio.get_running_loop().create_connection(Recorder, sock=near, **options)
        here.write(b"x" * 100_000)
        await there.until_received(100_000)
        here.abort()  # without TLS's own farewell
        await there.until_lost()
        await protocol.until_lost()
        assert there.received == b"x" * 100_000
        await turns()
        server.close()
        await server.wait_closed()
        return [event for event in there.events if event != "data"]

    assert lab.run(main()) in (["made", "eof", "lost"], ["made", "lost"])


# --- files


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_file_is_sent_between_what_waits_and_what_comes_after(
    lab: Lab, carrier: str, tls: TLS, tmp_path: Path
) -> None:
    content = hashlib.shake_256(b"file").digest(3 * MIB)
    path = tmp_path / "file"
    path.write_bytes(content)
    before, after = b"before" * 300_000, b"after" * 100_000
    parts = [(0, None), (MIB, None), (0, 1), (12_345, MIB + 7), (3 * MIB - 5, 100), (4 * MIB, None)]
    expected = before + b"".join(content[at : None if n is None else at + n] + b"|" for at, n in parts) + after

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with streams(carrier, tls) as ((_, writer), (reader, _)):
            writer.write(before)

            async def send() -> None:
                for at, count in parts:
                    with path.open("rb") as file:
                        sent = await loop.sendfile(writer.transport, file, at, count)
                    assert sent == len(content[at : None if count is None else at + count])
                    writer.write(b"|")
                writer.write(after)
                await writer.drain()
                writer.close()

            _, received = await asyncio.gather(send(), reader.read())
            assert received == expected
            await writer.wait_closed()

    lab.run(main())


def test_a_file_that_is_none_of_the_system_s_is_sent_by_hand(lab: Lab, kind: str) -> None:
    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            loop = asyncio.get_running_loop()
            with pytest.raises(asyncio.SendfileNotAvailableError):
                await loop.sendfile(link.transport, io.BytesIO(b"x"), fallback=False)
            assert await loop.sendfile(link.transport, io.BytesIO(b"0123456789"), 2, 5) == 5
            assert await link.receive(5) == b"23456"
            assert link.transport.get_protocol() is link.protocol
            assert link.transport.is_reading()

    lab.run(main())


def test_nothing_is_written_or_read_while_a_file_is_sent(lab: Lab, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"f" * MIB)

    async def main() -> None:
        async with linked(kind, Recorder()) as link:
            written = link.block()
            with path.open("rb") as file:
                sending = asyncio.create_task(asyncio.get_running_loop().sendfile(link.transport, file))
                await turns()
                with pytest.raises(RuntimeError, match="unable to write; sendfile is in progress"):
                    link.transport.write(b"x")
                await link.send(b"meanwhile")
                await turns(20)
                assert link.protocol.received == b""
                assert (await link.receive(written + MIB))[written:] == b"f" * MIB
                assert await sending == MIB
            assert await link.protocol.until_received(9) == b"meanwhile"
            link.transport.write(b"after")
            assert await link.receive(5) == b"after"

    lab.run(main())
