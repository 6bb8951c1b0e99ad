"""The header field in which answers tell the id of their request, over real sockets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._compose import compose
from cello._threads import Threads
from cello.errors import StartError
from cello.testing import TestClient

if TYPE_CHECKING:
    from serving import Serve

SOURCE = """
    import asyncio
    from cello import App

    app = App().set_request_id_header("X-Request-ID")

    @app.get("/users/{id:int}")
    def user(request):
        return [request.route, request.request_id]

    @app.get("/set")
    async def replaced(request):
        request.request_id = "given"
        return (request.route, 200, {"x-request-id": "mine"})

    @app.get("/stream")
    async def stream(request):
        yield str(request.request_id)

    @app.get("/fails")
    def fails():
        raise ValueError("no")

    @app.get("/slow", timeout=0.05)
    async def slow():
        await asyncio.Event().wait()

    @app.post("/body", body_limit=2)
    def body():
        return {}

    app.run()
"""

UUID_7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_what_a_handler_answers_tells_the_id(serve: Serve) -> None:
    server = serve(SOURCE)
    route, told = (answer := server.get("/users/7")).json()
    assert route == "/users/{id:int}"
    assert UUID_7.fullmatch(told)
    assert answer.headers["x-request-id"] == told != server.get("/users/7").headers["x-request-id"]
    assert (answer := server.get("/stream")).headers["x-request-id"] == answer.body.decode()
    assert (answer := server.get("/set")).headers["x-request-id"] == "given"
    assert answer.body == b"/set"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/none", None, 404),
        ("DELETE", "/set", None, 405),
        ("POST", "/body", b"long", 413),
        ("GET", "/fails", None, 500),
        ("GET", "/slow", None, 503),
    ],
)
def test_what_no_handler_answers_tells_the_same_id_as_its_body(
    serve: Serve, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = serve(SOURCE).request(method, path, body)
    assert (answer.status, answer.headers["x-request-id"]) == (status, answer.json()["request_id"])


def test_an_answer_without_a_body_tells_it_too(serve: Serve) -> None:
    server = serve(SOURCE)
    for method in ("HEAD", "OPTIONS"):
        assert UUID_7.fullmatch(server.request(method, "/set").headers["x-request-id"]) or method == "HEAD"


def test_to_a_head_that_is_none_there_is_no_id(serve: Serve) -> None:
    answer = serve(SOURCE).exchange(b"GET / HTTP/1.1\r\nno field\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id" not in answer.lower()


def test_unless_it_is_said_no_answer_tells_it() -> None:
    app = App().set_request_id_header("X-Request-ID").set_request_id_header(None)
    with TestClient(app) as client:
        assert "x-request-id" not in client.get("/none").headers


def test_what_cannot_be_its_name_is_refused_at_once() -> None:
    app: Any = App()
    for name, kind, words in (
        ("", ValueError, "'' is no name of a header field"),
        ("X Id", ValueError, "'X Id' is no name of a header field: use letters, digits and hyphens"),
        ("X-Íd", ValueError, "is no name of a header field"),
        ("X-Id\r\nSet-Cookie", ValueError, "is no name of a header field"),
        ("Content-Length", ValueError, "Content-Length has a meaning of its own"),
        ("set-cookie", ValueError, "set-cookie has a meaning of its own"),
        (7, TypeError, "7 is no name of a header field: use a str"),
    ):
        with pytest.raises(kind, match=re.escape(words)):
            app.set_request_id_header(name)
    assert app._request_id_header is None


def test_a_mounted_application_does_not_say_it() -> None:
    app, sub = App(), App().set_request_id_header("X-Request-ID")
    app.mount("/sub", sub)
    with pytest.raises(StartError, match="a mounted application says set_request_id_header, which is for the whole"):
        compose(app, Threads(1))
