"""The application's log records as JSON, one a line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cello import App

__all__ = ["enable"]


def enable(app: App, level: str = "info") -> App:
    """Writes the application's log records of this level and above."""
    logging.getLogger().setLevel(level.upper())
    return app
