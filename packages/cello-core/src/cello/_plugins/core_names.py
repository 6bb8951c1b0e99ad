"""The names that are the framework's own, which no plugin can claim."""

from __future__ import annotations

import os
from functools import cache

from cello._plugins.declaration import Kind

__all__ = ["taken"]


@cache
def taken(kind: Kind) -> frozenset[str]:
    """The names of a kind that are the framework's own."""
    if kind is Kind.APP_METHOD:
        from cello.app import App

        return frozenset([*dir(App), "state", "dependency_overrides"])
    if kind is Kind.EXPORT:
        import cello

        files = os.listdir(os.path.dirname(cello.__file__))
        return frozenset([*cello.__all__, *(name.partition(".")[0] for name in files)])
    if kind is Kind.ROUTE_OPTION:
        from cello._route_options import OPTIONS

        return frozenset(OPTIONS)
    if kind is Kind.REQUEST_ATTRIBUTE:
        from cello import Request
        from cello._plugins.attributes import Attribute

        return frozenset(name for name in dir(Request) if not isinstance(vars(Request).get(name), Attribute))
    if kind is Kind.COMMAND:
        from cello._commands import COMMANDS

        return frozenset(COMMANDS)
    if kind is Kind.CONFIG:
        from cello._plugins.variables import reserved

        return frozenset(reserved())
    return frozenset()
