"""Bodies as models of every kind, what a client may see and send of them, and the errors."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict

import annotated_types
import msgspec
import pydantic.dataclasses
import pytest
from cello import Request, Response
from cello._dto import reader as read_with
from cello._inject import Providers, inject
from cello._invalid import Enough, Fault, Faults, Invalid, many
from cello._structure import from_json
from cello.errors import HTTPError, MalformedJSON, StartError
from cello.params import Body, Query
from cello.validation import DTO, DTOConfig, Email, MinLength, Required, ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Serve

IN_JSON = {"content-type": "application/json"}


def reading(annotation: Any) -> Callable[[Any], Any]:
    """A function that reads a body into a type, as a handler's parameter."""

    def handler(body: Any) -> Any:
        return body

    handler.__annotations__["body"] = annotation
    call = inject(handler, route="POST /", path_names=(), providers=Providers()).call
    return lambda body: call(
        Request("POST", "/", headers=IN_JSON if isinstance(body, bytes | str) else None, body=body)
    )


def errors_of(annotation: Any, body: Any) -> list[tuple[str, str]]:
    """The places and codes of what is wrong with a body."""
    with pytest.raises(ValidationError) as caught:
        reading(annotation)(body)
    assert {error["in"] for error in caught.value.errors} == {"body"}
    return [(error["pointer"], error["code"]) for error in caught.value.errors]


def returning(annotation: Any) -> Callable[[Any], Any]:
    """A function that returns a value through a handler with a return annotation."""
    given: list[Any] = []

    def handler() -> Any:
        return given.pop()

    handler.__annotations__["return"] = annotation
    call = inject(handler, route="GET /", path_names=(), providers=Providers()).call

    def through(value: Any) -> Any:
        given.append(value)
        return call()

    return through


# --- models


class Address(BaseModel):
    street: str
    zip: str | None = None


class User(BaseModel):
    id: int
    name: str = Field(min_length=2)
    password: str
    address: Address | None = None
    tags: list[str] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Pets(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]
    other: int | bool | None = None


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Line(msgspec.Struct, rename="camel"):
    first_point: Point
    points: list[Point] = []


@dataclass
class Item:
    name: str
    price: Decimal
    since: datetime | None = None
    tags: list[str] = field(default_factory=list[str])
    parent: Item | None = None


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


@dataclass
class Page[Kind]:
    items: list[Kind]
    after: Page[Kind] | None = None
    by_name: dict[str, Kind] = field(default_factory=dict[str, Kind])


class Found[Kind](TypedDict):
    it: NotRequired[Kind]


class Box[Kind](msgspec.Struct):
    it: Kind


def test_a_pydantic_model_is_made_from_the_body() -> None:
    read = reading(User)
    assert read(b'{"id":1,"name":"Al","password":"x"}') == User(id=1, name="Al", password="x")
    assert errors_of(User, {"id": "x", "name": "A", "password": 1, "address": {}}) == [
        ("#/id", "int_parsing"),
        ("#/name", "string_too_short"),
        ("#/password", "string_type"),
        ("#/address/street", "missing"),
    ]
    assert reading(list[User])(b"[]") == []
    assert errors_of(list[User], b"[1]") == [("#/0", "model_type")]


def test_a_pointer_names_a_place_of_the_document_whatever_union_was_tried() -> None:
    assert errors_of(Pets, {"pets": [{"kind": "cat"}, {"kind": "dog", "name": 1}], "other": "x"}) == [
        ("#/pets/0/lives", "missing"),
        ("#/pets/1/name", "string_type"),
        ("#/other", "int_parsing"),
    ]


def test_a_struct_is_made_from_the_body() -> None:
    assert reading(Point)(b'{"x":1}') == Point(1)
    assert errors_of(Line, {"firstPoint": {"x": 1}, "points": [{"x": 1}, {"x": "1"}]}) == [
        ("#/points/1/x", "value_error")
    ]
    assert errors_of(Line, {}) == [("#/firstPoint", "missing")]
    assert errors_of(list[Point], b"[{}]") == [("#/0/x", "missing")]
    assert errors_of(dict[str, Point], b'{"a":1}') == [("#/a", "value_error")]


class Ledger(msgspec.Struct, forbid_unknown_fields=True, rename={"owner": "the owner"}):
    id: int
    owner: Annotated[str, msgspec.Meta(min_length=2)]
    limits: Limits
    lines: list[Line] = []
    points: dict[str, Point | None] = {}
    pair: tuple[int, int] = (0, 0)
    either: Point | list[int] | None = None
    tags: set[str] = set()
    item: StructItem | None = None

    def __post_init__(self) -> None:
        if self.id < 0:
            raise ValueError("id is negative")


class Limits(TypedDict):
    low: int
    high: NotRequired[int]


@dataclass
class StructItem:
    name: str
    price: Decimal
    at: Point | None = None


WRONG: dict[str, Any] = {
    "id": "x",
    "the owner": "A",
    "limits": {"high": "x"},
    "lines": [{}, {"firstPoint": {"x": 1}, "points": [1, {"y": None}]}],
    "points": {"a/b": {}, "c": None},
    "pair": [1, "x"],
    "either": [1, "x"],
    "tags": ["a", 1],
    "item": {"name": 1, "price": "x", "at": {"x": "x"}},
    "more": 1,
}


def test_all_that_is_wrong_with_a_struct_is_told_one_error_a_place() -> None:
    assert errors_of(Ledger, WRONG) == [
        ("#/id", "value_error"),
        ("#/the%20owner", "value_error"),
        ("#/limits/low", "missing"),
        ("#/limits/high", "value_error"),
        ("#/lines/0/firstPoint", "missing"),
        ("#/lines/1/points/0", "value_error"),
        ("#/lines/1/points/1/x", "missing"),
        ("#/lines/1/points/1/y", "value_error"),
        ("#/points/a~1b/x", "missing"),
        ("#/pair/1", "value_error"),
        ("#/either/1", "value_error"),
        ("#/tags/1", "value_error"),
        ("#/item/name", "value_error"),
        ("#/item/price", "value_error"),
        ("#/item/at/x", "value_error"),
    ]
    assert errors_of(Ledger, []) == [("#", "value_error")]
    # What is wrong with the whole is told where nothing else is.
    whole = {"id": 1, "the owner": "Al", "limits": {"low": 1}}
    assert errors_of(Ledger, {**whole, "more": 1}) == errors_of(Ledger, {**whole, "id": -1}) == [("#", "value_error")]
    assert reading(Ledger)(json.dumps(whole).encode()).owner == "Al"


def test_a_hundred_errors_of_a_struct_are_told_and_of_a_large_body_the_first() -> None:
    assert len(errors_of(list[Point], [1] * 5000)) == 100
    assert errors_of(list[Point], [1] * 20_000) == [("#/0", "value_error")]


@pytest.mark.parametrize(
    "annotation", [User, Point, Item, dict[str, int]], ids=["pydantic", "msgspec", "dataclass", "dict"]
)
def test_what_is_no_json_is_told_in_the_same_words_whoever_reads_it(annotation: Any) -> None:
    with pytest.raises(MalformedJSON) as caught:
        reading(annotation)(b'{"a":')
    assert str(caught.value) == ("The body cannot be read as JSON: a value is expected at line 1, column 6 (byte 5).")


def test_thousands_of_errors_are_not_told_one_by_one() -> None:
    assert len(errors_of(list[User], [1] * 5000)) == 100
    assert errors_of(list[User], [1] * 20_000) == [("#", "too_many_errors")]


def test_pydantic_and_msgspec_make_dataclasses_and_typed_dicts_where_they_are_loaded() -> None:
    assert reading(Item)(b'{"name":"a","price":"1.10"}') == Item("a", Decimal("1.10"))
    assert reading(Movie)(b'{"title":"M"}') == {"title": "M"}
    assert errors_of(Item, {"name": 1}) == [("#/name", "string_type"), ("#/price", "missing")]


def test_a_model_may_have_parameters_of_its_own() -> None:
    page = Page([Point(1)], Page([]), {"a": Point(2)})
    assert reading(Page[Point])(b'{"items":[{"x":1}],"after":{"items":[]},"by_name":{"a":{"x":2}}}') == page
    assert reading(Box[int])(b'{"it":1}') == Box(1)
    assert reading(list[Box[Item]])(b'[{"it":{"name":"a","price":1}}]') == [Box(Item("a", Decimal(1)))]
    assert errors_of(Box[Box[int]], {"it": {"it": "1"}}) == [("#/it/it", "value_error")]
    assert errors_of(Page[Item], {"items": [], "after": {"items": [1]}}) == [("#/after/items/0", "dataclass_type")]
    assert errors_of(Found[int] | None, {"it": "a"}) == [("#/it", "int_parsing")]


@dataclass
class Part:
    by_mark: Annotated[str, Body(min_length=2)] = "ab"
    by_annotated_types: Annotated[int, annotated_types.Ge(1)] = 1
    by_meta: Annotated[int, msgspec.Meta(le=9)] = 1
    parts: list[Part] = field(default_factory=list["Part"])


class Shelf(TypedDict):
    parts: dict[str, Part]


def test_a_constraint_is_checked_whatever_library_is_loaded() -> None:
    wrong = {"by_mark": "a", "by_annotated_types": 0, "by_meta": 10, "parts": [{"by_mark": ""}]}
    assert errors_of(Shelf, {"parts": {"first": wrong}}) == [
        ("#/parts/first/by_mark", "too_short"),
        ("#/parts/first/by_annotated_types", "greater_than_equal"),
        ("#/parts/first/by_meta", "less_than_equal"),
        ("#/parts/first/parts/0/by_mark", "too_short"),
    ]


def test_cello_makes_them_where_no_library_is_loaded_and_loads_none() -> None:
    code = """
import sys
from dataclasses import dataclass
from cello import Request
from cello._inject import Providers, inject
from cello.validation import ValidationError

@dataclass
class Point:
    x: int
    y: int = 0

def handler(point: Point):
    return point

call = inject(handler, route="POST /", path_names=(), providers=Providers()).call
assert call(Request("POST", "/", body={"x": 1})) == Point(1)
try:
    call(Request("POST", "/", body={"x": "1", "y": None}))
except ValidationError as error:
    print([one["pointer"] for one in error.errors], "pydantic" in sys.modules, "msgspec" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "['#/x', '#/y'] False False\n"


def test_a_model_that_cannot_be_made_is_refused_at_start() -> None:
    class Broken(BaseModel):
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore

    @dataclass
    class Local:
        it: Broken

    with pytest.raises(StartError, match=r"pydantic: .*Nowhere"):
        reading(Broken)
    with pytest.raises(StartError, match="Opaque'> is nothing that JSON can be made into"):
        from_json(Holder)
    with pytest.raises(StartError, match="min_length=1 cannot be asked of int"):
        from_json(dict[str, Annotated[int, Body(min_length=1)]])
    with pytest.raises(StartError, match=r"an annotation of .*Local cannot be resolved: name 'Broken'"):
        reading(Annotated[Local, DTOConfig()])


# --- by our own hands


def made(annotation: Any, value: Any) -> Any:
    """A value made by Cello's own converter."""
    faults = Faults()
    result = None
    with suppress(Enough):
        result = from_json(annotation)(value, (), faults)
    if faults:
        raise Invalid(faults)
    return result


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Item, {"name": "a", "price": 1.1, "other": 1}, Item("a", Decimal("1.1"))),
        (
            Item,
            {"name": "a", "price": "2", "since": "2026-01-02T00:00:00", "parent": {"name": "b", "price": 3}},
            Item("a", Decimal(2), datetime(2026, 1, 2), parent=Item("b", Decimal(3))),
        ),
        (Movie, {"title": "a"}, {"title": "a"}),
        (Page[int], {"items": [1], "after": {"items": []}}, Page([1], Page([]))),
        (Page[Item | None], {"items": [None]}, Page([None])),
        (Found[Page[int]], {"it": {"items": []}}, {"it": Page[int]([])}),
        (float, 1, 1.0),
        (int | str, "1", "1"),
        (list[int | None], [1, None], [1, None]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (dict[int, bool], {"1": True}, {1: True}),
        (Literal[1, "a"], "a", "a"),
        (Any, {"a": 1}, {"a": 1}),
        (None, None, None),
    ],
)
def test_a_value_of_json_is_made_into_a_type(annotation: Any, value: Any, expected: Any) -> None:
    assert made(annotation, value) == expected


@pytest.mark.parametrize(
    ("annotation", "value", "faults"),
    [
        (int, "1", [((), "must be an integer")]),
        (int, True, [((), "must be an integer")]),
        (int, 1.0, [((), "must be an integer")]),
        (bool, 1, [((), "must be true or false")]),
        (float, 10**400, [((), "must be a number that is not as large")]),
        (str, None, [((), "must be a string")]),
        (Literal[1], True, [((), "must be one of 1")]),
        (Literal["a"], [], [((), "must be one of a")]),
        (datetime, 5, [((), "must be a date and time of ISO 8601")]),
        (list[int], {}, [((), "must be an array")]),
        (list[int], ["a", 1, None], [((0,), "must be an integer"), ((2,), "must be an integer")]),
        (tuple[int, int], [1], [((), "must be an array of 2 elements")]),
        (set[Any], [[1]], [((), "has elements that cannot be in a set")]),
        (
            dict[int, int],
            {"a": 1, "1": "x"},
            [(("a",), "the name of this member must be an integer"), (("1",), "must be an integer")],
        ),
        (Movie, [], [((), "must be an object")]),
        (Movie, {"year": "x"}, [(("title",), "is required"), (("year",), "must be an integer")]),
        (Item | int, {"name": "a"}, [(("price",), "is required")]),
        (Annotated[list[int], Query(min_length=2)], [1], [((), "must have at least 2 elements")]),
    ],
)
def test_what_is_wrong_with_a_value_of_json_is_told_with_its_place(annotation: Any, value: Any, faults: Any) -> None:
    with pytest.raises(Invalid) as caught:
        made(annotation, value)
    assert [(fault.path, fault.detail) for fault in caught.value.faults] == faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "price", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_value_of_json_is_made_or_refused(value: Any) -> None:
    for annotation in (
        Item,
        Movie,
        int | list[str] | Item,
        dict[int, Item],
        set[Any],
        Literal["a", 1],
        tuple[int, str],
    ):
        try:
            made(annotation, value)
        except Invalid as invalid:
            assert invalid.faults


@pytest.mark.parametrize(
    "annotation", [list[str], list[str | None], list[list[int] | str], list[Item], set[Literal["a"]], dict[str, str]]
)
def test_what_is_wrong_a_hundred_thousand_times_is_looked_at_until_enough_is_known(annotation: Any) -> None:
    value: Any = [1] * 100_000
    with pytest.raises(Invalid) as caught:
        made(annotation, dict.fromkeys(map(str, range(100_000)), 1) if annotation == dict[str, str] else value)
    assert len(many(caught.value.faults)) == 100
    assert len(caught.value.faults) == 1001


def test_a_list_with_a_configuration_is_looked_at_until_enough_is_known() -> None:
    with pytest.raises(Invalid) as caught:
        read_with(list[Item], DTOConfig().read_only("name"))(b"[" + b'{"name":1},' * 10_000 + b"{}]")
    assert len(caught.value.faults) == 1001


@dataclass
class Sum:
    left: Sum | Product | int
    right: int
    kind: Literal["sum"]


@dataclass
class Product:
    left: Sum | Product | int
    right: int
    kind: Literal["product"]


def test_a_part_of_a_value_is_tried_once_by_each_union_however_deep_it_is() -> None:
    value: Any = 1
    expected: Any = 1
    wrong: Any = "x"
    for _ in range(100):  # each is taken for a sum first, and is none by its last member
        value = {"left": value, "right": 1, "kind": "product"}
        expected = Product(expected, 1, "product")
        wrong = {"left": wrong, "right": 1, "kind": "product"}
    assert made(Sum | Product, value) == expected
    with pytest.raises(Invalid) as caught:
        made(Sum | Product, wrong)
    assert Fault("body", ("left",) * 100, "must be an integer", "int_type") in caught.value.faults


def test_a_post_init_that_refuses_is_an_error_of_the_client() -> None:
    @dataclass
    class Range:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is over high")

    with pytest.raises(Invalid) as caught:
        made(list[Range], [{"low": 2, "high": 1}])
    assert caught.value.faults == [Fault("body", (0,), "low is over high", "value_error")]


class Opaque:
    pass


@dataclass
class Holder:
    it: Opaque


# --- what a client may send


@dataclass
class Account:
    id: int
    name: str
    secret: str = "s"


@pydantic.dataclasses.dataclass
class AccountOfPydantic:
    id: int
    name: str
    secret: str = "s"


class AccountStruct(msgspec.Struct):
    id: int
    name: str
    secret: str = "s"


class AccountModel(BaseModel):
    id: int
    name: str
    secret: str = "s"


class AccountDict(TypedDict):
    id: int
    name: str
    secret: NotRequired[str]


KINDS = pytest.mark.parametrize(
    "kind",
    [Account, AccountOfPydantic, AccountStruct, AccountModel, AccountDict],
    ids=["dataclass", "pydantic's dataclass", "msgspec", "pydantic", "typed dict"],
)


def values_of(made: Any) -> dict[str, Any]:
    """The fields of a model, whoever made it."""
    if isinstance(made, dict):
        return made  # pyright: ignore[reportUnknownVariableType]
    return {name: getattr(made, name) for name in ("id", "name", "secret")}


@KINDS
def test_what_is_read_only_is_an_error_and_what_is_excluded_is_not_taken(kind: Any) -> None:
    config = DTOConfig().read_only("id").exclude("secret").rename("name", "label")
    read = reading(Annotated[kind, config])
    is_dict = kind is AccountDict
    assert values_of(read({"label": "a", "secret": "x"})) == (
        {"name": "a"} if is_dict else {"id": None, "name": "a", "secret": "s"}
    )
    assert is_dict or isinstance(read({"label": "a"}), kind)
    assert errors_of(Annotated[kind, config], {"id": 1, "label": "a"}) == [("#/id", "read_only")]
    pointers = [pointer for pointer, _ in errors_of(Annotated[kind, config], {"id": 1, "label": 2})]
    assert pointers == ["#/id", "#/label"]
    assert [pointer for pointer, _ in errors_of(Annotated[kind, config], {"name": "a"})] == ["#/label"]


@KINDS
def test_with_partial_any_member_may_be_left_out(kind: Any) -> None:
    read = reading(Annotated[kind, DTOConfig().partial()])
    assert values_of(read({"name": "a"})) == (
        {"name": "a"} if kind is AccountDict else {"id": None, "name": "a", "secret": None}
    )
    assert [pointer for pointer, _ in errors_of(Annotated[kind, DTOConfig().partial()], {"name": 1})] == ["#/name"]


def test_a_model_of_pydantic_keeps_its_constraints_and_knows_what_was_sent() -> None:
    read = reading(Annotated[User, DTOConfig().partial()])
    assert read({"name": "Al"}).model_fields_set == {"name"}
    assert errors_of(Annotated[User, DTOConfig().partial()], {"name": "A"}) == [("#/name", "string_too_short")]


def test_a_list_of_a_model_has_a_configuration_too() -> None:
    for annotation in (
        list[Annotated[Account, DTOConfig().read_only("id")]],
        Annotated[list[Account], DTOConfig().read_only("id")],
    ):
        assert [made.name for made in reading(annotation)([{"name": "a"}])] == ["a"]
        assert errors_of(annotation, [{"name": "a"}, {"id": 1, "name": 2}]) == [
            ("#/1/id", "read_only"),
            ("#/1/name", "string_type"),
        ]


def test_what_is_nested_too_deep_is_an_error() -> None:
    flat = Annotated[User, DTOConfig().max_depth(0)]
    body = {"id": 1, "name": "Al", "password": "x", "tags": ["a"]}
    assert reading(flat)(body).tags == ["a"]
    assert errors_of(flat, {**body, "address": {"street": "a"}}) == [("#/address", "too_deep")]
    assert reading(Annotated[User, DTOConfig().max_depth(1)])({**body, "address": {"street": "a"}}).address is not None


def test_a_configuration_that_names_no_field_is_refused() -> None:
    with pytest.raises(
        StartError, match=r"the DTOConfig of User names 'pasword', which is no field of it: did you mean 'password'\?"
    ):
        reading(Annotated[User, DTOConfig().exclude("pasword")])
    with pytest.raises(StartError, match="names 'secrets'"):
        returning(Annotated[Account, DTOConfig().exclude(["secrets"])])
    with pytest.raises(StartError, match="cannot have a DTOConfig"):
        reading(Annotated[dict[str, Account], DTOConfig()])
    with pytest.raises(StartError, match="is no model"):
        reading(Annotated[int, DTOConfig()])


def test_a_configuration_is_given_names_and_depths() -> None:
    with pytest.raises(TypeError, match="7 is no name of a field"):
        DTOConfig().exclude(7)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(ValueError, match="-1 is no number of levels"):
        DTOConfig().max_depth(-1)
    with pytest.raises(TypeError, match="True is no number of levels"):
        DTOConfig().max_depth(True)


# --- what a client may see


@KINDS
def test_a_return_annotation_with_a_configuration_filters_what_is_returned(kind: Any) -> None:
    through = returning(Annotated[kind, DTOConfig().write_only("secret").rename("name", "label")])
    account = kind(id=1, name="a", secret="x")
    assert through(account) == {"id": 1, "label": "a"}
    assert through({"id": 1, "name": "a", "secret": "x", "hash": "y"}) == {"id": 1, "label": "a"}
    assert through((account, 201)) == ({"id": 1, "label": "a"}, 201)
    assert through((account, 201, {"x": "y"})) == ({"id": 1, "label": "a"}, 201, {"x": "y"})
    several = returning(list[Annotated[kind, DTOConfig().include("name")]] | None)
    assert several([account, account]) == [{"name": "a"}, {"name": "a"}]
    assert several(None) is None


@KINDS
def test_what_is_no_such_model_is_a_failure_of_the_server(kind: Any) -> None:
    through = returning(Annotated[kind, DTOConfig()])
    with pytest.raises(TypeError, match=rf"handler \(.*\) returned what is no {kind.__name__}: .*name"):
        through({"id": 1})


def test_fields_of_subclasses_and_of_objects_do_not_leak() -> None:
    class Stored(User):
        hash: str = "h"

    class Row:
        id, name, password, address, tags, hash = 1, "Al", "p", None, ("a",), "h"

    through = returning(Annotated[User, DTOConfig().exclude("password", "address")])
    assert through(Stored(id=1, name="Al", password="p")) == {"id": 1, "name": "Al", "tags": []}

    class Lax(User):
        model_config = ConfigDict(from_attributes=True)

    assert returning(Annotated[Lax, DTOConfig().include("id", "tags")])(Row()) == {"id": 1, "tags": ["a"]}

    @dataclass
    class Kept(Account):
        hash: str = "h"

    assert returning(Annotated[Account, DTOConfig()])(Kept(1, "a")) == {"id": 1, "name": "a", "secret": "s"}


def test_what_is_nested_too_deep_is_left_out() -> None:
    user = User(id=1, name="Al", password="p", address=Address(street="s"), tags=["a"])
    sent = {"id": 1, "name": "Al", "password": "p", "tags": ["a"]}
    assert returning(Annotated[User, DTOConfig().max_depth(0)])(user) == sent
    assert returning(Annotated[User, DTOConfig().max_depth(1)])(user) == {
        **sent,
        "address": {"street": "s", "zip": None},
    }


def test_responses_streams_and_plain_annotations_are_left_alone() -> None:
    through = returning(Annotated[User, DTOConfig()])
    response = Response.text("x")
    assert through(response) is response
    stream = (piece for piece in "ab")
    assert through(stream) is stream
    assert returning(User)({"anything": 1}) == {"anything": 1}


# --- the older form


class CreateUser(DTO):
    name = Required(MinLength(2))
    email = Required(Email())
    nick = MinLength(1)


def test_a_dto_takes_the_members_that_have_rules() -> None:
    made = reading(CreateUser)({"name": "Al", "email": "a@b.c", "role": "admin"})
    assert (made.name, made.email, made.nick, hasattr(made, "role")) == ("Al", "a@b.c", None, False)
    assert repr(made) == "CreateUser(name='Al', email='a@b.c', nick=None)"


def test_what_is_wrong_with_a_dto_has_field_and_message() -> None:
    with pytest.raises(ValidationError) as caught:
        reading(CreateUser)({"name": "A", "nick": 1})
    assert [(error["field"], error["message"], error["pointer"]) for error in caught.value.errors] == [
        ("name", "must have at least 2 characters", "#/name"),
        ("email", "is required", "#/email"),
        ("nick", "must be a string", "#/nick"),
    ]
    assert errors_of(CreateUser, b"[]") == [("#", "dict_type")]


@pytest.mark.parametrize("text", ["a", "a@b", "@b.c", "a@b.", "a@.c", "a b@c.d", "a@b@c.d", f"{'a' * 250}@b.cd", 7])
def test_what_is_no_e_mail_address_is_refused(text: object) -> None:
    assert ("#/email", "string_type" if text == 7 else "email") in errors_of(CreateUser, {"name": "Al", "email": text})


# --- the error


def test_a_validation_error_may_be_raised_by_a_handler() -> None:
    error = ValidationError("No.", errors=[{"detail": "is taken", "pointer": "#/users/0/a~1b"}, {"detail": "also"}])
    assert isinstance(error, HTTPError)
    assert (error.status, error.extensions["errors"]) == (422, error.errors)
    assert error._places() == [
        {"loc": ["body", "users", 0, "a/b"], "msg": "is taken", "type": "value_error"},
        {"loc": ["body"], "msg": "also", "type": "value_error"},
    ]
    with pytest.raises(ValueError, match="is no pointer"):
        ValidationError(errors=[{"detail": "x", "pointer": "/a"}])


def test_models_over_the_wire(serve: Serve) -> None:
    server = serve(
        """
        from __future__ import annotations
        from typing import Annotated
        from cello import App
        from cello.validation import DTO, DTOConfig, Email, MinLength, Required
        from pydantic import BaseModel

        app = App()

        class User(BaseModel):
            id: int
            name: str
            password: str

        class CreateUser(DTO):
            name = Required(MinLength(2))
            email = Required(Email())

        @app.post("/users")
        async def create(
            request, user: Annotated[User, DTOConfig().read_only("id")]
        ) -> Annotated[User, DTOConfig().write_only("password")]:
            user.id = 7
            return user

        @app.get("/broken")
        def broken() -> Annotated[User, DTOConfig()]:
            return {"id": "secret"}

        @app.post("/older")
        def older(request, user: CreateUser):
            return {"email": user.email}

        app.run()
        """,
        "--env",
        "production",
        "--workers",
        "1",
    )
    assert server.post("/users", b'{"name":"Al","password":"x"}', IN_JSON).json() == {"id": 7, "name": "Al"}
    assert server.post("/users", b'{"id":1,"name":"Al","password":"x"}', IN_JSON).json()["errors"] == [
        {"in": "body", "pointer": "#/id", "detail": "is read-only", "code": "read_only"}
    ]
    broken = server.get("/broken")
    assert (broken.status, b"secret" in broken.body) == (500, False)
    assert server.post("/older", b'{"name":"Al","email":"a@b.c"}', IN_JSON).json() == {"email": "a@b.c"}
    assert server.post("/older", b'{"name":"Al"}', IN_JSON).json()["errors"][0]["field"] == "email"


def test_a_frozen_dataclass_and_one_with_slots_are_derived() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Frozen:
        id: int
        name: str

    made = reading(Annotated[Frozen, DTOConfig().read_only("id")])({"name": "a"})
    assert (made.id, made.name) == (None, "a")
