"""The middleware that options of routes stand for, those that plugins bring included."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cello._plugins.declaration import Kind
from cello._route_options import OPTIONS
from cello.errors import PluginError, StartError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cello._plugins import Plugins
    from cello._route import Route
    from cello._route_options import RouteOption
    from cello.middleware import Middleware

__all__ = ["Said", "layers_said"]


class Said(NamedTuple):
    """What an option of a route stands for."""

    option: str
    #: The outermost first.
    middleware: Sequence[Middleware]


def layers_said(route: Route, plugins: Plugins) -> list[Said]:
    """What the options of a route stand for: those of plugins by phase, then by name, within them the framework's own.

    Errors: StartError for an option that the application does not have, PluginError for one that fails.
    """
    brought = [(_phase(route, name, plugins), name) for name in route.options if name not in OPTIONS]
    found: list[Said] = []
    for _, name in sorted(brought):
        option, value = plugins.route_option(name), route.options[name]
        if option is not None and value is not None:
            found.append(Said(name, _middleware(route, name, option, value, plugins)))
    for name, option in OPTIONS.items():
        if option.layers and route.options.get(name) is not None:
            found.append(Said(name, option.layers(route.options[name])))
    return found


def _phase(route: Route, name: str, plugins: Plugins) -> int:
    declared = plugins.find(Kind.ROUTE_OPTION, name)
    if declared is None:
        from cello._plugins import everywhere

        whose = next(filter(None, (one.whose(Kind.ROUTE_OPTION, name) for one in everywhere())), "")
        of = f": the plugin {whose} brings it, which is not one of the application's" if whose else ""
        raise StartError(f"{route.method} {route.path} has the option {name}=, which its application does not have{of}")
    return declared.phase or 0


def _middleware(route: Route, name: str, option: RouteOption, value: Any, plugins: Plugins) -> Sequence[Middleware]:
    """What a value stands for, once it is checked: of a blueprint's nobody knew whose option it would be."""
    from cello._middleware import checked

    words = f"{name}={value!r} of {route.method} {route.path}"
    try:
        option.check(value, words)
    except (TypeError, ValueError) as error:
        raise StartError(str(error)) from error
    try:
        return [checked(one) for one in option.layers(value)] if option.layers else []
    except Exception as error:
        whose = plugins.whose(Kind.ROUTE_OPTION, name)
        raise PluginError(f"{words}: its middleware cannot be had of the plugin {whose}: {error}") from error
