"""Coroutines that nobody awaited, told while an application is developed by the line that made them."""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cello._mistake import show_place

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TextIO

__all__ = ["telling"]

#: What Python says of one whose origin it has kept.
_WORDS = re.compile(
    r"coroutine '(.*)' was never awaited\nCoroutine created at .*\n  File \"(.*)\", line (\d+), in (.*)\n"
)


@contextmanager
def telling() -> Generator[None]:
    """Has them told so; other warnings are told as ever."""
    depth, others = sys.get_coroutine_origin_tracking_depth(), warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        found = _WORDS.match(str(message)) if category is RuntimeWarning else None
        if found is None:
            others(message, category, filename, lineno, file, line)
            return
        name, path, number, function = found.groups()
        print(
            f"{name}() was never awaited: write await before its call{show_place(path, int(number), function)}",
            file=sys.stderr,
        )

    sys.set_coroutine_origin_tracking_depth(max(depth, 1))
    warnings.showwarning = show
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)
        warnings.showwarning = others
