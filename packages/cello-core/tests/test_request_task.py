"""A task that is through with its request serves the next one, unless somebody may tell it from a new one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from interpreters import PYTHONS, run_python

if TYPE_CHECKING:
    from serving import Serve, Server

SOURCE = """
    import asyncio, contextvars, logging, weakref
    from cello import App
    from cello.errors import NotFound

    app = App()
    number = contextvars.ContextVar("number")
    kept, called, weak = [], [], weakref.WeakKeyDictionary()
    task = asyncio.current_task

    def peek():
        return asyncio.Task.get_name(task())  # not by the task, which would know of it

    @app.get("/name")
    async def name(request):
        assert task() in asyncio.all_tasks()
        return [peek()]

    @app.get("/suspended")
    async def suspended(request):
        first = task()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        assert task() is first and first in asyncio.all_tasks()
        return [asyncio.Task.get_name(first)]

    @app.get("/refused")
    async def refuse(request):
        assert task().cancelling() == 0 and not task().done()
        raise NotFound(peek())

    @app.get("/timeout")
    async def timeout(request):
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        return [peek()]

    @app.get("/kept")
    async def keep(request):
        kept.append(task())
        return [peek()]

    @app.get("/kept-suspended")
    async def keep_suspended(request):
        kept.append(task())
        await asyncio.sleep(0)
        return [peek()]

    @app.get("/weak")
    async def weaken(request):
        weak[task()] = 1
        return [peek()]

    @app.get("/called")
    async def call(request):
        task().add_done_callback(lambda task: called.append(task.get_name()))
        return [peek()]

    @app.get("/named")
    async def rename(request):
        before = peek()
        task().set_name("mine")
        return [before]

    @app.get("/logged")
    async def log(request):
        record = logging.LogRecord("", 10, "", 1, "", (), None)
        return [record.taskName]

    @app.get("/marked")
    async def mark(request):
        task().mark = 1
        return [peek()]

    @app.get("/set")
    async def set_number(request):
        number.set(1)
        await asyncio.sleep(0)
        return [peek()]

    async def cancelled_by(cancel):
        name = peek()
        cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            task().uncancel()
            return [name]
        raise AssertionError("it went on")

    @app.get("/cancelled")
    async def cancel(request):
        return await cancelled_by(task().cancel)

    @app.get("/cancelled-meanwhile")
    async def cancel_meanwhile(request):
        return await cancelled_by(lambda: asyncio.get_running_loop().call_soon(task().cancel))

    @app.get("/turns")
    async def turns(request):
        told, soon = [], asyncio.get_running_loop().call_soon
        soon(lambda: (told.append("first"), soon(told.append, "third")))
        await asyncio.sleep(0)
        told.append("second")
        await asyncio.sleep(0)
        return told

    @app.get("/left")
    def left():
        names = [task.get_name() for task in kept]
        return [number.get(None), len(weak), called, [task.done() for task in kept], len(names)]

    @app.get("/tasks")
    def tasks():
        return len(asyncio.all_tasks(asyncio.get_running_loop()))

    @app.get("/sleep")
    async def sleep(request):
        await asyncio.sleep(0.05)
        return [number.get(None), hasattr(task(), "mark")]
"""


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(f"{SOURCE}\n    app.run()\n")


@pytest.mark.parametrize("path", ["/name", "/suspended", "/refused", "/timeout"])
def test_a_task_that_nobody_knows_serves_the_next_request(server: Server, path: str) -> None:
    first = server.get("/name").json()
    answer = server.get(path).json()
    assert (answer["detail"] if path == "/refused" else answer[0]) == first[0]
    assert server.get("/name").json() == first


@pytest.mark.parametrize(
    "path",
    [
        "/kept",
        "/kept-suspended",
        "/weak",
        "/called",
        "/named",
        "/logged",
        "/marked",
        "/set",
        "/cancelled",
        "/cancelled-meanwhile",
    ],
)
def test_a_task_that_somebody_may_know_ends_with_its_request(server: Server, path: str) -> None:
    first = server.get("/name").json()
    assert server.get(path).json() == first
    second = server.get("/name").json()
    assert second not in (first, ["mine"])
    assert server.get("/name").json() == second


def test_a_handler_that_gives_way_goes_on_at_the_next_turn_in_its_place(server: Server) -> None:
    for _ in range(2):
        assert server.get("/turns").json() == ["first", "second", "third"]


def test_nothing_of_a_request_is_left_for_the_next_one(server: Server) -> None:
    names = [server.get(path).json() for path in ["/kept", "/kept-suspended", "/weak", "/called", "/marked", "/set"]]
    assert server.get("/left").json() == [None, 0, names[3], [True, True], 2]
    assert server.get("/sleep").json() == [None, False]


def test_a_task_at_rest_is_not_among_all_tasks(server: Server) -> None:
    alone = server.get("/tasks").json()
    for path in ["/name", "/suspended", "/name", "/kept", "/cancelled"]:
        server.get(path)
        assert server.get("/tasks").json() == alone, path


def test_many_requests_at_once_have_a_task_each(server: Server) -> None:
    alone = server.get("/tasks").json()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(server.get, ["/sleep"] * 200))
    assert [answer.json() for answer in answers] == [[None, False]] * 200
    assert server.get("/tasks").json() == alone
    assert server.stop().is_clean


def test_tasks_at_rest_end_with_their_server(server: Server) -> None:
    for path in ["/name", "/suspended", "/refused"]:
        server.get(path)
    stopped = server.stop()
    assert (stopped.exit_code, "pending" in stopped.stderr) == (0, False)


def test_in_debug_mode_each_request_has_a_new_task(serve: Serve) -> None:
    server = serve(
        f"""{SOURCE}
    @app.on_event("startup")
    async def debug():
        asyncio.get_running_loop().set_debug(True)

    app.run()
"""
    )
    assert server.get("/name").json() != server.get("/name").json()


#: httpx, and all else that this takes, is the same for every Python.
IN_MEMORY = f"""
import asyncio, json, sys
sys.path.append({str(Path(httpx.__file__).parent.parent)!r})
from cello import App
from cello.testing import TestClient

app, kept = App(autoload=False), []

@app.get("/name")
async def name(request):
    return [asyncio.Task.get_name(asyncio.current_task())]

@app.get("/suspended")
async def suspended(request):
    await asyncio.sleep(0.001)
    return [asyncio.Task.get_name(asyncio.current_task())]

@app.get("/kept")
async def keep(request):
    kept.append(asyncio.current_task())
    await asyncio.sleep(0)
    return [asyncio.Task.get_name(kept[-1])]

with TestClient(app) as client:
    names = [client.get(path).json() for path in ["/name", "/suspended", "/name", "/kept", "/name", "/name"]]
print(json.dumps([[name == names[0] for name in names], kept[0].done()]))
"""


@pytest.mark.parametrize("version", PYTHONS)
def test_tasks_serve_again_in_every_python(version: str) -> None:
    told = run_python(version, "-c", IN_MEMORY)
    assert (told.stderr, told.returncode) == ("", 0)
    assert json.loads(told.stdout) == [[True, True, True, True, False, False], True]
