"""Parameters by annotation: a mark changes nothing about a parameter's type."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, TypedDict, assert_type
from uuid import UUID

from cello import App, FormData, UploadedFile
from cello.params import Body, Cookie, File, Form, Header, Parameter, Path, Query
from cello.validation import DTO, DTOConfig, Email, MinLength, Required, ValidationError

app = App()


@dataclass
class Order:
    """A body."""

    item: str
    count: int = 1


class Line(TypedDict):
    """A body, too."""

    item: str


class Colour(Enum):
    """One of two."""

    RED = "red"
    GREEN = "green"


@app.get("/orders/{id}/lines")
def lines(
    id: Annotated[UUID, Path(description="which")],
    page: Annotated[int, Query(ge=1, lt=100, multiple_of=2)] = 1,
    tags: Annotated[list[str] | None, Query(alias="tag", min_length=1, max_length=5, pattern="^[a-z]+$")] = None,
    price: Annotated[Decimal | None, Query(gt=Decimal("0.5"), le=10)] = None,
    since: datetime | None = None,
    colour: Colour = Colour.RED,
    order: Literal["up", "down"] = "up",
    accept: Annotated[str, Header()] = "*/*",
    session: Annotated[str | None, Cookie()] = None,
) -> None:
    assert_type(id, UUID)
    assert_type(page, int)
    assert_type(tags, list[str] | None)
    assert_type(price, Decimal | None)
    assert_type(order, Literal["up", "down"])
    assert_type(accept, str)
    assert_type(session, str | None)


@app.post("/pictures")
async def pictures(
    picture: UploadedFile,
    title: Annotated[str, Form(min_length=1)],
    more: Annotated[list[UploadedFile], File(alias="files")],
    form: FormData,
) -> None:
    assert_type(picture, UploadedFile)
    assert_type(title, str)
    assert_type(more, list[UploadedFile])
    assert_type(form, FormData)


@app.post("/orders")
def take(order: Order) -> int:
    return order.count


@app.post("/items")
def take_item(item: Annotated[str, Body(alias="item")], lines: Annotated[list[Line], Body()]) -> None:
    assert_type(item, str)
    assert_type(lines, list[Line])


marks: list[Parameter] = [Path(), Query(), Header(), Cookie(), Form(), File(), Body()]
assert_type(Query(alias="q").alias, str | None)

config = DTOConfig().include("id", "item").exclude(["secret"]).read_only("id").write_only("password")
assert_type(config.rename("id", "number").max_depth(2).partial().partial(False), DTOConfig)

Outgoing = Annotated[Order, DTOConfig().exclude("count")]


@app.get("/orders/{id}")
def order(id: int) -> Outgoing:
    return Order("violin", id)


@app.get("/orders")
def orders() -> list[Outgoing] | None:
    return [Order("violin")]


assert_type(order(7), Order)


class CreateUser(DTO):
    """The older form."""

    name = Required(MinLength(2))
    email = Required(Email())
    nick = MinLength(1)


@app.post("/people")
def create_person(user: CreateUser) -> dict[str, str]:
    return {"name": user.name.title(), "email": user.email, "nick": user.nick or "none"}


error = ValidationError("The name is taken.", errors=[{"detail": "is taken", "pointer": "#/name", "in": "body"}])
assert_type(error.status, int)
