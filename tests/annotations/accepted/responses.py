"""Responses of every kind, errors, work in the background, and the loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import cello.loop
from cello import App, BackgroundTasks, ProblemDetails, Request, Response
from cello.errors import (
    BadRequest,
    CelloError,
    HTTPError,
    MalformedJSON,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
)
from cello.loop import EventLoop

app = App()


def pieces() -> Iterator[bytes | str]:
    yield b"piece"
    yield "piece"


async def rows() -> AsyncIterator[str]:
    yield "row\n"


def responses(folder: Path, request: Request) -> list[Response]:
    return [
        Response(),
        Response({"a": 1}, 201, {"x-served-by": "cello"}, "application/json"),
        Response.json([1, 2.5, None], status=201, headers=[("x-served-by", "cello")]),
        Response.json({1: datetime.now(UTC)}),
        Response.text("text", headers=request.headers),
        Response.html("<h1>Hello</h1>", headers=Response.text("").headers),
        Response.xml({"a": [1]}, root_name="list"),
        Response.xml(b"<a/>"),
        Response.binary(memoryview(b"bytes"), content_type="image/png"),
        Response.redirect("/elsewhere", permanent=True),
        Response.no_content(),
        Response.created({"id": 7}, location="/users/7"),
        Response.error(409, "Sold out.", title="Sold out", left=0),
        Response.file(folder / "report.pdf", filename="Report.pdf"),
        Response.sendfile("logo.svg", content_type="image/svg+xml"),
        Response.file_range("film.mp4", request.headers.get("range")),
        Response.stream(pieces()),
        Response.stream(rows(), content_type="text/csv"),
        Response.stream([b"one", b"two"]),
    ]


def change(response: Response) -> Response:
    assert_type(response.status, int)
    response.status = 201
    response.headers["x-served-by"] = "cello"
    assert_type(response.headers["x-served-by"], str)
    assert_type(response.headers.get("x-served-by"), str | None)
    assert_type(response.headers.get("x-served-by", ""), str)
    del response.headers["x-served-by"]
    response.set_header("x-served-by", "cello")
    response.append_header("x-served-by", "again")
    response.delete_header("x-served-by")
    response.set_cookie("seen", "yes", max_age=3600, secure=True, httponly=True, samesite="none")
    response.set_cookie(
        "seen", max_age=timedelta(days=1), expires=datetime.now(UTC), http_only=True, same_site="Strict"
    )
    response.delete_cookie("seen", path=None, domain="example.org", samesite=None)
    assert_type(response.body(), bytes)
    assert_type(response.content_length(), int | None)
    assert_type(response.content_type(), str | None)
    return response


@app.get("/problem")
def problem() -> ProblemDetails:
    sold_out = ProblemDetails("https://example.org/sold-out", "It is sold out.", 409, detail="No violin is left.")
    assert_type(sold_out.with_extension("next_in_days", 3), ProblemDetails)
    assert_type(sold_out.to_response(), Response)
    assert_type(sold_out.to_json(), str)
    assert_type(sold_out.detail, str | None)
    return sold_out


@app.get("/with-status")
def with_status() -> tuple[dict[str, str], int, dict[str, str]]:
    return {"a": "b"}, 201, {"x-served-by": "cello"}


errors: list[HTTPError] = [
    HTTPError(418, "I am a teapot.", title="Teapot", type="https://example.org/teapot"),
    NotFound(),
    BadRequest("No.", headers={"x-why": "no"}, extensions={"left": 0}),
    MalformedJSON("No.", headers=[("x-why", "no")]),
    Unauthorized(challenge='Basic realm="cello"'),
    MethodNotAllowed(allow=["GET", "HEAD"]),
    UnprocessableContent("No.", errors=[{"detail": "must be positive", "pointer": "#/price"}]),
    TooManyRequests(retry_after_s=2.5),
    ServiceUnavailable("Later.", retry_after_s=10),
]
failures: list[CelloError] = [*errors]
values: list[ValueError] = [MalformedJSON()]
assert_type(errors[0].status, int)
assert_type(errors[0].detail, str | None)
assert_type(errors[0].title, str)
assert_type(errors[0].headers, tuple[tuple[str, str], ...])
assert_type(errors[0].extensions, dict[str, Any])


async def confirm(order: str, copies: int = 1, *, quiet: bool = False) -> None: ...


def tidy() -> int:
    return 0


@app.get("/orders/{id}/confirm")
def confirm_order(request: Request) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(tidy)
    tasks.add_task(confirm, "7", 2, quiet=True)
    tasks.add_task(confirm, "7", copies=2)
    tasks.add_task(confirm, ["7", 2])
    tasks.add_task(print, "done", end="")
    request.add_background_task(confirm, "7", quiet=True)
    assert_type(tasks.pending_count(), int)


async def main() -> int:
    return 7


def run() -> None:
    assert_type(cello.loop.run(main()), int)
    assert_type(cello.loop.run(main(), debug=True), int)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert_type(runner.run(main()), int)
    loop: asyncio.AbstractEventLoop = EventLoop()
    coroutine: Coroutine[Any, Any, int] = main()
    assert_type(loop.run_until_complete(coroutine), int)
    assert_type(EventLoop().time(), float)
    EventLoop().call_soon(confirm_order, Request("GET", "/"))
    EventLoop().call_later(1.5, tidy).cancel()
