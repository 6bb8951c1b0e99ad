"""The event loop, as libraries and handlers use it: asyncio's own semantics on the thread that serves."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cello.loop import EventLoop
from serving import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

    from serving import Serve, Server

PREAMBLE = """
import asyncio
import contextlib
import contextvars
import os
import signal
import sys
import threading
import time

from cello import App

app = App()
"""


def start(serve: Serve, source: str) -> Server:
    """Serves `app` with the routes of the source; a warning in the process is an error there."""
    source = f"{PREAMBLE}{textwrap.dedent(source)}\napp.run()\n"
    return serve(source, environment={"PYTHONWARNINGS": "error"})


def stop(server: Server) -> str:
    """Stops the server, which must have nothing to complain of, and returns what it printed."""
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    return stopped.stdout


def ask(serve: Serve, source: str) -> Any:
    """What the source's `GET /` answers."""
    server = start(serve, source)
    reply = server.get("/")
    assert reply.status == 200, reply.body.decode()
    stop(server)
    return reply.json()


# --- tasks


def test_the_current_task_of_a_handler_is_a_real_one_and_stays_the_same(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            before = asyncio.current_task()
            facts = {
                "is a task": isinstance(before, asyncio.Task),
                "known": before in asyncio.all_tasks(),
                "of the loop": before.get_loop() is asyncio.get_running_loop(),
            }
            await asyncio.sleep(0)
            facts["same after a turn"] = asyncio.current_task() is before
            await asyncio.sleep(0.001)
            facts["same after a timer"] = asyncio.current_task() is before
            return facts
        """,
    )
    assert facts == {
        "is a task": True,
        "known": True,
        "of the loop": True,
        "same after a turn": True,
        "same after a timer": True,
    }


def test_each_request_is_a_task_of_its_own(serve: Serve) -> None:
    server = start(
        serve,
        """
        seen = []

        @app.get("/")
        async def handler():
            seen.append(asyncio.current_task())
            return len(set(seen))

        @app.get("/sync")
        def sync_handler():
            return str(asyncio.current_task())
        """,
    )
    assert [server.get("/").json() for _ in range(3)] == [1, 2, 3]
    assert server.get("/sync").body == b"None"
    stop(server)


def test_a_timeout_expires_or_does_not(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            facts = []
            try:
                async with asyncio.timeout(0.01) as timeout:
                    await asyncio.Event().wait()
            except TimeoutError:
                facts.append(timeout.expired())
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            except TimeoutError:
                facts.append("wait_for")
            async with asyncio.timeout(20) as timeout:
                await asyncio.sleep(0.001)
            facts += [timeout.expired(), asyncio.current_task().cancelling()]
            return facts
        """,
    )
    assert facts == [True, "wait_for", False, 0]


def test_a_task_group_waits_for_all_and_an_error_in_it_cancels_the_siblings(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            async def double(n):
                await asyncio.sleep(0.001)
                return 2 * n

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(double(n)) for n in range(3)]
            facts = [task.result() for task in tasks]

            async def fail():
                await asyncio.sleep(0)
                raise LookupError("no")

            try:
                async with asyncio.TaskGroup() as group:
                    sibling = group.create_task(asyncio.Event().wait())
                    group.create_task(fail())
            except* LookupError as errors:
                facts += [str(errors.exceptions[0]), sibling.cancelled()]
            return facts
        """,
    )
    assert facts == [0, 2, 4, "no", True]


def test_a_task_that_a_handler_created_survives_the_answer(serve: Serve) -> None:
    server = start(
        serve,
        """
        go_on, tasks = asyncio.Event(), set()

        async def work():
            await go_on.wait()
            return "done"

        @app.get("/async")
        async def create():
            tasks.add(asyncio.create_task(work()))
            return "created"

        @app.get("/sync")
        def create_without_await():
            tasks.add(asyncio.get_running_loop().create_task(work()))
            return "created"

        @app.get("/results")
        async def results():
            go_on.set()
            return await asyncio.gather(*tasks)
        """,
    )
    assert (server.get("/async").body, server.get("/sync").body) == (b"created", b"created")
    assert server.get("/results").json() == ["done", "done"]
    stop(server)


def test_a_handler_is_cancelled_when_its_client_leaves(serve: Serve) -> None:
    server = start(
        serve,
        """
        left, seen = asyncio.Event(), []

        @app.get("/")
        async def handler() -> None:
            print("waiting", flush=True)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                await asyncio.sleep(0)
                seen.append("cleaned up")
                left.set()

        @app.get("/seen")
        async def what_was_seen():
            await left.wait()
            return seen
        """,
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "waiting"
    assert server.get("/seen").json() == ["cancelled", "cleaned up"]
    stop(server)


def test_a_handler_that_ignores_its_cancellation_harms_nobody(serve: Serve) -> None:
    server = start(
        serve,
        """
        finished = asyncio.Event()

        @app.get("/")
        async def handler():
            print("waiting", flush=True)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.sleep(0.001)
            finished.set()
            return "for nobody"

        @app.get("/finished")
        async def was_finished():
            await finished.wait()
            return "yes"
        """,
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.next_line() == "waiting"
    assert server.get("/finished").body == b"yes"
    stop(server)


def test_a_failed_handler_leaves_no_current_task_behind(serve: Serve) -> None:
    server = start(
        serve,
        """
        from cello.errors import HTTPError

        @app.get("/fails")
        async def fails():
            raise HTTPError(418, "at once")

        @app.get("/fails-later")
        async def fails_later():
            await asyncio.sleep(0)
            raise HTTPError(418, "later")

        @app.get("/")
        def current():
            return str(asyncio.current_task())
        """,
    )
    # On one connection, so that all three are likely to be answered in one turn.
    request = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n".format
    answers = server.exchange(
        "".join(
            [
                request("/fails", ""),
                request("/", ""),
                request("/fails-later", ""),
                request("/", "Connection: close\r\n"),
            ]
        ).encode()
    )
    assert [answers.count(words) for words in (b" 418 ", b" 200 ", b"\r\n\r\nNone")] == [2, 2, 2]
    stop(server)


def test_asyncio_run_inside_a_handler_is_refused_as_in_any_running_loop(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        async def nothing():
            pass

        def attempt():
            coroutine = nothing()
            try:
                asyncio.run(coroutine)
            except RuntimeError as error:
                return str(error)
            finally:
                coroutine.close()

        @app.get("/")
        async def handler():
            return [attempt(), await asyncio.to_thread(asyncio.run, asyncio.sleep(0, "elsewhere"))]
        """,
    )
    assert facts == ["asyncio.run() cannot be called from a running event loop", "elsewhere"]


def test_a_thousand_handlers_sleep_at_once(serve: Serve) -> None:
    clients = 1000
    server = start(
        serve,
        """
        @app.get("/")
        async def handler():
            await asyncio.sleep(0.2)
            return "rested"
        """,
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2 * clients, hard)), hard))
    connections = [server.connect() for _ in range(clients)]
    try:
        began_s = time.monotonic()
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = [read_all(connection) for connection in connections]
        took_s = time.monotonic() - began_s
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sum(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"rested") for answer in answers) == clients
    assert took_s < 0.2 * clients / 10
    stop(server)


# --- contexts


CONTEXTS = """
    place = contextvars.ContextVar("place", default="nowhere")

    @app.on_event("startup")
    async def settle():
        place.set("at home")

    @app.get("/async/{name}")
    async def wander(request):
        before = place.get()
        place.set(request.params["name"])
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return [before, place.get(), await asyncio.to_thread(place.get), await asyncio.create_task(read())]

    async def read():
        return place.get()

    @app.get("/sync/{name}")
    def stay(request):
        before = place.get()
        place.set(request.params["name"])
        return [before, place.get()]
"""


def test_a_context_variable_lasts_as_long_as_its_request(serve: Serve) -> None:
    server = start(serve, CONTEXTS)
    for name in ("one", "two"):
        assert server.get(f"/async/{name}").json() == ["at home", name, name, name]
        assert server.get(f"/sync/{name}").json() == ["at home", name]
    stop(server)


def test_context_variables_of_requests_in_one_turn_are_kept_apart(serve: Serve) -> None:
    server = start(serve, CONTEXTS)
    connections = [server.connect() for _ in range(20)]
    for number, connection in enumerate(connections):
        path = f"/{'async' if number % 2 else 'sync'}/{number}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    for number, connection in enumerate(connections):
        with connection:
            body = read_all(connection).partition(b"\r\n\r\n")[2].decode()
        own = f',"{number}"'
        assert body == f'["at home"{own * 3}]' if number % 2 else f'["at home"{own}]'
    stop(server)


def test_a_handler_runs_in_a_copy_of_the_context_that_startup_left(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        of_module = contextvars.ContextVar("of_module", default=None)
        of_sync_startup = contextvars.ContextVar("of_sync_startup", default=None)
        of_async_startup = contextvars.ContextVar("of_async_startup", default=None)
        of_module.set(1)

        @app.on_event("startup")
        def first():
            of_sync_startup.set(2)

        @app.on_event("startup")
        async def second():
            await asyncio.sleep(0)
            of_async_startup.set(3)

        @app.get("/")
        def handler():
            return [of_module.get(), of_sync_startup.get(), of_async_startup.get()]
        """,
    )
    assert facts == [1, 2, 3]


# --- threads, processes, sockets


def test_threads_of_executors_run_beside_the_loop(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        from concurrent.futures import ThreadPoolExecutor

        def who(*words):
            return [threading.current_thread().name, *words]

        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            here = threading.current_thread() is threading.main_thread()
            with ThreadPoolExecutor(1, "own") as executor:
                own = await loop.run_in_executor(executor, who, 1, 2)
            default = await asyncio.to_thread(who, "a", "b")
            try:
                await asyncio.to_thread(int, "x")
            except ValueError as error:
                return [here, own, default[1:], default[0].startswith("asyncio_"), str(error)]
        """,
    )
    assert facts == [True, ["own_0", 1, 2], ["a", "b"], True, "invalid literal for int() with base 10: 'x'"]


def test_a_thread_wakes_the_parked_loop_by_call_soon_threadsafe(serve: Serve) -> None:
    delay_s = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def call():
                time.sleep(0.1)  # until nothing but this call can wake the loop
                loop.call_soon_threadsafe(future.set_result, time.monotonic())

            thread = threading.Thread(target=call)
            thread.start()
            called_s = await future
            delay_s = time.monotonic() - called_s
            thread.join()
            return delay_s
        """,
    )
    assert 0 <= delay_s < 5


def test_a_subprocess_is_talked_to_and_waited_for(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        from asyncio.subprocess import PIPE

        @app.get("/")
        async def handler():
            code = "import sys; text = sys.stdin.read(); sys.stderr.write('heard'); print(text[::-1]); sys.exit(7)"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            out, err = await process.communicate(b"olleC" + 100_000 * b".")
            others = await asyncio.gather(*[asyncio.create_subprocess_exec("true") for _ in range(3)])
            codes = await asyncio.gather(*[other.wait() for other in others])
            return [out.decode().lstrip("."), err.decode(), process.returncode, codes]
        """,
    )
    assert facts == ["Cello\n", "heard", 7, [0, 0, 0]]


def test_streams_carry_8_megabytes_intact_both_ways(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        import hashlib

        SIZE = 8 << 20

        @app.get("/")
        async def handler():
            async def echo(reader, writer):
                while chunk := await reader.read(1 << 16):
                    writer.write(chunk)
                    await writer.drain()
                writer.close()
                await writer.wait_closed()

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                sent = os.urandom(SIZE)

                async def send():
                    for start in range(0, SIZE, 1 << 18):
                        writer.write(sent[start : start + (1 << 18)])
                        await writer.drain()
                    writer.write_eof()

                _, received = await asyncio.gather(send(), reader.read())
                writer.close()
                await writer.wait_closed()
            return [len(received), hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()]
        """,
    )
    assert facts == [8 << 20, True]


def test_datagrams_are_sent_and_received(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                self.transport.sendto(data.upper(), address)

        class Client(asyncio.DatagramProtocol):
            def __init__(self):
                self.received = asyncio.Queue()

            def datagram_received(self, data, address):
                self.received.put_nowait(data.decode())

        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            there, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
            here, client = await loop.create_datagram_endpoint(
                Client, remote_addr=there.get_extra_info("sockname")
            )
            answers = []
            for word in (b"one", b"two"):
                here.sendto(word)
                answers.append(await client.received.get())
            here.close()
            there.close()
            return answers
        """,
    )
    assert facts == ["ONE", "TWO"]


def test_signals_reach_their_handlers_while_the_loop_is_parked(serve: Serve) -> None:
    server = start(
        serve,
        """
        def on_plain_signal(number, frame):
            print("plain", signal.Signals(number).name, flush=True)

        @app.on_event("startup")
        async def listen():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, lambda: print("loop", "SIGUSR1", flush=True))
            signal.signal(signal.SIGUSR2, on_plain_signal)

        @app.get("/deaf")
        async def deaf():
            return asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
        """,
    )
    # Nothing else happens in the server: only the signal can have woken it.
    for number, words in [(signal.SIGUSR1, "loop SIGUSR1"), (signal.SIGUSR2, "plain SIGUSR2")] * 2:
        server.send_signal(number)
        assert server.next_line() == words
    assert server.get("/deaf").json() is True
    server.send_signal(signal.SIGUSR2)
    assert server.next_line() == "plain SIGUSR2"
    stop(server)


# --- libraries


def test_anyio_cancels_its_scopes_and_uses_threads(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        import anyio
        import anyio.to_thread

        @app.get("/")
        async def handler():
            with anyio.move_on_after(0.01) as scope:
                await anyio.sleep_forever()
            with anyio.move_on_after(20) as other:
                await anyio.sleep(0)
            send, receive = anyio.create_memory_object_stream[int](1)
            async with anyio.create_task_group() as group, send, receive:
                group.start_soon(send.send, 42)
                item = await receive.receive()
                group.start_soon(anyio.sleep_forever)
                group.cancel_scope.cancel()
            thread = await anyio.to_thread.run_sync(threading.current_thread)
            return [scope.cancelled_caught, other.cancelled_caught, item, thread is threading.main_thread()]
        """,
    )
    assert facts == [True, False, 42, False]


def test_aiosqlite_answers_a_query(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        import aiosqlite

        @app.get("/")
        async def handler():
            async with aiosqlite.connect(":memory:") as database:
                await database.execute("create table songs (name text, year int)")
                await database.executemany("insert into songs values (?, ?)", [("a", 1724), ("b", 1825)])
                async with database.execute("select name, year from songs order by year desc") as cursor:
                    return [list(row) async for row in cursor]
        """,
    )
    assert facts == [["b", 1825], ["a", 1724]]


def test_httpx_and_aiohttp_ask_the_server_that_they_run_in(serve: Serve) -> None:
    server = start(
        serve,
        """
        import aiohttp
        import httpx

        @app.post("/echo")
        async def echo(request):
            await asyncio.sleep(0.001)
            return {"heard": request.json()}

        @app.get("/httpx/{port}")
        async def ask_by_httpx(request):
            url = f"http://127.0.0.1:{request.params['port']}/echo"
            async with httpx.AsyncClient(trust_env=False) as client:
                answers = await asyncio.gather(*[client.post(url, json=number) for number in range(5)])
            return [answer.json()["heard"] for answer in answers]

        @app.get("/aiohttp/{port}")
        async def ask_by_aiohttp(request):
            url = f"http://127.0.0.1:{request.params['port']}/echo"

            async def post(number):
                async with session.post(url, json=number) as answer:
                    return (await answer.json())["heard"]

            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*[post(number) for number in range(5)])
        """,
    )
    assert server.get(f"/httpx/{server.port}").json() == [0, 1, 2, 3, 4]
    assert server.get(f"/aiohttp/{server.port}").json() == [0, 1, 2, 3, 4]
    stop(server)


# --- callbacks


def test_callbacks_run_in_the_order_they_are_due_and_cancelled_ones_do_not(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            order, last = [], asyncio.Event()
            base = loop.time()
            loop.call_at(base + 0.03, order.append, "third")
            loop.call_later(0.02, order.append, "second")
            loop.call_at(base + 0.01, order.append, "first")
            loop.call_at(base + 0.01, order.append, "first, registered later")
            loop.call_at(base + 0.04, last.set)
            never = loop.call_later(0.015, order.append, "never")
            soon = loop.call_soon(order.append, "never soon")
            loop.call_soon(order.append, "soon")
            loop.call_soon(lambda: loop.call_soon(order.append, "a turn later"))
            loop.call_soon(order.append, "sooner than that")
            loop.call_later(0, order.append, "no delay")
            loop.call_later(-1, order.append, "overdue")
            never.cancel()
            soon.cancel()
            await last.wait()
            return {"order": order, "cancelled": [never.cancelled(), soon.cancelled()], "when": never.when() > base}
        """,
    )
    timed = [words for words in facts["order"] if words not in ("overdue", "no delay", "a turn later")]
    assert timed == ["soon", "sooner than that", "first", "first, registered later", "second", "third"]
    assert facts["order"].index("overdue") < facts["order"].index("first")
    assert facts["order"].index("no delay") < facts["order"].index("first")
    assert facts["order"].index("sooner than that") < facts["order"].index("a turn later")
    assert (facts["cancelled"], facts["when"]) == ([True, True], True)


def test_a_timer_is_never_early(serve: Serve) -> None:
    early = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            done, early = asyncio.Event(), []

            def check(due):
                if loop.time() < due:
                    early.append(due - loop.time())

            base = loop.time()
            for number in range(200):
                due = base + number / 2000
                loop.call_at(due, check, due)
            loop.call_at(base + 0.11, done.set)
            await done.wait()
            return early
        """,
    )
    assert early == []


def test_a_thousand_cancelled_timers_do_not_keep_the_others_from_running(serve: Serve) -> None:
    facts = ask(
        serve,
        """
        @app.get("/")
        async def handler():
            loop = asyncio.get_running_loop()
            ran, done = [], asyncio.Event()
            handles = [loop.call_later(0.01 + n / 100_000, ran.append, n) for n in range(1000)]
            for handle in handles:
                if handle is not handles[500]:
                    handle.cancel()
                    handle.cancel()
            loop.call_later(0.05, done.set)
            await done.wait()
            return ran
        """,
    )
    assert facts == [500]


def test_what_a_callback_raises_reaches_the_exception_handler_of_the_loop(serve: Serve) -> None:
    server = start(
        serve,
        """
        @app.get("/handled")
        async def handled():
            loop = asyncio.get_running_loop()
            reports, done = [], asyncio.Event()
            loop.set_exception_handler(lambda loop, report: reports.append(report))

            def named():
                raise LookupError("no")

            loop.call_soon(named)
            loop.call_later(0, named)
            loop.call_soon_threadsafe(named)
            loop.call_later(0.01, done.set)
            await done.wait()
            loop.set_exception_handler(None)
            return [[repr(report["exception"]), "named" in report["message"]] for report in reports]

        @app.get("/logged")
        async def logged():
            loop = asyncio.get_running_loop()
            loop.call_soon(int, "x")
            await asyncio.sleep(0.001)
            return "still here"
        """,
    )
    assert server.get("/handled").json() == [["LookupError('no')", True]] * 3
    assert server.get("/logged").body == b"still here"
    stopped = server.stop()
    assert stopped.exit_code == 0
    assert "Exception in callback" in stopped.stderr
    assert "ValueError: invalid literal for int() with base 10: 'x'" in stopped.stderr


def test_the_exception_handler_runs_in_the_context_of_the_callback() -> None:
    place = contextvars.ContextVar("place", default="outside")
    seen: list[str] = []

    def fail() -> None:
        place.set("callback")
        raise LookupError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _report: seen.append(place.get()))
        loop.call_soon(fail)
        loop.call_later(0, fail)
        await asyncio.sleep(0.01)

    with runner() as running:
        running.run(main())
    assert seen == ["callback", "callback"]


# --- asynchronous generators


def test_an_abandoned_generator_is_closed_by_the_loop(serve: Serve) -> None:
    server = start(
        serve,
        """
        closed, kept = [], []

        async def generate(name):
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed.append(name)
                print("closed", name, flush=True)

        @app.get("/")
        async def handler():
            async for _ in generate("abandoned"):
                break
            while not closed:
                await asyncio.sleep(0.001)
            return closed

        @app.get("/keep")
        async def keep():
            kept.append(generate("kept"))
            return await anext(kept[0])
        """,
    )
    assert server.get("/").json() == ["abandoned"]
    assert server.get("/keep").json() == 1
    assert server.next_line() == "closed abandoned"
    server.send_signal(signal.SIGTERM)
    assert server.next_line() == "closed kept"
    stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


# --- without a server


def runner() -> AbstractContextManager[asyncio.Runner]:
    """An asyncio.Runner on our loop."""
    return asyncio.Runner(loop_factory=EventLoop)


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    """A loop that nothing serves on."""
    loop = EventLoop()
    yield loop
    loop.close()


def test_a_runner_runs_coroutines_on_the_loop() -> None:
    async def main(n: int) -> tuple[int, bool]:
        await asyncio.sleep(0.001)
        return n, isinstance(asyncio.get_running_loop(), EventLoop)

    with runner() as running:
        assert [running.run(main(n)) for n in range(3)] == [(0, True), (1, True), (2, True)]


def test_the_loop_runs_again_where_it_was_stopped(loop: EventLoop) -> None:
    events: list[str] = []

    async def wait(delay_s: float) -> float:
        await asyncio.sleep(delay_s)
        events.append(f"waited {delay_s}")
        return delay_s

    background = loop.create_task(wait(0.02))
    assert loop.run_until_complete(wait(0)) == 0
    assert not background.done()
    assert loop.run_until_complete(wait(0.001)) == 0.001
    assert loop.run_until_complete(background) == 0.02
    assert events == ["waited 0", "waited 0.001", "waited 0.02"]
    assert not loop.is_running()


def test_stop_ends_the_loop_after_the_turn_it_is_at(loop: EventLoop) -> None:
    ran: list[str] = []

    def last() -> None:
        loop.stop()
        loop.call_soon(ran.append, "in the next run")

    loop.call_soon(last)
    loop.call_soon(ran.append, "in the same turn")
    loop.run_forever()
    assert ran == ["in the same turn"]
    loop.stop()  # before it runs: one turn
    loop.run_forever()
    assert ran == ["in the same turn", "in the next run"]


def test_an_interrupt_in_a_callback_ends_the_run_and_the_loop_can_run_again(loop: EventLoop) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    async def interrupt_later() -> None:
        await asyncio.sleep(0.001)
        raise SystemExit(3)

    loop.call_soon(interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    with pytest.raises(SystemExit, match="3"):
        loop.run_until_complete(interrupt_later())
    assert loop.run_until_complete(asyncio.sleep(0.001, "alive")) == "alive"


def test_close_drops_what_is_pending_and_refuses_more() -> None:
    class Held:
        def hear(self) -> None: ...

    async def main() -> None:
        await asyncio.sleep(0.001)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop = EventLoop()
        held = [Held(), Held()]
        references = [weakref.ref(one) for one in held]
        loop.run_until_complete(main())
        loop.call_later(3600, held[0].hear)
        loop.call_soon(held[1].hear)
        held.clear()
        assert all(reference() is not None for reference in references)
        loop.close()
        loop.close()
        assert loop.is_closed()
        assert [reference() for reference in references] == [None, None]
        for call in (loop.call_soon, loop.call_soon_threadsafe):
            with pytest.raises(RuntimeError, match="Event loop is closed"):
                call(print)
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            loop.call_later(1, print)
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            loop.run_forever()
        del loop
        gc.collect()


def test_a_running_loop_refuses_to_be_closed_or_run_again(loop: EventLoop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
            loop.close()
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_forever()

    loop.run_until_complete(main())


def test_signals_wake_the_loop_after_it_refused_to_run_inside_itself(loop: EventLoop) -> None:
    # The refused run took away what wakes the loop on signals.
    async def main() -> None:
        heard: asyncio.Future[int] = loop.create_future()

        def hear(number: int, _frame: FrameType | None) -> None:
            heard.set_result(number)

        before = signal.signal(signal.SIGUSR1, hear)
        try:
            with pytest.raises(RuntimeError, match="already running"):
                loop.run_forever()
            send = threading.Timer(0.05, signal.raise_signal, [signal.SIGUSR1])
            send.start()
            began_s = loop.time()
            await asyncio.wait([heard], timeout=10)  # whose timer would wake the loop as well
            assert heard.result() == signal.SIGUSR1
            assert loop.time() < began_s + 5
            send.join()
        finally:
            signal.signal(signal.SIGUSR1, before)

    loop.run_until_complete(main())


@pytest.mark.usefixtures("garbage_in_order")
def test_a_loop_is_closed_or_forgotten_while_another_one_runs() -> None:
    # Dropping the second loop's runtime on the first one's thread was a panic.
    loops: list[EventLoop] = []

    def use_one() -> None:
        loop = EventLoop()
        loop.run_until_complete(asyncio.sleep(0.001))
        loops.append(loop)

    async def main() -> None:
        for _ in range(2):
            thread = threading.Thread(target=use_one)
            thread.start()
            thread.join()
        loops.pop().close()
        with pytest.warns(ResourceWarning, match="unclosed event loop"):
            loops.clear()
            gc.collect()

    with runner() as running:
        running.run(main())


@pytest.mark.usefixtures("garbage_in_order")
def test_a_loop_that_is_forgotten_unclosed_warns() -> None:
    loop = EventLoop()
    loop.run_until_complete(asyncio.sleep(0))
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()


def test_many_loops_leave_no_descriptor_open() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def run_one() -> None:
        with runner() as running:
            running.run(asyncio.sleep(0.001))

    run_one()
    gc.collect()
    before = descriptors()
    for _ in range(20):
        run_one()
    gc.collect()
    assert descriptors() == before


def test_the_current_task_is_right_after_an_eager_task_raised() -> None:
    async def fail() -> None:
        raise LookupError("no")

    async def interrupted() -> None:
        raise asyncio.CancelledError

    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        outer = asyncio.current_task()
        failed = asyncio.Task(fail(), loop=loop, eager_start=True)
        facts = [asyncio.current_task() is outer, isinstance(failed.exception(), LookupError)]
        cancelled = asyncio.Task(interrupted(), loop=loop, eager_start=True)
        facts += [asyncio.current_task() is outer, cancelled.cancelled()]
        await asyncio.sleep(0)
        return [*facts, asyncio.current_task() is outer]

    async def seen_from_a_callback() -> asyncio.Task[Any] | None:
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[asyncio.Task[Any] | None] = loop.create_future()

        def look() -> None:
            task = asyncio.Task(fail(), loop=loop, eager_start=True)
            task.exception()
            seen.set_result(asyncio.current_task(loop))

        loop.call_soon(look)
        return await seen

    with runner() as running:
        assert running.run(main()) == [True] * 5
        assert running.run(seen_from_a_callback()) is None


# asyncio of 3.12 silences its own warning by `catch_warnings`, which is the process's: two threads that start programs
# at once give each other's filters back.
@pytest.mark.filterwarnings("ignore:'get_child_watcher' is deprecated:DeprecationWarning")
def test_a_loop_runs_in_another_thread_than_the_main_one() -> None:
    async def hello() -> bytes:
        process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out

    def run_one() -> bytes:
        with runner() as running:
            return running.run(hello())

    async def outside() -> list[bytes]:
        return await asyncio.gather(*[asyncio.to_thread(run_one) for _ in range(3)])

    with runner() as running:
        assert running.run(outside()) == [b"hello\n"] * 3


def test_an_interrupt_wakes_a_parked_loop_that_has_no_signal_handlers() -> None:
    code = """
        import asyncio, signal
        from cello.loop import EventLoop

        signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))

        async def main():
            print("parked", flush=True)
            await asyncio.Event().wait()

        with asyncio.Runner(loop_factory=EventLoop) as runner:
            runner.run(main())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "parked\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == "heard\n"
        process.send_signal(signal.SIGINT)
        _, trace = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert trace.rstrip().endswith("KeyboardInterrupt")


def test_the_loop_works_in_python_s_development_mode(serve: Serve) -> None:
    server = serve(
        """
        import asyncio
        from cello import App

        app = App()

        @app.get("/")
        async def handler():
            await asyncio.sleep(0.001)
            reader, writer = await asyncio.open_connection("127.0.0.1", app.state.port)
            writer.close()
            await writer.wait_closed()
            return [asyncio.get_running_loop().get_debug(), await asyncio.to_thread(str, 1)]

        @app.on_event("startup")
        async def listen():
            app.state.server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            app.state.port = app.state.server.sockets[0].getsockname()[1]

        @app.on_event("shutdown")
        async def close():
            app.state.server.close()
            await app.state.server.wait_closed()

        app.run()
        """,
        environment={"PYTHONDEVMODE": "1"},
    )
    assert server.get("/").json() == [True, "1"]
    stop(server)
