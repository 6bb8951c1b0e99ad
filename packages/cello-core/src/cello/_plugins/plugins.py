"""All plugins that an application has, and the names they bring."""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING, Any
from weakref import ref

from cello._plugins.choice import choice, disabled_alone
from cello._plugins.scan import Entry, scan
from cello.errors import OptionError, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cello._kernel import Request
    from cello._plugins.choice import Choice
    from cello._plugins.declaration import Declaration, Kind
    from cello._plugins.plugin import Plugin
    from cello._route_options import RouteOption

__all__ = ["Plugins", "everywhere", "given", "installed", "surveyed"]

#: Held while plugins are loaded, each once in a process.
_LOADING = RLock()
_OPENED: dict[Entry, Plugin] = {}


class Plugins:
    """Plugins, by name, with what has become of each and what they declare."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.all: tuple[Plugin, ...] = tuple(sorted(plugins, key=lambda one: (one.name, one.distribution)))
        self._brought: dict[Kind, dict[str, list[tuple[Plugin, Declaration]]]] = {}
        for plugin in self.all:
            for one in plugin.declarations:
                self._brought.setdefault(one.kind, {}).setdefault(one.name, []).append((plugin, one))
        #: The functions of the attributes of requests that were asked for, by name.
        self.attributes: dict[str, Callable[[Request], Any]] = {}
        self._options: dict[str, RouteOption] = {}

    def __deepcopy__(self, _: object) -> Plugins:
        """The plugins themselves, which no application changes."""
        return self

    @property
    def active(self) -> Sequence[Plugin]:
        """Those that are loaded, by name."""
        return [plugin for plugin in self.all if plugin.state == "active"]

    @property
    def failed(self) -> Sequence[Plugin]:
        """Those that could not be loaded, by name."""
        return [plugin for plugin in self.all if plugin.state == "failed"]

    @property
    def left_out(self) -> Sequence[Plugin]:
        """Those that are installed and not loaded, by name: nobody knows what they declare."""
        return [plugin for plugin in self.all if plugin.state != "active"]

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

    def whose(self, kind: Kind, name: str) -> str:
        """The plugins that declare a name, with their distributions; empty where none does."""
        return " and ".join(f"{plugin.name} ({plugin.distribution})" for plugin, _ in self.names(kind).get(name, ()))

    def route_option(self, name: str) -> RouteOption | None:
        """The option of routes that a plugin declares, if one does.

        Errors: PluginError where two do, and where what is declared is no option.
        """
        from cello._plugins.declaration import Kind
        from cello._route_options import RouteOption

        if name not in self._options:
            declared = self.find(Kind.ROUTE_OPTION, name)
            if declared is None:
                return None
            found = self._loaded(declared)
            if not isinstance(found, RouteOption):
                raise self.unfit(Kind.ROUTE_OPTION, name, f"{found!r}, which is no RouteOption")
            self._options[name] = found
        return self._options[name]

    def unfit(self, kind: Kind, name: str, words: str) -> PluginError:
        """The error that it is where what stands behind a name cannot be used."""
        return PluginError(f"the {kind} {name!r} of the plugin {self.whose(kind, name)} is {words}")

    def load(self, kind: Kind, name: str, unknown: str) -> Any:
        """What stands behind a name; `unknown` are the words for one of which nobody knows.

        Errors: AttributeError where there is nothing of that name, or two plugins declare it; the words say which
        distribution has it, and what to do. PluginError where the target cannot be imported.
        """
        try:
            found = self.find(kind, name)
        except PluginError as error:
            raise AttributeError(str(error)) from None
        if found is None:
            from cello._plugins.missing import whence

            raise AttributeError(whence(kind, name, self) or unknown)
        return self._loaded(found)

    def _loaded(self, declared: Declaration) -> Any:
        try:
            return declared.load()
        except Exception as error:
            kind, name, target = declared.kind, declared.name, declared.target
            words = f"the {kind} {name!r} of the plugin {self.whose(kind, name)} cannot be had from {target}"
            raise PluginError(f"{words}: {type(error).__name__}: {error}") from error


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
