"""Middleware, hooks, exception handlers and the life of an application."""

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any, assert_type

from cello import App, Blueprint, Request, Response
from cello.errors import HTTPError, NotFound, Unauthorized
from cello.middleware import CallNext, Middleware, Phase, SyncCallNext
from cello.validation import ValidationError

app, api = App(), Blueprint("/api")


async def stamp(request: Request, call_next: CallNext) -> Response:
    response = await call_next(request)
    assert_type(response, Response)
    response.headers["x-served-by"] = "cello"
    return response


def no_sniffing(request: Request, call_next: SyncCallNext) -> Response:
    response = call_next(request)
    assert_type(response, Response)
    return response


def say(word: str) -> Middleware:
    async def middleware(request: Request, call_next: CallNext) -> Response:
        response = await call_next(request)
        response.append_header("x-passed", word)
        return response

    return middleware


class Maintenance:
    """A middleware that is an object; of the class an instance is made."""

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        return await call_next(request)


class Still:
    """The same for what is `def`."""

    def __call__(self, request: Request, call_next: SyncCallNext) -> Response:
        return call_next(request)


assert_type(app.use(stamp), App)
assert_type(api.use(no_sniffing).use(say("blueprint")), Blueprint)
app.use(Maintenance())
app.use(Maintenance)
api.use(Still)
app.add_middleware(Maintenance, name="another")
app.add_middleware(stamp, phase=Phase.SHIELD, before="users", after=["?sessions", "other"], name="stamp")


@app.before_request
def need_a_key(request: Request) -> None:
    if "x-key" not in request.headers:
        raise Unauthorized("Send the key.")


@app.before_request
async def answer_early(request: Request) -> Response | None:
    return Response.text("early") if request.path == "/early" else None


@api.after_request
async def count(request: Request, response: Response) -> None:
    request.state.status = response.status


assert_type(need_a_key(Request("GET", "/", headers={"x-key": "1"})), None)


@app.exception_handler(ValueError)
def refuse(request: Request, exc: ValueError) -> Response:
    return Response.json({"error": str(exc)}, status=400)


@app.exception_handler(404)
async def nothing_there(request: Request, exc: NotFound) -> dict[str, str]:
    return {"there is nothing at": request.path}


@api.exception_handler(ValidationError)
def tell_all(request: Request, exc: HTTPError) -> tuple[Any, int]:
    return [*exc.extensions], exc.status


@app.exception_handler(Exception)
def sorry(request: Request, exc: Exception) -> dict[str, str]:
    return {"sorry": request.request_id}


answered: Callable[[Request, ValueError], Response] = refuse
assert_type(sorry(Request("GET", "/"), ValueError()), dict[str, str])


@app.on_event("startup")
async def started() -> None:
    app.state.greeting = "Hello"


@app.on_event("shutdown")
def stopped() -> None:
    app.state.greeting = None


assert_type(stopped(), None)


class Shop(App):
    """An application with an attribute of its own."""

    db: sqlite3.Connection


shop = Shop()


@shop.lifespan
def database(app: Shop) -> Iterator[None]:
    with closing(sqlite3.connect(":memory:")) as app.db:
        yield


@app.lifespan
async def connected() -> AsyncIterator[None]:
    yield


@app.lifespan
def connected_too(app: App) -> Generator[None]:
    yield


@asynccontextmanager
async def pooled(app: App) -> AsyncGenerator[None]:
    yield


App(lifespan=pooled)
App(lifespan=connected)
App(lifespan=lambda: closing(sqlite3.connect(":memory:")))
