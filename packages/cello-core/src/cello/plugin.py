"""What plugins are written with.

A plugin is a module that a distribution names in the entry-point group `cello`. It says which version of this
interface it speaks, `CELLO_API = 1`, and implements hooks. `cello_register` declares what it brings, by names and
strings alone: nothing that a string points to is imported before it is used. The other hooks act, when a server starts
and stops.

Example::

    from cello.plugin import Phase, Registrar, hookimpl

    CELLO_API = 1

    @hookimpl
    def cello_register(plugin: Registrar) -> None:
        plugin.app_method("enable_greeting", "greeting.feature:enable")
        plugin.middleware("greeting", "greeting.feature:Greeting", phase=Phase.TRANSFORM, after=("?etag",))
"""

from __future__ import annotations

import pluggy

from cello._plugins.registrar import Registrar
from cello._plugins.settings import configured, secret
from cello._route_options import RouteOption
from cello.middleware import Phase

__all__ = ["Phase", "Registrar", "RouteOption", "configured", "hookimpl", "secret"]

#: Marks a function of a plugin as its implementation of the hook of that name.
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("cello")
