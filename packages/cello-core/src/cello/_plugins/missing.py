"""What is known of a name that is not there: where it comes from, and who may have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._plugins.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from cello._plugins.declaration import Kind
    from cello._plugins.plugin import Plugin
    from cello._plugins.plugins import Plugins

__all__ = ["is_brought", "may_bring", "meant", "whence"]

#: How like each other two names are that are taken for one.
_LIKENESS = 0.8


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


def meant(kind: Kind, name: str, plugins: Plugins) -> str | None:
    """The words for a name that is nearly one of a family which is not there; None where it is near to none."""
    from difflib import get_close_matches

    close = get_close_matches(name, CATALOGUE.get(kind, {}), 1, _LIKENESS)
    if not close or close[0] in plugins.names(kind):  # Python suggests what is there
        return None
    return f"there is no {name}: did you mean {close[0]}? {whence(kind, close[0], plugins)}"


def is_brought(kind: Kind, name: str, plugins: Plugins) -> bool:
    """Whether a plugin declares a name: one that is loaded in this process, or a family that is installed."""
    if any(name in one.names(kind) for one in (plugins, *_of_process())):
        return True
    family = CATALOGUE.get(kind, {}).get(name)
    return any(_family(plugin) == family for plugin in plugins.left_out) if family else False


def may_bring(kind: Kind, name: str, plugins: Plugins) -> Sequence[Plugin]:
    """The plugins that are installed and not loaded, and of which nobody knows whether they declare a name."""
    if name in CATALOGUE.get(kind, {}):
        return ()
    loaded = {(one.name, one.distribution) for known in _of_process() for one in known.active}
    return [one for one in plugins.left_out if not _family(one) and (one.name, one.distribution) not in loaded]


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
