"""Parameters by annotation: where they come from, what they become, and what is told of those that cannot."""

# ruff: noqa: ARG001 - what is asked for here is not always used

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Never, NewType, Optional
from uuid import UUID

import annotated_types
import pytest
from cello import App, BackgroundTasks, FormData, Request, Response, UploadedFile
from cello._inject import Providers, inject
from cello.errors import StartError, UnsupportedMediaType
from cello.params import Body, Cookie, File, Form, Header, Parameter, Path, Query
from cello.validation import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, HttpUrl

if TYPE_CHECKING:
    from serving import Serve

IN_JSON = {"content-type": "application/json"}

type Page = Annotated[int, Query(ge=1)]
UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Opaque:
    pass


@dataclass
class Filter:
    page: int = 1


class Unmakeable:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> Never:
        raise ImportError("it cannot be made")


def taking(annotation: Any, default: Any = Parameter, path_names: tuple[str, ...] = ()) -> Any:
    """A handler that takes one parameter, `value`, as it is called."""

    def handler(value: Any) -> Any:
        return value

    handler.__annotations__["value"] = annotation
    if default is not Parameter:
        handler.__defaults__ = (default,)
    return inject(handler, route="GET /", path_names=path_names, providers=Providers()).call


def ask(annotation: Any, query: str, default: Any = Parameter) -> Any:
    """What a parameter of the query becomes."""
    return taking(annotation, default)(Request("GET", "/", query=query))


def errors_of(annotation: Any, query: str, default: Any = Parameter) -> list[dict[str, Any]]:
    """What is wrong with a parameter of the query."""
    with pytest.raises(ValidationError) as caught:
        ask(annotation, query, default)
    assert caught.value.status == 422
    return caught.value.errors


def refusal(annotation: Any, path_names: tuple[str, ...] = ()) -> str:
    """The words of the StartError for a parameter."""
    with pytest.raises(StartError) as caught:
        taking(annotation, path_names=path_names)
    return str(caught.value)


# --- simple types


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "a%20b", "a b"),
        (int, "-12", -12),
        (float, "1.5e3", 1500.0),
        (bool, "Yes", True),
        (bool, "0", False),
        (UUID, "6ec57f84-c680-43a3-b77b-1b1b1b1b1b1b", UUID("6ec57f84-c680-43a3-b77b-1b1b1b1b1b1b")),
        (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (date, "2026-01-02", date(2026, 1, 2)),
        (time, "03:04:05", time(3, 4, 5)),
        (timedelta, "P1DT2H0.5S", timedelta(days=1, hours=2, seconds=0.5)),
        (timedelta, "-PT1H", timedelta(hours=-1)),
        (timedelta, "90", timedelta(seconds=90)),
        (Decimal, "1.10", Decimal("1.10")),
        (Color, "blue", Color.BLUE),
        (Level, "2", Level.HIGH),
        (Literal["a", 1, True], "1", 1),
        (Literal["a", 1, True], "true", True),
        (Optional[int], "3", 3),  # noqa: UP045 - the older spelling
        (int | None, "3", 3),
        (int | str, "3", 3),
        (str | int, "3", 3),
        (int | str, "x", "x"),
        (Annotated[Any, Query()], "3", "3"),
        (Page, "3", 3),
        (UserId, "3", 3),
        (HttpUrl, "http://a.b/", HttpUrl("http://a.b/")),
    ],
)
def test_a_simple_type_is_a_parameter_of_the_query(annotation: Any, text: str, value: object) -> None:
    made = ask(annotation, f"value={text}")
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "detail", "code"),
    [
        (int, "1_000", "must be an integer", "int_parsing"),
        (int, " 1", "must be an integer", "int_parsing"),
        (int, "%D9%A3", "must be an integer", "int_parsing"),
        (int, "9" * 4301, "must be an integer", "int_parsing"),
        (int, "", "must be an integer", "int_parsing"),
        (float, "nan", "must be a finite number", "float_parsing"),
        (float, "1e999", "must be a finite number", "float_parsing"),
        (Decimal, "Infinity", "must be a finite number", "decimal_parsing"),
        (Decimal, "1e99999", "must be a finite number", "decimal_parsing"),
        (bool, "2", "must be true or false", "bool_parsing"),
        (UUID, "6ec57f84", "must be a UUID", "uuid_parsing"),
        (datetime, "yesterday", "must be a date and time of ISO 8601", "datetime_parsing"),
        (date, "2026-13-01", "must be a date of ISO 8601", "date_parsing"),
        (time, "25:00", "must be a time of ISO 8601", "time_parsing"),
        (timedelta, "P", "must be a duration of ISO 8601, or a number of seconds", "time_delta_parsing"),
        (timedelta, "P999999999W", "must be a duration of ISO 8601, or a number of seconds", "time_delta_parsing"),
        (Color, "green", "must be one of red, blue", "enum"),
        (Literal["a", None], "b", "must be one of a, none", "literal_error"),
        (int | UUID, "b", "must be an integer, or must be a UUID", "int_parsing"),
    ],
)
def test_a_text_that_is_not_of_the_type_is_told(annotation: Any, text: str, detail: str, code: str) -> None:
    told = {"in": "query", "name": "value", "pointer": "#/value", "detail": detail, "code": code}
    assert errors_of(annotation, f"value={text}") == [told]


@given(st.one_of(st.text(), st.from_regex(r"[+-]?P?[0-9.eETDHMSW:-]{0,12}", fullmatch=True)))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    for annotation in (int, float, bool, UUID, datetime, date, time, timedelta, Decimal, Color, int | date):
        request = Request("GET", "/", query=[("value", text)])
        try:
            taking(annotation)(request)
        except ValidationError as error:
            assert len(error.errors) == 1


def test_what_is_not_sent_is_its_default_none_or_an_error() -> None:
    assert ask(int, "", 7) == 7
    assert ask(int | None, "") is None
    assert errors_of(int, "other=1")[0]["detail"] == "is required"


def test_a_parameter_without_annotation_keeps_its_default() -> None:
    def handler(request: Any, step=3):  # type: ignore[no-untyped-def]  # pyright: ignore
        return step  # pyright: ignore

    call = inject(handler, route="GET /", path_names=(), providers=Providers()).call
    assert call(Request("GET", "/", query="step=4")) == 3


def test_lists_and_sets_take_all_values_of_a_name() -> None:
    assert ask(list[int], "value=1&value=2&value=1") == [1, 2, 1]
    assert ask(set[int], "value=1&value=2&value=1") == {1, 2}
    assert ask(tuple[Color, ...], "value=red") == (Color.RED,)
    assert ask(list[str] | None, "") is None
    assert [(e["pointer"], e["detail"]) for e in errors_of(list[int], "value=a&value=1&value=b")] == [
        ("#/value/0", "must be an integer"),
        ("#/value/2", "must be an integer"),
    ]
    limited = Annotated[list[int], Query(max_length=2, ge=1)]
    assert errors_of(limited, "value=1&value=2&value=3")[0]["detail"] == "must have at most 2 elements"
    assert errors_of(limited, "value=1&value=0")[0]["pointer"] == "#/value/1"
    assert errors_of(list[Annotated[str, Query(min_length=2)]], "value=a")[0]["detail"] == (
        "must have at least 2 characters"
    )


def test_a_default_list_is_new_for_each_request() -> None:
    def handler(value: list[int] = []) -> list[int]:  # noqa: B006
        value.append(1)
        return value

    call = inject(handler, route="GET /", path_names=(), providers=Providers()).call
    assert [call(Request("GET", "/")) for _ in range(2)] == [[1], [1]]


# --- constraints


@pytest.mark.parametrize(
    ("annotation", "right", "wrong", "detail"),
    [
        (Annotated[int, Query(ge=1)], "1", "0", "must be at least 1"),
        (Annotated[int, Query(gt=1)], "2", "1", "must be more than 1"),
        (Annotated[float, Query(le=1)], "1", "1.01", "must be at most 1"),
        (Annotated[Decimal, Query(lt=1)], "0.9", "1", "must be less than 1"),
        (Annotated[int, Query(multiple_of=5)], "10", "11", "must be a multiple of 5"),
        (Annotated[float, Query(multiple_of=0.1)], "0.3", "0.35", "must be a multiple of 0.1"),
        (Annotated[Decimal, Query(multiple_of=Decimal("0.1"))], "0.3", "1e4299", "must be a multiple of 0.1"),
        (Annotated[str, Query(min_length=2)], "ab", "a", "must have at least 2 characters"),
        (Annotated[str, Query(max_length=1)], "a", "ab", "must have at most 1 character"),
        (Annotated[str, Query(pattern="^a+$")], "aa", "ab", "must match the pattern ^a+$"),
        (Annotated[date, Query(ge=date(2026, 1, 1))], "2026-01-01", "2025-01-01", "must be at least 2026-01-01"),
        (Annotated[int, annotated_types.Interval(ge=1, lt=3)], "2", "3", "must be less than 3"),
        (Annotated[str, annotated_types.Len(1, 2)], "ab", "abc", "must have at most 2 characters"),
        (Annotated[int, Field(ge=1)], "1", "0", "must be at least 1"),
        (Annotated[str, Field(pattern="^a$")], "a", "b", "must match the pattern ^a$"),
        (Annotated[int, annotated_types.Predicate(bool)], "1", "0", "must pass bool"),
    ],
)
def test_a_constraint_is_checked(annotation: Any, right: str, wrong: str, detail: str) -> None:
    ask(annotation, f"value={right}")
    assert [error["detail"].partition(",")[0] for error in errors_of(annotation, f"value={wrong}")] == [detail]


def test_dates_that_cannot_be_compared_are_an_error_of_the_client() -> None:
    annotation = Annotated[datetime, Query(ge=datetime(2026, 1, 1, tzinfo=UTC))]
    assert "cannot be compared" in errors_of(annotation, "value=2026-01-02T00:00:00")[0]["detail"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Query(min_length=3)], "min_length=3 cannot be asked of int"),
        (Annotated[int | str, Query(max_length=3)], "max_length=3 cannot be asked of int"),
        (Annotated[float | None, Query(pattern="a")], "pattern='a' cannot be asked of float"),
        (Annotated[str, Query(ge=3)], "ge=3 cannot be asked of str: it has min_length, max_length and pattern"),
        (Annotated[str, annotated_types.Gt(3)], "gt=3 cannot be asked of str: it has min_length"),
        (Annotated[int, Query(le="3")], "le='3' cannot be asked of int"),
        (Annotated[str, Query(min_length="3")], "min_length='3' is no number of characters or elements"),  # type: ignore
        (Annotated[list[str], Query(max_length=-1)], "max_length=-1 is no number of characters or elements"),
        (Annotated[str, Query(pattern="[")], r"pattern='\[' is no regular expression: unterminated character set"),
        (Annotated[list[str], Query(pattern=3)], "pattern=3 is no regular expression"),  # type: ignore
        (Annotated[int, Query(), Header()], r"value has two marks, Query\(\) and Header\(\): leave one of them out"),
    ],
)
def test_what_no_value_of_its_type_can_be_is_told_at_start(annotation: Any, words: str) -> None:
    with pytest.raises(StartError, match=words):
        taking(annotation)


def test_what_some_value_of_its_type_can_be_is_asked_of_it() -> None:
    assert ask(Annotated[str, Query(ge="b")], "value=c") == "c"
    assert ask(Annotated[int | str, Query(ge=3)], "value=4") == 4
    assert ask(Annotated[list[int], Query(min_length=1, ge=3)], "value=4") == [4]
    assert ask(Annotated[Decimal, Query(ge=3)], "value=4") == 4
    assert ask(Annotated[UUID | None, Query(min_length=3)], "", None) is None


def test_a_mark_takes_no_default() -> None:
    words = r"Query\(\) takes no default, which stands behind the parameter: write Annotated\[int, Query\(\)\] = 1"
    with pytest.raises(TypeError, match=words):
        Query(1)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(TypeError, match=words):
        Query(default=1)  # type: ignore[call-arg]  # pyright: ignore


def test_a_mark_takes_no_other_names() -> None:
    with pytest.raises(TypeError, match=r"Query\(\) takes no minimum: there are alias, ge,"):
        Query(minimum=1)  # type: ignore[call-arg]  # pyright: ignore
    assert repr(Query(ge=1, alias="p")) == "Query(alias='p', ge=1)"


# --- where they come from


def test_parameters_come_from_where_they_say() -> None:
    def handler(
        id: int,  # noqa: A002
        name: Annotated[str, Path(alias="rest")],
        x_token: Annotated[str, Header()],
        accept: Annotated[list[str], Header],
        session: Annotated[str, Cookie(alias="sid")],
        page: Annotated[int, Query(alias="p")] = 1,
        *,
        asked: Request,
    ) -> Any:
        return id, name, x_token, accept, session, page, asked.path

    call = inject(handler, route="GET /{id}/{*rest}", path_names=("id", "rest"), providers=Providers()).call
    request = Request(
        "GET",
        "/7/a/b?p=2",
        params={"id": "7", "rest": "a/b"},
        headers=[("X-Token", "t"), ("accept", "a"), ("accept", "b"), ("cookie", "sid=s")],
    )
    assert call(request) == (7, "a/b", "t", ["a", "b"], "s", 2, "/7/a/b")


def test_errors_of_all_places_are_told_at_once() -> None:
    def handler(
        id: int,  # noqa: A002
        item: dict[str, int],
        x_token: Annotated[int, Header()],
        session: Annotated[int, Cookie()],
        page: int = 1,
    ) -> None: ...

    call = inject(handler, route="POST /{id}", path_names=("id",), providers=Providers()).call
    with pytest.raises(ValidationError) as caught:
        call(Request("POST", "/a?page=b", params={"id": "a"}, headers={"cookie": "session=c"}, body={"a/b~": "1"}))
    assert caught.value.detail == "The request has 5 errors."
    assert [(error["in"], error.get("name"), error["pointer"]) for error in caught.value.errors] == [
        ("path", "id", "#/id"),
        ("body", None, "#/a~1b~0"),
        ("header", "x-token", "#/x-token"),
        ("cookie", "session", "#/session"),
        ("query", "page", "#/page"),
    ]


def test_names_that_a_client_chose_are_told_as_far_as_they_can_be_sent() -> None:
    call = taking(dict[str, int])
    with pytest.raises(ValidationError) as caught:
        call(Request("POST", "/", body={"x" * 10_000: "1", "é \n": "1"} | {str(number): "" for number in range(200)}))
    pointers = [error["pointer"] for error in caught.value.errors]
    assert len(pointers) == 100
    assert pointers[:2] == ["#/" + "x" * 99 + "%E2%80%A6", "#/%C3%A9%20%0A"]


@pytest.mark.parametrize(
    ("annotation", "path_names", "words"),
    [
        (
            complex,
            (),
            "value is to be complex, which nothing in a request can be: annotate it with int, str, a dataclass",
        ),
        (Unmakeable, (), "pydantic: it cannot be made"),
        (BackgroundTasks, (), "can be: leave it out, and write value = BackgroundTasks() in the function"),
        (Response, (), "can be: leave it out, and return a Response"),
        (App | None, (), "can be: leave it out, and write request.app"),
        (Annotated[complex, Query()], (), "value is complex, which no text can be made into"),
        (Annotated[Filter, Query()], (), "can be made into: for one that is made of several write value: Annotated"),
        (list[complex], (), "value is to be list[complex], which nothing in a request can be"),
        (Annotated[list[complex], Query()], (), "whose elements no text can be made into"),
        (Annotated[Opaque, Body()], (), "Opaque'> is nothing that JSON can be made into"),
        (list[int], ("value",), "a parameter of the path is a single value"),
        (Annotated[int, Path()], (), "a parameter of the path, which has none of the name 'value'"),
        (
            "Nowhere",
            (),
            "the annotation 'Nowhere' of value names Nowhere, which is not defined: define it or import it",
        ),
    ],
)
def test_an_annotation_that_nothing_provides_is_refused(annotation: Any, path_names: Any, words: str) -> None:
    told = refusal(annotation, path_names)
    assert words in told
    assert " in taking.<locals>.handler\n" in told
    assert f"\n  {__file__}:" in told


def test_a_mark_as_a_default_is_refused() -> None:
    def handler(page: Any = Query(ge=1)) -> None: ...  # noqa: B008

    with pytest.raises(StartError, match=r"page has a mark as its default: write page: Annotated\[…, Query\(…\)\]"):
        inject(handler, route="GET /", path_names=(), providers=Providers())


# --- bodies


def test_the_body_must_be_said_to_be_json() -> None:
    call = taking(dict[str, int])
    for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.a+json"):
        assert call(Request("POST", "/", headers={"content-type": kind}, body=b'{"a":1}')) == {"a": 1}
    with pytest.raises(UnsupportedMediaType):
        call(Request("POST", "/", headers={"content-type": "text/plain"}, body=b'{"a":1}'))
    with pytest.raises(UnsupportedMediaType):
        call(Request("POST", "/", body=b'{"a":1}'))


def test_a_body_that_is_not_there_is_its_default_none_or_an_error() -> None:
    assert taking(dict[str, int] | None)(Request("POST", "/")) is None
    assert taking(dict[str, int], {"a": 2})(Request("POST", "/")) == {"a": 2}
    with pytest.raises(ValidationError) as caught:
        taking(dict[str, int])(Request("POST", "/"))
    assert caught.value.errors == [{"in": "body", "pointer": "#", "detail": "is required", "code": "missing"}]


def test_members_of_the_body_are_parameters_with_an_alias() -> None:
    def handler(
        a: Annotated[int, Body(alias="a", ge=1)], b: Annotated[list[str] | None, Body(alias="b")] = None
    ) -> Any:
        return a, b

    call = inject(handler, route="POST /", path_names=(), providers=Providers()).call
    assert call(Request("POST", "/", body={"a": 1, "b": ["x"]})) == (1, ["x"])
    assert call(Request("POST", "/", body={"a": 1})) == (1, None)
    with pytest.raises(ValidationError) as caught:
        call(Request("POST", "/", body={"a": 0, "b": ["x", 2]}))
    assert [error["pointer"] for error in caught.value.errors] == ["#/a", "#/b/1"]


def test_two_parameters_cannot_be_the_whole_body() -> None:
    def handler(a: dict[str, int], b: dict[str, str]) -> None: ...

    with pytest.raises(StartError, match=r'a and b are the whole body both: .* b: Annotated\[…, Body\(alias="b"\)\]'):
        inject(handler, route="POST /", path_names=(), providers=Providers())


# --- over sockets

SERVED = """
    from __future__ import annotations
    import dataclasses
    from typing import Annotated
    from cello import App, FormData, Request, UploadedFile
    from cello.params import Body, File, Form, Header, Query

    app = App(errors=ERRORS)

    @dataclasses.dataclass
    class Line:
        sku: str
        count: int

    @dataclasses.dataclass
    class Order:
        lines: list[Line]
        note: str | None = None

    @app.get("/users/{id}")
    def user(id: int, page: Annotated[int, Query(ge=1)] = 1, tags: list[str] = []):
        return {"id": id, "page": page, "tags": tags}

    @app.post("/orders")
    async def order(request, order: Order):
        return order

    @app.post("/arriving", stream=True)
    async def arriving(order: Order, page: int = 1):
        return order

    @app.post("/form")
    async def form(name: Annotated[str, Form(min_length=2)], photo: UploadedFile, more: list[UploadedFile] = []):
        return {"name": name, "photo": photo.read_text(), "more": [file.filename for file in more]}

    @app.post("/arriving-form", stream=True)
    async def arriving_form(whole: FormData, age: Annotated[int, Form()]):
        return {"names": whole.keys(), "age": age}

    app.run()
"""


def part(name: str, value: str, filename: str | None = None) -> str:
    """One part of a form."""
    file = f'; filename="{filename}"' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'


def test_parameters_are_read_and_refused_over_the_wire(serve: Serve) -> None:
    server = serve(SERVED.replace("ERRORS", '"problem"'))
    assert server.get("/users/7?page=2&tags=a&tags=b").json() == {"id": 7, "page": 2, "tags": ["a", "b"]}
    reply = server.get("/users/x?page=0")
    problem = reply.json()
    problem.pop("request_id")
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert problem == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The request has 2 errors.",
        "instance": "/users/x",
        "errors": [
            {"in": "path", "name": "id", "pointer": "#/id", "detail": "must be an integer", "code": "int_parsing"},
            {
                "in": "query",
                "name": "page",
                "pointer": "#/page",
                "detail": "must be at least 1",
                "code": "greater_than_equal",
            },
        ],
    }
    for path in ("/orders", "/arriving"):
        right = b'{"lines":[{"sku":"a","count":2}]}'
        assert server.post(path, right, IN_JSON).json() == {"lines": [{"sku": "a", "count": 2}], "note": None}
        told = server.post(path, b'{"lines":[{"sku":"a","count":"2"},{}]}', IN_JSON).json()["errors"]
        assert [(error["pointer"], error["detail"]) for error in told] == [
            ("#/lines/0/count", "must be an integer"),
            ("#/lines/1/sku", "is required"),
            ("#/lines/1/count", "is required"),
        ]
        malformed = server.post(path, b'{"lines":', IN_JSON)
        assert (malformed.status, "cannot be read as JSON" in malformed.json()["detail"]) == (400, True)
        assert server.post(path, right, {"content-type": "text/csv"}).status == 415
    form = {"content-type": "multipart/form-data; boundary=b"}
    assert server.post("/orders", f"{part('lines', '')}--b--\r\n".encode(), form).status == 415
    assert [error["in"] for error in server.post("/arriving?page=x", b"{}", IN_JSON).json()["errors"]] == [
        "body",
        "query",
    ]


def test_fields_and_files_of_forms_are_parameters(serve: Serve) -> None:
    server = serve(SERVED.replace("ERRORS", '"problem"'))
    multipart = {"content-type": "multipart/form-data; boundary=b"}
    body = part("name", "Al") + part("photo", "bytes", "a.txt") + part("more", "x", "b") + part("more", "y", "c")
    reply = server.post("/form", f"{body}--b--\r\n".encode(), multipart)
    assert reply.json() == {"name": "Al", "photo": "bytes", "more": ["b", "c"]}
    body = part("name", "A") + part("photo", "no file")
    reply = server.post("/form", f"{body}--b--\r\n".encode(), multipart)
    assert [(error["in"], error["name"], error["detail"]) for error in reply.json()["errors"]] == [
        ("form", "name", "must have at least 2 characters"),
        ("form", "photo", "must be a file"),
    ]
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    assert server.post("/arriving-form", b"age=3&b=1", urlencoded).json() == {"names": ["age", "b"], "age": 3}
    assert server.post("/form", b"{}", {"content-type": "application/json"}).status == 415


def test_the_older_form_of_errors_has_detail_loc_msg_and_type(serve: Serve) -> None:
    server = serve(SERVED.replace("ERRORS", '"legacy"'))
    reply = server.post("/orders", b'{"lines":[{"sku":"a","count":"2"}]}', IN_JSON)
    assert (reply.status, reply.headers["content-type"]) == (422, "application/json")
    assert reply.json() == {
        "detail": [{"loc": ["body", "lines", 0, "count"], "msg": "must be an integer", "type": "int_type"}]
    }
    assert server.get("/users/x").json() == {
        "detail": [{"loc": ["path", "id"], "msg": "must be an integer", "type": "int_parsing"}]
    }


def test_forms_and_files_are_known_by_their_types() -> None:
    body = f"{part('value', 'x', 'a.txt')}--b--\r\n".encode()

    def request() -> Request:
        return Request("POST", "/", headers={"content-type": "multipart/form-data; boundary=b"}, body=body)

    assert isinstance(taking(FormData)(request()), FormData)
    assert taking(UploadedFile)(request()).filename == "a.txt"
    assert taking(UploadedFile | None)(request()).filename == "a.txt"
    assert [file.filename for file in taking(Annotated[list[UploadedFile], File()])(request())] == ["a.txt"]
    assert taking(Annotated[UploadedFile | None, File(alias="other")])(request()) is None
    with pytest.raises(ValidationError, match="an error"):
        taking(Annotated[str, Form()])(request())
