"""Responses of every kind, and what handlers return."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

from cello import App, Request, Response

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


@app.get("/with-status")
def with_status() -> tuple[dict[str, str], int, dict[str, str]]:
    return {"a": "b"}, 201, {"x-served-by": "cello"}
