"""Dependencies: a parameter has the type of what its dependency provides."""

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Annotated, Any, assert_type

from cello import App, Depends, Request
from cello.dependencies import Dependency, Scope
from cello.params import Header

app = App()


class Database:
    """What is depended on."""

    async def close(self) -> None: ...


class Rows(Iterator[str]):
    """A class is given as an instance, whatever that is like."""

    def __next__(self) -> str:
        raise StopIteration


class Maker:
    """An object that can be called."""

    async def __call__(self) -> Database:
        return Database()


def get_settings() -> dict[str, str]:
    return {"currency": "EUR"}


async def get_names(authorization: Annotated[str, Header()] = "") -> list[str]:
    return [authorization]


async def get_db() -> AsyncIterator[Database]:
    yield Database()


async def get_db_too() -> AsyncGenerator[Database]:
    yield Database()


def get_rows() -> Iterator[int]:
    yield 1


def get_rows_too() -> Generator[int]:
    yield 1


def get_named(name: str) -> Database:
    return Database()


class Service:
    """Made from what its parameters say."""

    def __init__(self, request: Request, database: Annotated[Database, Depends(get_db)]) -> None: ...


make = Maker()
make_main = functools.partial(get_named, "main")


@app.get("/price")
def price(
    request: Request,
    settings: dict[str, str] = Depends(get_settings),
    names: list[str] = Depends(get_names),
    db: Database = Depends(get_db, scope="call"),
    db_too: Database = Depends(get_db_too, use_cache=False),
    row: int = Depends(get_rows),
    made: Database = Depends(make),
    service: Service = Depends(Service),
    partial: Database = Depends(make_main),
    pool: Database = Depends("pool"),
) -> dict[str, str]:
    return settings


@app.get("/annotated")
async def annotated(
    db: Annotated[Database, Depends(get_db, scope="app")],
    service: Annotated[Service, Depends()],
    pool: Annotated[Database, Depends("pool")],
) -> None:
    assert_type(db, Database)
    assert_type(service, Service)
    assert_type(pool, Database)


assert_type(Depends(get_settings), dict[str, str])
assert_type(Depends(get_names), list[str])
assert_type(Depends(get_db), Database)
assert_type(Depends(get_db_too), Database)
assert_type(Depends(get_rows), int)
assert_type(Depends(get_rows_too), int)
assert_type(Depends(make), Database)
assert_type(Depends(Service), Service)
assert_type(Depends(Rows), Rows)
assert_type(Depends(make_main), Database)
assert_type(Depends("pool"), Any)

scope: Scope = "request"
mark = Dependency(get_db, scope=scope)
assert_type(mark.scope, Scope)
assert_type(mark.use_cache, bool)
