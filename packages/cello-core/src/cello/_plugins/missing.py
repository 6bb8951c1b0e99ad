"""What is known of a name that is not there: where it comes from, and who may have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._plugins.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from cello._plugins.declaration import Kind
    from cello._plugins.plugin import Plugin
    from cello._plugins.plugins import Plugins

__all__ = ["elsewhere", "is_brought", "unsure", "whence"]

#: How like each other two names are that are taken for one: most begin with `enable_`.
_LIKENESS = 0.9


def whence(kind: Kind | Literal["module"], name: str, plugins: Plugins) -> str | None:
    """The words for a name that is not there; None where no family has it."""
    family = CATALOGUE.get(kind, {}).get(name)
    if family is None:
        return None
    distribution = f"cello-{family}"
    words = f"{f'cello.{name}' if kind == 'module' else name} comes from {distribution}"
    plugin = next((one for one in plugins.all if one.name == family), None)
    if plugin is None:
        return f'{words}, which is not installed: pip install "{distribution}>=2"'
    if plugin.state == "failed":
        return f"{words}, whose plugin failed: {plugin.reason} (`cello plugins info {family}` says more)"
    if plugin.state == "disabled":
        return f"{words}, whose plugin is disabled: {plugin.reason}"
    return f"{words}, which is of another version: install the one that belongs to this cello-core"


def elsewhere(kind: Kind, name: str, plugins: Plugins) -> str | None:
    """The words for a name that these plugins do not have, where it is known who has it, or one that is like it."""
    if words := whence(kind, name, plugins):
        return words
    whose = next(filter(None, (one.whose(kind, name) for one in _of_process())), None)
    if whose is not None:
        return f"{name} comes from the plugin {whose}, which is not one of the application's"
    return _meant(kind, name, plugins)


def unsure(kind: Kind, name: str, plugins: Plugins) -> str:
    """What is added to the words for a name that nobody has: the plugins that may have it, and are not loaded.

    Empty where there are none: what families declare is known, loaded or not.
    """
    if name in CATALOGUE.get(kind, {}):
        return ""
    loaded = {(one.name, one.distribution) for known in _of_process() for one in known.active}
    idle = [one for one in plugins.left_out if not _family(one) and (one.name, one.distribution) not in loaded]
    told = "; ".join(f"{one.name} {'failed' if one.state == 'failed' else 'is disabled'}: {one.reason}" for one in idle)
    return f"; it may be of a plugin that is not loaded ({told})" if told else ""


def is_brought(kind: Kind, name: str, plugins: Plugins) -> bool:
    """Whether a plugin declares a name: one that is loaded in this process, or a family that is installed."""
    if any(name in one.names(kind) for one in (plugins, *_of_process())):
        return True
    family = CATALOGUE.get(kind, {}).get(name)
    return any(_family(plugin) == family for plugin in plugins.left_out) if family else False


def _meant(kind: Kind, name: str, plugins: Plugins) -> str | None:
    """The words for a name that is nearly one of a family which is not there; None where it is near to none."""
    from difflib import get_close_matches

    close = get_close_matches(name, CATALOGUE.get(kind, {}), 1, _LIKENESS)
    if not close or close[0] in plugins.names(kind):  # of what is there its own place has suggestions
        return None
    return f"there is no {name}: did you mean {close[0]}? {whence(kind, close[0], plugins)}"


def _of_process() -> Iterator[Plugins]:
    """The plugins that are installed: an application may have left some out for itself alone."""
    from cello._plugins.loading import installed
    from cello.errors import CelloError

    try:
        yield installed()
    except CelloError:  # whoever needs them is told
        return


def _family(plugin: Plugin) -> str | None:
    """The family that a plugin is; None of a stranger."""
    families = {family for names in CATALOGUE.values() for family in names.values()}
    return plugin.name if plugin.name in families and plugin.distribution == f"cello-{plugin.name}" else None
