"""Right uses of the configuration of plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from cello.plugin import configured, secret


@dataclass(frozen=True)
class Greeting:
    """What is configured."""

    word: str = "Hello"
    token: str = secret(default="")
    names: list[str] = secret(default_factory=list[str])  # noqa: RUF009 - it is a field


@dataclass(frozen=True)
class Key:
    """What must be given."""

    key: bytes = secret()


assert_type(configured("greeting", Greeting), Greeting)
assert_type(configured("greeting", Greeting, word=None), Greeting)
