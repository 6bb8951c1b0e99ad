"""What the family brings, declared."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cello.plugin import Phase, hookimpl

if TYPE_CHECKING:
    from cello import App
    from cello.plugin import Registrar

__all__ = ["CELLO_API", "cello_register", "cello_shutdown", "cello_startup"]

CELLO_API = 1

_LOGGING = "cello_observability.structured_logging"


@hookimpl
def cello_register(plugin: Registrar) -> None:
    """Declares the App methods, the middleware and the sections of the configuration."""
    plugin.app_method("enable_request_id", "cello_observability.request_id:enable")
    plugin.middleware("request_id", "cello_observability.request_id:RequestIdMiddleware", phase=Phase.EDGE)
    plugin.config("request_id", "cello_observability.config:RequestIdConfig")
    plugin.app_method("enable_structured_logging", f"{_LOGGING}:enable")
    plugin.config("structured_logging", "cello_observability.config:StructuredLoggingConfig")


@hookimpl
def cello_startup(app: App) -> None:
    """Has the log take its form, where the application has enabled it: where not, nothing is imported."""
    if module := sys.modules.get(_LOGGING):
        module.start(app)


@hookimpl
def cello_shutdown(app: App) -> None:
    """Has the log be as it was."""
    if module := sys.modules.get(_LOGGING):
        module.stop(app)
