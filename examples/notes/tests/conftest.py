"""The service, with notes of its own for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cello.testing import TestClient
from notes import create_app
from serving import Launch, Server

APP = Path(__file__).parent.parent / "app.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the notes are kept."""
    return tmp_path / "notes"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    """A client of the service, in this process."""
    with TestClient(create_app(folder)) as client:
        yield client


@pytest.fixture
def service(launch: Launch, folder: Path) -> Server:
    """The service in a process of its own, for a browser."""
    return launch(sys.executable, str(APP), "--port", "0", "--no-logs", environment={"NOTES_FOLDER": str(folder)})
