"""Wrong uses of the configuration of plugins."""

from __future__ import annotations

from dataclasses import dataclass

from cello.plugin import configured, secret


@dataclass(frozen=True)
class Greeting:
    """What is configured."""

    word: str = secret(default=7)  # rejected
    times: int = secret("3")  # rejected


configured("greeting", str)  # rejected
configured("greeting", Greeting())  # rejected
configured(7, Greeting)  # rejected
configured("greeting", Greeting).words  # rejected
