"""What other servers of this kind got wrong: of each mistake, a test that a server with it would fail.

These are shown elsewhere, and so not here:

- parameters of a path that arrive undecoded: `test_a_parameter_is_decoded_after_the_path_was_split` (`test_routing.py`)
- a name that comes twice in a query or a head, of which one value is lost: `test_a_name_may_come_more_than_once`,
  `test_header_fields_are_found_in_any_case_and_keep_their_duplicates` (`test_request.py`)
- a name that comes twice in a form: `test_fields_and_files_come_whole`, `test_a_urlencoded_form_is_read`
  (`test_forms.py`)
- bytes that are no UTF-8, lost on the way out:
  `test_every_kind_is_sent_as_it_was_made_to_get_and_to_head_on_one_connection` (`test_response.py`),
  `test_a_file_is_sent_byte_by_byte_to_get_and_by_its_head_to_head_on_one_connection`,
  `test_a_range_is_answered_with_its_part` (`test_files.py`)
- the path of a file, told in a header field or an error:
  `test_an_attachment_has_a_name_and_what_is_shown_has_none_and_neither_tells_the_path`,
  `test_a_missing_file_is_a_500_that_does_not_tell_the_path` (`test_files.py`)
- a second Set-Cookie that overwrites the first:
  `test_fields_are_sent_in_latin1_and_as_often_as_they_were_given` (`test_response.py`)
- middleware that never sees what no route answers:
  `test_requests_that_are_refused_pass_the_applications_middleware_too` (`test_middleware.py`)
- HEAD and OPTIONS that no route answers, and a 404 where only the method is another:
  `test_head_and_options_are_automatic`,
  `test_an_unknown_path_is_a_404_and_an_unknown_method_a_405_with_allow` (`test_routing.py`)
- numbers that JSON has not, sent as null:
  `test_a_value_that_json_has_not_is_refused_with_the_path_to_it` (`test_json_encode.py`)
- a slash at the end that makes another path:
  `test_a_slash_at_the_end_matters_only_where_both_are_registered` (`test_routing.py`)
- malformed JSON that is a 500:
  `test_malformed_json_is_a_400_with_its_position_unless_the_handler_takes_it` (`test_failures.py`)
- a native panic that ends the worker: `test_a_panic_of_native_code_is_a_500_for_its_request_alone` (`test_failures.py`)
- exceptions that clients are told of in production:
  `test_outside_debug_a_client_learns_nothing_of_an_exception` (`test_errors.py`)
"""

from __future__ import annotations

import re
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from serving import read_all, run_to_its_end

if TYPE_CHECKING:
    from serving import Launch, Serve

CELLO = str(Path(sys.executable).with_name("cello"))


def write(folder: Path, source: str) -> Path:
    """Writes the module of an application."""
    script = folder / "shop.py"
    script.write_text(source)
    return script


def test_what_is_shown_elsewhere_is_there() -> None:
    names = re.findall(r"`(test_\w+)`", __doc__ or "")
    assert len(names) == 19
    for name in names:
        files = [path for path in Path(__file__).parent.glob("test_*.py") if f"\ndef {name}(" in path.read_text()]
        assert len(files) == 1, name
        assert f"`{files[0].name}`" in (__doc__ or "").partition(f"`{name}`")[2].partition("\n- ")[0], name


# --- what no route answers

ONE_ROUTE = """
from cello import App

app = App()

@app.post("/orders")
def order():
    return "ordered"

app.run(port=0, env="production", workers=1)
"""


def test_what_no_route_answers_is_a_request_like_any_other(launch: Launch, tmp_path: Path) -> None:
    server = launch(sys.executable, str(write(tmp_path, ONE_ROUTE)), environment={"CELLO_LOGS": "1"})
    refused = {"/nowhere": 404, "/orders": 405}
    identities: list[uuid.UUID] = []
    for path, status in refused.items():
        for method in ("GET", "DELETE", "MKCOL"):
            reply = server.request(method, path)
            problem = reply.json()
            assert (reply.status, problem["status"], problem["instance"]) == (status, status, path)
            assert reply.headers["content-type"] == "application/problem+json"
            identities.append(uuid.UUID(problem["request_id"]))
        headed = server.request("HEAD", path)
        assert (headed.status, headed.body) == (status, b"")
        assert headed.headers["content-length"] == str(len(server.get(path).body))
    assert (server.request("OPTIONS", "/nowhere").status, server.request("OPTIONS", "/orders").status) == (404, 204)
    assert {identity.version for identity in identities} == {7}
    assert len({*identities}) == 6
    logged = [line.partition("] ")[2].rpartition(" (")[0] for line in server.stop().stdout.splitlines()[1:]]
    methods = ["GET", "DELETE", "MKCOL", "HEAD", "GET"]
    assert logged == [
        *(f"{method} {path} → {status}" for path, status in refused.items() for method in methods),
        "OPTIONS /nowhere → 404",
        "OPTIONS /orders → 204",
    ]


# --- bodies

ECHO = """
    from cello import App, Response

    app = App()

    def echo(request):
        return Response.binary(request.body(), headers={"x-body": request.body().hex()})

    app.route("/", methods=["GET", "OPTIONS", "DELETE", "POST"])(echo)
    app.head("/own")(echo)

    @app.route("/awaited", methods=["GET", "OPTIONS", "DELETE", "POST"])
    async def awaited(request):
        return echo(request) if await request.body() == b"".join([piece async for piece in request.stream()]) else None

    app.run()
"""
BODY = b"\xff\x00 is kept"


@pytest.mark.parametrize("path", ["/", "/awaited"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_is_kept_whatever_the_method(serve: Serve, path: str, framing: str) -> None:
    server = serve(ECHO)
    sent, field = BODY, f"Content-Length: {len(BODY)}"
    if framing == "chunks":
        sent = b"2\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (BODY[:2], len(BODY) - 2, BODY[2:])
        field = "Transfer-Encoding: chunked"
    methods = [("GET", path), ("DELETE", path), ("OPTIONS", path), ("HEAD", path), ("HEAD", "/own")]
    with server.connect() as connection, connection.makefile("rb") as answers:
        for method, target in methods:
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n".encode() + sent)
            head = b"".join(iter(answers.readline, b"\r\n"))
            assert head.startswith(b"HTTP/1.1 200 "), method
            assert f"x-body: {BODY.hex()}\r\n".encode() in head, method
            assert method == "HEAD" or answers.read(len(BODY)) == BODY


# --- header fields

MIRROR = """
    from cello import App, Response
    from cello.errors import HTTPError

    app = App()
    made = Response.text("made once")

    def set_header(word):
        response = Response.text("")
        response.set_header("x-word", word)
        return response

    def append_header(word):
        response = Response.text("")
        response.append_header("x-word", word)
        return response

    def item(word):
        response = Response.text("")
        response.headers["x-word"] = word
        return response

    def cookie(word):
        response = Response.text("")
        response.set_cookie("word", word)
        return response

    def error(word):
        raise HTTPError(409, "No.", headers={"x-word": word})

    ways = {
        "set_header": set_header,
        "append_header": append_header,
        "item": item,
        "cookie": cookie,
        "error": error,
        "given": lambda word: Response.text("", headers={"x-word": word}),
        "tuple": lambda word: ("", 200, {"x-word": word}),
        "response in a tuple": lambda word: (made, 200, {"x-word": word}),
        "type": lambda word: Response.binary(b"", word),
        "redirect": lambda word: Response.redirect(word),
        "created": lambda word: Response.created({}, location=word),
        "filename": lambda word: Response.file(__file__, filename=word),
    }

    @app.post("/{way}")
    def mirror(request):
        return ways[request.params["way"]](request.text())

    app.run(env="production", workers=1)
"""


@pytest.mark.parametrize(
    "way",
    [
        "set_header",
        "append_header",
        "item",
        "cookie",
        "error",
        "given",
        "tuple",
        "response in a tuple",
        "type",
        "redirect",
        "created",
        "filename",
    ],
)
def test_a_client_cannot_break_out_of_a_header_field(serve: Serve, way: str) -> None:
    server = serve(MIRROR)
    path = quote(f"/{way}")
    assert server.post(path, b"fine").status in (200, 201, 302, 409)
    for line_break in (b"\r\n", b"\n", b"\r"):
        reply = server.post(path, b"fine" + line_break + b"x-injected: yes")
        assert reply.status == 500
        assert "x-injected" not in reply.headers
        assert not [value for value in reply.headers.values() if "fine" in value]


# --- JSON

KINDS = """
    from dataclasses import dataclass
    from datetime import UTC, date, datetime, time, timedelta
    from decimal import Decimal
    from enum import Enum, IntEnum
    from uuid import UUID

    import pydantic
    from cello import App, Response

    app = App()
    key = UUID("018f5a3c-7d2e-7abc-8def-0123456789ab")
    day = date(2026, 1, 2)

    class Colour(Enum):
        RED = "red"

    class Level(IntEnum):
        LOW = 1

    @dataclass
    class Item:
        id: UUID
        price: Decimal

    class User(pydantic.BaseModel):
        id: UUID
        born: date
        tags: set[str] = {"new"}

    values = {
        "datetime": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "date": day,
        "time": time(3, 4),
        "timedelta": timedelta(hours=1, seconds=0.5),
        "uuid": key,
        "decimal": Decimal("0.10000000000000000555000"),
        "integer": 2**70 + 1,
        "dataclass": Item(key, Decimal("1.10")),
        "enum": [Colour.RED, Level.LOW],
        "set": {7},
        "frozenset": frozenset({"x"}),
        "keys": {1: "int", None: "None", key: "uuid", day: "date", Colour.RED: "enum", 2.5: "float"},
        "a truth as a key": {True: "bool"},
        "pydantic": [User(id=key, born=day), {"nested": User(id=key, born=day)}],
    }
    ways = {
        "returned": lambda value: value,
        "with a status": lambda value: (value, 200),
        "made": Response.json,
        "by hand": lambda value: Response(value),
    }

    @app.get("/{kind}/{way}")
    def answer(request):
        return ways[request.params["way"]](values[request.params["kind"]])

    app.run(env="production", workers=1)
"""
KEY = "018f5a3c-7d2e-7abc-8def-0123456789ab"
USER = f'{{"id":"{KEY}","born":"2026-01-02","tags":["new"]}}'
WRITTEN = {
    "datetime": '"2026-01-02T03:04:05.000678+00:00"',
    "date": '"2026-01-02"',
    "time": '"03:04:00"',
    "timedelta": '"PT1H0.5S"',
    "uuid": f'"{KEY}"',
    "decimal": '"0.10000000000000000555000"',
    "integer": "1180591620717411303425",
    "dataclass": f'{{"id":"{KEY}","price":"1.10"}}',
    "enum": '["red",1]',
    "set": "[7]",
    "frozenset": '["x"]',
    "keys": f'{{"1":"int","null":"None","{KEY}":"uuid","2026-01-02":"date","red":"enum","2.5":"float"}}',
    "a truth as a key": '{"true":"bool"}',
    "pydantic": f'[{USER},{{"nested":{USER}}}]',
}


def test_what_an_application_is_made_of_has_a_json_form(serve: Serve) -> None:
    server = serve(KINDS)
    for kind, written in WRITTEN.items():
        for way in ("returned", "with a status", "made", "by hand"):
            reply = server.get(quote(f"/{kind}/{way}"))
            assert (reply.status, reply.body.decode()) == (200, written), (kind, way)
            assert reply.headers["content-type"] == "application/json"


# --- words that nobody asked for

TALKATIVE = """
import logging
from cello import App, FormData, ProblemDetails, Request, Response, UploadedFile
from cello import errors, loop, routing

logging.basicConfig(format="%(name)s: %(message)s")
app = App()
app.set_trusted_proxies(["10.0.0.0/8"])

@app.on_event("startup")
def start(): ...

@app.get("/fine")
@app.route("/{id}/more", methods=["POST"], constraints={"id": routing.IntConstraint()})
async def fine():
    return "fine"

@app.get("/broken")
def broken():
    raise LookupError("on purpose")

{run}
"""


def test_each_request_and_each_failure_stands_in_the_log_once(launch: Launch, tmp_path: Path) -> None:
    script = write(tmp_path, TALKATIVE.replace("{run}", "app.run(port=0, logs=True)"))
    for command in ([sys.executable, str(script)], [CELLO, "run", "shop"]):
        server = launch(*command, "--debug", environment={"CELLO_LOGS": "1"})
        identity = server.get("/broken").json()["request_id"]
        server.get("/fine")
        stopped = server.stop()
        assert stopped.stdout.count("\n") == 3
        assert (stopped.stdout.count("GET /broken → 500"), stopped.stdout.count("GET /fine → 200")) == (1, 1)
        assert stopped.stderr.count(f"cello: GET /broken failed (request {identity})") == 1
        assert stopped.stderr.count("on purpose") == 2  # the words, and the line that has them


def test_importing_an_application_prints_nothing(tmp_path: Path) -> None:
    write(tmp_path, TALKATIVE.replace("{run}", ""))
    imported = run_to_its_end(tmp_path, sys.executable, "-W", "error", "-c", "import shop; shop.app")
    assert (imported.exit_code, imported.stdout, imported.stderr) == (0, "", "")


# --- the end of the process


@pytest.mark.parametrize(("raised", "exit_code"), [("SystemExit(7)", 7), ("KeyboardInterrupt", 130)])
@pytest.mark.parametrize("kind", ["def", "async def", "async def, after an await", "a stream"])
def test_what_ends_the_process_is_no_500(serve: Serve, raised: str, exit_code: int, kind: str) -> None:
    waits = "await asyncio.sleep(0)" if "await" in kind else "pass"
    server = serve(f"""
        import asyncio
        from cello import App

        app = App()

        @app.get("/")
        {kind.partition(",")[0] if "def" in kind else "async def"} handler():
            {waits}
            {"yield b''" if kind == "a stream" else "pass"}
            raise {raised}

        app.run()
    """)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = read_all(connection)
        stopped = server.wait()
    assert (stopped.exit_code, stopped.stderr) == (exit_code, "")
    assert not answer.startswith(b"HTTP/1.1 500 ")


# --- life cycle

ONCE = """
import os
from cello import App

app = App()

def note(word):
    with open("notes", "a") as notes:
        print(word, os.getpid(), file=notes)

note("imported")

@app.on_event("startup")
def up():
    note("up")

@app.on_event("shutdown")
def down():
    note("down")

@app.get("/")
def whoever():
    return os.getpid()

app.run(port=0)
"""


@pytest.mark.parametrize("command", [[sys.executable, "shop.py"], [CELLO, "run", "shop"]], ids=["script", "cello run"])
def test_the_one_process_that_serves_starts_and_stops_once(launch: Launch, tmp_path: Path, command: list[str]) -> None:
    write(tmp_path, ONCE)
    server = launch(*command)
    pid = server.process.pid
    assert {server.get("/").json() for _ in range(10)} == {pid}
    assert server.stop().exit_code == 0
    assert (tmp_path / "notes").read_text().splitlines() == [f"imported {pid}", f"up {pid}", f"down {pid}"]


# --- slow handlers


def test_handlers_that_wait_stall_nobody(serve: Serve) -> None:
    server = serve("""
        import asyncio
        from cello import App

        app = App()
        done = asyncio.Event()

        @app.get("/slow")
        async def slow():
            print("waiting", flush=True)
            await done.wait()
            return "slow"

        @app.get("/health")
        async def health():
            return "healthy"

        @app.post("/done")
        def finish():
            done.set()
            return "done"

        app.run()
    """)
    before = server.connect()
    waiting = [server.connect() for _ in range(20)]
    for connection in waiting:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert server.next_line() == "waiting"
    # While they wait: on new connections, on one that was there before, with and without Python.
    assert [server.get("/health").body for _ in range(5)] == [b"healthy"] * 5
    assert server.get("/nowhere").status == 404
    with before:
        before.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(before).endswith(b"healthy")
    assert server.post("/done", b"").body == b"done"
    for connection in waiting:
        with connection:
            assert read_all(connection).endswith(b"\r\n\r\nslow")
