"""Clients for tests: an application is served in memory, as it is in production, and asked through httpx.

And the contract of plugins, as tests.
"""

from importlib.util import find_spec

if find_spec("httpx") is None:
    raise ImportError("cello.testing needs httpx: pip install 'cello-core[testing]'")

from cello.testing._client import AsyncTestClient, TestClient
from cello.testing._connection import AsyncConnection, Connection
from cello.testing._contract import ContractError, plugin_contract
from cello.testing._transport import AsyncTransport, Transport

__all__ = [
    "AsyncConnection",
    "AsyncTestClient",
    "AsyncTransport",
    "Connection",
    "ContractError",
    "TestClient",
    "Transport",
    "plugin_contract",
]
