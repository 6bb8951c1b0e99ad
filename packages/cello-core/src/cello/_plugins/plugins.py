"""All plugins that an application has, and the names they bring."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from cello._plugins.choice import choice, disabled_alone
from cello._plugins.scan import Entry, scan
from cello.errors import OptionError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cello._plugins.choice import Choice
    from cello._plugins.declaration import Declaration, Kind
    from cello._plugins.plugin import Plugin

__all__ = ["Plugins", "given", "installed", "surveyed"]


class Plugins:
    """Plugins, by name, with what has become of each and what they declare."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.all: tuple[Plugin, ...] = tuple(sorted(plugins, key=lambda one: (one.name, one.distribution)))
        self._brought: dict[Kind, dict[str, list[tuple[Plugin, Declaration]]]] = {}
        for plugin in self.all:
            for one in plugin.declarations:
                self._brought.setdefault(one.kind, {}).setdefault(one.name, []).append((plugin, one))

    @property
    def active(self) -> Sequence[Plugin]:
        """Those that are loaded, by name."""
        return [plugin for plugin in self.all if plugin.state == "active"]

    @property
    def failed(self) -> Sequence[Plugin]:
        """Those that could not be loaded, by name."""
        return [plugin for plugin in self.all if plugin.state == "failed"]

    def names(self, kind: Kind) -> Mapping[str, Sequence[tuple[Plugin, Declaration]]]:
        """What is declared of a kind: by name, whoever declares it."""
        return self._brought.get(kind, {})

    def conflicts(self, plugin: Plugin) -> list[str]:
        """What a plugin declares and another does, too, in words.

        A protocol may have several who provide it.
        """
        found: list[str] = []
        for one in plugin.declarations:
            others = [
                f"{other.name} ({other.distribution})"
                for other, _ in self.names(one.kind)[one.name]
                if other is not plugin
            ]
            if others and one.kind != "provider":
                found.append(f"the {one.kind} {one.name!r} is declared by {' and '.join(others)}, too")
        return found

    def find(self, kind: Kind, name: str) -> Declaration | None:
        """What a plugin declares of that name, if one does.

        Errors: PluginError where two do, naming both.
        """
        found = self.names(kind).get(name, ())
        if len(found) > 1:
            whose = " and ".join(f"{plugin.name} ({plugin.distribution})" for plugin, _ in found)
            raise PluginError(f"the {kind} {name!r} is declared by {whose}: disable one of them")
        return found[0][1] if found else None

    def load(self, kind: Kind, name: str, unknown: str) -> Any:
        """What stands behind a name; `unknown` are the words for one of which nobody knows.

        Errors: AttributeError where there is nothing of that name, or two plugins declare it; the words say which
        distribution has it, and what to do.
        """
        try:
            found = self.find(kind, name)
        except PluginError as error:
            raise AttributeError(str(error)) from None
        if found is None:
            from cello._plugins.missing import whence

            raise AttributeError(whence(kind, name, self) or unknown)
        return found.load()


@cache
def installed() -> Plugins:
    """The plugins that are installed, loaded once as the environment says.

    Errors: OptionError for a variable with a value it cannot have; PluginError for one that names a plugin that is not
    installed, and with CELLO_PLUGINS_STRICT for one that fails.
    """
    said = choice()
    entries = scan()
    if unknown := _unknown(said, entries):
        raise PluginError(unknown)
    plugins = Plugins(_opened(entry, said.why_not(entry.name), entries) for entry in entries)
    if said.is_strict and plugins.failed:
        raise failure(plugins.failed[0])
    _declare(plugins)
    return plugins


def surveyed() -> tuple[Plugins, list[str]]:
    """The plugins that are installed, whatever is wrong with them, and what is wrong with what the environment says."""
    try:
        said, problems = choice(), list[str]()
    except OptionError as error:
        said, problems = disabled_alone(), [str(error)]
    entries = scan()
    problems.extend(filter(None, [_unknown(said, entries)]))
    return Plugins(_opened(entry, said.why_not(entry.name), entries) for entry in entries), problems


def given(objects: Iterable[object], *, autoload: bool) -> Plugins:
    """The plugins of an application that says itself which it has, beside those that are installed or instead of them.

    Shape: each is the name of an installed plugin, or a module or object that is one.
    Errors: PluginError for the name of one that is not installed, and for a plugin that fails; TypeError for what
    cannot be one.
    """
    found = [*installed().all] if autoload else []
    for one in objects:
        plugin = _given(one)
        if plugin.state == "failed":
            raise failure(plugin)
        found = [plugin, *(other for other in found if other.name != plugin.name)]
    plugins = Plugins(found)
    _declare(plugins)
    return plugins


def failure(plugin: Plugin) -> PluginError:
    """The error that a failed plugin is, where it is to be one."""
    words = f"the plugin {plugin.name} of {plugin.distribution} failed: {plugin.reason}"
    return PluginError(f"{words}\n{plugin.trace}" if plugin.trace else words)


def _unknown(said: Choice, entries: Sequence[Entry]) -> str:
    """The words for a plugin that is wanted and not installed; empty where there is none."""
    names = {entry.name for entry in entries}
    return next((f"CELLO_PLUGINS names {one!r}: {_hint(one, entries)}" for one in said.wanted if one not in names), "")


def _opened(entry: Entry, why_not: str | None, entries: Sequence[Entry]) -> Plugin:
    from cello._plugins.plugin import State, left_out, opened

    if why_not is not None:
        return left_out(entry, State.DISABLED, why_not)
    others = [other.distribution for other in entries if other.name == entry.name and other != entry]
    if others:
        reason = f"{' and '.join(others)} has a plugin of this name, too: uninstall one of them, or disable both"
        return left_out(entry, State.FAILED, reason)
    return opened(entry)


def _given(one: object) -> Plugin:
    from cello._plugins.plugin import of_object, opened

    if isinstance(one, str):
        entries = scan()
        found = [entry for entry in entries if entry.name == one]
        if not found:
            raise PluginError(f"plugins= names {one!r}: {_hint(one, entries)}")
        return opened(found[0])
    module = getattr(one, "__name__", None)
    name = module.partition(".")[0] if isinstance(module, str) else type(one).__name__.lower()
    if not hasattr(one, "CELLO_API"):
        raise TypeError(f"plugins= has {one!r}, which is no plugin: give a module or an object with CELLO_API = 1")
    target = module if isinstance(module, str) else type(one).__module__
    return of_object(Entry(name, target, "the application itself", ""), one)


def _declare(plugins: Plugins) -> None:
    """Has requests and routes know the names that the plugins bring to them."""
    from cello._plugins.declaration import Kind

    if names := plugins.names(Kind.REQUEST_ATTRIBUTE):
        from cello._plugins.attributes import set_attributes

        set_attributes(names)
    if names := plugins.names(Kind.CONFIG):
        from cello._plugins.sections import announce as announce_sections

        announce_sections(names)
    for name in plugins.names(Kind.ROUTE_OPTION):
        from cello._route_options import announce

        announce(name, plugins)


def _hint(name: str, entries: Sequence[Entry]) -> str:
    from difflib import get_close_matches

    names = [entry.name for entry in entries]
    close = get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"no such plugin is installed; there are {', '.join(names)}" if names else "no plugins are installed"
