"""Request ids and structured logs for Cello.

`app.enable_request_id()` and `app.enable_structured_logging()` are what an application calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cello_observability.config import RequestIdConfig, StructuredLoggingConfig
    from cello_observability.formatter import JsonFormatter, TextFormatter

__all__ = ["JsonFormatter", "RequestIdConfig", "StructuredLoggingConfig", "TextFormatter"]

_MODULES = {
    "JsonFormatter": "formatter",
    "RequestIdConfig": "config",
    "StructuredLoggingConfig": "config",
    "TextFormatter": "formatter",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
