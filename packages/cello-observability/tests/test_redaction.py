"""What is not to be shown is not: by name however deep, and by its form in texts; whatever is given, it is JSON."""

from __future__ import annotations

import json
import logging
import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from cello_observability.formatter import FIELDS, JsonFormatter, TextFormatter
from cello_observability.plain import plain
from cello_observability.redaction import NAMES, REDACTED, Redaction
from hypothesis import given, settings
from hypothesis import strategies as st

REDACTION = Redaction(["pin", "cardNumber"])
SECRET = "hunter2"

#: Values as applications log them; nothing in them is the secret.
harmless = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: SECRET not in repr(value))


def written(name: str) -> st.SearchStrategy[str]:
    """A name in the ways in which one writes it, perhaps with something before it."""
    words = name.split("_")
    ways = ["_".join(words), "-".join(words), " ".join(words), "".join([words[0], *map(str.title, words[1:])])]
    cased = st.sampled_from(ways).flatmap(lambda way: st.sampled_from([way, way.upper(), way.title()]))
    return st.tuples(st.sampled_from(["", "user_", "X-", "db."]), cased).map("".join)


names = st.sampled_from([*NAMES, "pin", "card_number"]).flatmap(written)


@given(names)
def test_a_secret_name_is_one_however_it_is_written(name: str) -> None:
    assert REDACTION.is_secret(name)


@pytest.mark.parametrize("name", ["user", "total", "max_tokens", "tokenizer", "spinning", "passwordless", "key", ""])
def test_another_name_is_none(name: str) -> None:
    assert not REDACTION.is_secret(name)


@settings(max_examples=200)
@given(names, harmless, st.lists(st.sampled_from(["list", "dict", "tuple", "pairs", "bytes"]), max_size=5))
def test_a_secret_value_is_not_shown_however_deep_it_lies(name: str, beside: Any, path: list[str]) -> None:
    value: Any = {name: SECRET, "beside": beside}
    for step in path:
        match step:
            case "list":
                value = [beside, value]
            case "dict":
                value = {"inner": value, "beside": beside}
            case "tuple":
                value = (value,)
            case "pairs":
                value = {"headers": [(name, SECRET), ("a", "b"), value]}
            case _:
                value = {b"inner": value, name.encode(): SECRET.encode()}
    text = json.dumps(plain(value, REDACTION), allow_nan=False)
    assert SECRET not in text
    assert REDACTED in text or len(path) > 5


@given(names, st.sampled_from(["{}={}", "{}: {}", "{!r}: {!r}", "{}='{}'", '{{"{}": "{}"}}', "?a=1&{}={}&b=2"]))
def test_a_secret_is_not_shown_in_a_text_where_its_name_stands_before_it(name: str, form: str) -> None:
    shown = REDACTION.text(f"before {form.format(name, SECRET)} after")
    assert SECRET not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://user:hunter2@host/db", "postgres://user:[redacted]@host/db"),
        ("sent Bearer mF_9.B5f-4.1JqM to it", "sent Bearer [redacted] to it"),
        ("Basic dXNlcjpwYXNz", "Basic [redacted]"),
        ("Authorization: Digest username=x, response=y", "Authorization: [redacted]"),
        ("cookie: a=b; c=d\nnext: line", "cookie: [redacted]\nnext: line"),
        ("User(name='x', password='a b', id=7)", "User(name='x', password=[redacted], id=7)"),
        ("{'token': {'a': 'b'}}", "{'token': [redacted]"),
        ('{\\"password\\": \\"a b\\", \\"c\\": 1}', '{\\"password\\": [redacted], \\"c\\": 1}'),
        ("basic information, bearer of news", "basic information, bearer of news"),
        ("http://host:80/path?a=b", "http://host:80/path?a=b"),
        ("max_tokens=5", "max_tokens=5"),
    ],
)
def test_a_text_keeps_all_but_what_is_not_to_be_shown(text: str, shown: str) -> None:
    assert REDACTION.text(text) == shown


@settings(max_examples=300)
@given(st.text(alphabet="ab:=\"'\\ \n[{}]/@" + "tokenpasswordcookie", max_size=80) | st.text(max_size=60))
def test_what_was_redacted_once_stays_as_it_is(text: str) -> None:
    once = REDACTION.text(text)
    assert REDACTION.text(once) == once


@given(harmless | names)
def test_a_record_with_any_value_is_a_line_of_json(value: Any) -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 0, "%s", (value,), None)
    vars(record).update(value=value, level=value)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert found["level"] == "info"
    assert {"value", "extra_level"} <= set(found)


@given(st.text(max_size=60))
def test_no_message_begins_a_line_of_its_own(message: str) -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 0, "%s", (message,), None)
    first, *others = TextFormatter().format(record).split("\n")
    assert "INFO     shop: " in first
    assert all(line.startswith("    ") for line in others)
    assert all(line.isprintable() for line in [first, *others])


class Odd(Enum):
    """An Enum of a container."""

    ONE = (1, "two")


@dataclass
class Login:
    """What holds a secret."""

    name: str
    password: str


class Evil(dict[str, Any]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("no")


class Pair(NamedTuple):
    """What holds one, too."""

    left: int
    token: str


VALUES: list[tuple[Any, Any]] = [
    (Login("x", SECRET), {"name": "x", "password": REDACTED}),
    (Pair(1, SECRET), {"left": 1, "token": REDACTED}),
    (OrderedDict(a=deque([1])), {"a": [1]}),
    (Odd.ONE, [1, "two"]),
    (b"\xff\x00a", "\\xff\x00a"),
    (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
    (date(2026, 1, 31), "2026-01-31"),
    (Decimal("1.10"), "1.10"),
    (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (Path("/a"), "/a"),
    (math.inf, "inf"),
    (1 << 5000, "<int of 5001 bits>"),
    (Evil(a=1), "<Evil that cannot be shown>"),
    ({(1, 2): 3}, {"(1, 2)": 3}),
    ("\ud800", "\ud800"),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=[type(value).__name__ for value, _ in VALUES])
def test_values_are_what_json_has(value: Any, shown: Any) -> None:
    assert plain(value, REDACTION) == shown
    json.dumps(plain(value, REDACTION), allow_nan=False)


def test_a_cycle_ends() -> None:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    assert plain(value, REDACTION) == {"itself": ["<cycle>"]}


def test_what_is_too_much_is_cut() -> None:
    deep: Any = SECRET
    for _ in range(100_000):
        deep = [deep]
    huge = {"many": list(range(10_000_000)), "long": "x" * 10_000_000, "bytes": bytes(10_000_000), "deep": deep}
    for name, value in huge.items():
        line = json.dumps(plain({name: value}, REDACTION))
        assert len(line) < 100_000
        assert "\\u2026" in line or name == "bytes"
    assert len(json.dumps(plain([huge] * 50, REDACTION))) < 400_000


def test_the_fields_of_a_line_are_those_that_are_named() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logging.LogRecord("shop", 20, "", 0, "m", (), (ValueError, error, error.__traceback__))
    found = JsonFormatter().fields(record)
    assert [name for name in FIELDS if name in found] == [*found]
