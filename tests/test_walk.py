"""The walk of a request in Python: nothing of the framework's runs between the kernel and the handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Serve

#: The frames above a handler, up to the one in which the native loop runs.
FRAMES = """
    import asyncio, sys
    from cello import App

    app = App()

    def frames_above():
        found = []
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_qualname != "PrivateMethods._run_once":
            found.append(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}")
            frame = frame.f_back
        return found if frame else ["the loop's own frame was not found"]

    @app.get("/def")
    def plain():
        return frames_above()

    @app.get("/async")
    async def eager():
        return frames_above()

    @app.get("/suspended")
    async def suspended():
        await asyncio.sleep(0)
        return frames_above()

    @app.post("/body")
    def with_a_body(request):
        request.json()
        return frames_above()

    app.run()
"""

#: Which functions of Python's are called while requests are served.
CALLS = """
    import asyncio, sys
    from cello import App
    from cello.errors import HTTPError

    app = App()
    called = []
    monitoring = sys.monitoring

    def note(code, offset):
        called.append(code.co_qualname)

    @app.get("/watch")
    def watch():
        monitoring.use_tool_id(monitoring.PROFILER_ID, "walk")
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.PY_START, note)
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START)

    @app.get("/called")
    def seen():
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        return called

    @app.get("/def")
    def plain(request):
        return {"n": 1}

    @app.get("/async")
    async def eager():
        return "text"

    @app.get("/users/{id}")
    def parameter(request):
        return request.params

    @app.post("/body")
    def body(request):
        return request.json()

    app.run()
"""

#: A spy in the place of what composes handlers: it counts, before and after requests.
INSPECTION = """
    import inspect
    from cello import App

    app = App()
    counts = {"signature": 0, "iscoroutinefunction": 0}

    def spy(name):
        original = getattr(inspect, name)

        def counted(*arguments, **keywords):
            counts[name] += 1
            return original(*arguments, **keywords)

        setattr(inspect, name, counted)

    spy("signature")
    spy("iscoroutinefunction")

    @app.get("/def")
    def plain(request):
        return counts

    @app.get("/async")
    async def eager():
        return counts

    app.run()
"""

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("path", ["/def", "/async", "/suspended"])
def test_no_python_frame_stands_between_the_loop_and_a_handler(serve: Serve, path: str) -> None:
    assert serve(FRAMES).get(path).json() == []


def test_no_python_frame_stands_above_a_handler_that_has_a_body_either(serve: Serve) -> None:
    assert serve(FRAMES).post("/body", b"{}").json() == []


def test_no_python_frame_is_added_while_the_worker_is_busy(serve: Serve) -> None:
    server = serve(FRAMES)
    with server.connect() as connection:
        connection.sendall((GET.format("/def") * 50 + GET.format("/async") * 50).encode())
        received = b""
        while received.count(b"HTTP/1.1 200 ") < 100 or not received.endswith(b"[]"):
            chunk = connection.recv(65536)
            assert chunk
            received += chunk
    assert received.count(b"\r\n\r\n[]") == 100


def test_serving_calls_no_python_function_but_the_handler(serve: Serve) -> None:
    server = serve(CALLS)
    server.get("/async")  # asyncio asks once for a type whether it is a coroutine's
    server.get("/watch")
    for _ in range(5):
        assert server.get("/def").json() == {"n": 1}
        assert server.get("/async").body == b"text"
        assert server.get("/users/7").json() == {"id": "7"}
        assert server.post("/body", b"[1]").json() == [1]
        assert (server.get("/nothing").status, server.post("/def", b"").status) == (404, 405)
    # The loop's turns are no part of a request.
    others = ("seen", "PrivateMethods._run_once")
    called = [name for name in server.get("/called").json() if name not in others]
    assert called == ["plain", "eager", "parameter", "body"] * 5


def test_no_signature_is_inspected_while_requests_are_served(serve: Serve) -> None:
    server = serve(INSPECTION)
    first = server.get("/def").json()
    assert min(first.values()) >= 2  # the spy sees what happens at start: it would see it later
    for _ in range(20):
        assert server.get("/async").json() == first
        assert server.get("/def").json() == first
