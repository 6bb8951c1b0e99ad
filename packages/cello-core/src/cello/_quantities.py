"""Quantities as options are given: numbers, and with 0 for none counts, sizes and times."""

from __future__ import annotations

import re
from typing import Any

from cello.errors import OptionError

__all__ = ["count", "memory", "real", "seconds", "whole"]

#: Python alone takes about as much.
_LEAST_MEMORY = 16 << 20
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?")
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_MOST = 1 << 53


def whole(value: Any) -> int:
    """A whole number from 0, of any source; -1 for what is none."""
    try:
        return -1 if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        return -1


def real(value: Any) -> float:
    """A number from 0, of any source; -1 for what is none."""
    try:
        return -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return -1.0


def count(value: Any, source: str) -> int:
    """A number from 0."""
    number = whole(value)
    if not 0 <= number <= _MOST:
        raise OptionError(f"{source} is {value!r}: give a whole number, or 0 for none")
    return number


def memory(value: Any, source: str) -> int:
    """Bytes, given as such or as text with a unit; units are powers of 1024."""
    written = _SIZE.fullmatch(str(value).strip().upper())
    if isinstance(value, bool | float) or written is None:
        raise OptionError(f"{source} is {value!r}: give bytes, or text such as '512M' or '1.5G', or 0 for none")
    size_bytes = int(float(written[1]) * (1 << _POWERS[written[2]]))
    if size_bytes and not _LEAST_MEMORY <= size_bytes <= _MOST:
        raise OptionError(f"{source} is {value!r}, which is {size_bytes} bytes: it is 16M or more, or 0 for none")
    return size_bytes


def seconds(value: Any, source: str) -> float:
    """A time from a tenth of a second."""
    time_s = real(value)
    if not (time_s == 0 or 0.1 <= time_s <= _MOST):
        raise OptionError(f"{source} is {value!r}: give seconds, 0.1 or more, or 0 for none")
    return time_s
