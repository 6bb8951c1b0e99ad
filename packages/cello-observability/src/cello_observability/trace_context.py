"""The trace that a request belongs to, as its caller says it.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TraceContext", "parse"]

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.DOTALL)


class TraceContext(NamedTuple):
    """Which trace, and which span of it is the caller's."""

    trace_id: str
    span_id: str


def parse(traceparent: str) -> TraceContext | None:
    """What the value of a `traceparent` says; None where it is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, more = found.groups()
    # The first version has four parts; later ones may have more.
    if version == "ff" or (version == "00" and more is not None) or not (int(trace_id, 16) and int(span_id, 16)):
        return None
    return TraceContext(trace_id, span_id)
