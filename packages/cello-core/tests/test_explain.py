"""`cello explain`: what is said of a request is what becomes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cello import _cli
from cello._explained import explain, render
from cello._rehearsal import rehearse
from cello.errors import OptionError
from snapshots import check

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._explained import Explanation
    from serving import Serve

SNAPSHOTS = Path(__file__).parent / "snapshots" / "explain"

SHOP = """
from typing import Annotated

from cello import App, Blueprint, Depends, FormData, Request, TimeoutConfig, UploadedFile
from cello.errors import Conflict, NotFound
from cello.middleware import Phase
from cello.params import Body, Cookie, Header, Query
from cello.routing import IntConstraint
from cello.validation import DTO, MinLength, Required

app = App()
app.enable_body_limit(64 << 10)
app.set_timeouts(TimeoutConfig(idle=20, handler=9))
app.register_singleton("stock", {"violin": 3})


@app.on_event("startup")
def start():
    raise SystemExit("an explanation starts nothing")


async def timing(request, call_next):
    return await call_next(request)


async def session(request, call_next):
    return await call_next(request)


async def audit(request, call_next):
    return await call_next(request)


app.use(timing)
app.add_middleware(session, Phase.IDENTIFY)


@app.before_request
def first(request):
    raise SystemExit("an explanation calls nothing")


@app.after_request
async def last(request, response):
    pass


@app.exception_handler(500)
def failed(request, error):
    return "failed"


def pool(stock=Depends("stock")):
    raise SystemExit("an explanation makes nothing")


async def connection(pool=Depends(pool, scope="app")):
    yield pool


def token(authorization: Annotated[str | None, Header()] = None, session: Annotated[str, Cookie()] = ""):
    return authorization


class User:
    def __init__(self, token: str = Depends(token), connection=Depends(connection)):
        self.token = token


class Order(DTO):
    name = Required(MinLength(2))


users = Blueprint("/users", timeout=5.0, middleware=[audit])


@users.exception_handler(NotFound)
@users.exception_handler(Conflict)
def missing(request, error):
    return "missing"


@users.get("/me")
def me():
    return "me"


@users.get("/{id:int}")
async def user(
    request: Request,
    id: int,
    user: Annotated[User, Depends()],
    connection=Depends(connection),
    again=Depends(token, use_cache=False),
    page: Annotated[int, Query(ge=1)] = 1,
    tags: list[str] | None = None,
):
    return "user"


@users.get("/{name}", constraints={})
def by_name(name):
    return "by name"


@users.delete("/{id}", constraints={"id": IntConstraint()}, timeout=None, middleware=[timing])
def forget(request):
    return "forgotten"


@users.post("/", body_limit=1 << 20)
def add(order: Order, note: Annotated[str, Body(alias="note")] = ""):
    return "added"


@app.post("/pictures")
def picture(form: FormData, title: str, file: UploadedFile):
    return "picture"


@app.post("/films", stream=True, body_limit=None)
async def film(request):
    return "film"


@app.get("/export", blocking=True)
def export():
    return "export"


@app.get("/rows")
def rows():
    yield "rows"


@app.get("/files/{*path}")
def file(request):
    return "file"


app.register_blueprint(users)
app.run()
"""

BARE = """
from cello import App, Blueprint

app = App()
admin = App()
pages = Blueprint()


@app.get("/")
def home():
    return "home"


@app.get("/a/")
def slash():
    return "slash"


@app.get("/a")
def bare():
    return "bare"


@app.head("/a")
def head():
    return "head"


@pages.options("/a")
def options():
    return "options"


@admin.get("/{name:regex([a-z]{2,3})}")
def letters(name: int):
    return "letters"


@admin.exception_handler(404)
def not_there(request, error):
    return "not there"


admin.register_blueprint(pages)
app.mount("/admin", admin)
app.run()
"""

ASGI = """
from cello import App

app = App()


async def other(scope, receive, send):
    raise SystemExit("an explanation calls nothing")


@app.get("/other/own")
def own():
    return "own"


@app.post("/echo", stream=True)
async def echo(request):
    async for piece in request.stream():
        yield piece


app.mount("/other", other)
"""

#: Requests that are explained, by the name of the snapshot.
CASES = {
    "route": ("shop", "GET", "/users/7?page=2"),
    "constraint": ("shop", "GET", "/users/s%C3%A9v"),
    "other-method": ("shop", "PUT", "/users/7"),
    "head": ("shop", "HEAD", "/users/me"),
    "options": ("shop", "OPTIONS", "/users/me"),
    "no-route": ("shop", "GET", "/nowhere"),
    "delete": ("shop", "DELETE", "/users/-7"),
    "body": ("shop", "POST", "/users"),
    "form": ("shop", "POST", "/pictures"),
    "streamed": ("shop", "POST", "/films"),
    "blocking": ("shop", "GET", "/export"),
    "generator": ("shop", "GET", "/rows"),
    "rest": ("shop", "GET", "/files/a/b c/"),
    "native": ("bare", "GET", "/"),
    "native-mounted": ("bare", "GET", "/admin/abc"),
    "mounted-no-route": ("bare", "GET", "/admin/7"),
    "outer-no-route": ("bare", "GET", "/nowhere"),
    "asgi": ("asgi", "POST", "/other/own"),
    "generator-streamed": ("asgi", "POST", "/echo"),
}

SOURCES = {"shop": SHOP, "bare": BARE, "asgi": ASGI}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the applications."""
    for name, source in SOURCES.items():
        (tmp_path / f"{name}.py").write_text(source.lstrip())
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.fixture
def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command says."""
    assert folder.is_dir()

    def run(*words: str) -> str:
        _cli.main(["explain", *words])
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_is_told_as_it_was(told: Callable[..., str], name: str) -> None:
    module, method, path = CASES[name]
    check(SNAPSHOTS / f"{name}.txt", told(method, path, module))


def test_every_snapshot_has_its_request() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} == {*CASES}


def test_json_has_all_that_is_told(told: Callable[..., str]) -> None:
    explained = json.loads(told("get", "/users/7?page=0", "shop:app", "--json"))
    assert (explained["method"], explained["target"], explained["status"]) == ("GET", "/users/7?page=0", None)
    assert explained["considered"][0] == {
        "method": "GET",
        "path": "/users/{id:int}",
        "handler": "user (shop.py:87)",
        "values": {"id": "7"},
        "answers": True,
        "why": "answers",
    }
    given = {parameter["name"]: parameter for parameter in explained["parameters"]}
    assert given["id"] == {"name": "id", "type": "int", "source": "path 'id'", "value": "7"}
    assert given["page"]["value"] == "422: must be at least 1"
    (needed,) = (one for one in explained["dependencies"] if one["parameter"] == "user")
    assert needed["dependencies"][1]["dependencies"][0]["parameters"][0]["source"] == "the singleton 'stock'"
    limits = {bound["name"]: bound for bound in explained["limits"]}
    assert limits["body"] == {"name": "body", "value": 65536, "unit": "bytes", "origin": "the application"}
    assert limits["handler"] == {
        "name": "handler",
        "value": 5.0,
        "unit": "seconds",
        "origin": "timeout= of the blueprint /users",
    }
    assert {step["where"] for step in explained["steps"]} == {"native", "Python"}


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("TRACE", "/", "no route answers TRACE: it would show the client what others added to its request"),
        ("G T", "/", "'G T' is no HTTP method: a method is a name like \"GET\""),
        ("GET", "users", "'users' is no path: it starts with \"/\", as /users/7"),
        ("GET", "http://[::1/", "'http://[::1/' is no URL: Invalid IPv6 URL"),
    ],
)
def test_what_is_no_request_is_refused(folder: Path, method: str, path: str, words: str) -> None:
    assert folder.is_dir()
    with pytest.raises(OptionError) as refused:
        explained("bare", method, path)
    assert str(refused.value) == words


def explained(module: str, method: str, path: str) -> Explanation:
    """The explanation of a request to one of the applications."""
    from cello._target import load

    return explain(rehearse(load(module)[0]), method, path)


def test_a_url_is_as_good_as_its_path(folder: Path) -> None:
    assert folder.is_dir()
    explanation = explained("bare", "GET", "http://localhost:8000/a/?x=1#y")
    assert (explanation.target, explanation.handler) == ("/a/?x=1", "slash (bare.py:13)")
    assert explained("bare", "GET", "http://localhost").target == "/"


ANSWERED = [
    "GET /",
    "GET /a",
    "GET /a/",
    "HEAD /a",
    "HEAD /a/",
    "OPTIONS /a",
    "OPTIONS /admin/a",
    "DELETE /a",
    "GET /admin/abc",
    "GET /admin/ABC",
    "GET /admin/%61bc/",
    "GET /admin",
    "GET //",
    "OPTIONS /nowhere",
]


def test_what_is_said_to_answer_answers(serve: Serve, folder: Path) -> None:
    server = serve(BARE.replace("name: int", "name: str"))
    rehearsal = rehearse(load_bare(folder))
    for asked in ANSWERED:
        method, path = asked.split()
        explanation = explain(rehearsal, method, path)
        reply = server.request(method, path)
        if explanation.status is None:
            assert reply.status == 200, asked
            answered = (explanation.handler or "").partition(" ")[0].replace("_", " ")
            assert method == "HEAD" or reply.body.decode() == answered, asked
        else:
            assert (reply.status, reply.headers.get("allow")) == (explanation.status, explanation.allow), asked
            assert (reply.body == b"not there") == bool(explanation.exception_handlers and reply.status == 404), asked


def load_bare(folder: Path) -> Any:
    """The second application."""
    from cello._target import load

    (folder / "bare.py").write_text(BARE.lstrip())
    return load("bare")[0]


def test_nothing_is_wider_than_a_screen(folder: Path) -> None:
    assert folder.is_dir()
    for module, method, path in CASES.values():
        longest = max(map(len, render(explained(module, method, path)).splitlines()))
        assert longest <= 120
