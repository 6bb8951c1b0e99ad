"""Notes with attachments and a full-text search, on SQLite."""

from notes.application import create_app

__all__ = ["create_app"]
