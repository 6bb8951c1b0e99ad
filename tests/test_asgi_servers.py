"""`App.asgi` under servers of others, each a process of its own, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cello import App
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span
from serving import PATIENCE_S, Server, free_ports, listens, read_all
from supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

SOURCE = """
    import asyncio
    from pathlib import Path
    from cello import App, LimitsConfig

    app = App().set_limits(LimitsConfig(max_body_size=1_000_000))
    go_on = asyncio.Event()

    @app.on_event("startup")
    async def start():
        Path("started").touch()

    @app.on_event("shutdown")
    async def stop():
        Path("stopped").touch()

    @app.get("/")
    def hello(request):
        return {"client": request.client_ip, "host": request.host}

    @app.post("/echo")
    async def echo(request):
        return await request.body()

    @app.get("/number/{n}")
    def number(request, n: int):
        return {"n": n}

    @app.get("/where/{name}")
    def where(request):
        return [request.root_path, request.path, request.url]

    @app.get("/stream")
    async def stream():
        go_on.clear()
        yield b"first"
        await go_on.wait()
        yield b"second"

    @app.get("/go-on")
    async def release():
        go_on.set()

    @app.get("/hang")
    async def hang():
        Path("hanging").touch()
        try:
            await asyncio.Event().wait()
        finally:
            Path("left").touch()
"""

TARGET = "served:app.asgi"
COMMANDS: dict[str, Callable[[int], list[str]]] = {
    "uvicorn": lambda port: ["uvicorn", TARGET, "--port", str(port)],
    "granian": lambda port: ["granian", TARGET, "--interface", "asgi", "--port", str(port)],
    "hypercorn": lambda port: ["hypercorn", TARGET, "--bind", f"127.0.0.1:{port}"],
}

UNDER = {"uvicorn": "--root-path", "granian": "--url-path-prefix", "hypercorn": "--root-path"}


@pytest.fixture(params=COMMANDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path) as server:
        yield server


@contextmanager
def running(name: str, tmp_path: Path, *options: str) -> Generator[Server]:
    """The application under a server of others."""
    (tmp_path / "served.py").write_text(textwrap.dedent(SOURCE))
    (port,) = free_ports(1)
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *COMMANDS[name](port), *options],
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "output").read_text()
        yield Server(process, port=port)
    finally:
        with suppress(ProcessLookupError):  # a test may have stopped it
            os.killpg(process.pid, signal.SIGKILL)  # its workers, too
        process.wait()


def test_requests_are_answered_and_refused_as_by_our_own_server(server: Server) -> None:
    assert server.get("/").json() == {"client": "127.0.0.1", "host": f"127.0.0.1:{server.port}"}
    assert server.post("/echo", b"x" * 300_000).body == b"x" * 300_000
    head = server.request("HEAD", "/")
    assert (head.status, head.body) == (200, b"")
    assert server.get("/none").status == 404
    assert server.request("PUT", "/echo").status == 405
    assert server.post("/echo", b"x" * 1_000_001).status == 413
    assert server.get("/number/x").status == 422


@pytest.mark.parametrize("name", COMMANDS)
def test_the_path_that_a_server_has_the_application_under_is_known(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path, UNDER[name], "/in a") as server:
        url = f"http://127.0.0.1:{server.port}/in%20a/where/x%20y"
        assert server.get("/where/x%20y").json() == ["/in a", "/where/x y", url]


def test_the_life_of_the_application_is_that_of_the_server(server: Server, tmp_path: Path) -> None:
    server.get("/")
    assert (tmp_path / "started").exists()
    assert not (tmp_path / "stopped").exists()
    server.send_signal(signal.SIGTERM)
    server.process.wait(PATIENCE_S)
    assert (tmp_path / "stopped").exists()


def test_a_streamed_answer_arrives_piece_by_piece(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += connection.recv(4096)
        assert b"second" not in received
        server.get("/go-on")
        assert b"second" in read_all(connection)


def test_a_client_that_leaves_has_its_handler_cancelled(server: Server, tmp_path: Path) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((tmp_path / "hanging").exists)
    wait_until((tmp_path / "left").exists)


def test_opentelemetry_records_the_requests() -> None:
    app = App()

    @app.get("/fine/{name}")
    async def fine() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"span": get_current_span().get_span_context().span_id}

    @app.get("/bad")
    async def bad() -> None:
        raise LookupError("a failure")

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = OpenTelemetryMiddleware(app.asgi, tracer_provider=provider, exclude_spans=["receive", "send"])

    async def main() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=traced)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            return [await client.get(path) for path in ("/fine/x", "/bad")]

    answers = asyncio.run(main())
    assert [answer.status_code for answer in answers] == [200, 500]
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["GET /fine/x", "GET /bad"]
    assert [span.status.status_code for span in spans] == [StatusCode.UNSET, StatusCode.ERROR]
    assert [dict(span.attributes or {})["http.status_code"] for span in spans] == [200, 500]
    context = spans[0].get_span_context()
    assert context is not None
    assert json.loads(answers[0].content) == {"span": context.span_id}
