"""What the families of the framework bring: by kind and name, which family. Written by `hatch run gen`."""

from __future__ import annotations

__all__ = ["CATALOGUE"]

CATALOGUE: dict[str, dict[str, str]] = {
    "App method": {
        "enable_request_id": "observability",
        "enable_structured_logging": "observability",
    },
    "config section": {
        "request_id": "observability",
        "structured_logging": "observability",
    },
    "middleware": {
        "request_id": "observability",
    },
}
