"""Clients for tests: an application is served in memory, with everything it has in production, and asked through httpx."""

try:
    import httpx as _httpx  # noqa: F401 - what follows is made of it
except ImportError as error:
    raise ImportError("cello.testing needs httpx: pip install 'cello-core[testing]'") from error

from cello.testing._client import AsyncTestClient, TestClient
from cello.testing._connection import AsyncConnection, Connection
from cello.testing._transport import AsyncTransport, Transport

__all__ = ["AsyncConnection", "AsyncTestClient", "AsyncTransport", "Connection", "TestClient", "Transport"]
