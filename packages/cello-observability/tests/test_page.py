"""The page of the documentation is true: its examples run, and its tables are those of the code."""

from __future__ import annotations

import ast
import inspect
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from cello_observability import RequestIdConfig, StructuredLoggingConfig
from cello_observability.formatter import FIELDS
from cello_observability.redaction import NAMES
from cello_observability.request_id import enable as enable_request_id
from cello_observability.structured_logging import enable as enable_structured_logging
from pages import blocks, code_spans, table, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Serve

PAGE = "docs/plugins/observability.md"


@pytest.mark.parametrize("block", blocks(PAGE, "python"), ids=["both", "request_id", "structured_logging"])
def test_every_example_is_served_and_stops_cleanly(serve: Serve, block: str) -> None:
    server = serve(block)
    path = "/orders/7" if "/orders" in block else "/"
    assert server.get(path).status == 200
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_the_first_example_writes_what_it_says(serve: Serve) -> None:
    server = serve(blocks(PAGE, "python")[0])
    answer = server.get("/orders/7")
    written = json.loads(server.stop().stdout.splitlines()[-1])
    told = json.loads(blocks(PAGE, "json")[0])
    assert [*written] == [*told]
    assert written["request_id"] == answer.headers["x-request-id"]
    own = {"timestamp", "request_id"}
    assert {name: written[name] for name in written if name not in own} == {
        name: told[name] for name in told if name not in own
    }


@pytest.mark.parametrize(
    ("enable", "config"),
    [(enable_request_id, RequestIdConfig), (enable_structured_logging, StructuredLoggingConfig)],
    ids=["request_id", "structured_logging"],
)
def test_the_arguments_and_the_keys_are_those_of_the_page(enable: Callable[..., Any], config: type[Any]) -> None:
    name = {enable_request_id: "enable_request_id"}.get(enable, "enable_structured_logging")
    rows = table(PAGE, f"argument of `{name}`", "what it is", "default")
    told = {code_spans(row[0])[0]: ast.literal_eval(code_spans(row[2])[0]) for row in rows}
    made = config()
    assert told == {one.name: getattr(made, one.name) for one in fields(config)}
    assert [*told] == [*inspect.signature(enable).parameters][1:]
    assert all(parameter.default is None for parameter in [*inspect.signature(enable).parameters.values()][1:])


def test_the_fields_and_the_names_are_those_of_the_page() -> None:
    rows = table(PAGE, "field", "what it is")
    assert [name for row in rows for name in code_spans(row[0])] == [*FIELDS]
    told = text_of(PAGE).partition("## What is not shown")[2].partition("## Limits")[0]
    singular = [name for name in NAMES if f"{name.removesuffix('s')}" == name or name.removesuffix("s") not in NAMES]
    assert singular
    assert all(f"`{name}`" in told for name in singular)
