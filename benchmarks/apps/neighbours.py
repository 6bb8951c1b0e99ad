"""Routes that nobody asks for: as many as BENCH_NEIGHBOURS says, every third without a parameter."""

import os
from collections.abc import Iterator


def paths(parameter: str = "{%s}") -> Iterator[str]:
    """Give their paths; `parameter` is how the framework writes one."""
    name = parameter % "id"
    for number in range(int(os.environ.get("BENCH_NEIGHBOURS", "0"))):
        section = f"/section{number}"
        yield (section, f"{section}/{name}", f"{section}/{name}/details")[number % 3]
