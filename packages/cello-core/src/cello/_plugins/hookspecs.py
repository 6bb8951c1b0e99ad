"""The hooks that plugins implement.

A plugin takes those of the arguments that it names; later versions may add some, and take none away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from cello._plugins.registrar import Registrar
    from cello.app import App

__all__ = ["cello_register", "cello_shutdown", "cello_startup"]

_hookspec = pluggy.HookspecMarker("cello")


@_hookspec
def cello_register(plugin: Registrar) -> None:
    """Declares what the plugin brings. It is called once in each process that loads the plugin, and enables nothing."""


@_hookspec
def cello_startup(app: App) -> Awaitable[None] | None:
    """Called in the worker before the first request, before the application's own lifespans; may be `async def`.

    Where it fails, the application does not start.
    """


@_hookspec
def cello_shutdown(app: App) -> Awaitable[None] | None:
    """Called in the worker after the last request, after the application's own lifespans; may be `async def`.

    It is called where `cello_startup` did not fail, also where the start failed after that.
    """
