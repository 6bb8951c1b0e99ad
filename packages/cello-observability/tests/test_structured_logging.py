"""Log records as lines, over real sockets: what stands in them, where they go, and that nothing is left behind."""

from __future__ import annotations

import json
import logging
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello.testing import TestClient
from cello_observability.formatter import JsonFormatter
from cello_observability.output import Output
from cello_observability.structured_logging import StructuredHandler, enable, start, stop

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Launch, Serve, Server

SOURCE = """
    import asyncio, logging
    from cello import App

    log = logging.getLogger("shop.orders")
    app = App()
    app.enable_structured_logging(**{arguments})

    @app.get("/def/{id}")
    def handler(request):
        log.info("order %s", request.params["id"], extra={"total": 7, "password": "hunter2"})
        return "ok"

    @app.get("/async/{id}")
    async def waiting(request):
        await asyncio.sleep(0)
        log.info("order %s", request.params["id"])
        return "ok"

    @app.get("/blocking/{id}", blocking=True)
    def blocking(request):
        log.info("order %s", request.params["id"])
        return "ok"

    @app.get("/stream/{id}")
    async def stream(request):
        yield "a"
        await asyncio.sleep(0)
        log.info("order %s", request.params["id"])
        yield "b"

    @app.get("/background/{id}")
    def background(request):
        request.add_background_task(log.info, "order %s", request.params["id"])
        return "ok"

    @app.get("/user/{id}")
    def user(request) -> None:
        request.context["user"] = {"id": request.params["id"], "email": "a@example.com"}
        log.info("asked")

    @app.get("/fails")
    def fails():
        raise ValueError("no password=hunter2")

    @app.get("/caught")
    def caught() -> None:
        try:
            raise KeyError("x")
        except KeyError:
            log.exception("caught")

    @app.get("/many")
    def many() -> None:
        for number in range(5):
            log.info("record %d", number)
        log.warning("the last")

    @app.get("/below")
    def below() -> None:
        log.debug("debug")
        logging.getLogger("noisy.part").info("noise")
        logging.getLogger("noisy.part").error("no noise")

    app.run()
"""
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def source(**arguments: object) -> str:
    """The application, with the arguments of `enable_structured_logging`."""
    return SOURCE.replace("{arguments}", repr(arguments))


def records(server: Server) -> list[dict[str, Any]]:
    """The lines that were written after the banner, once the server has stopped."""
    lines = server.stop().stdout.splitlines()[len(server.banner) :]
    found = [json.loads(line) for line in lines]
    return [record for record in found if record.get("logger", "shop") not in ("asyncio",)]


@pytest.mark.parametrize("kind", ["def", "async", "blocking", "stream", "background"])
def test_a_record_says_what_was_logged_and_in_which_request(serve: Serve, kind: str) -> None:
    server = serve(source())
    assert server.get(f"/{kind}/7").status == 200
    (record,) = records(server)
    assert record["timestamp"][10] == "T"
    assert record["timestamp"].endswith("Z")
    assert (record["level"], record["logger"], record["message"]) == ("info", "shop.orders", "order 7")
    assert (record["method"], record["path"], record["route"]) == ("GET", f"/{kind}/7", f"/{kind}/{{id}}")
    assert record["request_id"][14] == "7"
    assert "trace_id" not in record
    if kind == "def":
        assert (record["total"], record["password"]) == (7, "[redacted]")


def test_a_record_says_the_trace_that_came_with_the_request_and_nothing_else(serve: Serve) -> None:
    server = serve(source())
    for traceparent in (TRACEPARENT, "00-0-0-01"):
        server.request("GET", "/async/1", headers={"traceparent": traceparent})
    found = [(record.get("trace_id"), record.get("span_id")) for record in records(server)]
    assert found == [("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), (None, None)]
    server = serve(source(include_trace_id=False))
    server.request("GET", "/async/1", headers={"traceparent": TRACEPARENT})
    assert "trace_id" not in records(server)[0]


def test_a_record_says_who_asks(serve: Serve) -> None:
    server = serve(source())
    server.get("/user/anna")
    assert records(server)[0]["user"] == "anna"


def test_a_failure_is_a_record_of_its_request_without_what_is_not_to_be_shown(serve: Serve) -> None:
    server = serve(source())
    told = server.get("/fails").json()["request_id"]
    (record,) = records(server)
    assert (record["logger"], record["level"], record["request_id"]) == ("cello", "error", told)
    assert "password=[redacted]" in record["message"]
    assert "hunter2" not in json.dumps(record)


def test_an_exception_is_told_with_its_type_its_message_and_its_stack(serve: Serve) -> None:
    server = serve(source())
    server.get("/caught")
    (record,) = records(server)
    exception = record["exception"]
    assert (exception["type"], exception["message"]) == ("KeyError", "'x'")
    assert [frame["function"] for frame in exception["stack"]] == ["caught"]


def test_of_a_request_all_is_drawn_or_nothing_and_warnings_always_are(serve: Serve) -> None:
    server = serve(source(sample_rate=0.5))
    for _ in range(40):
        server.get("/many")
    by_request: dict[str, list[str]] = {}
    for record in records(server):
        by_request.setdefault(record["request_id"], []).append(record["message"])
    assert len(by_request) == 40
    everything = [*(f"record {number}" for number in range(5)), "the last"]
    assert {tuple(messages) for messages in by_request.values()} == {tuple(everything), ("the last",)}


def test_levels_are_those_that_are_chosen(serve: Serve) -> None:
    server = serve(source(level="debug", levels={"noisy": "error"}))
    server.get("/below")
    assert [record["message"] for record in records(server)] == ["debug", "no noise"]
    server = serve(source(level="WARNING"))
    server.get("/many")
    assert [record["message"] for record in records(server)] == ["the last"]


def test_of_a_logger_that_is_named_alone_records_are_written(serve: Serve) -> None:
    server = serve(source(logger="noisy"))
    server.get("/below")
    assert [record["message"] for record in records(server)] == ["noise", "no noise"]


def test_text_is_for_reading(serve: Serve) -> None:
    server = serve(source(format="text", redact=["total"]))
    server.get("/def/7")
    server.get("/caught")
    first, second, *others = server.stop().stdout.splitlines()[len(server.banner) :]
    assert " INFO     shop.orders: order 7 request_id=" in first
    assert "method=GET path=/def/7 route=/def/{id} total=[redacted] password=[redacted]" in first
    assert " ERROR    shop.orders: caught " in second
    assert others[0] == "    KeyError: 'x'"
    assert all(line.startswith("    ") for line in others)


def test_records_go_to_a_file_from_all_workers_and_to_a_new_one_where_it_is_moved(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    server = serve(source(output=str(file)), "--workers", "2")
    for number in range(10):
        server.get(f"/def/{number}")
    file.rename(tmp_path / "old.log")
    for number in range(10, 20):
        server.get(f"/def/{number}")
    server.stop()
    old, new = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()] for name in ("old.log", "app.log")
    )
    assert [record["message"] for record in old] == [f"order {number}" for number in range(10)]
    assert [record["message"] for record in new] == [f"order {number}" for number in range(10, 20)]


def test_a_worker_that_is_forked_off_writes_them_too(serve: Serve) -> None:
    server = serve(source(), "--workers", "2", "--preload")
    for number in range(6):
        server.get(f"/def/{number}")
    assert [record["message"] for record in records(server)] == [f"order {number}" for number in range(6)]


def test_records_go_to_standard_error(serve: Serve) -> None:
    server = serve(source(output="stderr"))
    server.get("/def/7")
    stopped = server.stop()
    assert [json.loads(line)["message"] for line in stopped.stderr.splitlines()] == ["order 7"]
    assert "order 7" not in stopped.stdout


def test_the_line_of_an_answer_has_the_same_form(launch: Launch, tmp_path: Path) -> None:
    def lines(**arguments: object) -> list[dict[str, Any]]:
        (tmp_path / "app.py").write_text(textwrap.dedent(source(**arguments)))
        server = launch(sys.executable, "app.py", "--port", "0", "--env", "production", "--workers", "1")
        server.get("/def/7")
        return records(server)

    record, access = lines()
    assert (access["message"], access["status"], access["route"]) == ("GET /def/7 → 200", 200, "/def/{id}")
    assert access["request_id"] == record["request_id"]
    assert len(lines(access_log=False)) == 1


def test_a_file_that_cannot_be_opened_is_told_at_start(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)exit 3.*cello_startup of the plugin observability.*No such file"):
        serve(source(output=str(tmp_path / "none" / "app.log")))


def test_the_test_client_s_requests_are_told_and_nothing_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("shop").level)
    app = App()
    assert enable(app, levels={"shop": "debug"}) is app

    @app.get("/")
    def handler() -> None:
        logging.getLogger("shop").debug("asked", extra={"request_id": "mine"})

    for _ in range(2):
        with TestClient(app) as client:
            client.get("/")
            client.get("/")
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        told = [line for line in lines if line["logger"] == "shop"]
        assert [line["message"] for line in told] == ["asked", "asked"]
        assert len({line["request_id"] for line in told}) == 2
        assert {line["extra_request_id"] for line in told} == {"mine"}
        assert (root.level, list(root.handlers), logging.getLogger("shop").level) == before


def test_who_asks_may_be_said_by_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    app = enable(App(), user=lambda request: request.headers["x-user"], logger="shop")

    @app.get("/")
    def handler() -> None:
        logging.getLogger("shop").info("asked")

    with TestClient(app) as client:
        client.get("/", headers={"x-user": "anna"})
        client.get("/")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("user") for line in lines] == ["anna", None]


def test_an_application_that_has_not_enabled_it_is_left_alone() -> None:
    root, app = logging.getLogger(), App()
    before = list(root.handlers)
    start(app)
    assert root.handlers == before
    stop(app)


class Restless:
    """Logs while it is shown, and cannot be."""

    def __repr__(self) -> str:
        logging.getLogger("shop").warning("shown")
        raise RuntimeError("no")


def test_a_value_that_logs_while_it_is_shown_is_no_circle(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("shop"), "propagate", False)  # pytest's own handlers would fail
    app = enable(App(), logger="shop")

    @app.get("/")
    def handler() -> None:
        logging.getLogger("shop").info("asked %r", Restless(), extra={"value": Restless()})

    with TestClient(app) as client:
        client.get("/")
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert record["message"] == "asked %r (its arguments do not fit: RuntimeError)"
    assert record["value"] == "<Restless that cannot be shown>"


class Full(Output):
    """A disk that is full for a while."""

    def __init__(self) -> None:
        super().__init__("stdout")
        self.lines: list[str] = []
        self.is_full = True

    def write(self, line: str) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.lines.append(line)


class Failing(logging.Formatter):
    """Fails for the records of applications, or for all."""

    def __init__(self, names: str) -> None:
        super().__init__()
        self.names = names

    def format(self, record: logging.LogRecord) -> str:
        if record.name.startswith(self.names):
            raise RuntimeError("no")
        return super().format(record)


@pytest.mark.parametrize("names", ["shop", ""])
def test_a_record_that_fails_is_told_of_and_is_no_failure_of_the_application(names: str) -> None:
    output = Full()
    output.is_full = False
    handler = StructuredHandler(Failing(names), output)
    handler.handle(logging.LogRecord("shop", logging.INFO, "", 0, "asked", (), None))
    assert output.lines == ["a record of 'shop' failed: RuntimeError\n"]
    handler.close()


def test_what_could_not_be_written_is_counted_and_told_once_it_can() -> None:
    output = Full()
    handler = StructuredHandler(JsonFormatter(), output)
    record = logging.LogRecord("shop", logging.INFO, "", 0, "asked", (), None)
    for _ in range(3):
        handler.handle(record)
    output.is_full = False
    handler.handle(record)
    handler.handle(record)
    messages = [json.loads(line)["message"] for line in output.lines]
    assert messages == ["3 records could not be written", "asked", "asked"]
    handler.close()
