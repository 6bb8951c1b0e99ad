"""What the plugin declares. Nothing that a string names is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello.plugin import Phase, Registrar, hookimpl

if TYPE_CHECKING:
    from cello import App

CELLO_API = 1


@hookimpl
def cello_register(plugin: Registrar) -> None:
    """Declares something of each kind."""
    plugin.app_method("enable_limelight", "limelight.feature:enable")
    plugin.export("LimelightConfig", "limelight.config")
    plugin.middleware("limelight", "limelight.feature:Choosing", phase=Phase.IDENTIFY, after="?sessions")
    plugin.route_option("flag", "limelight.option:flag", phase=Phase.PERMIT)
    plugin.request_attribute("flags", "limelight.feature:of_request")
    plugin.command("limelight", "limelight.command", "lists the features and whether they are on")
    plugin.config("limelight", "limelight.config:LimelightConfig")
    plugin.provider("Flags", "limelight.feature:Limelight")


@hookimpl
def cello_startup(app: App) -> None:
    """Refuses routes with a flag that there is not."""
    from limelight.option import check_routes

    check_routes(app)


@hookimpl
def cello_shutdown(app: App) -> None:
    """Tells how often each feature was asked for."""
    from limelight.feature import tell

    tell(app)
