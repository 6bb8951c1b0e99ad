"""Request ids in answers, from trusted proxies, in the context and in logs; over real sockets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from cello import App, Request
from cello._compose import compose
from cello._threads import Threads
from cello.errors import StartError
from cello.testing import TestClient
from cello_observability.request_id import enable

if TYPE_CHECKING:
    from serving import Serve

SOURCE = """
    import asyncio
    from cello import App

    app = App()
    app.set_trusted_proxies({proxies})
    app.enable_request_id(**{arguments})

    def has_task():
        return asyncio._get_running_loop() is not None and asyncio.current_task() is not None

    @app.get("/def")
    def handler(request):
        return {"id": request.request_id, "context": request.context["request_id"], "has_task": has_task()}

    @app.get("/async")
    async def waiting(request):
        return {"id": request.request_id, "context": request.context["request_id"], "has_task": has_task()}

    @app.get("/blocking", blocking=True)
    def blocking(request):
        return {"id": request.request_id, "context": request.context["request_id"], "has_task": False}

    @app.get("/stream")
    async def stream(request):
        for _ in range(3):
            yield request.context["request_id"]
            await asyncio.sleep(0)

    @app.get("/fails")
    def fails():
        raise ValueError("no")

    @app.get("/number")
    def number(n: int):
        return n

    @app.post("/body", body_limit=2)
    def body():
        return {}

    @app.get("/after")
    async def after(request):
        request.add_background_task(lambda: print("background", request.context["request_id"], flush=True))
        return {}

    app.run()
"""

UUID_7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def source(**arguments: object) -> str:
    """The application, with the arguments of `enable_request_id`."""
    return SOURCE.replace("{arguments}", repr(arguments)).replace("{proxies}", "[]")


def trusting(**arguments: object) -> str:
    """The application, where the client is a trusted proxy."""
    return SOURCE.replace("{arguments}", repr(arguments)).replace("{proxies}", "['127.0.0.1']")


@pytest.mark.parametrize("path", ["/def", "/async", "/blocking"])
def test_a_handler_and_its_client_know_the_same_id(serve: Serve, path: str) -> None:
    answer = serve(source()).get(path)
    told = answer.json()
    assert UUID_7.fullmatch(told["id"])
    assert answer.headers["x-request-id"] == told["id"] == told["context"]


def test_a_chain_of_def_needs_no_task(serve: Serve) -> None:
    server = serve(source())
    assert [server.get(path).json()["has_task"] for path in ("/def", "/async")] == [False, True]


def test_a_stream_and_what_is_done_after_the_answer_know_it(serve: Serve) -> None:
    server = serve(source())
    answer = server.get("/stream")
    assert answer.body.decode() == answer.headers["x-request-id"] * 3
    told = server.get("/after").headers["x-request-id"]
    assert server.next_line() == f"background {told}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/none", 404),
        ("DELETE", "/def", 405),
        ("POST", "/body", 413),
        ("GET", "/number?n=x", 422),
        ("GET", "/fails", 500),
    ],
)
def test_an_error_tells_it_in_the_header_and_in_the_body(serve: Serve, method: str, path: str, status: int) -> None:
    answer = serve(source()).request(method, path, b"long" if method == "POST" else None)
    assert (answer.status, answer.headers["x-request-id"]) == (status, answer.json()["request_id"])


def test_an_id_from_anybody_is_not_taken(serve: Serve) -> None:
    answer = serve(source()).request("GET", "/def", headers={"X-Request-ID": "forged"})
    assert UUID_7.fullmatch(answer.json()["id"])
    assert answer.headers["x-request-id"] == answer.json()["id"]


def test_an_id_from_a_trusted_proxy_is_the_requests(serve: Serve) -> None:
    server = serve(trusting())
    for path, status in (("/def", 200), ("/async", 200), ("/none", 404), ("/fails", 500)):
        answer = server.request("GET", path, headers={"X-Request-ID": "edge-7"})
        assert (answer.status, answer.headers["x-request-id"]) == (status, "edge-7")
        assert answer.json().get("id", answer.json().get("request_id")) == "edge-7"
    assert "edge-7" in server.stop().stderr


@pytest.mark.parametrize("given", ["a b", 'a"b', "a\\b", "x" * 129, "é", ""])
def test_one_that_does_not_fit_is_not_taken(serve: Serve, given: str) -> None:
    server = serve(trusting())
    told = server.first_answer(
        b"GET /def HTTP/1.1\r\nHost: x\r\nX-Request-ID: " + given.encode() + b"\r\nConnection: close\r\n\r\n"
    )
    assert UUID_7.fullmatch(json.loads(told.partition(b"\r\n\r\n")[2])["id"])


def test_of_two_none_is_taken(serve: Serve) -> None:
    server = serve(trusting())
    two = b"GET /def HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\nX-Request-ID: b\r\nConnection: close\r\n\r\n"
    assert UUID_7.fullmatch(json.loads(server.first_answer(two).partition(b"\r\n\r\n")[2])["id"])


def test_the_header_is_the_one_that_is_named(serve: Serve) -> None:
    server = serve(trusting(header="X-Correlation-ID"))
    answer = server.request("GET", "/def", headers={"X-Correlation-ID": "edge-7", "X-Request-ID": "other"})
    assert answer.headers["x-correlation-id"] == answer.json()["id"] == "edge-7"
    assert "x-request-id" not in answer.headers


def test_incoming_ones_can_be_left(serve: Serve) -> None:
    server = serve(trusting(takes_incoming=False))
    assert UUID_7.fullmatch(server.request("GET", "/def", headers={"X-Request-ID": "edge-7"}).json()["id"])


def test_each_worker_does_it(serve: Serve) -> None:
    server = serve(source(), "--workers", "2")
    ids = {server.get("/def").headers["x-request-id"] for _ in range(8)}
    assert len(ids) == 8
    assert all(UUID_7.fullmatch(one) for one in ids)


def test_the_test_client_sees_it() -> None:
    app = App()
    assert enable(app) is app

    @app.get("/")
    def handler(request: Request) -> str:
        return str(request.context["request_id"])

    with TestClient(app) as client:
        answer = client.get("/")
    assert answer.headers["x-request-id"] == answer.text


def test_what_cannot_be_a_header_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'X Id' is no name of a header field"):
        enable(App(), "X Id")


def test_a_mounted_application_cannot_enable_it_alone() -> None:
    app, sub = App(), enable(App())
    app.mount("/sub", sub)
    with pytest.raises(StartError, match="a mounted application says set_request_id_header"):
        compose(app, Threads(1))


def test_its_middleware_stands_where_the_plugin_says() -> None:
    from cello._middleware import placed
    from cello.middleware import Phase

    app = enable(App())
    assert [(one.name, one.phase) for one in placed(app._middleware, app._plugins)] == [("request_id", Phase.EDGE)]
