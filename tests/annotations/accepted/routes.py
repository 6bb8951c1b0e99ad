"""Routes with every option, and blueprints."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, assert_type

from cello import App, Blueprint, Request, Response
from cello.middleware import CallNext
from cello.routing import (
    AlphaConstraint,
    AlphanumConstraint,
    Constraint,
    IntConstraint,
    RegexConstraint,
    UuidConstraint,
)

app = App()
patterns: dict[str, RegexConstraint] = {"code": RegexConstraint("[a-z]{2}")}
several: dict[str, Constraint] = {"a": AlphaConstraint(), "b": AlphanumConstraint(), "c": UuidConstraint()}
assert_type(patterns["code"].pattern, str)
assert_type(IntConstraint().spelling, str)


async def around(request: Request, call_next: CallNext) -> Response:
    return await call_next(request)


class Around:
    """A middleware that is an object; of the class an instance is made."""

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        return await call_next(request)


@app.get(
    "/users/{id}",
    tags=["users"],
    summary="One user",
    description="The user with an id.",
    deprecated=False,
    status=200,
    constraints={"id": IntConstraint()},
    stream=False,
    body_limit=1 << 20,
    timeout=2.5,
    cancel_on_disconnect=False,
    drain="now",
    middleware=[around, Around],
)
async def user(request: Request) -> dict[str, str | None]:
    return {"id": request.get_param("id")}


@app.post("/users", tags=("users", "new"), status=None, body_limit=None, timeout=None, blocking=True)
def make_user(request: Request) -> tuple[Any, int]:
    return request.json(), 201


@app.put("/codes/{code}", constraints=patterns)
@app.patch("/codes/{code}", constraints=patterns)
@app.delete("/codes/{code}", constraints=patterns)
def change(request: Request) -> str:
    return request.params["code"]


@app.head("/several/{a}/{b}/{c}", constraints=several)
@app.options("/several/{a}/{b}/{c}", constraints=several)
@app.route("/several/{a}/{b}/{c}", methods=["GET", "PROPFIND"], constraints=several)
@app.route("/several", ("GET",))
def take_nothing() -> None: ...


@app.get("/rows")
def rows() -> Iterator[str]:
    yield "row\n"


@app.get("/pieces")
async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"


class Greeting:
    """A handler that is an object."""

    def __call__(self, request: Request) -> str:
        return f"Hello, {request.client_ip}"


greet = app.get("/greeting")(Greeting())
assert_type(greet, Greeting)
assert_type(change(Request("PUT", "/codes/de", params={"code": "de"})), str)
awaited: Callable[[Request], Awaitable[dict[str, str | None]]] = user

users = Blueprint("/users", tags=["users"])
named = Blueprint("api", url_prefix="/api/v1", timeout=30, middleware=[around], constraints=patterns)
assert_type(users.name, str | None)
assert_type(users.prefix, str)
assert_type(named.register_blueprint(users), Blueprint)
assert_type(named.register(Blueprint("/other")), Blueprint)
assert_type(app.register_blueprint(named), App)


@users.get("/{id:int}", summary="One user")
def get_user(id: int) -> dict[str, int]:
    return {"id": id}


assert_type(get_user(7), dict[str, int])
assert_type(users.get_all_routes(), list[tuple[str, str, Callable[..., Any]]])
