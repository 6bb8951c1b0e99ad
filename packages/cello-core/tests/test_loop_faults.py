"""What a loop leaves behind, and what it bears: vanished peers, processes at their limits, runs that are cut short."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cello.loop import EventLoop
from recording import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from serving import Serve

PATIENCE_S = 8.0
MIB = 1 << 20

#: What a connection's end that was not agreed on is told as.
LOST = (ConnectionResetError, BrokenPipeError)

LOOPS = pytest.mark.parametrize("factory", [EventLoop, asyncio.SelectorEventLoop], ids=["cello", "asyncio"])
FAMILIES = pytest.mark.parametrize("family", ["tcp", "unix"])

type Factory = type[asyncio.AbstractEventLoop]


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


def always[Of](one: Of) -> Of:
    return one


def listen(family: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX) if family == "unix" else socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind("" if family == "unix" else ("127.0.0.1", 0))
    listener.listen(1000)
    listener.setblocking(False)
    return listener


def connect(listener: socket.socket) -> socket.socket:
    """The queue of who listens takes it at once."""
    peer = socket.socket(listener.family)
    peer.connect(listener.getsockname())
    peer.setblocking(False)
    return peer


async def serve_on(make: Callable[[], asyncio.BaseProtocol], listener: socket.socket, **options: Any) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    if listener.family == socket.AF_UNIX:
        return await loop.create_unix_server(make, sock=listener, **options)
    return await loop.create_server(make, sock=listener, **options)


async def end(server: asyncio.Server) -> None:
    await turns()
    server.close()
    await server.wait_closed()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def vanish(peer: socket.socket) -> None:
    """Leaves without a farewell: what is under way is lost. A Unix socket does so where something is left unread."""
    if peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def block(transport: asyncio.Transport) -> int:
    """Writes until the system takes no more. Returns how many bytes were written in all."""
    written = 0
    while not transport.get_write_buffer_size():
        transport.write(bytes(100_000))
        written += 100_000
    return written


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


async def bounded[Result](main: Coroutine[Any, Any, Result]) -> Result:
    async with asyncio.timeout(PATIENCE_S):
        return await main


def run[Result](factory: Factory, main: Coroutine[Any, Any, Result]) -> Result:
    """Runs a scenario in which the loop has nothing to report, and that leaves no descriptor open."""
    reports: list[dict[str, Any]] = []
    before = descriptors()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, report: reports.append(report))
        result = runner.run(bounded(main))
    assert reports == []
    assert descriptors() == before
    return result


@contextmanager
def python(source: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """A process of its own, in which a warning is an error; it is ended however the test ends."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line.rstrip("\n")


# --- peers that vanish


@LOOPS
@FAMILIES
def test_peers_that_are_gone_before_they_are_accepted_are_told_of_and_forgotten(factory: Factory, family: str) -> None:
    async def main() -> None:
        protocols: list[Recorder] = []

        def make() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        listener = listen(family)
        server = await serve_on(make, listener)
        for number in range(50):
            peer = connect(listener)
            if number % 2:
                peer.send(b"x")
            vanish(peer)
        while len(protocols) < 50:
            await asyncio.sleep(0)
        for protocol in protocols:
            await protocol.until_lost()
            assert protocol.error is None or isinstance(protocol.error, LOST)
        await end(server)

    run(factory, main())


@LOOPS
@FAMILIES
def test_a_peer_that_vanishes_while_nobody_reads_is_missed_when_somebody_does(factory: Factory, family: str) -> None:
    async def main() -> None:
        protocol = Recorder({"made": lambda: protocol.transport.pause_reading()})
        listener = listen(family)
        server = await serve_on(lambda: protocol, listener)
        peer = connect(listener)
        await protocol.until_made()
        protocol.transport.write(b"left unread")
        vanish(peer)
        await turns(20)
        assert not protocol.is_lost
        protocol.transport.resume_reading()
        await protocol.until_lost()
        assert isinstance(protocol.error, ConnectionResetError)
        assert protocol.error.args == (104, "Connection reset by peer")
        await end(server)

    run(factory, main())


@LOOPS
@FAMILIES
@pytest.mark.parametrize("is_closing", [False, True], ids=["open", "closing"])
@pytest.mark.parametrize("reads", [False, True], ids=["not reading", "reading"])
def test_a_peer_that_vanishes_while_writing_is_blocked_ends_the_connection(
    factory: Factory, family: str, is_closing: bool, reads: bool
) -> None:
    async def main() -> None:
        protocol = Recorder()
        listener = listen(family)
        server = await serve_on(lambda: protocol, listener)
        peer = connect(listener)
        await protocol.until_made()
        transport = protocol.transport
        block(transport)
        if not reads:
            transport.pause_reading()
        if is_closing:
            transport.close()
        await turns()
        assert not protocol.is_lost
        vanish(peer)
        await protocol.until_lost()
        assert isinstance(protocol.error, LOST)
        assert transport.get_write_buffer_size() == 0
        transport.write(b"silent")
        await end(server)

    run(factory, main())


@LOOPS
@FAMILIES
def test_who_waits_to_write_is_told_that_the_peer_is_gone(factory: Factory, family: str) -> None:
    async def main() -> None:
        listener = listen(family)
        failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    writer.write(bytes(100_000))
                    await writer.drain()
            except OSError as error:
                failed.set_result(error)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

        if family == "unix":
            server = await asyncio.start_unix_server(pour, sock=listener)
        else:
            server = await asyncio.start_server(pour, sock=listener)
        peer = connect(listener)
        while len(await asyncio.get_running_loop().sock_recv(peer, 1000)) < 1000:
            pass
        vanish(peer)
        assert isinstance(await failed, LOST)
        await end(server)

    run(factory, main())


@LOOPS
def test_peers_that_vanish_in_the_handshake_leave_nothing(factory: Factory) -> None:
    async def main() -> None:
        there, made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[Recorder]()

        def make() -> Recorder:
            made.append(Recorder())
            return made[-1]

        listener = listen("tcp")
        server = await serve_on(make, listener, ssl=there)
        hello, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(incoming, hello, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        words = hello.read()
        for length in (0, 1, len(words) // 2, len(words) - 1):
            peer = connect(listener)
            peer.send(words[:length])
            await turns(20)
            vanish(peer)
        while len(made) < 4:
            await asyncio.sleep(0)
        await turns(50)
        assert [protocol.made_on for protocol in made] == [None] * 4
        server.close()
        await server.wait_closed()  # until the connections are lost, which is what is tested

    run(factory, main())


@FAMILIES
def test_a_peer_that_vanishes_while_a_file_is_sent_ends_the_sending(family: str, tmp_path: Path) -> None:
    # asyncio's own reports an invalid state of itself then.
    path = tmp_path / "file"
    path.write_bytes(bytes(16 * MIB))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for is_queued in (False, True):
            protocol = Recorder()
            listener = listen(family)
            server = await serve_on(partial(always, protocol), listener)
            peer = connect(listener)
            await protocol.until_made()
            if is_queued:
                block(protocol.transport)
            with path.open("rb") as file:
                sending = asyncio.create_task(loop.sendfile(protocol.transport, file))
                await turns(20)
                assert not sending.done()
                vanish(peer)
                with pytest.raises(OSError):  # a reset, a broken pipe, or the loss of the connection
                    await sending
            protocol.transport.abort()
            await protocol.until_lost()
            await end(server)

    run(EventLoop, main())


# --- loops that are closed, dropped, stopped


@FAMILIES
def test_a_loop_that_is_closed_names_the_transports_it_closes(family: str) -> None:
    before = descriptors()
    loop = EventLoop()
    lost: list[bool] = []

    async def main() -> tuple[list[asyncio.Transport], socket.socket]:
        listener = listen(family)
        there = Recorder()
        await serve_on(lambda: there, listener)
        near = connect(listener)
        running = asyncio.get_running_loop()
        make: Any = running.create_unix_connection if family == "unix" else running.create_connection
        here, _ = await make(lambda: Recorder({"lost": lambda: lost.append(True)}), sock=near)
        await there.until_made()
        there.acts["lost"] = lambda: lost.append(True)
        block(there.transport)
        there.transport.get_extra_info("socket")
        return [here, there.transport], listener

    transports, listener = loop.run_until_complete(bounded(main()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.close()
        listener.close()
        gc.collect()
    messages = [str(warning.message) for warning in caught]
    assert [warning.category for warning in caught] == [ResourceWarning] * 2, messages
    assert all(message.startswith("unclosed transport <StreamTransport") for message in messages)
    assert all("fd=" in message for message in messages), messages
    assert lost == []
    transport = None
    for transport in transports:  # whose users may still have them
        assert transport.is_closing()
        transport.write(b"x")
        transport.close()
        transport.abort()
        transport.pause_reading()
        transport.resume_reading()
        assert transport.get_write_buffer_size() == 0
        assert "closed" in repr(transport)
    transport = None
    del loop, transports
    caught.clear()
    assert descriptors() == before


def test_a_closed_loop_that_somebody_still_has_keeps_no_descriptor() -> None:
    before = descriptors()
    loop = EventLoop()
    loop.run_until_complete(asyncio.sleep(0))
    timer = loop.call_later(3600, print)
    loop.close()
    left = descriptors()
    assert loop.is_closed()
    assert timer.cancelled() is False
    assert left == before


def test_a_loop_is_closed_also_where_warnings_are_errors() -> None:
    before = descriptors()
    loop = EventLoop()
    listener = listen("tcp")

    async def main() -> asyncio.BaseTransport:
        transport, _ = await asyncio.get_running_loop().create_connection(Recorder, sock=connect(listener))
        return transport

    transport = loop.run_until_complete(bounded(main()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(ResourceWarning):
            loop.close()
        is_closed = loop.is_closed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loop.close()  # for the other tests
        listener.close()
        del transport, loop
        left = descriptors()
    assert is_closed
    assert left == before


@pytest.mark.usefixtures("garbage_in_order")
def test_a_loop_that_is_dropped_goes_with_its_transports() -> None:
    before = descriptors()

    def use() -> list[weakref.ref[Any]]:
        loop = EventLoop()

        async def main() -> list[weakref.ref[Any]]:
            listener = listen("tcp")
            there = Recorder()
            server = await serve_on(lambda: there, listener)
            here, mine = await loop.create_connection(Recorder, sock=connect(listener))
            await there.until_made()
            block(there.transport)
            return [weakref.ref(each) for each in (loop, server, there, mine, here, there.transport)]

        return loop.run_until_complete(bounded(main()))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        references = use()
        gc.collect()
        gc.collect()
    assert any("unclosed event loop" in str(warning.message) for warning in caught)
    caught.clear()  # they have what they warn of
    assert [reference() for reference in references] == [None] * 6
    assert descriptors() == before


@LOOPS
def test_a_loop_that_is_stopped_in_the_middle_of_traffic_goes_on_where_it_was(factory: Factory) -> None:
    content = hashlib.shake_256(b"traffic").digest(8 * MIB)

    async def main() -> bytes:
        listener = listen("tcp")
        server = await serve_on(Echo, listener)
        reader, writer = await asyncio.open_connection(sock=connect(listener))

        async def write() -> None:
            for at in range(0, len(content), 50_000):
                writer.write(content[at : at + 50_000])
                await writer.drain()
            writer.write_eof()

        _, received = await asyncio.gather(write(), reader.read())
        writer.close()
        await writer.wait_closed()
        await end(server)
        return received

    def run_in_pieces() -> int:
        loop = factory()
        task = loop.create_task(bounded(main()))
        stops = 0
        while not task.done():
            if stops % 3:
                loop.call_later(0.0005, loop.stop)
            else:
                loop.call_soon(loop.stop)
            loop.run_forever()
            stops += 1
        assert task.result() == content
        loop.close()
        return stops

    before = descriptors()
    assert run_in_pieces() > 10
    assert descriptors() == before


@pytest.mark.parametrize("raises_in", ["factory", "made"])
@LOOPS
def test_a_server_accepts_in_the_run_after_one_that_was_ended_by_a_connection(factory: Factory, raises_in: str) -> None:
    is_first = True

    def leave() -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            raise SystemExit(3)

    def make() -> Recorder:
        if raises_in == "factory":
            leave()
            return Recorder()
        return Recorder({"made": leave})

    async def start() -> asyncio.Server:
        return await serve_on(make, listen("tcp"))

    async def ask(listening: tuple[str, int]) -> None:
        with socket.create_connection(listening) as peer:
            peer.setblocking(False)
            peer.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(2):
                assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""

    async def finish(server: asyncio.Server) -> None:
        await turns()
        server.close()

    loop = factory()
    # What the interrupted connection leaves to the collector of garbage is not what is tested.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = loop.run_until_complete(start())
        address = server.sockets[0].getsockname()
        with socket.create_connection(address), pytest.raises(SystemExit, match="3"):
            loop.run_until_complete(asyncio.sleep(2))
        try:
            loop.run_until_complete(ask(address))
        finally:
            loop.run_until_complete(finish(server))
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(turns())
            loop.close()
            del server
            gc.collect()


@pytest.mark.parametrize("name", ["EventLoop", "asyncio.SelectorEventLoop"])
def test_a_server_goes_on_after_an_accept_that_failed(name: str) -> None:
    # As one does where the network has an error for a connection in the queue, which accept(2) tells.
    source = """
        import asyncio, socket, sys
        from cello.loop import EventLoop

        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport

            def data_received(self, data):
                self.transport.write(data)

        async def main():
            loop, failed = asyncio.get_running_loop(), asyncio.Event()
            loop.set_exception_handler(lambda loop, report: failed.set())
            with socket.create_server(("127.0.0.1", 0)) as listener:
                server = await loop.create_server(Echo, sock=listener)
                listener.shutdown(socket.SHUT_RDWR)
                await failed.wait()
                listener.listen()
                with socket.create_connection(listener.getsockname()) as peer:
                    peer.setblocking(False)
                    peer.send(b"x")
                    print(await loop.sock_recv(peer, 1), flush=True)
                await asyncio.sleep(0.01)
                server.close()
                await server.wait_closed()

        with asyncio.Runner(loop_factory=eval(sys.argv[1])) as runner:
            runner.run(main())
    """
    with python(source, name) as process:
        out, _ = process.communicate(timeout=5)
    assert out == "b'x'\n"


def test_500_loops_with_traffic_leave_no_descriptor_and_no_thread() -> None:
    async def main(number: int) -> None:
        listener = listen("tcp" if number % 2 else "unix")
        server = await serve_on(Echo, listener)
        with connect(listener) as peer:
            await asyncio.get_running_loop().sock_sendall(peer, b"hello")
            assert await asyncio.get_running_loop().sock_recv(peer, 5) == b"hello"
        await end(server)

    def run_one(number: int) -> None:
        with asyncio.Runner(loop_factory=EventLoop) as runner:
            runner.run(main(number))

    run_one(0)
    before = descriptors(), threads()
    for number in range(500):
        run_one(number)
    assert (descriptors(), threads()) == before


def test_threads_that_call_a_loop_while_it_ends_are_told_that_it_is_closed() -> None:
    failures: list[BaseException] = []
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    def call(loop: EventLoop) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(count)
                time.sleep(0)
        except RuntimeError as error:
            if str(error) != "Event loop is closed":
                failures.append(error)
        except BaseException as error:
            failures.append(error)

    for _ in range(50):
        loop = EventLoop()
        callers = [threading.Thread(target=call, args=[loop]) for _ in range(4)]
        for caller in callers:
            caller.start()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.call_soon_threadsafe(loop.stop)
        loop.run_forever()
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()
        for caller in callers:
            caller.join(5)
            assert not caller.is_alive()
    assert failures == []
    assert calls > 0


# --- processes at their limits

SERVER = """
    import asyncio, gc, logging, resource, sys, time, weakref
    from cello.loop import run

    alive, reports = weakref.WeakSet(), []

    class Served(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            alive.add(self)
            alive.add(transport)

        def data_received(self, data):
            if data == b"?":
                gc.collect()
                data = b"%d %d %f" % (len(alive), len(reports), time.process_time())
            self.transport.write(data)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, report: reports.append(report["message"]))
        server = await loop.create_server(Served, "127.0.0.1", 0, backlog=1000)
        unix = await loop.create_unix_server(Served, sys.argv[2], backlog=1000)
        limit = int(sys.argv[1])
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

    run(main())
"""


def ask(address: tuple[str, int] | str) -> tuple[int, int, float]:
    """Of the server: transports and protocols alive, reports, and seconds of the processor."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE_S)
        peer.connect(address)
        peer.send(b"?")
        alive, reports, used_s = peer.recv(100).split()
    return int(alive), int(reports), float(used_s)


def test_a_server_without_descriptors_left_recovers(tmp_path: Path) -> None:
    with python(SERVER, "30", str(tmp_path / "socket")) as process, ExitStack() as open_ones:
        address = ("127.0.0.1", int(next_line(process)))
        peers = [open_ones.enter_context(socket.create_connection(address)) for _ in range(60)]
        for peer in peers:
            peer.settimeout(PATIENCE_S)
            peer.send(b"x")
        assert peers[0].recv(1) == b"x"
        peers[-1].settimeout(0.3)
        with pytest.raises(TimeoutError):
            peers[-1].recv(1)  # there is no room for it
        for place in range(0, 60, 15):
            for peer in peers[place : place + 15]:
                peer.settimeout(PATIENCE_S)
                assert peer.recv(1) == b"x" if peer is not peers[0] else True
                peer.close()
        alive, reports, used_s = ask(address)
        assert alive <= 2 * 16
        assert 1 <= reports <= 10  # once for each rest, not for each that knocks
        assert used_s < 2


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_connections_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    connections, warm_up = int(os.environ.get("CELLO_CONNECTIONS", "100000")), 5_000
    unix = str(tmp_path / "socket")

    with python(SERVER, "0", unix) as process:
        address = ("127.0.0.1", int(next_line(process)))

        def resident_bytes() -> int:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")

        def come_and_go(number: int) -> None:
            for each in range(number):
                peer = socket.socket(socket.AF_INET if each % 2 else socket.AF_UNIX)
                peer.connect(address if each % 2 else unix)
                if each % 3:
                    peer.send(b"x" * (1 + each % 1000))
                    if each % 3 == 1:
                        peer.recv(1)
                vanish(peer)

        come_and_go(warm_up)
        _, _, warm_s = ask(address)
        before_bytes = resident_bytes()
        come_and_go(connections)
        give_up_s = time.monotonic() + PATIENCE_S
        while (told := ask(address))[0] > 2 and time.monotonic() < give_up_s:
            pass  # the last ones are being closed
        alive, reports, used_s = told
        grown_bytes = resident_bytes() - before_bytes
        per_connection_us = (used_s - warm_s) / connections * 1e6
        print(f"{connections} connections: {grown_bytes / 1024:.0f} KiB more, {per_connection_us:.0f} us each")
        assert (alive, reports) == (2, 0)
        assert grown_bytes <= 2 * MIB
        assert per_connection_us < 1000


@pytest.mark.parametrize("does", ["idle", "busy", "traffic"])
def test_an_interrupt_ends_a_run(does: str) -> None:
    source = """
        import asyncio, sys, socket
        from cello.loop import run

        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport
                transport.write(b"x")

            def data_received(self, data):
                self.transport.write(data)

        async def main():
            loop = asyncio.get_running_loop()
            near, far = socket.socketpair()
            try:
                if sys.argv[1] == "traffic":
                    here, _ = await loop.create_unix_connection(Echo, sock=near)
                    there, _ = await loop.create_unix_connection(Echo, sock=far)
                print("ready", flush=True)
                while sys.argv[1] == "busy":
                    await asyncio.sleep(0)
                await asyncio.Event().wait()
            finally:
                if sys.argv[1] == "traffic":
                    here.abort()
                    there.abort()
                    await asyncio.sleep(0.001)
                near.close()
                far.close()
                print("cleaned up", flush=True)

        run(main())
    """
    with python(source, does) as process:
        assert next_line(process) == "ready"
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert next_line(process) == "cleaned up"
        _, trace = process.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began_s < 5
    assert process.returncode == -signal.SIGINT
    assert trace.rstrip().endswith("KeyboardInterrupt")
    assert "Warning" not in trace


# --- fairness

LOAD = """
    import selectors, socket, sys, time

    address, ends_s = ("127.0.0.1", int(sys.argv[1])), time.monotonic() + float(sys.argv[2])
    request = sys.argv[3].encode().decode("unicode_escape").encode() * 16
    with selectors.DefaultSelector() as selector:
        for _ in range(64):
            peer = socket.create_connection(address)
            peer.setblocking(False)
            peer.sendall(request)
            selector.register(peer, selectors.EVENT_READ, [0])
        answers = 0
        while time.monotonic() < ends_s:
            for key, _ in selector.select(1):
                seen = key.fileobj.recv(1 << 16).count(b"HTTP/1.1 200")
                key.data[0] += seen
                answers += seen
                if key.data[0] >= 16:
                    key.data[0] -= 16
                    key.fileobj.send(request)
        for key in list(selector.get_map().values()):
            key.fileobj.close()
    print(answers)
"""


def test_a_ticker_is_on_time_beside_a_server_under_full_load(serve: Serve) -> None:
    server = serve(
        """
        import asyncio, time
        from cello import App

        app = App()
        late = []

        async def tick():
            while True:
                due_s = time.monotonic() + 0.01
                await asyncio.sleep(0.01)
                late.append(time.monotonic() - due_s)

        @app.on_event("startup")
        async def start():
            app.state.ticker = asyncio.create_task(tick())

        @app.on_event("shutdown")
        async def stop():
            app.state.ticker.cancel()

        @app.get("/plain")
        def plain():
            return "hello"

        @app.get("/suspended")
        async def suspended():
            await asyncio.sleep(0)
            return "hello"

        @app.get("/late")
        async def how_late():
            seen, late[:] = late[:], []
            return {"ticks": len(seen), "worst_s": max(seen, default=0)}

        app.run()
        """
    )
    for path in ("/plain", "/suspended"):
        server.get("/late")
        request = rf"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"
        with python(LOAD, str(server.port), "2", request) as load:
            answers, trace = load.communicate(timeout=PATIENCE_S)
        assert load.returncode == 0, trace
        seen = server.get("/late").json()
        print(
            f"{path}: {answers.strip()} answers, {seen['ticks']} ticks, {seen['worst_s'] * 1000:.1f} ms late at worst"
        )
        assert int(answers) > 1000
        assert seen["ticks"] > 20
        assert seen["worst_s"] < 5 * 0.030
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
