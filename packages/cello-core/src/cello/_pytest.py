"""The plugin of pytest: clients of an application as fixtures. What it needs is imported when a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any

    from cello import App
    from cello.testing import AsyncTestClient, TestClient

__all__ = ["cello_app", "cello_async_client", "cello_client"]


def _async_fixture(function: Callable[..., Any]) -> Any:
    """A fixture for tests that pytest-asyncio runs, where it is installed, or the plugin of anyio."""
    try:
        from pytest_asyncio import fixture
    except ImportError:
        return pytest.fixture(function)
    return fixture(function)


@pytest.fixture
def cello_app() -> App:
    """The application under test: a fixture of this name in your conftest.py gives it."""
    raise pytest.UsageError(
        "no fixture says which application is tested: in conftest.py write\n\n"
        "    @pytest.fixture\n    def cello_app():\n        from app import app\n\n        return app"
    )


@pytest.fixture
def cello_client(cello_app: App) -> Iterator[TestClient]:
    """A `TestClient` of the application, started."""
    from cello.testing import TestClient

    with TestClient(cello_app) as client:
        yield client


@_async_fixture
async def cello_async_client(cello_app: App) -> AsyncIterator[AsyncTestClient]:
    """An `AsyncTestClient` of the application, started in the loop of the test."""
    from cello.testing import AsyncTestClient

    async with AsyncTestClient(cello_app) as client:
        yield client
