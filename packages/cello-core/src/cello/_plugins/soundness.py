"""What a plugin declares, loaded and looked at: whether each is what it is declared to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._plugins.declaration import Declaration, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._plugins.plugin import Plugin

__all__ = ["unsound"]


def unsound(plugin: Plugin) -> list[str]:
    """What is wrong with what a plugin declares, in words. All of it is imported."""
    return [words for one in plugin.declarations for words in _unsound(one)]


def _unsound(one: Declaration) -> Iterator[str]:
    what = f"the {one.kind} {one.name!r}"
    for target in filter(None, (one.target, one.value)):
        try:
            found: Any = one._replace(target=target).load()
        except (Exception, SystemExit) as error:
            yield f"{what}: {target} cannot be had: {type(error).__name__}: {' '.join(str(error).split())}"
            continue
        if target == one.target and (words := _why_not(one.kind, found)):
            yield f"{what}: {target} {words}"


def _why_not(kind: Kind, found: Any) -> str:
    """Why an object is not what a kind has to be; empty where it is."""
    if kind in (Kind.APP_METHOD, Kind.REQUEST_ATTRIBUTE, Kind.MIDDLEWARE, Kind.PROVIDER):
        return "" if callable(found) else "cannot be called"
    if kind is Kind.ROUTE_OPTION:
        from cello.plugin import RouteOption

        return "" if isinstance(found, RouteOption) else "is no RouteOption"
    if kind is Kind.COMMAND:
        missing = [name for name in ("add_arguments", "run") if not callable(getattr(found, name, None))]
        return f"has no {' and no '.join(missing)}" if missing else ""
    if kind is Kind.CONFIG:
        parameters = getattr(found, "__dataclass_params__", None)
        return "" if isinstance(found, type) and getattr(parameters, "frozen", False) else "is no frozen dataclass"
    return ""
