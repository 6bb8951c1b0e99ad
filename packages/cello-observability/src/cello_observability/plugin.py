"""What the family brings, declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello.plugin import Phase, hookimpl

if TYPE_CHECKING:
    from cello.plugin import Registrar

__all__ = ["CELLO_API", "cello_register"]

CELLO_API = 1


@hookimpl
def cello_register(plugin: Registrar) -> None:
    """Declares the App methods and the middleware."""
    plugin.app_method("enable_request_id", "cello_observability.request_id:enable")
    plugin.middleware("request_id", "cello_observability.request_id:RequestIdMiddleware", phase=Phase.EDGE)
    plugin.app_method("enable_structured_logging", "cello_observability.structured_logging:enable")
