"""What the features of an application provide to each other and need of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cello._plugins.plugins import Plugins
    from cello.app import App

    #: A protocol, and the name of one of several.
    type Key = tuple[type, str | None]

__all__ = ["Seams", "check_seams"]


class _Provision(NamedTuple):
    value: Any
    #: Where it was provided, for a message.
    place: str


class _Need(NamedTuple):
    protocol: type
    feature: str
    name: str | None
    place: str


class Seams:
    """What an application's features provide and need; of its `plugins` it is known what they could provide."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._own: dict[Key, _Provision] = {}
        #: What the applications around it provide; settled at start.
        self.outer: Mapping[Key, _Provision] = {}
        self.needs: list[_Need] = []

    def provide(self, protocol: type, value: object, name: str | None) -> None:
        """Takes down what is provided.

        Errors: TypeError for what is not of that form, ValueError for a second one.
        """
        from cello._mistake import caller

        _check(protocol, value)
        before = self._own.get((protocol, name))
        if before is not None:
            named = "" if name is None else f" named {name!r}"
            raise ValueError(
                f"there is a {protocol.__name__}{named} already: disable one of them, or give this one a name of its "
                f"own, name=…{before.place}"
            )
        self._own[protocol, name] = _Provision(value, caller())

    def need(self, protocol: type, feature: str, name: str | None) -> None:
        """Takes down what a feature needs."""
        from cello._mistake import caller

        self.needs.append(_Need(_checked(protocol), feature, name, caller()))

    def find(self, protocol: type, name: str | None) -> _Provision | None:
        """The one of that name, or else the one without; the application's own before those around it."""
        keys: list[Key] = [(protocol, name), (protocol, None)]
        return next((known[key] for key in keys for known in (self._own, self.outer) if key in known), None)

    def get(self, protocol: type, feature: str, name: str | None) -> Any:
        """What is provided; `feature` is what needs it, for the message.

        Errors: StartError where there is none; the words say what can provide it.
        """
        found = self.find(protocol, name)
        if found is None:
            from cello._plugins.declaration import Kind
            from cello._plugins.missing import unsure

            advice = "; ".join(_advice(protocol, self, self._plugins))
            advice += unsure(Kind.PROVIDER, protocol.__name__, self._plugins)
            raise StartError(f"{feature} needs a {protocol.__name__}, and nothing provides one: {advice}")
        return found.value

    def names(self, protocol: type) -> list[str]:
        """The names under which there are others of a protocol."""
        return sorted({name for one, name in (*self._own, *self.outer) if one is protocol and name is not None})

    def all(self) -> dict[Key, _Provision]:
        """What there is for applications that are mounted in this one."""
        return {**self.outer, **self._own}


def check_seams(app: App) -> None:
    """Settles what each application has from those around it, and checks that all have what they need.

    Errors: StartError for a need that is not met, and for an application that is mounted in two which differ in it.
    """
    _hand_down(app, {})
    for one in app._applications():
        for need in one._seams.needs:
            try:
                one._seams.get(need.protocol, need.feature, need.name)
            except StartError as error:
                raise StartError(f"{error}{need.place}") from None


def _hand_down(app: App, seen: dict[App, Mapping[Key, _Provision]]) -> None:
    for mounted in _mounted(app):
        given = app._seams.all()
        before = seen.setdefault(mounted, given)
        for protocol, name in {**before, **given}:
            key = (protocol, name)
            if before.get(key) != given.get(key) and key not in mounted._seams._own:
                raise StartError(
                    f"an application is mounted in two that do not provide the same {protocol.__name__}: provide one "
                    "in the application itself"
                )
        mounted._seams.outer = given
        _hand_down(mounted, seen)


def _mounted(app: App) -> Iterator[App]:
    """The applications that are right within one, also in blueprints of it."""
    from cello.app import App

    pending = [child for _, child in app._children]
    while pending:
        child = pending.pop(0)
        if isinstance(child, App):
            yield child
        else:
            pending += [further for _, further in child._children]


def _advice(protocol: type, seams: Seams, plugins: Plugins) -> Iterator[str]:
    from cello._plugins.declaration import Kind
    from cello._plugins.missing import whence

    name = protocol.__name__
    if names := seams.names(protocol):
        yield f"there is one named {' and one named '.join(map(repr, names))}, which is not for all"
    whose = plugins.names(Kind.PROVIDER).get(name, ())
    for plugin, declaration in whose:
        yield f"the plugin {plugin.name} ({plugin.distribution}) has {declaration.target}: enable it"
    if not whose and (words := whence(Kind.PROVIDER, name, plugins)) is not None:
        yield words
    yield f"app.provide({name}, …) gives one of your own"


def _checked(protocol: Any) -> type:
    if not isinstance(protocol, type):
        raise TypeError(f"{protocol!r} is no protocol: give a class, such as cello.providers.Cache")
    return protocol


def _check(protocol: type, value: object) -> None:
    """Checks that an object is of a form: it has the members of a protocol, or is of the class that is none.

    Errors: TypeError.
    """
    name = _checked(protocol).__name__
    if isinstance(value, type):
        raise TypeError(f"{value.__qualname__} is a class, and no {name}: give an object of it")
    members: frozenset[str] | None = getattr(protocol, "__protocol_attrs__", None)
    if members is None:
        if not isinstance(value, protocol):
            raise TypeError(f"{value!r} is no {name}")
        return
    lacking = [
        member
        for member in sorted(members)
        if not hasattr(value, member)
        or (callable(getattr(protocol, member, None)) and not callable(getattr(value, member)))
    ]
    if lacking:
        raise TypeError(f"an object of {type(value).__qualname__} is no {name}: it has no {' and no '.join(lacking)}")
