"""The life of an application: events, lifespans, and what happens where one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from serving import run_source

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

#: Snippet 11 of the documents, without its database, and with what its "..." stands for.
SNIPPET = """
@app.on_event("startup")
async def on_start(): app.state.db = await connect()
@app.exception_handler(ValueError)
def handle(request, exc): return Response.json({"error": str(exc)}, status=400)
"""


def test_the_life_cycle_of_the_documents_runs_as_written(serve: Serve) -> None:
    before = 'from cello import App, Response\napp = App()\nasync def connect(): return "connected"\n'
    after = """
@app.get("/")
def state(request):
    return request.app.state.db
@app.get("/value")
def value(request):
    raise ValueError("no such thing")
app.run()
"""
    server = serve(before + SNIPPET + after)
    assert server.get("/").body == b"connected"
    answer = server.get("/value")
    assert (answer.status, answer.json()) == (400, {"error": "no such thing"})


KINDS = """
    import asyncio, contextlib, contextvars
    from cello import App

    place = contextvars.ContextVar("place", default="nowhere")

    def say(words):
        print(words, flush=True)

    @contextlib.asynccontextmanager
    async def given(app):
        say("given in")
        yield
        say("given out")

    app, sub = App(lifespan=given), App()

    @app.lifespan
    async def generator(of):
        assert of is app
        await asyncio.sleep(0)
        task = asyncio.current_task()
        place.set("set by a lifespan")
        say("generator in")
        yield
        assert asyncio.current_task() is task
        say("generator out")

    @app.lifespan
    def plain():
        say("plain in")
        yield
        say("plain out")

    @app.lifespan
    class Manager:
        def __init__(self, app): ...
        def __enter__(self): say("manager in")
        def __exit__(self, *_): say("manager out")

    @app.on_event("startup")
    async def started(): say("started")

    @app.on_event("shutdown")
    def stopped(): say("stopped")

    @sub.lifespan
    async def of_sub(app):
        assert app is sub
        say("sub in")
        yield
        say("sub out")

    @sub.on_event("startup")
    def sub_started(): say("sub started")

    @sub.on_event("shutdown")
    async def sub_stopped(): say("sub stopped")

    app.mount("/a", sub)
    app.mount("/b", sub)

    @app.get("/")
    def handler():
        return place.get()

    app.run()
"""


def test_every_kind_of_lifespan_encloses_the_requests_and_those_of_mounted_applications_come_within(
    serve: Serve,
) -> None:
    server = serve(KINDS)
    began = ["given in", "generator in", "plain in", "manager in", "started", "sub in", "sub started"]
    assert [line.strip() for line in server.banner[:-1]] == began
    assert server.get("/").body == b"set by a lifespan"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    ended = ["sub stopped", "sub out", "stopped", "manager out", "plain out", "generator out", "given out"]
    assert stopped.stdout.splitlines()[len(server.banner) :] == ended


FAILING = """
    import sys
    from cello import App

    app = App()

    @app.lifespan
    async def first():
        try:
            yield
        except BaseException as error:
            print("first was told of", type(error).__name__)
            raise
        finally:
            print("first out")

    @app.lifespan
    def second():
        if "lifespan" in sys.argv:
            raise OSError("no database")
        yield

    @app.on_event("startup")
    def third():
        if "startup" in sys.argv:
            raise OSError("no database")

    if "nothing" in sys.argv:
        app.lifespan(lambda: None)

    app.run()
"""


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("lifespan", "the lifespan second ("),
        ("startup", "the startup function third ("),
        ("nothing", "it made None, which is no context manager"),
    ],
)
def test_an_error_at_start_is_exit_code_3_and_what_was_begun_is_ended(tmp_path: Path, where: str, words: str) -> None:
    stopped = run_source(tmp_path, FAILING, where)
    assert stopped.exit_code == 3
    assert words in stopped.stderr
    assert stopped.stdout == "first was told of StartError\nfirst out\n"
    if where != "nothing":
        assert "OSError: no database" in stopped.stderr


def test_an_error_at_the_end_lets_the_others_end_and_is_exit_code_3(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app = App()

        @app.lifespan
        async def first():
            yield
            print("first out")

        @app.lifespan
        async def second():
            yield
            raise OSError("could not be closed")

        @app.on_event("shutdown")
        def stopped():
            print("stopped")

        app.run()
        """
    )
    ended = server.stop()
    assert ended.exit_code == 3
    assert ended.stdout.endswith("stopped\nfirst out\n")
    assert "the lifespan second (" in ended.stderr
    assert "OSError: could not be closed" in ended.stderr


def test_what_is_no_lifespan_is_refused_at_once() -> None:
    wrong: Any = 7
    with pytest.raises(TypeError, match="7 is no lifespan: it is a generator function"):
        App(lifespan=wrong)


def test_an_async_def_without_a_yield_is_no_lifespan() -> None:
    async def connect() -> None: ...

    wrong: Any = connect
    with pytest.raises(TypeError, match=r"connect is no lifespan, since it has no yield: .* @app.on_event\(.startup"):
        App().lifespan(wrong)


def test_an_application_takes_attributes_of_ones_own(serve: Serve) -> None:
    server = serve(
        """
        from cello import App
        app = App()
        app.db = "of the application"
        app.get("/")(lambda request: request.app.db)
        app.run()
        """
    )
    assert server.get("/").body == b"of the application"
