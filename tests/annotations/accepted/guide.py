"""The example of the guide about types, as it stands there, and what checkers are to know of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, assert_type

from cello import App, Blueprint, Depends, Request, Response
from cello.middleware import CallNext
from cello.params import Query


@dataclass
class Order:
    id: int
    item: str


class Shop(App):
    orders: list[Order]


app = Shop()
app.orders = [Order(1, "violin")]
orders = Blueprint("/orders")


async def get_orders() -> AsyncIterator[list[Order]]:
    yield app.orders


Orders = Annotated[list[Order], Depends(get_orders)]


@orders.get("/")
async def list_orders(orders: Orders, limit: Annotated[int, Query(ge=1)] = 10) -> list[Order]:
    return orders[:limit]


@orders.get("/{id}")
def get_order(request: Request, id: int, orders: list[Order] = Depends(get_orders)) -> Order | tuple[str, int]:
    return next((order for order in orders if order.id == id), ("There is none.", 404))


async def stamp(request: Request, call_next: CallNext) -> Response:
    response = await call_next(request)
    response.headers["x-orders"] = str(len(app.orders))
    return response


app.use(stamp).register_blueprint(orders)

if __name__ == "__main__":
    app.run()

assert_type(get_order(Request("GET", "/orders/1"), 1, app.orders), Order | tuple[str, int])
