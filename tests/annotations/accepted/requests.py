"""Requests: what is taken from one, and what is the value as well as to be awaited."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Literal, assert_type

from cello import App, FormData, Request, UploadedFile, current_request

app = App()


@app.get("/everything/{id}")
def everything(request: Request) -> None:
    assert_type(request.method, str)
    assert_type(request.path, str)
    assert_type(request.root_path, str)
    assert_type(request.params["id"], str)
    assert_type(request.get_param("id"), str | None)
    assert_type(request.get_param("id", "none"), str)
    assert_type(request.get_param_int("id"), int | None)
    assert_type(request.get_param_int("id", 0), int)
    assert_type(request.get_param_int("id", "none"), int | str)
    assert_type(request.query.get("page"), str | None)
    assert_type(request.query.get("page", "1"), str)
    assert_type(request.query.get_all("page"), list[str])
    assert_type(request.query_params["page"], str)
    assert_type(dict(request.query), dict[str, str])
    assert_type(list(request.query), list[str])
    assert_type(request.query.items(), list[tuple[str, str]])
    assert_type("page" in request.query, bool)
    assert_type(request.get_query_param("page", None), str | None)
    assert_type(request.get_query_int("page", 1), int)
    assert_type(request.get_query_float("price"), float | None)
    assert_type(request.get_query_bool("all", False), bool)
    assert_type(request.headers.get("accept", ""), str)
    assert_type(request.headers["accept"], str)
    assert_type(request.get_header("accept"), str | None)
    assert_type(request.cookies, dict[str, str])
    assert_type(request.content_length, int | None)
    assert_type(request.accepts("json"), bool)
    assert_type(request.best_match(["json", "html"]), str | None)
    assert_type(request.scheme, Literal["http", "https"])
    assert_type(request.app, App)
    assert_type(request.state, SimpleNamespace)
    request.state.user = "Alice"


@app.get("/called")
def called(request: Request) -> tuple[str, bool]:
    address: str = request.client_ip
    assert_type(request.client_ip(), str)
    assert_type(request.host(), str)
    assert_type(request.content_type(), str)
    assert_type(request.user_agent(), str)
    assert_type(request.request_id(), str)
    request.request_id = "given"
    assert_type(request.is_from_trusted_proxy, bool)
    assert_type(current_request(), Request | None)
    assert_type(request.is_secure(), bool)
    assert request.is_secure == True  # noqa: E712 - a checker must not hold that it never is
    if not request.is_secure:
        raise RuntimeError(address)
    request.context["user"] = {"name": "Alice"}
    request.context.set("user", 7)
    request.set_context("user", 7)
    request.context.delete("user")
    assert_type(request.context.has("user"), bool)
    assert_type(request.get_context("user"), Any)
    assert_type(request.get_context_string("user"), str | None)
    assert_type(request.server_stopping(), bool)
    if not request.server_stopping:
        raise RuntimeError(address)
    return address, request.disconnected()


@app.post("/body")
async def body(request: Request) -> str:
    here: bytes = request.body()
    there: bytes = await request.body()
    await request.server_stopping
    text: str = request.text()
    awaited: str = await request.text()
    assert_type(request.json(), Any)
    assert_type(await request.json(), Any)
    assert_type(await request.body_async(), bytes)
    assert_type(await request.text_async(), str)
    assert_type(await request.json_async(), Any)
    document: dict[str, int] = request.json()
    return f"{here!r} {there!r} {text} {awaited} {document['id']}"


@app.post("/import", stream=True)
async def take_in(request: Request) -> int:
    assert_type(request.stream(), AsyncIterator[bytes])
    return sum([len(piece) async for piece in request.stream()])


@app.post("/films", stream=True)
async def film(request: Request) -> int:
    total = 0
    async for part in request.parts():
        assert_type(part.name, str)
        assert_type(part.filename, str | None)
        if part.filename is None:
            assert_type(await part.read(), bytes)
        async for piece in part:
            assert_type(piece, bytes)
            total += len(piece)
    return total


@app.post("/profile")
async def profile(request: Request) -> dict[str, Any]:
    assert_type(request.form(), FormData)
    form = await request.form()
    assert_type(form, FormData)
    assert_type(form.get("name"), str | UploadedFile | None)
    assert_type(form.get("name", ""), str | UploadedFile)
    assert_type(form.get_or("name", ""), str | UploadedFile)
    assert_type(form["name"], str | UploadedFile)
    assert_type(form.get_all("name"), list[str | UploadedFile])
    assert_type(form.get_file("picture"), UploadedFile | None)
    assert_type(form.field_names(), list[str])
    assert_type(FormData.parse("multipart/form-data; boundary=x", b""), FormData)
    name = form.get("name")
    if isinstance(name, UploadedFile):
        assert_type(name, UploadedFile)
        name = name.filename
    assert_type(name, str | None)
    for file in await request.files():
        assert_type(file, UploadedFile)
    files: list[UploadedFile] = request.files()
    named: list[UploadedFile] = await form.get_files("picture")
    return {"name": name, "files": len(files) + len(named)}


async def read(file: UploadedFile) -> list[str]:
    here: bytes = file.read(10)
    there: bytes = await file.read()
    text: str = await file.read_text("utf-8")
    place: int = await file.seek(0)
    path: str = await file.save(Path("pictures"))
    assert_type(file.size + file.size(), int)
    assert_type(file.extension(), str | None)
    assert_type(file.temp_path, str | None)
    assert_type(file.file, BinaryIO)
    with file as opened:
        assert_type(opened, UploadedFile)
    lines = [line.decode() for line in file]
    zipfile.ZipFile(file)
    for row in csv.reader(io.TextIOWrapper(file.file, encoding="utf-8")):
        lines += row
    return [*lines, f"{here!r} {there!r} {text} {place} {path}"]


request = Request("GET", "/users/7?page=2", params={"id": 7}, headers={"accept": "text/html"})
Request("POST", "/", query=[("tag", "a"), ("tag", "b")], body={"id": 7}, app=app, client=("192.0.2.1", 50000))
Request("POST", "/", query="a=b", headers=[("x-key", "1")], body=b"", client="192.0.2.1")
