"""Serialising JSON: every kind of value, every kind of key, and what is refused with the path to it."""

from __future__ import annotations

import importlib
import json
import math
import re
import subprocess
import sys
from collections import ChainMap, OrderedDict, defaultdict, deque
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cello import Response
from cello._kernel import _json_decode, _json_encode
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 128


class Text(str):
    __slots__ = ()


class Loud(int):
    def __repr__(self) -> str:
        return "loud"

    __str__ = __repr__


class Number(float):
    def __repr__(self) -> str:
        return "number"

    __str__ = __repr__


class Colour(Enum):
    RED = 3
    NAMED = "named"
    MANY = (1, ("x",))
    ODD = math.nan
    DAY = date(2026, 1, 2)


Count = IntEnum("Count", {"ONE": 1})
Fruit = StrEnum("Fruit", {"PLUM": "plum"})
Bits = Flag("Bits", {"A": 1, "B": 2})


class Pair(NamedTuple):
    x: int
    y: int


class Moment(datetime):
    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return f"a moment{sep}{timespec}"


@dataclass
class Point:
    x: int
    y: Any = None
    scale: InitVar[int] = 1
    count: ClassVar[int] = 5


@dataclass(slots=True, frozen=True)
class Slotted:
    name: str
    _private: list[Point] = field(default_factory=list[Point])


@dataclass
class Unset:
    fine: int
    unset: int = field(init=False)


@dataclass
class Both(dict[str, int]):
    only: int


# --- values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": [1, -2.5], "a": None}, '{"b":[1,-2.5],"a":null}'),
        ((), "[]"),
        ((1, (2,)), "[1,[2]]"),
        (Pair(1, 2), "[1,2]"),
        ({7}, "[7]"),
        (frozenset({"x"}), '["x"]'),
        (set[int](), "[]"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**40, "1" + "0" * 40),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (1e22, "1e+22"),
        (True, "true"),
        ('\x00\x1f\b\t\n\f\r"\\/\x7f\u2028é😀', '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028é😀"'),
        (Text("x"), '"x"'),
        (Loud(7), "7"),
        (Loud(10**20), "1" + "0" * 20),
        (Number(1.5), "1.5"),
        (defaultdict(list, a=[]), '{"a":[]}'),
        (type("Items", (list,), {})([1]), "[1]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_written(value: Any, written: str) -> None:
    assert _json_encode(value).decode() == written


def test_an_ordered_dict_keeps_its_own_order() -> None:
    ordered = OrderedDict[str, int](a=1, b=2)
    ordered.move_to_end("a")
    assert _json_encode(ordered) == b'{"b":2,"a":1}'


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (datetime(2026, 1, 2, 3, 4, 5, 60), "2026-01-02T03:04:05.000060"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00+00:00"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "9999-12-31T23:59:59.999999+00:00"),
        (datetime(2026, 7, 1, tzinfo=BERLIN), "2026-07-01T00:00:00+02:00"),
        (datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))), "2026-07-01T00:00:00-03:30"),
        (datetime(2026, 7, 1, tzinfo=timezone(-timedelta(minutes=30))), "2026-07-01T00:00:00-00:30"),
        (datetime(1890, 7, 1, tzinfo=BERLIN), "1890-07-01T00:00:00+00:53:28"),
        (Moment(2026, 1, 2), "a momentTauto"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (time(3, 4, 5, 6, UTC), "03:04:05.000006+00:00"),
        (timedelta(0), "PT0S"),
        (timedelta(days=2), "P2D"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500), "P1DT2H3M4.0005S"),
        (timedelta(minutes=1), "PT1M"),
        (timedelta(hours=1, microseconds=1), "PT1H0.000001S"),
        (-timedelta(hours=36), "-P1DT12H"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
        (timedelta.min, "-P999999999D"),
        (UUID(int=0xABCDEF << 100 | 5), "0abcdef0-0000-0000-0000-000000000005"),
        (Decimal("1.10"), "1.10"),
        (Decimal("-0.00"), "-0.00"),
        (Decimal("1E+30"), "1E+30"),
        (Decimal("0." + "3" * 60), "0." + "3" * 60),
    ],
    ids=repr,
)
def test_a_kind_that_is_text_is_written_the_same_as_value_and_as_key(value: Any, written: str) -> None:
    assert json.loads(_json_encode([value])) == [written]
    assert json.loads(_json_encode({value: 1})) == {written: 1}


@given(
    st.datetimes(timezones=st.none() | st.timezones() | st.just(UTC))
    | st.dates()
    | st.times(timezones=st.none() | st.just(UTC))
    | st.uuids()
    | st.decimals(allow_nan=False, allow_infinity=False)
)
@settings(max_examples=300, deadline=None)
def test_what_is_text_is_python_s_own_text_and_read_back_exactly(value: Any) -> None:
    text = json.loads(_json_encode(value))
    assert text == (value.isoformat() if hasattr(value, "isoformat") else str(value))
    kind = cast("Any", type(value))
    read = getattr(kind, "fromisoformat", kind)
    assert repr(read(text).as_tuple() if isinstance(value, Decimal) else str(read(text))) == repr(
        value.as_tuple() if isinstance(value, Decimal) else str(value)
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Colour.RED, "3"),
        (Colour.NAMED, '"named"'),
        (Colour.MANY, '[1,["x"]]'),
        (Colour.DAY, '"2026-01-02"'),
        (Count.ONE, "1"),
        (Fruit.PLUM, '"plum"'),
        (Bits.A | Bits.B, "3"),
        (Point(1, Point(2)), '{"x":1,"y":{"x":2,"y":null}}'),
        (Slotted("é", [Point(1)]), '{"name":"é","_private":[{"x":1,"y":null}]}'),
        (Both(only=1), '{"only":1}'),
    ],
    ids=repr,
)
def test_an_enum_is_its_value_and_a_dataclass_its_fields(value: Any, written: str) -> None:
    assert _json_encode([value]).decode() == f"[{written}]"


# --- keys


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (1, "1"),
        (-(10**30), "-1" + "0" * 30),
        (Loud(7), "7"),
        (1.5, "1.5"),
        (1e-7, "1e-07"),
        (Number(1e16), "1e+16"),
        (True, "true"),
        (None, "null"),
        (Text("é"), "é"),
        (Colour.RED, "3"),
        (Colour.DAY, "2026-01-02"),
        (Fruit.PLUM, "plum"),
        (Count.ONE, "1"),
    ],
    ids=repr,
)
def test_a_key_that_is_no_str_becomes_its_text(key: Any, name: str) -> None:
    assert _json_encode({"a": 0, key: 1}).decode() == f'{{"a":0,"{name}":1}}'
    if key is None or (isinstance(key, int | float | str) and not isinstance(key, Enum)):
        assert json.loads(json.dumps({key: 1})) == json.loads(_json_encode({key: 1}))


def test_keys_of_one_kind_and_of_several_are_written_in_their_order() -> None:
    assert _json_encode({3: 1, 1: 2, 2: 3}) == b'{"3":1,"1":2,"2":3}'
    assert _json_encode({3: 1, "b": {None: 2}, 1.5: 3}) == b'{"3":1,"b":{"null":2},"1.5":3}'


@pytest.mark.parametrize(
    ("clash", "name"),
    [
        ({1: 0, "1": 0}, '["1"]'),
        ({"true": 0, True: 0}, ".true"),
        ({None: 0, "null": 0}, ".null"),
        ({Colour.RED: 0, 3: 0}, '["3"]'),
        ({date(2026, 1, 2): 0, "2026-01-02": 0}, '["2026-01-02"]'),
    ],
    ids=repr,
)
def test_two_keys_of_one_name_are_refused(clash: Any, name: str) -> None:
    with pytest.raises(ValueError, match="two keys of the dict have this name in JSON") as raised:
        _json_encode({"a": [clash]})
    assert str(raised.value).startswith(f"$.a[0]{name}: ")


# --- models


def model_classes() -> tuple[Any, Any]:
    """pydantic and msgspec, which only the tests need."""
    return pytest.importorskip("pydantic"), pytest.importorskip("msgspec")


def test_a_model_of_pydantic_s_is_written_as_it_writes_itself_by_its_aliases() -> None:
    pydantic, _ = model_classes()
    alias = pydantic.Field(alias="userName")
    model = pydantic.create_model("Model", user_name=(str, alias), at=(datetime, ...), price=(Decimal, ...))
    value = model(userName="Ada", at=datetime(2026, 1, 2, tzinfo=UTC), price=Decimal("1.10"))
    expected = value.model_dump_json(by_alias=True)
    assert _json_encode(value).decode() == expected
    assert _json_encode({"models": [value, (value,)]}).decode() == f'{{"models":[{expected},[{expected}]]}}'
    assert json.loads(expected) == {"userName": "Ada", "at": "2026-01-02T00:00:00Z", "price": "1.10"}


def test_the_configuration_of_a_model_decides_over_its_aliases() -> None:
    pydantic, _ = model_classes()
    model = pydantic.create_model(
        "Model", __config__={"serialize_by_alias": False}, user_name=(str, pydantic.Field(alias="userName"))
    )
    assert _json_encode(model(userName="Ada")) == b'{"user_name":"Ada"}'


def test_root_models_and_dataclasses_of_pydantic_s_are_models_too() -> None:
    pydantic, _ = model_classes()
    dataclasses = importlib.import_module("pydantic.dataclasses")
    made = dataclasses.dataclass(type("Made", (), {"__annotations__": {"at": date}}))
    assert _json_encode([made(at=date(2026, 1, 2))]) == b'[{"at":"2026-01-02"}]'
    assert _json_encode({"root": pydantic.RootModel[list[int]]([1, 2])}) == b'{"root":[1,2]}'


def test_a_struct_of_msgspec_s_is_written_as_it_writes_it() -> None:
    _, msgspec = model_classes()
    struct = msgspec.defstruct("Struct", [("user_name", str), ("price", Decimal)], rename="camel", tag=True)
    value = struct("Ada", Decimal("1.10"))
    assert _json_encode({"a": [value]}) == b'{"a":[' + msgspec.json.encode(value) + b"]}"
    assert _json_encode(value) == b'{"type":"Struct","userName":"Ada","price":"1.10"}'


def test_a_model_that_writes_what_is_no_json_is_refused() -> None:
    pydantic, _ = model_classes()
    model = pydantic.create_model(
        "Model", __config__={"ser_json_inf_nan": "constants"}, price=(float, ...), name=(str, "")
    )
    assert _json_encode([model(price=1.0, name="NaN and [Infinity")]) == b'[{"price":1.0,"name":"NaN and [Infinity"}]'
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=r"^\$\.a: .*Model wrote itself with NaN or an infinity"):
            _json_encode({"a": model(price=number)})


def test_what_a_model_nests_counts_towards_the_limit() -> None:
    _, msgspec = model_classes()
    struct = msgspec.defstruct("Struct", [("inner", Any, None)])
    value: Any = None
    for _ in range(MAX_DEPTH):
        value = struct(value)
    assert json.loads(_json_encode(value))
    with pytest.raises(ValueError, match=r"^\$\[0\]: .*Struct wrote itself .* deeper than 128 levels"):
        _json_encode([value])
    wide = struct([struct(number) for number in range(300)])
    assert json.loads(_json_encode([wide])) == [{"inner": [{"inner": number} for number in range(300)]}]


# --- refusals


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"items": [0, 1, 2, {"price": math.nan}]}, "$.items[3].price: nan has no JSON form: use None"),
        ([math.inf], "$[0]: inf has no JSON form: use None"),
        (-math.inf, "$: -inf has no JSON form: use None"),
        ((Number("nan"),), "$[0]: nan has no JSON form: use None"),
        (Point(1, {"a b": {Colour.ODD}}), '$.y["a b"][0]: nan has no JSON form: use None'),
        ({"x": {math.nan: 1}}, "$.x.nan: nan has no JSON form: use None"),
        ([Decimal("NaN")], "$[0]: the Decimal NaN has no JSON form: use None"),
        ({Decimal("-Infinity"): 1}, '$["-Infinity"]: the Decimal -Infinity has no JSON form: use None'),
        ({"n\n": {"é": {"": [math.nan]}}}, '$["n\\n"]["é"][""][0]: nan has no JSON form: use None'),
        ({"k" * 50: math.nan}, '$["' + "k" * 40 + '…"]: nan has no JSON form: use None'),
        ({Colour.RED: {True: [math.nan]}}, '$["3"].true[0]: nan has no JSON form: use None'),
        ({1: [math.nan]}, '$["1"][0]: nan has no JSON form: use None'),
        ("\ud800", "$: a str with half of a surrogate pair has no JSON form"),
        ([{"a": Text("\udfff")}], "$[0].a: a str with half of a surrogate pair has no JSON form"),
    ],
    ids=ascii,
)
def test_a_value_that_json_has_not_is_refused_with_the_path_to_it(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r"^\$") as raised:
        _json_encode(value)
    assert (type(raised.value), str(raised.value)) == (ValueError, words)


def test_a_key_with_half_a_surrogate_pair_is_refused() -> None:
    for key in ("a\ud800", Text("\ud800")):
        with pytest.raises(ValueError, match=r"^\$\.b\[.*\]: a str with half of a surrogate pair has no JSON form$"):
            _json_encode({"b": {key: 1}})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "a value of type object has no JSON form: make it a dict, or its class a dataclass"),
        (b"x", "a value of type bytes has no JSON form: decode it, or write it as Base64"),
        (bytearray(), "a value of type bytearray has no JSON form: decode it, or write it as Base64"),
        (1j, "a value of type complex has no JSON form: make it a dict, or its class a dataclass"),
        (Response, "the class Response has no JSON form: call it, as in Response()"),
        (Point, "the class Point has no JSON form: call it, as in Point()"),
        (iter([1]), "a value of type list_iterator has no JSON form: make it a list"),
        ((n for n in [1]), "a value of type generator has no JSON form: make it a list"),
        (deque([1]), "a value of type collections.deque has no JSON form: make it a list"),
        ({"a": 1}.values(), "a value of type dict_values has no JSON form: make it a list"),
        (ChainMap({"a": 1}), "a value of type collections.ChainMap has no JSON form: make it a dict"),
        (MappingProxyType[str, int]({}), "a value of type mappingproxy has no JSON form: make it a dict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_another_type_is_refused_by_its_name(value: Any, words: str) -> None:
    with pytest.raises(TypeError) as raised:
        _json_encode({"deep": [1, value]})
    assert str(raised.value) == f"$.deep[1]: {words}"


@pytest.mark.parametrize(
    ("key", "step", "kind"),
    [((), '["()"]', "tuple"), (b"", "[\"b''\"]", "bytes"), (frozenset[int](), '["frozenset()"]', "frozenset")],
    ids=repr,
)
def test_a_key_of_another_type_is_refused_by_its_name(key: Any, step: str, kind: str) -> None:
    for holder in ({key: 1}, {1: 1, key: 1}, {"a": 1, key: 1}):
        with pytest.raises(TypeError) as raised:
            _json_encode({"fine": holder})
        assert str(raised.value) == f"$.fine{step}: a key of type {kind} has no JSON form: use a str"


def test_an_integer_of_more_digits_than_python_prints_is_refused() -> None:
    for value, path in (([10**4300], r"\$\[0\]"), ({"a": Loud(10**4300)}, r"\$\.a")):
        with pytest.raises(ValueError, match=rf"^{path}: .*4300 digits"):
            _json_encode(value)
    with pytest.raises(ValueError, match="4300 digits"):
        _json_encode({10**4300: 1})


# --- nesting and cycles


def deep(depth: int, wrap: Callable[[Any], Any], innermost: Any) -> Any:
    value = innermost
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"a": inner},
    "dataclass": Point,
    "OrderedDict": lambda inner: OrderedDict[str, Any](a=inner),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
def test_nesting_is_written_to_the_limit_and_refused_past_it(wrap: Callable[[Any], Any]) -> None:
    assert _json_encode(deep(MAX_DEPTH, wrap, Fruit.PLUM))
    for depth in (MAX_DEPTH + 1, 5000):
        with pytest.raises(ValueError, match=r"^\$.*…[^…]*: this nests deeper than 128 levels$"):
            _json_encode(deep(depth, wrap, 1))


def cyclic_list() -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def cyclic_dict() -> Any:
    inner: dict[str, Any] = {}
    inner["b"] = [0, inner]
    return {"a": inner}


def cyclic_dataclass() -> Any:
    point = Point(1)
    point.y = OrderedDict(back=(point,))
    return [point]


def long_cycle(length: int) -> Any:
    first: list[Any] = []
    first.append(deep(length - 1, lambda inner: [inner], first))
    return first


@pytest.mark.parametrize(
    ("cycle", "inner", "outer"),
    [
        (cyclic_list(), r"\$\[0\]", r"\$"),
        (cyclic_dict(), r"\$\.a\.b\[1\]", r"\$\.a"),
        (cyclic_dataclass(), r"\$\[0\]\.y\.back\[0\]", r"\$\[0\]"),
        (long_cycle(128), r"\$.*…[^:]*", r"\$"),
    ],
    ids=["list", "dict", "dataclass", "as long as the limit"],
)
def test_a_value_that_contains_itself_is_refused_with_both_paths(cycle: Any, inner: str, outer: str) -> None:
    with pytest.raises(ValueError, match=f"^{inner}: this is the value at {outer} again, which contains itself"):
        _json_encode(cycle)


def test_an_enum_whose_value_is_itself_ends_too() -> None:
    class Endless(Enum):
        A = 1

        @property
        def value(self) -> Any:
            return self

    with pytest.raises(ValueError, match="this nests deeper than 128 levels"):
        _json_encode([Endless.A])
    with pytest.raises(TypeError, match=r"a key of type .*Endless has no JSON form"):
        _json_encode({Endless.A: 1})


# --- what runs meanwhile


def meddling(meddle: Callable[[], object]) -> Any:
    """A value that does something while it is written."""

    class Meddler(Enum):
        A = 1

        @property
        def value(self) -> Any:
            meddle()
            return "done"

    return Meddler.A


def exchanged(mapping: dict[str, Any]) -> None:
    del mapping["first"]
    mapping["other"] = 1


def exchanged_last(mapping: dict[str, Any]) -> None:
    del mapping["last"]
    mapping["other"] = 1


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "grown": lambda mapping: mapping.update(new=1),
    "cleared": lambda mapping: mapping.clear(),
    "a key for another": exchanged,
    "the last for another": exchanged_last,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_dict_that_changes_while_it_is_written_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    mapping: dict[str, Any] = {"first": 0}
    mapping["meddler"] = meddling(lambda: change(mapping))
    mapping["last"] = 2
    try:
        written = json.loads(_json_encode([mapping]))
    except RuntimeError as error:
        assert str(error) == "$[0]: the dict changed while it was written as JSON"
    else:
        # What Python's own iteration does not notice either: the key came where the other had been.
        assert (change is not exchanged, list(written[0])) == (True, ["first", "meddler", "other"])


def test_a_list_or_set_that_changes_while_it_is_written_is_refused() -> None:
    changes: list[Callable[[list[Any]], object]] = [list[Any].clear, lambda items: items.append(1), list[Any].pop]
    for change in changes:
        items: list[Any] = [0, 0, 1]
        items[1] = meddling(partial(change, items))
        with pytest.raises(RuntimeError, match=r"^\$\.a: the list changed while it was written as JSON$"):
            _json_encode({"a": items})
    several: set[Any] = set()
    several.update([meddling(lambda: several.add(1)), 2, 3])
    with pytest.raises(RuntimeError, match="changed size during iteration"):
        _json_encode(several)


def test_what_is_replaced_while_it_is_written_is_written_as_it_was() -> None:
    items: list[Any] = []
    mapping: dict[Any, Any] = {"items": items}

    def replace() -> None:
        mapping.update(items=None, last="another")
        items[0] = None

    items += [[meddling(replace), "x" * 1000], "y" * 1000]
    mapping["last"] = "z" * 1000
    assert json.loads(_json_encode(mapping)) == {"items": [["done", "x" * 1000], "y" * 1000], "last": "another"}
    key = meddling(lambda: mapping.update({key: "another"}))
    mapping = {key: "".join(["it ", "was"])}
    assert json.loads(_json_encode(mapping)) == {"done": "it was"}


def test_what_a_value_raises_passes_through_with_a_note_of_the_path() -> None:
    def fail() -> None:
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own") as raised:
        _json_encode({"a": [meddling(fail)]})
    assert raised.value.__notes__ == ["$.a[0]: this was raised while it was written as JSON"]
    with pytest.raises(AttributeError, match="unset") as missing:
        _json_encode([Unset(1)])
    assert missing.value.__notes__ == ["$[0]: this was raised while it was written as JSON"]


def test_a_value_may_serialise_and_parse_while_it_is_serialised() -> None:
    inner: list[Any] = []
    value = meddling(lambda: inner.append(_json_decode(_json_encode({"x": [UUID(int=1), Point(1)]}))))
    assert _json_encode({"x": [value, UUID(int=2)]}) == b'{"x":["done","00000000-0000-0000-0000-000000000002"]}'
    assert inner == [{"x": ["00000000-0000-0000-0000-000000000001", {"x": 1, "y": None}]}]


def test_a_failure_leaves_nothing_behind_for_the_next() -> None:
    with pytest.raises(ValueError, match="nan"):
        _json_encode(["left over", math.nan])
    assert _json_encode([]) == b"[]"
    long = ["x" * 100_000]
    assert _json_encode(long) == json.dumps(long, separators=(",", ":")).encode()
    assert _json_encode({}) == b"{}"


def test_types_that_come_and_go_are_told_apart() -> None:
    # More types than are remembered at once, each gone before the next comes, if it could.
    for number in range(1500):
        kind = type("Kind", (int,) if number % 2 else (str,), {})
        assert _json_encode([kind(number)]).decode() == (f"[{number}]" if number % 2 else f'["{number}"]')


def test_a_class_that_becomes_a_dataclass_later_is_one() -> None:
    class Later:
        x: int = 1

    value = Later()
    with pytest.raises(TypeError, match="Later has no JSON form"):
        _json_encode(value)
    dataclass(Later)
    assert _json_encode(value) == b'{"x":1}'


def test_no_module_is_imported_for_a_kind_that_is_not_there() -> None:
    source = "import sys; from cello._kernel import _json_encode; print(_json_encode({1})); "
    source += (
        "print([name for name in ('uuid', 'decimal', 'dataclasses', 'pydantic', 'msgspec') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("b'[1]'\n[]\n", "")


def test_the_example_of_the_reference_is_true() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "json.md").read_text()
    example, written = (
        re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[0] for language in ("python", "json")
    )
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example.replace("app.run()", ""), "json.md", "exec", dont_inherit=True), names)
    assert _json_encode(names["item"]()).decode() == written.strip()
