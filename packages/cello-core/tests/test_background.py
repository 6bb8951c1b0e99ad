"""What is done after the answer, over real sockets."""

from __future__ import annotations

import http.client
import signal
from typing import TYPE_CHECKING

import pytest
from cello.background import BackgroundTasks

if TYPE_CHECKING:
    from serving import Serve

KINDS = """
    import asyncio
    from cello import App, Response
    from cello.background import BackgroundTasks

    app = App()
    log = []
    done = asyncio.Event()

    def note(*words, **more):
        log.append([*words, *more.items()])

    async def note_async(word):
        await asyncio.sleep(0.001)
        log.append([word])

    def finish():
        done.set()

    def fill(word):
        tasks = BackgroundTasks()
        tasks.add_task(note, word, 1, two=2)
        tasks.add_task(note_async, "async")
        tasks.add_task(note, ["older", "form"])
        tasks.add_task(len, [1, 2, 3])
        tasks.add_task(finish)
        log.append(["pending", tasks.pending_count()])

    @app.get("/def")
    def plain(request):
        fill("def")
        return "answered"

    @app.get("/async")
    async def asynchronous(request):
        fill("async def")
        return "answered"

    @app.get("/suspended")
    async def suspended(request):
        await asyncio.sleep(0.001)
        fill("suspended")
        return "answered"

    @app.get("/stream")
    async def stream(request):
        fill("stream")
        async def pieces():
            for _ in range(3):
                log.append(["piece"])
                await asyncio.sleep(0)
                yield "x"
        return pieces()

    @app.get("/sync-stream")
    def sync_stream(request):
        fill("sync-stream")
        return iter("xxx")

    @app.get("/child")
    async def child(request):
        async with asyncio.TaskGroup() as group:
            async def work():
                fill("child")
            group.create_task(work())
        return "answered"

    @app.get("/request")
    def by_request(request):
        request.add_background_task(note, "by request", two=2)
        request.add_background_task(finish)
        return "answered"

    @app.get("/fails")
    def fails(request):
        request.add_background_task(int, "no number")
        request.add_background_task(note, "goes on")
        request.add_background_task(finish)
        return "answered"

    @app.get("/raises")
    def raises(request):
        request.add_background_task(note, "after a failure")
        request.add_background_task(finish)
        raise ValueError("the handler's")

    @app.get("/raises-async")
    async def raises_async(request):
        request.add_background_task(note, "after a failure")
        request.add_background_task(finish)
        raise ValueError("the handler's")

    @app.get("/log")
    async def get_log(request):
        await done.wait()
        done.clear()
        told = log[:]
        log.clear()
        return told

    app.run()
"""


@pytest.mark.parametrize("name", ["def", "async", "suspended", "child"])
def test_work_is_done_after_the_answer_in_the_order_it_was_added(serve: Serve, name: str) -> None:
    server = serve(KINDS)
    assert server.get(f"/{name}").body == b"answered"
    word = "async def" if name == "async" else name
    expected = [["pending", 5], [word, 1, ["two", 2]], ["async"], ["older", "form"]]
    assert server.get("/log").json() == expected
    # What `len` returns was awaited once, and told as a failure.
    assert server.stop().stderr == ""


def test_work_waits_for_the_last_piece_of_a_stream(serve: Serve) -> None:
    server = serve(KINDS)
    assert server.get("/stream").body == b"xxx"
    words = [entry[0] for entry in server.get("/log").json()]
    assert words == ["pending", "piece", "piece", "piece", "stream", "async", "older"]
    assert server.get("/sync-stream").body == b"xxx"
    assert server.get("/log").json()[1][0] == "sync-stream"


def test_a_request_takes_work_without_any_object(serve: Serve) -> None:
    server = serve(KINDS)
    assert server.get("/request").body == b"answered"
    assert server.get("/log").json() == [["by request", ["two", 2]]]


def test_work_that_fails_is_logged_and_the_next_goes_on(serve: Serve) -> None:
    server = serve(KINDS)
    assert server.get("/fails").body == b"answered"
    assert server.get("/log").json() == [["goes on"]]
    told, words, frames = server.stop().stderr.splitlines()
    assert told.startswith("GET /fails: work in the background failed (request ")
    assert words == "ValueError: invalid literal for int() with base 10: 'no number'"
    assert frames.endswith(" in cello")


@pytest.mark.parametrize("path", ["/raises", "/raises-async"])
def test_work_is_done_after_a_handler_that_failed(serve: Serve, path: str) -> None:
    server = serve(KINDS)
    assert server.get(path).status == 500
    assert server.get("/log").json() == [["after a failure"]]


def test_an_answer_with_work_behind_it_is_framed_as_any_other(serve: Serve) -> None:
    server = serve(KINDS)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/def")
        reply = connection.getresponse()
        assert (reply.headers["content-length"], reply.read()) == ("8", b"answered")
    connection.request("HEAD", "/def")
    assert connection.getresponse().headers["content-length"] == "8"
    connection.close()


def test_the_answer_does_not_wait_for_the_work(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        answered = asyncio.Event()

        @app.get("/")
        def handler(request):
            request.add_background_task(answered.wait)
            return "answered"

        @app.get("/release")
        def release(request):
            answered.set()
            return "released"

        app.run()
    """)
    assert server.get("/").body == b"answered"
    assert server.get("/release").body == b"released"
    assert server.stop().exit_code == 0


def test_work_goes_on_when_the_client_has_left(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        begun, done = asyncio.Event(), asyncio.Event()

        async def work():
            await asyncio.sleep(0.01)
            done.set()

        @app.get("/leave")
        async def leave(request) -> None:
            request.add_background_task(work)
            print("begun", flush=True)
            await asyncio.sleep(60)

        @app.get("/done")
        async def get_done(request):
            await done.wait()
            return "done"

        app.run()
    """)
    with server.connect() as client:
        client.sendall(b"GET /leave HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.next_line() == "begun"
    assert server.get("/done").body == b"done"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_a_thousand_pieces_of_work_are_done_once_before_the_server_stops(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        done = []

        async def work(number):
            await asyncio.sleep(0.0001)
            done.append(number)

        @app.get("/")
        def handler(request):
            for number in range(1000):
                request.add_background_task(work, number)
            return "answered"

        @app.on_event("shutdown")
        def tell():
            print("done", len(done), len(set(done)), flush=True)

        app.run()
    """)
    assert server.get("/").body == b"answered"
    stopped = server.stop(signal.SIGTERM)
    assert stopped.exit_code == 0
    assert "done 1000 1000" in stopped.stdout


def test_endings_are_called_the_last_first_with_what_was_raised_and_before_the_work(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        log = []
        done = asyncio.Event()

        def prepare(request, name):
            request.add_background_task(log.append, "work")
            request.add_background_task(done.set)
            for number in (1, 2):
                async def end(error, number=number):
                    await asyncio.sleep(0)
                    log.append(f"{name} {number} {error!r}")
                request._at_end(end)

        @app.get("/def")
        def plain(request):
            prepare(request, "def")
            return "x"

        @app.get("/async")
        async def asynchronous(request):
            prepare(request, "async")
            return "x"

        @app.get("/fails")
        async def fails(request):
            prepare(request, "fails")
            raise ValueError("why")

        @app.get("/breaks")
        async def breaks(request):
            prepare(request, "breaks")
            async def pieces():
                yield "x"
                await asyncio.sleep(0.001)
                raise ValueError("why")
            return pieces()

        @app.get("/log")
        async def get_log(request):
            await done.wait()
            done.clear()
            told = log[:]
            log.clear()
            return told

        app.run()
    """)
    for name in ("def", "async"):
        assert server.get(f"/{name}").status == 200
        assert server.get("/log").json() == [f"{name} 2 None", f"{name} 1 None", "work"]
    assert server.get("/fails").status == 500
    why = "ValueError('why')"
    assert server.get("/log").json() == [f"fails 2 {why}", f"fails 1 {why}", "work"]
    assert server.exchange(b"GET /breaks HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert server.get("/log").json() == [f"breaks 2 {why}", f"breaks 1 {why}", "work"]


COUNTED = """
    import asyncio
    from cello import App, BackgroundTasks

    app, shop = App(), App()
    held, begun = asyncio.Event(), asyncio.Event()

    async def hold():
        begun.set()
        await held.wait()

    @shop.get("/work")
    def work(request):
        tasks = BackgroundTasks()
        tasks.add_task(len, "a value is no failure")
        tasks.add_task(int, "no number")
        tasks.add_task(hold)
        request.add_background_task(int, "no number")
        return "answered"

    @shop.get("/work-now")
    async def work_now(request):
        tasks = BackgroundTasks()
        tasks.add_task(print, "first", flush=True)
        tasks.add_task(asyncio.sleep, 0)
        await tasks.run_all()
        tasks.add_task(print, "second", flush=True)
        return tasks.pending_count()

    @shop.get("/work-and-fail")
    async def work_and_fail(request):
        tasks, done = BackgroundTasks(), []
        tasks.add_task(done.append, 1)
        tasks.add_task(int, "no number")
        tasks.add_task(lambda: tasks.add_task(done.append, "last"))
        tasks.add_task(done.index, "nothing")
        try:
            await tasks.run_all()
        except ExceptionGroup as group:
            return {"done": done, "failures": [type(error).__name__ for error in group.exceptions]}

    @app.get("/counts")
    async def counts(request):
        await begun.wait()
        assert shop.background_tasks is request.app.background_tasks
        return request.app.background_tasks

    @app.get("/let-go")
    def let_go():
        held.set()
        return "let go"

    @app.on_event("shutdown")
    def tell():
        print(app.background_tasks, flush=True)

    app.mount("/shop", shop)
    app.run()
"""


def test_work_is_counted_for_all_that_is_served_together(serve: Serve) -> None:
    server = serve(COUNTED)
    assert server.get("/shop/work").body == b"answered"
    assert server.get("/counts").json() == {"running": 1, "completed": 1, "failed": 1}
    assert server.get("/let-go").body == b"let go"
    stopped = server.stop()
    assert stopped.stdout.endswith("BackgroundCounts(running=0, completed=2, failed=2)\n")
    assert stopped.stderr.count("GET /shop/work: work in the background failed") == 2


def test_work_that_a_handler_has_done_itself_is_neither_done_again_nor_counted(serve: Serve) -> None:
    server = serve(COUNTED)
    assert server.get("/shop/work-now").json() == 1
    stopped = server.stop()
    assert stopped.stdout.splitlines()[1:] == ["first", "second", "BackgroundCounts(running=0, completed=1, failed=0)"]
    assert stopped.stderr == ""


def test_a_handler_that_does_its_work_itself_learns_of_every_failure_once_all_is_done(serve: Serve) -> None:
    server = serve(COUNTED)
    answer = {"done": [1, "last"], "failures": ["ValueError", "ValueError"]}
    assert server.get("/shop/work-and-fail").json() == answer
    assert server.stop().stderr == ""


# --- outside a request


OLDER = """
    from __future__ import annotations
    from collections.abc import Sequence
    from cello import App
    from cello.background import BackgroundTasks

    app = App()
    log = []

    class Person(str): ...

    def untold(value):
        log.append(["untold", value])

    def text(value: str):
        log.append(["text", value])

    def items(value: list[str]):
        log.append(["items", value])

    def several(value: Sequence[str]):
        log.append(["several", value])

    def person(value):
        log.append(["person", value])

    person.__annotations__["value"] = Person

    @app.get("/")
    def home():
        tasks = BackgroundTasks()
        for function in (untold, text, items, several, person):
            tasks.add_task(function, ["a"])
            tasks.add_task(function, ["a", "b"])
        tasks.add_task(int, ["a"])
        return "answered"

    @app.get("/log")
    def told():
        return log

    @app.get("/wrong")
    def wrong(request):
        try:
            BackgroundTasks().add_task(told)
            BackgroundTasks().add_task("text")
        except TypeError as error:
            return str(error)

    @app.get("/yields")
    def yields():
        def work():
            yield 1
        BackgroundTasks().add_task(work)
        return "answered"

    app.run()
"""


def test_a_list_is_the_arguments_unless_a_function_takes_one(serve: Serve) -> None:
    server = serve(OLDER)
    server.get("/")
    told: list[list[object]] = []
    while len(told) < 10:
        told = server.get("/log").json()
    assert told == [
        ["untold", ["a"]],
        ["untold", ["a", "b"]],
        ["text", "a"],
        ["text", ["a", "b"]],
        ["items", ["a"]],
        ["items", ["a", "b"]],
        ["several", ["a"]],
        ["several", ["a", "b"]],
        ["person", "a"],
        ["person", ["a", "b"]],
    ]
    assert "invalid literal for int() with base 10: 'a'" in server.stop().stderr


def test_what_would_never_run_is_told(serve: Serve) -> None:
    server = serve(OLDER)
    assert server.get("/wrong").body.startswith(b"'text' is no function: give one and what to call it with")
    server.get("/yields")
    assert "the function has a yield, and only made a generator" in server.stop().stderr


def test_background_tasks_belong_to_a_request() -> None:
    with pytest.raises(RuntimeError, match="belongs to a request"):
        BackgroundTasks()
