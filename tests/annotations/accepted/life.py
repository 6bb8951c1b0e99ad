"""The life of an application: events and lifespans."""

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, closing
from typing import assert_type

from cello import App

app = App()


@app.on_event("startup")
async def started() -> None:
    app.state.greeting = "Hello"


@app.on_event("startup")
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
