"""An ASGI application without a framework, served by uvicorn or mounted in Cello."""

# ruff: noqa: ARG001 (an application is given both ways of messages, wanted or not)

from typing import Any

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"27")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every path with hello."""
    if scope["type"] == "lifespan":
        raise NotImplementedError("it has no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b'{"message":"Hello, World!"}'})
