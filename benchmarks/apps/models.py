"""An order as a model of pydantic's."""

from datetime import datetime

from pydantic import BaseModel


class Address(BaseModel):
    """Where a customer lives."""

    street: str
    postcode: str
    city: str
    country: str


class Customer(BaseModel):
    """Who orders."""

    name: str
    email: str
    address: Address


class Line(BaseModel):
    """What is ordered, and how many."""

    sku: str
    title: str
    quantity: int
    price: float
    tags: list[str]


class Order(BaseModel):
    """The body of 1.1 KiB."""

    order: str
    placed: datetime
    customer: Customer
    lines: list[Line]
    note: str
