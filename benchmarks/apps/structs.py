"""An order as a struct of msgspec's."""

from datetime import datetime

from msgspec import Struct


class Address(Struct):
    """Where a customer lives."""

    street: str
    postcode: str
    city: str
    country: str


class Customer(Struct):
    """Who orders."""

    name: str
    email: str
    address: Address


class Line(Struct):
    """What is ordered, and how many."""

    sku: str
    title: str
    quantity: int
    price: float
    tags: list[str]


class Order(Struct):
    """The body of 1.1 KiB."""

    order: str
    placed: datetime
    customer: Customer
    lines: list[Line]
    note: str
