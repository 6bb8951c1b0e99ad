"""What every application answers with where that is more than a line: made of the same data, by the same code."""

from collections.abc import AsyncIterator
from typing import Any

CHUNK, CHUNKS = b"x" * 1024, 100
#: How many middleware stand around `/layers`.
LAYERS = 10

#: 64 KiB as JSON. Only the serialising is left to a request.
ARTICLES: list[dict[str, Any]] = [
    {
        "id": number,
        "title": f"Article number {number}",
        "price": number * 0.25,
        "is_sold": number % 3 == 0,
        "tags": ["red", "round", "rare"],
        "text": "What there is to say.",
    }
    for number in range(500)
]


def receipt(order: Any) -> dict[str, Any]:
    """Answer from fields of an order at three depths."""
    return {
        "order": order["order"],
        "city": order["customer"]["address"]["city"],
        "quantity": sum(line["quantity"] for line in order["lines"]),
    }


def invoice(order: Any, currency: str) -> dict[str, Any]:
    """Answer from an order that is a model."""
    return {
        "order": order.order,
        "year": order.placed.year,
        "city": order.customer.address.city,
        "quantity": sum(line.quantity for line in order.lines),
        "currency": currency,
    }


async def chunks() -> AsyncIterator[bytes]:
    """Give a stream's 100 chunks of 1 KiB."""
    for _ in range(CHUNKS):
        yield CHUNK
