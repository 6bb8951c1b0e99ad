"""A server in memory, on the kernel's own loop and as a guest of others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import uvloop
from cello import App, Request
from cello._compose import compose
from cello._kernel import Server
from cello._place import Place
from cello._serving import Hooks, Settings
from cello._threads import Threads
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from cello._kernel import Connection

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop, "cello": EventLoop}

GET = b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[object, object, None]], None]:
    """Runs a coroutine on a loop of each kind."""

    def run(main: Coroutine[object, object, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run


@asynccontextmanager
async def served(app: App) -> AsyncGenerator[Server]:
    """A server of the application on the loop that runs."""

    async def end(_request: Request, _error: BaseException | None) -> None: ...

    def told(*_: object) -> None: ...

    drained = asyncio.Event()
    plans, fallbacks = compose(app, Threads(1), None)
    server = Server(
        asyncio.get_running_loop(),
        routes=plans,
        hooks=Hooks(told, end, told, told, drained.set, told),  # type: ignore[arg-type]  # pyright: ignore
        settings=Settings(None, None, "problem", False, fallbacks, None, None, Place.own().seat, 0),
    )
    server.start()
    yield server
    server.stop(5)
    await drained.wait()
    server.close()


async def send(connection: Connection, data: bytes) -> None:
    while data:
        sent = connection.poll_send(data)
        if isinstance(sent, int):
            data = data[sent:]
        else:
            await sent


async def receive(connection: Connection) -> bytes:
    while True:
        received = connection.poll_receive()
        if isinstance(received, bytes):
            return received
        await received


def test_requests_are_answered_in_place_and_later(run: Callable[..., None]) -> None:
    app = App()

    @app.get("/now")
    def now() -> str:
        return "now"

    @app.get("/later")
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    async def main() -> None:
        async with served(app) as server:
            connection = server.connect()
            assert (connection.number, server.connections()) == (1, 1)
            assert server.connect().number == 2
            for path in (b"now", b"later", b"now"):
                await send(connection, GET % (b"/" + path))
                answer = await receive(connection)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert answer.endswith(b"\r\n\r\n" + path)

    run(main())


def test_a_connection_that_is_closed_or_forgotten_cancels_its_handler(run: Callable[..., None]) -> None:
    app = App()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def main() -> None:
        async with served(app) as server:
            for is_closed in (True, False):
                begun.clear()
                cancelled.clear()
                connection = server.connect()
                await send(connection, GET % b"/")
                await begun.wait()
                if is_closed:
                    connection.close()
                else:
                    del connection
                await cancelled.wait()
            while server.tasks():
                await asyncio.sleep(0)

    run(main())


def test_what_a_server_has_of_the_loop_is_given_back(run: Callable[..., None]) -> None:
    app = App()
    app.get("/")(lambda: "here")

    async def main() -> None:
        async with served(app) as server:
            connection = server.connect()
            await send(connection, GET % b"/")
            await receive(connection)
        with pytest.raises(RuntimeError, match="does not run"):
            server.connect()
        with pytest.raises(RuntimeError, match="started before"):
            server.start()

    run(main())


def test_a_server_that_nobody_closes_goes_with_its_loop(run: Callable[..., None]) -> None:
    app = App()
    kept: list[object] = []

    @app.get("/")
    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        manager = served(app)
        server = await manager.__aenter__()
        connection = server.connect()
        await send(connection, GET % b"/")
        while not server.tasks():
            await asyncio.sleep(0)
        kept.extend((manager, server, connection))

    run(main())
    kept.clear()
