"""Fixtures of every package's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serving import Serve


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves the source of an application in a process of its own."""
    servers: list[Server] = []

    def start(source: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        server = Server.start(folder, source, *arguments, environment=environment)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.end()
