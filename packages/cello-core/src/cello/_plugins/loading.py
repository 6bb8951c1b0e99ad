"""The plugins of this process: those that are installed, loaded once, and those that applications are given."""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING
from weakref import ref

from cello._plugins.choice import choice, disabled_alone
from cello._plugins.plugins import Plugins
from cello._plugins.scan import Entry, scan
from cello.errors import OptionError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cello._plugins.choice import Choice
    from cello._plugins.plugin import Plugin

__all__ = ["everywhere", "given", "installed", "surveyed"]

#: Held while plugins are loaded, each once in a process.
_LOADING = RLock()
_OPENED: dict[Entry, Plugin] = {}


class _Process:
    """What is known of plugins in this process."""

    installed: Plugins | None = None
    is_loading = False
    #: Those of applications that say themselves which they have.
    given: tuple[ref[Plugins], ...] = ()


def installed() -> Plugins:
    """The plugins that are installed, loaded once as the environment says.

    Errors: OptionError for a variable with a value it cannot have; PluginError for one that names a plugin that is not
    installed, with CELLO_PLUGINS_STRICT for one that fails, and where a plugin asks for this while it is loaded.
    """
    if _Process.installed is None:
        with _LOADING:
            if _Process.installed is None:
                _Process.installed = _installed()
    return _Process.installed


def everywhere() -> Iterator[Plugins]:
    """The plugins that are installed, and those of each application that says itself which it has."""
    yield installed()
    yield from filter(None, (one() for one in _Process.given))


def _installed() -> Plugins:
    if _Process.is_loading:
        raise PluginError(
            "a plugin makes an App, or asks for what plugins bring, while it is imported: have it do so later"
        )
    said = choice()
    entries = scan()
    if unknown := _unknown(said, entries):
        raise PluginError(unknown)
    _Process.is_loading = True
    try:
        plugins = Plugins(_opened(entry, said.why_not(entry.name), entries) for entry in entries)
    finally:
        _Process.is_loading = False
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
    if isinstance(objects, str):
        raise TypeError(f"plugins= is a list: give [{objects!r}]")
    entries = scan()
    found = [*installed().all] if autoload else _left_out(entries)
    for one in objects:
        plugin = _named(one, entries) if isinstance(one, str) else _of_object(one, entries, found)
        if plugin.state == "failed":
            raise failure(plugin)
        found = [plugin, *(other for other in found if other.name != plugin.name)]
    plugins = Plugins(found)
    _declare(plugins)
    _Process.given = (*(one for one in _Process.given if one() is not None), ref(plugins))
    return plugins


def failure(plugin: Plugin) -> PluginError:
    """The error that a failed plugin is, where it is to be one."""
    words = f"the plugin {plugin.name} of {plugin.distribution} failed: {plugin.reason}"
    return PluginError(f"{words}\n{plugin.trace}" if plugin.trace else words)


def _unknown(said: Choice, entries: Sequence[Entry]) -> str:
    """The words for a plugin that is wanted and not installed; empty where there is none."""
    names = {entry.name for entry in entries}
    for one in said.wanted:
        if one not in names:
            return f"CELLO_PLUGINS names {one!r}: {_hint(one, entries)}"
    for one in said.disabled:  # which may be so on every machine, whatever is installed there
        if one not in names and (hint := _hint(one, entries)).startswith("did you mean"):
            return f"CELLO_PLUGINS_DISABLE names {one!r}: {hint}"
    return ""


def _opened(entry: Entry, why_not: str | None, entries: Sequence[Entry]) -> Plugin:
    from cello._plugins.plugin import State, left_out

    if why_not is not None:
        return left_out(entry, State.DISABLED, why_not)
    others = [other.distribution for other in entries if other.name == entry.name and other != entry]
    if others:
        reason = f"{' and '.join(others)} has a plugin of this name, too: uninstall one of them, or disable both"
        return left_out(entry, State.FAILED, reason)
    from cello._plugins.opening import opened

    with _LOADING:
        if entry not in _OPENED:
            _OPENED[entry] = opened(entry)
        return _OPENED[entry]


def _left_out(entries: Sequence[Entry]) -> list[Plugin]:
    from cello._plugins.plugin import State, left_out

    return [left_out(entry, State.DISABLED, "the application has autoload=False") for entry in entries]


def _named(name: str, entries: Sequence[Entry]) -> Plugin:
    found = [entry for entry in entries if entry.name == name]
    if not found:
        raise PluginError(f"plugins= names {name!r}: {_hint(name, entries)}")
    # What the environment disables stays so: it is said where something goes wrong.
    return _opened(found[0], choice()._replace(is_autoloading=True).why_not(name), entries)


def _of_object(one: object, entries: Sequence[Entry], others: Sequence[Plugin]) -> Plugin:
    """A plugin that is an object; that which is the module of an installed one takes its place."""
    from types import ModuleType

    from cello._plugins.opening import of_object

    if not hasattr(one, "CELLO_API") or isinstance(one, type):
        raise TypeError(f"plugins= has {one!r}, which is no plugin: give a module or an object with CELLO_API = 1")
    own, target = type(one).__name__.lower(), type(one).__module__
    if isinstance(one, ModuleType):
        own, target = one.__name__.partition(".")[0], one.__name__
        if found := [entry for entry in entries if entry.target == target]:
            return _opened(found[0], None, entries)
    taken = {other.name for other in others}
    name = next(name for name in (own, *(f"{own}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
    return of_object(Entry(name, target, "the application itself", ""), one)


def _declare(plugins: Plugins) -> None:
    """Has requests, and whoever configures, know the names that the plugins bring to them."""
    from cello._plugins.declaration import Kind

    if names := plugins.names(Kind.REQUEST_ATTRIBUTE):
        from cello._plugins.attributes import set_attributes

        set_attributes(names)
    if names := plugins.names(Kind.CONFIG):
        from cello._plugins.sections import announce as announce_sections

        announce_sections(names)


def _hint(name: str, entries: Sequence[Entry]) -> str:
    from difflib import get_close_matches

    names = [entry.name for entry in entries]
    close = get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"no such plugin is installed; there are {', '.join(names)}" if names else "no plugins are installed"
