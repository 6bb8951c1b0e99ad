"""The plugins that an application has, and the names they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cello._kernel import Request
    from cello._plugins.declaration import Declaration, Kind
    from cello._plugins.plugin import Plugin
    from cello._route_options import RouteOption

__all__ = ["Plugins"]


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
            raise AttributeError(str(error), name=None) from None
        if found is None:
            from cello._plugins.missing import elsewhere, unsure

            if words := elsewhere(kind, name, self):
                raise AttributeError(words, name=None)  # without a name Python does not suggest another
            raise AttributeError(f"{unknown}{unsure(kind, name, self)}")
        return self._loaded(found)

    def _loaded(self, declared: Declaration) -> Any:
        try:
            return declared.load()
        except Exception as error:
            kind, name, target = declared.kind, declared.name, declared.target
            words = f"the {kind} {name!r} of the plugin {self.whose(kind, name)} cannot be had from {target}"
            raise PluginError(f"{words}: {type(error).__name__}: {error}") from error
