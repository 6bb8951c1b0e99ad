"""Which request it is, for whoever is called without it."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cello import App, Depends, Request, current_request
from cello.testing import AsyncTestClient, TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from serving import Serve


def path() -> str | None:
    """The path of the current request."""
    request = current_request()
    return None if request is None else request.path


SOURCE = """
    import asyncio
    import logging
    from cello import App, Depends, current_request

    app = App()
    done = asyncio.Event()
    notes = []

    def path():
        request = current_request()
        return None if request is None else request.path

    class WithPath(logging.Formatter):
        def format(self, record):
            return f"<{path()}> {record.getMessage().splitlines()[0].partition(' (')[0]}"

    (handler := logging.StreamHandler()).setFormatter(WithPath())
    logging.basicConfig(handlers=[handler])

    @app.on_event("startup")
    def start():
        notes.append(path())

    @app.before_request
    def before(request):
        assert current_request() is request

    def around(request, call_next):
        response = call_next(request)
        assert current_request() is request
        return response

    @app.exception_handler(LookupError)
    def answer_for(request, error):
        return {"handled": path()}

    def given():
        return path()

    def noted():
        yield 1
        notes.append(path())
        raise ValueError("at the end")

    def note():
        notes.append(path())
        raise ValueError("in the background")

    app.get("/def")(path)
    app.get("/middleware", middleware=[around])(path)
    app.get("/blocking", blocking=True)(path)
    app.get("/dependency")(lambda value=Depends(given): value)
    app.get("/blocking-dependency", blocking=True)(lambda value=Depends(given): value)

    @app.get("/async")
    async def suspended():
        first = path()
        await asyncio.sleep(0.001)
        return [first, path(), await asyncio.to_thread(path), await asyncio.create_task(child())]

    async def child():
        return path()

    @app.get("/stream")
    def pieces():
        yield path()
        yield path()

    @app.get("/async-stream")
    async def async_pieces():
        for _ in range(2):
            yield path()
            await asyncio.sleep(0)

    @app.get("/ending")
    def ending(value=Depends(noted)):
        pass

    @app.get("/background")
    def background(request):
        request.add_background_task(note)
        request.add_background_task(finish)

    def finish():
        done.set()

    @app.get("/handled")
    def handled():
        raise LookupError

    @app.get("/fails")
    def fails(request):
        request.add_background_task(note)
        request.add_background_task(finish)
        raise ValueError("in def")

    @app.get("/fails-async")
    async def fails_async():
        raise ValueError("in async def")

    @app.get("/fails-blocking", blocking=True)
    def fails_blocking():
        raise ValueError("in a thread")

    @app.get("/notes")
    async def get_notes():
        await done.wait()
        done.clear()
        return notes

    app.run()
"""


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("def", "/def"),
        ("middleware", "/middleware"),
        ("blocking", "/blocking"),
        ("dependency", "/dependency"),
        ("blocking-dependency", "/blocking-dependency"),
        ("stream", "/stream/stream"),
        ("async-stream", "/async-stream/async-stream"),
        ("async", '["/async","/async","/async","/async"]'),
        ("handled", '{"handled":"/handled"}'),
    ],
)
def test_whatever_a_request_runs_knows_it(serve: Serve, name: str, body: str) -> None:
    assert serve(SOURCE).get(f"/{name}").body.decode() == body


def test_what_is_done_after_the_answer_knows_the_request_and_start_up_knows_none(serve: Serve) -> None:
    server = serve(SOURCE)
    for name in ("ending", "background"):
        assert server.get(f"/{name}").status == 200
    assert server.get("/notes").json() == [None, "/ending", "/background"]
    stderr = server.stop().stderr
    assert "</ending> GET /ending: the end of a dependency failed\n" in stderr
    assert "</background> GET /background: work in the background failed\n" in stderr


@pytest.mark.parametrize("name", ["fails", "fails-async", "fails-blocking"])
def test_the_log_of_a_failure_is_written_in_its_request(serve: Serve, name: str) -> None:
    server = serve(SOURCE)
    assert server.get(f"/{name}").status == 500
    if name == "fails":
        assert server.get("/notes").json() == [None, "/fails"]
    assert f"</{name}> GET /{name} failed\n" in server.stop().stderr


def application() -> App:
    app = App()

    @app.get("/")
    async def suspended() -> list[str | None]:
        await asyncio.sleep(0)
        return [path(), await asyncio.to_thread(path)]

    def given() -> str | None:
        return path()

    def blocking(value: str | None = Depends(given)) -> list[str | None]:
        return [path(), value]

    async def pieces() -> AsyncIterator[str]:
        yield str(path())
        await asyncio.sleep(0)
        yield str(path())

    app.get("/blocking", blocking=True)(blocking)
    app.get("/stream")(pieces)
    return app


def told(get: Callable[[str], httpx.Response]) -> Iterator[Any]:
    for asked in ("/", "/blocking", "/stream"):
        response = get(asked)
        yield response.text if asked == "/stream" else response.json()


TOLD = [["/", "/"], ["/blocking", "/blocking"], "/stream/stream"]


def test_a_client_of_tests_has_none_and_its_requests_know_themselves() -> None:
    with TestClient(application()) as client:
        assert [*told(client.get)] == TOLD
        assert current_request() is None


async def ask(client: httpx.AsyncClient) -> list[Any]:
    responses = {asked: await client.get(asked) for asked in ("/", "/blocking", "/stream")}
    assert current_request() is None
    return [*told(responses.__getitem__)]


async def ask_by_client() -> list[Any]:
    async with AsyncTestClient(application()) as client:
        return await ask(client)


async def ask_by_asgi() -> list[Any]:
    transport = httpx.ASGITransport(application().asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await ask(client)


@pytest.mark.parametrize("asked", [ask_by_client, ask_by_asgi])
def test_requests_in_the_loop_of_others_leave_nothing_in_its_context(
    asked: Callable[[], Coroutine[Any, Any, list[Any]]],
) -> None:
    assert asyncio.run(asked()) == TOLD


def test_a_request_made_by_hand_is_nowhere_current() -> None:
    assert Request("GET", "/").path == "/"
    assert current_request() is None
    assert contextvars.copy_context().run(current_request) is None


def test_importing_cello_does_not_ask_for_it() -> None:
    asks = "print('cello._current' in sys.modules)"
    code = f"import sys, cello; {asks}; cello.current_request; {asks}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "True"]
