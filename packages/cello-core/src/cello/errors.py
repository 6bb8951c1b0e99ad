"""The exceptions of the framework.

CelloError
├── StartError              the application cannot be served as it is: exit code 3
├── OptionError             an option has a value it cannot have: exit code 2
└── HTTPError               an answer with a status of its own
    └── BadRequest          400
        └── MalformedJSON   400, also a ValueError
"""

from __future__ import annotations

__all__ = ["BadRequest", "CelloError", "HTTPError", "MalformedJSON", "OptionError", "StartError"]


class CelloError(Exception):
    """Any error that the framework raises."""


class StartError(CelloError):
    """The application cannot be served as it is; the words say where and what to do."""


class OptionError(CelloError):
    """An option of the command line, of `run()` or of the environment has a value it cannot have."""


class HTTPError(CelloError):
    """Answers the request with `status` and `detail`, as `application/problem+json` (RFC 9457)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class BadRequest(HTTPError):
    """The client's request cannot be understood: 400."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


class MalformedJSON(BadRequest, ValueError):
    """The body is not the JSON it should be (RFC 8259): 400."""
