"""The loop without the rest of Cello: who can run on it, what its debug mode tells, and what a forked child gets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import cello.loop
import pytest
from cello._asyncio_private import FallbackLoop
from cello.loop import EventLoop
from interpreters import PYTHONS, run_python
from serving import Server, free_ports, listens
from supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from pathlib import Path

    from serving import Serve


async def kind_of_loop() -> str:
    return type(asyncio.get_running_loop()).__name__


async def echo(text: bytes) -> bytes:
    """Through a server of the running loop's own and back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(text)
        answered = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answered


@contextlib.contextmanager
def debugged() -> Generator[EventLoop]:
    loop = EventLoop()
    loop.set_debug(True)
    try:
        yield loop
    finally:
        loop.close()


# --- who can run on it


def test_run_returns_what_the_coroutine_returns() -> None:
    assert cello.loop.run(kind_of_loop()) == "EventLoop"
    assert cello.loop.run(echo(b"word")) == b"word"


def test_run_raises_what_the_coroutine_raises_and_refuses_to_run_in_a_running_loop() -> None:
    async def nested() -> None:
        inner = kind_of_loop()
        try:
            cello.loop.run(inner)
        finally:
            inner.close()

    with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop"):
        cello.loop.run(nested())


def test_run_can_switch_debug_mode_on() -> None:
    async def is_debug() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert cello.loop.run(is_debug(), debug=True)
    assert not cello.loop.run(is_debug(), debug=False)


def test_a_selector_without_a_descriptor_is_refused() -> None:
    with pytest.raises(TypeError, match="SelectSelector has no descriptor to wait for"):
        EventLoop(selectors.SelectSelector())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


INSIDE_ITSELF = """
import asyncio
import cello.loop

async def main():
    loop = asyncio.get_running_loop()
    try:
        loop.run_forever()
    except RuntimeError as error:
        print(error, asyncio.get_running_loop() is loop)

cello.loop.run(main())
"""


@pytest.mark.parametrize("version", PYTHONS)
def test_a_loop_that_refused_to_run_inside_itself_runs_on(version: str) -> None:
    # Of asyncio's own code in Python 3.13.0 it was no longer the running one.
    told = run_python(version, "-c", INSIDE_ITSELF)
    assert (told.stdout, told.stderr) == ("This event loop is already running True\n", "")


def test_uvicorn_serves_on_it(tmp_path: Path) -> None:
    (tmp_path / "kind.py").write_text(
        textwrap.dedent("""
            import asyncio

            async def app(scope, receive, send):
                kind = type(asyncio.get_running_loop()).__name__
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": kind.encode()})
        """)
    )
    (port,) = free_ports(1)
    options = ["--port", str(port), "--loop", "cello.loop:EventLoop", "--lifespan", "off", "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "kind:app", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port=port)
    try:
        wait_until(lambda: listens(port))
        assert server.get("/").body == b"EventLoop"
        assert server.stop().stderr == ""
    finally:
        server.end()


def test_anyio_runs_on_it() -> None:
    async def main() -> list[str]:
        found: list[str] = []
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: note(found))
        with anyio.move_on_after(0.001):
            await anyio.sleep_forever()
        return found

    async def note(found: list[str]) -> None:
        found.append(await kind_of_loop())

    assert anyio.run(main, backend_options={"loop_factory": EventLoop}) == ["EventLoop"] * 2


PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--rootdir=."]


def test_pytest_asyncio_runs_tests_on_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent("""
            from cello.loop import EventLoop

            def pytest_asyncio_loop_factories(config, item):
                return {"cello": EventLoop}
        """)
    )
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import asyncio
            import pytest

            @pytest.mark.asyncio
            async def test_kind():
                assert type(asyncio.get_running_loop()).__name__ == "EventLoop"
        """)
    )
    done = subprocess.run([*PYTEST, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_anyio_s_pytest_plugin_runs_tests_on_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import asyncio
            import pytest
            from cello.loop import EventLoop

            @pytest.fixture
            def anyio_backend():
                return "asyncio", {"loop_factory": EventLoop}

            @pytest.mark.anyio
            async def test_kind(anyio_backend):
                assert type(asyncio.get_running_loop()).__name__ == "EventLoop"
        """)
    )
    done = subprocess.run([*PYTEST, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_task_factory_of_the_loop_makes_its_tasks() -> None:
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine.__name__)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def main() -> list[str]:
        asyncio.get_running_loop().set_task_factory(factory)
        await asyncio.create_task(kind_of_loop())
        return [*made]

    assert cello.loop.run(main()) == ["kind_of_loop"]


def test_generators_and_the_executor_are_shut_down_with_the_run() -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("generator")

    async def main() -> threading.Thread:
        generator = endless()
        await anext(generator)
        thread = await asyncio.to_thread(threading.current_thread)
        assert thread.is_alive()
        return thread

    thread = cello.loop.run(main())
    assert closed == ["generator"]
    assert not thread.is_alive()


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30)


def test_the_process_ends_cleanly_while_a_daemon_thread_runs_the_loop() -> None:
    done = run_script("""
        import asyncio, threading, cello.loop

        started = threading.Event()

        async def busy():
            started.set()
            while True:
                sum(range(1000))
                await asyncio.sleep(0)

        threading.Thread(target=cello.loop.run, args=(busy(),), daemon=True).start()
        started.wait()
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_turn_of_a_run_sees_what_came_before_it() -> None:
    received: list[bytes] = []

    class Note(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.append(data)

    near, far = socket.socketpair()
    loop = EventLoop()
    transport, _ = loop.run_until_complete(loop.create_connection(Note, sock=near))
    far.sendall(b"word")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert received == [b"word"]
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    far.close()
    loop.close()


def test_a_connection_goes_on_after_an_interrupt_in_its_protocol() -> None:
    received: list[bytes] = []

    class Interrupted(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.append(data)
            if data == b"first":
                raise KeyboardInterrupt
            heard.set()

    near, far = socket.socketpair()
    loop = EventLoop()
    heard = asyncio.Event()
    transport, _ = loop.run_until_complete(loop.create_connection(Interrupted, sock=near))
    far.sendall(b"first")
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(heard.wait())
    far.sendall(b"second")
    loop.run_until_complete(asyncio.wait_for(heard.wait(), 10))
    assert received == [b"first", b"second"]
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    far.close()
    loop.close()


def test_signals_wake_the_loop_where_another_wakeup_descriptor_is_set_and_that_one_too() -> None:
    done = run_script("""
        import asyncio, os, signal, socket, cello.loop

        near, far = socket.socketpair()
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno())

        async def main():
            asyncio.get_running_loop().run_in_executor(None, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

        try:
            cello.loop.run(main())
        except KeyboardInterrupt:
            assert near.recv(10) == bytes([signal.SIGINT])
            assert signal.set_wakeup_fd(-1) == far.fileno()
            print("interrupted")
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


# --- debug mode


def test_debug_mode_refuses_calls_from_another_thread() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        refused: list[str] = []

        def call_from_elsewhere() -> None:
            for delay_s in (None, 1):
                try:
                    loop.call_soon(print) if delay_s is None else loop.call_later(delay_s, print)
                except RuntimeError as error:
                    refused.append(str(error))
            loop.call_soon_threadsafe(refused.append, "heard")

        await asyncio.to_thread(call_from_elsewhere)
        return refused

    refused = cello.loop.run(main(), debug=True)
    assert [text.startswith("Non-thread-safe operation") for text in refused] == [True, True, False]
    assert refused[-1] == "heard"


def test_debug_mode_refuses_what_cannot_be_called() -> None:
    coroutine = kind_of_loop()
    with debugged() as loop:
        with pytest.raises(TypeError, match="coroutines cannot be used with call_soon"):
            loop.call_soon(coroutine)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a callable object was expected by call_later"):
            loop.call_later(1, 7)  # type: ignore[arg-type]
    coroutine.close()


def test_debug_mode_tells_where_a_failed_callback_was_made() -> None:
    with debugged() as loop:
        reports: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, report: reports.append(report))
        loop.call_soon(lambda: 1 / 0)
        loop.call_later(0, lambda: 1 / 0)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
    assert [type(report["exception"]) for report in reports] == [ZeroDivisionError] * 2
    for report in reports:
        *_, made = report["source_traceback"]
        assert made.filename == __file__


def test_debug_mode_runs_what_was_scheduled_in_order_and_not_what_was_cancelled() -> None:
    ran: list[str] = []
    with debugged() as loop:
        loop.call_later(0.02, ran.append, "third")
        loop.call_later(0.01, ran.append, "second")
        loop.call_later(0.015, ran.append, "cancelled").cancel()
        loop.call_soon(ran.append, "first")
        loop.call_soon(ran.append, "cancelled").cancel()
        loop.call_later(0.03, loop.stop)
        loop.run_forever()
    assert ran == ["first", "second", "third"]


def test_debug_mode_names_every_slow_callback(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            busy(0.03 * len(data))

    def busy(duration_s: float) -> None:
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0.02
        server = await loop.create_server(Slow, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        transport.write(b"x")
        loop.call_soon(busy, 0.03)
        await asyncio.sleep(0.05)
        busy(0.03)
        await asyncio.sleep(0)
        transport.close()
        server.close()
        await server.wait_closed()

    with caplog.at_level(logging.WARNING, "asyncio"):
        cello.loop.run(main(), debug=True)
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Executing ")]
    assert any("busy(0.03)" in text for text in told), told
    assert any("main() running at" in text for text in told), told
    assert any("StreamTransport" in text and "Slow object" in text for text in told), told


def test_debug_mode_names_every_step_of_a_handler_that_blocks_the_loop(serve: Serve) -> None:
    server = serve(
        """
        import asyncio, time
        from cello import App

        app = App()

        @app.get("/")
        async def in_steps():
            time.sleep(0.11)
            await asyncio.sleep(0)
            time.sleep(0.12)
            await asyncio.sleep(0)
            time.sleep(0.13)

        @app.get("/at-once")
        def at_once():
            time.sleep(0.11)

        app.run()
        """,
        environment={"PYTHONASYNCIODEBUG": "1"},
    )
    assert server.get("/").status == 200
    assert server.get("/at-once").status == 200
    told = [line for line in server.stop().stderr.splitlines() if line.startswith("Executing ")]
    assert [words in line for words, line in zip(["in_steps"] * 3 + ["at_once"], told, strict=True)] == [True] * 4
    assert all("app.py:" in line for line in told)


# --- a child that is forked off


def in_child(how: str) -> tuple[str, bytes]:
    async def both() -> tuple[str, bytes]:
        return await kind_of_loop(), await echo(b"from the child")

    if how == "run":
        return cello.loop.run(both())
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(both())


@pytest.mark.parametrize("how", ["run", "factory"])
def test_a_child_forked_off_under_a_running_loop_gets_asyncio_s_own(how: str) -> None:
    async def main() -> tuple[tuple[str, bytes], bytes]:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, mp_context=fork) as pool:
            # Submitted here, on the loop's thread: that is where the pool forks.
            answer = await asyncio.wrap_future(pool.submit(in_child, how))
        return answer, await echo(b"from the parent")

    assert cello.loop.run(main()) == (("FallbackLoop", b"from the child"), b"from the parent")


def test_the_fallback_reads_64_kib_at_a_time() -> None:
    pieces: list[int] = []

    class Count(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            pieces.append(len(data))

    async def main() -> None:
        near, far = socket.socketpair()
        with far:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            far.sendall(bytes(150_000))
            transport, _ = await asyncio.get_running_loop().create_connection(Count, sock=near)
            while sum(pieces) < 150_000:
                await asyncio.sleep(0)
            transport.close()

    with asyncio.Runner(loop_factory=FallbackLoop) as runner:
        runner.run(main())
    assert max(pieces) == 64 * 1024


def test_a_child_forked_off_outside_of_a_run_has_the_loop_itself() -> None:
    assert cello.loop.run(kind_of_loop()) == "EventLoop"
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(in_child, ("run",)) == ("EventLoop", b"from the child")


def test_a_child_runs_a_loop_that_its_parent_had_run_and_closes_its_connections() -> None:
    loop = EventLoop()
    assert loop.run_until_complete(echo(b"in the parent")) == b"in the parent"
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if loop.run_until_complete(echo(b"in the child")) == b"in the child" else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert loop.run_until_complete(echo(b"again")) == b"again"
    loop.close()


def test_a_child_that_closes_its_parent_s_loop_takes_nothing_from_the_parent() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        child = os.fork()
        if child == 0:
            try:
                loop.stop()
                loop._close_native()  # type: ignore[attr-defined]
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        writer.write(b"after")
        after = await reader.readexactly(5)
        writer.close()
        server.close()
        await server.wait_closed()
        return after

    assert cello.loop.run(main()) == b"after"
