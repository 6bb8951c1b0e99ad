"""What can be chosen, and what is said of what cannot."""

from __future__ import annotations

from typing import Any

import pytest
from cello import App
from cello_observability import RequestIdConfig, StructuredLoggingConfig
from cello_observability.structured_logging import enable


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert RequestIdConfig() == RequestIdConfig("X-Request-ID", takes_incoming=True)
    assert StructuredLoggingConfig() == StructuredLoggingConfig("json", "info", include_trace_id=True, output="stdout")


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"format": "xml"}, ValueError, "format.*'xml'.*json"),
        ({"level": "verbose"}, ValueError, "level='verbose' is no level: use one of debug, info, warning, error"),
        ({"level": 20}, TypeError, "level.*20"),
        ({"levels": {"shop": "loud"}}, ValueError, r"levels\['shop'\]='loud' is no level"),
        ({"output": ""}, ValueError, 'output="" is no place'),
        ({"redact": "pin"}, TypeError, "redact.*'pin'"),
        ({"redact": [7]}, TypeError, "redact.*7"),
        ({"redact": ["_"]}, ValueError, "redact has '_', which is no name of a value"),
        ({"sample_rate": 1.5}, ValueError, "sample_rate=1.5 cannot be: it is a part of all, 0 to 1"),
        ({"sample_rate": float("nan")}, ValueError, "sample_rate.*nan"),
        ({"sample_rate": True}, TypeError, "sample_rate.*True.*number"),
        ({"user": 7}, TypeError, "user.*7.*function"),
    ],
)
def test_what_cannot_be_is_refused_at_once(arguments: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        enable(App(), **arguments)
