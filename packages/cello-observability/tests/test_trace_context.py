"""`traceparent`, as W3C Trace Context has it."""

from __future__ import annotations

import pytest
from cello_observability.trace_context import TraceContext, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("value", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-else"])
def test_one_says_its_trace_and_the_span_of_the_caller(value: str) -> None:
    assert parse(value) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-{SPAN}-01.what-else",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_what_is_none_says_nothing(value: str) -> None:
    assert parse(value) is None
