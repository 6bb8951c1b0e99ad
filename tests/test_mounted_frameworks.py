"""Applications of other frameworks under a path: the frameworks themselves, each with what it does in its own way.

All have the same paths, so that each test is one for all of them.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from serving import read_all

if TYPE_CHECKING:
    from serving import Serve, Server

MIB = 1 << 20

HEAD = """
import asyncio
from cello import App

app = App()
app.enable_body_limit(1 << 30)
seen = asyncio.Queue()
go = asyncio.Event()


@app.get("/seen")
async def get_seen(request):
    return await seen.get()


@app.get("/go")
def let_go(request) -> None:
    go.set()


@app.get("/m/own")
def own(request):
    return "own"


async def marked(request, call_next):
    response = await call_next(request)
    response.headers["x-marked"] = request.path
    return response


app.use(marked)


async def pieces():
    yield "first"
    await go.wait()
    yield "second"


async def for_ever():
    try:
        yield "first"
        await asyncio.get_running_loop().create_future()
    finally:
        seen.put_nowait("left")


async def many():
    for _ in range(1024):
        yield "x" * 65536
"""

STARLETTE = """
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Mount, Route


async def tell(request):
    return JSONResponse({"url": str(request.url), "item": str(request.url_for("item", id=7)), "up": request.state.up})


async def item(request):
    return PlainTextResponse(request.path_params["id"])


async def redirect(request):
    return RedirectResponse(request.url_for("item", id=7))


async def count(request):
    request.session["n"] = request.session.get("n", 0) + 1
    response = PlainTextResponse(str(request.session["n"]))
    response.set_cookie("other", "1")
    return response


async def upload(request):
    count = 0
    async for piece in request.stream():
        count += len(piece)
    return JSONResponse(count)


async def form(request):
    async with request.form() as form:
        return JSONResponse([form["name"], len(await form["file"].read())])


async def later(request):
    async def work():
        await go.wait()
        seen.put_nowait("worked")

    return PlainTextResponse("done", background=BackgroundTask(work))


async def error(request):
    raise ValueError("its own")


def stream(make):
    async def answer(request):
        return StreamingResponse(make())

    return answer


async def file(request):
    return FileResponse(__file__)


class Base(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-base"] = "1"
        return response


@asynccontextmanager
async def lifespan(application):
    print("up", flush=True)
    yield {"up": True}
    print("down", flush=True)


mounted = Starlette(
    routes=[
        Route("/tell", tell),
        Route("/items/{id}", item, name="item"),
        Route("/redirect", redirect),
        Route("/slash/", tell),
        Route("/count", count),
        Route("/upload", upload, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/later", later),
        Route("/error", error),
        Route("/pieces", stream(pieces)),
        Route("/for-ever", stream(for_ever)),
        Route("/many", stream(many)),
        Route("/file", file),
        Mount("/base", Starlette(
            routes=[Route("/pieces", stream(pieces)), Route("/for-ever", stream(for_ever))],
            middleware=[Middleware(Base)],
        )),
        Mount("/gzip", Starlette(routes=[Route("/file", file)], middleware=[Middleware(GZipMiddleware)])),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key="key")],
    lifespan=lifespan,
)
"""

FASTAPI = """
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Cookie, FastAPI, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse


@asynccontextmanager
async def lifespan(application):
    print("up", flush=True)
    yield {"up": True}
    print("down", flush=True)


mounted = FastAPI(lifespan=lifespan)


@mounted.get("/tell")
async def tell(request: Request):
    return {"url": str(request.url), "item": str(request.url_for("item", id=7)), "up": request.state.up}


@mounted.get("/items/{id}", response_class=PlainTextResponse)
def item(id: int):
    return str(id)


@mounted.get("/redirect")
async def redirect(request: Request):
    return RedirectResponse(request.url_for("item", id=7))


@mounted.get("/slash/")
async def slash(request: Request):
    return await tell(request)


@mounted.get("/count", response_class=PlainTextResponse)
def count(response: Response, n: Annotated[int, Cookie()] = 0):
    response.set_cookie("n", str(n + 1))
    response.set_cookie("other", "1")
    return str(n + 1)


@mounted.post("/upload")
async def upload(request: Request):
    count = 0
    async for piece in request.stream():
        count += len(piece)
    return count


@mounted.post("/form")
async def form(name: Annotated[str, Form()], file: UploadFile):
    return [name, len(await file.read())]


@mounted.get("/later", response_class=PlainTextResponse)
async def later(tasks: BackgroundTasks):
    async def work():
        await go.wait()
        seen.put_nowait("worked")

    tasks.add_task(work)
    return "done"


@mounted.get("/error")
async def error():
    raise ValueError("its own")


@mounted.get("/pieces")
async def get_pieces():
    return StreamingResponse(pieces())


@mounted.get("/for-ever")
async def get_for_ever():
    return StreamingResponse(for_ever())


@mounted.get("/many")
async def get_many():
    return StreamingResponse(many())
"""

DJANGO = """
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect as redirected
from django.urls import path, reverse

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    LOGGING_CONFIG=None,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="key",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)


async def tell(request):
    return JsonResponse({
        "url": request.build_absolute_uri(), "item": request.build_absolute_uri(reverse("item", args=[7])), "up": True
    })


def item(request, id):
    return HttpResponse(str(id))


def redirect(request):
    return redirected("item", 7)


def count(request):
    request.session["n"] = request.session.get("n", 0) + 1
    response = HttpResponse(str(request.session["n"]))
    response.set_cookie("other", "1")
    return response


async def upload(request):
    count = 0
    while piece := request.read(65536):
        count += len(piece)
    return JsonResponse(count, safe=False)


def form(request):
    return JsonResponse([request.POST["name"], request.FILES["file"].size], safe=False)


def error(request):
    raise ValueError("its own")


def stream(make):
    async def answer(request):
        return StreamingHttpResponse(make())

    return answer


urlpatterns = [
    path("tell", tell),
    path("items/<int:id>", item, name="item"),
    path("redirect", redirect),
    path("slash/", tell),
    path("count", count),
    path("upload", upload),
    path("form", form),
    path("error", error),
    path("pieces", stream(pieces)),
    path("for-ever", stream(for_ever)),
    path("many", stream(many)),
]
mounted = get_asgi_application()
"""

LITESTAR = """
from contextlib import asynccontextmanager
from typing import Annotated

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie, UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from litestar.response import Redirect, Stream


@asynccontextmanager
async def lifespan(application):
    print("up", flush=True)
    application.state.up = True
    yield
    print("down", flush=True)


@get("/tell")
async def tell(request: Request) -> dict[str, object]:
    return {"url": str(request.url), "item": request.url_for("item", id=7), "up": request.app.state.up}


@get("/items/{id:int}", name="item", media_type=MediaType.TEXT)
async def item(id: int) -> str:
    return str(id)


@get("/redirect")
async def redirect(request: Request) -> Redirect:
    return Redirect(request.url_for("item", id=7))


@get("/count", media_type=MediaType.TEXT)
async def count(n: Annotated[int, Parameter(cookie="n", default=0)]) -> Response[str]:
    return Response(str(n + 1), cookies=[Cookie("n", value=str(n + 1)), Cookie("other", value="1")])


@post("/upload", status_code=200, request_max_body_size=None)
async def upload(request: Request) -> int:
    count = 0
    async for piece in request.stream():
        count += len(piece)
    return count


@post("/form", status_code=200)
async def form(data: Annotated[dict[str, object], Body(media_type=RequestEncodingType.MULTI_PART)]) -> list[object]:
    return [data["name"], len(await data["file"].read())]


@get("/later", media_type=MediaType.TEXT)
async def later() -> Response[str]:
    async def work() -> None:
        await go.wait()
        seen.put_nowait("worked")

    return Response("done", background=BackgroundTask(work))


@get("/error")
async def error() -> None:
    raise ValueError("its own")


@get("/pieces")
async def get_pieces() -> Stream:
    return Stream(pieces())


@get("/for-ever")
async def get_for_ever() -> Stream:
    return Stream(for_ever())


@get("/many")
async def get_many() -> Stream:
    return Stream(many())


mounted = Litestar(
    [tell, item, redirect, count, upload, form, later, error, get_pieces, get_for_ever, get_many], lifespan=[lifespan]
)
"""

ALL = {"starlette": STARLETTE, "fastapi": FASTAPI, "django": DJANGO, "litestar": LITESTAR}

each = pytest.mark.parametrize("name", list(ALL))


def mount(serve: Serve, name: str) -> Server:
    """Serves a framework's application under /m."""
    return serve(f'{HEAD}\n{ALL[name]}\napp.mount("/m", mounted)\napp.run()\n')


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def until(connection: socket.socket, part: bytes) -> bytes:
    """What comes up to a part that is known."""
    received = b""
    while part not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


@each
def test_addresses_lead_to_where_it_is_mounted(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    told = server.get("/m/tell?a=%20b")
    assert told.headers["x-marked"] == "/m/tell"
    assert told.json() == {"url": f"{server.url}/m/tell?a=%20b", "item": f"{server.url}/m/items/7", "up": True}
    redirected = server.get("/m/redirect")
    assert redirected.status in (302, 307)
    assert redirected.headers["location"].removeprefix(server.url) == "/m/items/7"
    assert server.get("/m/items/7").body == b"7"
    assert {path: server.get(path).status for path in ("/m/items/no", "/m/no", "/tell", "/m/own")} == {
        "/m/items/no": 200 if name == "starlette" else 422 if name == "fastapi" else 404,
        "/m/no": 404,
        "/tell": 404,
        "/m/own": 200,
    }
    assert server.request("HEAD", "/m/items/7").body == b""
    assert server.stop().exit_code == 0


@pytest.mark.parametrize("name", ["starlette", "fastapi", "django"])
def test_its_own_redirect_to_a_slash_keeps_the_prefix(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    redirected = server.get("/m/slash")
    assert redirected.status in (301, 307)
    assert redirected.headers["location"].removeprefix(server.url) == "/m/slash/"
    assert server.get("/m/slash/").json()["url"] == f"{server.url}/m/slash/"


@each
def test_cookies_go_both_ways(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    cookies: dict[str, str] = {}
    for expected in (b"1", b"2", b"3"):
        connection = http.client.HTTPConnection(server.host, server.port)
        connection.request("GET", "/m/count", headers={"cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())})
        response = connection.getresponse()
        assert response.read() == expected
        set_cookies = response.headers.get_all("set-cookie")
        assert set_cookies is not None
        assert len(set_cookies) == 2
        for line in set_cookies:
            key, _, value = line.partition(";")[0].partition("=")
            cookies[key] = value
        connection.close()


@pytest.mark.parametrize(("name", "path"), [*((name, "pieces") for name in ALL), ("starlette", "base/pieces")])
def test_a_stream_arrives_piece_by_piece(serve: Serve, name: str, path: str) -> None:
    server = mount(serve, name)
    with server.connect() as connection:
        connection.sendall(get(f"/m/{path}"))
        assert b"x-marked" in until(connection, b"first")
        server.get("/go")
        assert read_all(connection).endswith(b"6\r\nsecond\r\n0\r\n\r\n")
    assert server.stop().stderr == ""


@each
def test_a_client_that_does_not_read_costs_little(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    assert server.get("/m/tell").status == 200
    before = server.resident_bytes()
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(get("/m/many"))
        until(connection, b"x")
        for _ in range(50):
            assert server.get("/m/items/7").body == b"7"
        assert server.resident_bytes() - before < 32 * MIB
        assert len(read_all(connection)) > 60 * MIB


@each
def test_an_upload_arrives_whole(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    assert server.get("/m/tell").status == 200
    before = server.resident_bytes()
    assert server.post("/m/upload", b"x" * (64 * MIB)).json() == 64 * MIB
    assert server.resident_bytes() - before < 48 * MIB
    part = '--x\r\ncontent-disposition: form-data; name="{0}"{1}\r\n\r\n'
    body = f"{part.format('name', '')}Alice\r\n{part.format('file', '; filename=f')}".encode() + b"y" * 3_000_000
    form = server.post("/m/form", body + b"\r\n--x--\r\n", {"content-type": "multipart/form-data; boundary=x"})
    assert form.json() == ["Alice", 3_000_000]


@pytest.mark.parametrize("name", ["starlette", "fastapi", "litestar"])
def test_work_in_the_background_comes_after_the_answer(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    assert server.get("/m/later").body == b"done"
    server.get("/go")
    assert server.get("/seen").body == b"worked"
    assert server.stop().stderr == ""


@pytest.mark.parametrize(("name", "path"), [*((name, "for-ever") for name in ALL), ("starlette", "base/for-ever")])
def test_it_notices_that_a_client_leaves(serve: Serve, name: str, path: str) -> None:
    server = mount(serve, name)
    connection = server.connect()
    connection.sendall(get(f"/m/{path}"))
    until(connection, b"first")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert server.get("/seen").body == b"left"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


@pytest.mark.parametrize("name", ["starlette", "fastapi", "litestar"])
def test_its_lifespan_comes_within_ours(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    assert server.banner[0] == "up\n"
    assert server.stop().stdout.splitlines()[-1] == "down"


@each
def test_its_errors_are_answered_by_itself_and_logged(serve: Serve, name: str) -> None:
    server = mount(serve, name)
    answer = server.get("/m/error")
    assert answer.status == 500
    assert answer.headers["x-marked"] == "/m/error"
    assert server.get("/m/items/7").body == b"7"
    stopped = server.stop()
    if name in ("starlette", "fastapi"):  # others log it themselves, or not at all
        assert re.search(r"GET /m/error failed \(request .*\nValueError: its own", stopped.stderr)


@pytest.mark.parametrize("path", ["/m/file", "/m/gzip/file"])
def test_a_file_of_starlette_s_is_sent_whole_and_in_part(serve: Serve, path: str) -> None:
    server = mount(serve, "starlette")
    whole = server.get(path)
    assert (whole.status, int(whole.headers["content-length"])) == (200, len(whole.body))
    assert b"FileResponse(__file__)" in whole.body
    part = server.request("GET", path, headers={"range": "bytes=1-3"})
    assert (part.status, part.body) == (206, whole.body[1:4])
    assert server.request("GET", path, headers={"if-none-match": whole.headers["etag"]}).status in (200, 304)


def test_fastapi_s_document_names_the_prefix(serve: Serve) -> None:
    server = mount(serve, "fastapi")
    assert server.get("/m/openapi.json").json()["servers"] == [{"url": "/m"}]
    assert b"'/m/openapi.json'" in server.get("/m/docs").body.replace(b'"', b"'")
    assert server.request("GET", "/m/items/no").json()["detail"][0]["loc"] == ["path", "id"]


WSGI = {
    "flask": """
from flask import Flask, Response, jsonify, request, url_for

wsgi = Flask(__name__)

@wsgi.get("/tell")
def tell():
    return jsonify(url=request.url, item=url_for("item", id=7))

@wsgi.get("/items/<int:id>")
def item(id):
    return str(id)

@wsgi.post("/upload")
def upload():
    count = 0
    while piece := request.stream.read(65536):
        count += len(piece)
    return jsonify(count)

@wsgi.get("/many")
def many():
    return Response(b"x" * 65536 for _ in range(1024))

@wsgi.get("/pieces")
def pieces():
    def make():
        yield b"first"
        gone.wait()
        yield b"second"
    return Response(make())

@wsgi.get("/error")
def error():
    raise ValueError("its own")
""",
    "django": """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse

settings.configure(
    ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, ROOT_URLCONF=__name__, SECRET_KEY="key",
    DATA_UPLOAD_MAX_MEMORY_SIZE=None, MIDDLEWARE=[],
)

def tell(request):
    return JsonResponse({"url": request.build_absolute_uri(), "item": reverse("item", args=[7])})

def item(request, id):
    return HttpResponse(str(id))

def upload(request):
    count = 0
    while piece := request.read(65536):
        count += len(piece)
    return JsonResponse(count, safe=False)

def many(request):
    return StreamingHttpResponse(b"x" * 65536 for _ in range(1024))

def pieces(request):
    def make():
        yield b"first"
        gone.wait()
        yield b"second"
    return StreamingHttpResponse(make())

def error(request):
    raise ValueError("its own")

urlpatterns = [
    path("tell", tell), path("items/<int:id>", item, name="item"), path("upload", upload), path("many", many),
    path("pieces", pieces), path("error", error),
]
wsgi = get_wsgi_application()
""",
}


@pytest.mark.parametrize("name", list(WSGI))
def test_an_application_of_wsgi_is_mounted_by_its_adapter(serve: Serve, name: str) -> None:
    server = serve(
        f"""
import threading
from a2wsgi import WSGIMiddleware
from cello import App

app = App()
app.enable_body_limit(1 << 30)
gone = threading.Event()

@app.get("/go")
def go(request):
    gone.set()

{WSGI[name]}

app.mount("/legacy", WSGIMiddleware(wsgi))
app.run()
"""
    )
    told = server.get("/legacy/tell?a=1").json()
    assert told == {"url": f"{server.url}/legacy/tell?a=1", "item": "/legacy/items/7"}
    before = server.resident_bytes()
    assert server.post("/legacy/upload", b"x" * (32 * MIB)).json() == 32 * MIB
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(get("/legacy/many"))
        until(connection, b"x")
        for _ in range(20):
            assert server.get("/legacy/items/7").body == b"7"
        assert server.resident_bytes() - before < 48 * MIB
        assert len(read_all(connection)) > 60 * MIB
    with server.connect() as connection:
        connection.sendall(get("/legacy/pieces"))
        until(connection, b"first")
        server.get("/go")
        assert b"second" in read_all(connection)
    for _ in range(12):  # more than the adapter has threads
        connection = server.connect()
        connection.sendall(get("/legacy/many"))
        until(connection, b"x")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert server.get("/legacy/error").status == 500
    assert server.get("/legacy/items/7").body == b"7"
    assert server.stop().exit_code == 0


def test_the_answers_of_json_are_the_same_bytes(serve: Serve) -> None:
    server = mount(serve, "fastapi")
    assert server.get("/m/tell").body == json.dumps(server.get("/m/tell").json(), separators=(",", ":")).encode()
