"""Middleware as it was added: checked, named, and brought into its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from cello._handler import name_of, takes, yields
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from cello._plugins import Plugins
    from cello.middleware import Middleware, Phase

__all__ = ["Standing", "checked", "in_order", "placed", "standing"]

_warned: set[str] = set()


class Standing(NamedTuple):
    """A middleware and where it is to stand."""

    middleware: Middleware
    name: str
    #: None of what was given to `use`: it stands innermost, in the order in which it was given.
    phase: Phase | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    #: Whether it stands where it was said when it was added, and not where a plugin says that declares it.
    is_placed: bool = True
    #: The plugin that says where it stands.
    whose: str = ""


def checked(middleware: object) -> Middleware:
    """The middleware, if it can be one; of a class an instance.

    Errors: TypeError.
    """
    made: Any = middleware
    if isinstance(middleware, type):
        if not takes(middleware, 0):
            raise TypeError(f"{middleware.__name__} cannot be made without arguments: give an instance of it")
        made = middleware()
    if not callable(made):
        raise TypeError(f"{name_of(made)} is no middleware: it is a function (request, call_next)")
    if not takes(made, 2):
        raise TypeError(f"{name_of(made)} is no middleware: it is to take (request, call_next)")
    if yields(made):
        raise TypeError(
            f"{name_of(made)} is no middleware, since it has a yield: write `response = await call_next(request)`"
        )
    return cast("Middleware", made)


def standing(
    middleware: object, name: str | None, phase: Phase | None, before: str | Iterable[str], after: str | Iterable[str]
) -> Standing:
    """A middleware as it was added.

    Errors: TypeError for what is no middleware, phase or name.
    """
    from cello.middleware import Phase

    found = checked(middleware)
    if phase is not None and not isinstance(phase, Phase):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
        raise TypeError(
            f"phase={phase!r} is no phase: use one of {', '.join(f'Phase.{phase.name}' for phase in Phase)}"
        )
    own: object = getattr(found, "__name__", type(found).__name__) if name is None else name
    if not isinstance(own, str) or not own or own.startswith("?"):
        raise TypeError(f"name={own!r} is no name of a middleware: use a str")
    return Standing(found, own, phase, _names(before), _names(after))


def placed(added: Sequence[Standing], plugins: Plugins) -> list[Standing]:
    """The middleware where it is to stand: that which plugins declare where they say, and where it was asked to itself.

    Errors: PluginError where two plugins declare it.
    """
    from cello._plugins.declaration import Kind

    found: list[Standing] = []
    for one in added:
        place = None if one.is_placed else plugins.find(Kind.MIDDLEWARE, one.name)
        if place is not None:
            before, after = (*place.before, *one.before), (*place.after, *one.after)
            whose = plugins.whose(Kind.MIDDLEWARE, one.name)
            one = one._replace(phase=place.phase, before=before, after=after, is_placed=True, whose=whose)
        found.append(one)
    return found


def in_order(added: Sequence[Standing], scope: str, plugins: Plugins | None = None) -> list[Middleware]:
    """The middleware of an application or a blueprint, the outermost first.

    Errors: StartError where it cannot stand as it asks to, which says why.
    """
    added = added if plugins is None else placed(added, plugins)
    used = [one for one in added if one.phase is None]
    phased = {one.name: one for one in added if one.phase is not None}
    if len(phased) + len(used) < len(added):
        taken = [one.name for one in added if one.phase is not None]
        twice = next(name for name in taken if taken.count(name) > 1)
        raise StartError(f"{scope} has two middleware of the name {twice!r}: add one of them with a name= of its own")
    inner: dict[str, set[str]] = {name: set() for name in phased}  # who stands right further in, by name
    known = set(phased) | {one.name for one in used}
    for one in phased.values():
        for words, names in (("before", one.before), ("after", one.after)):
            for name in names:
                other = phased.get(name.removeprefix("?"))
                if other is None:
                    _look_up(one, words, name, known, plugins, scope)
                    continue
                outer, further_in = (one, other) if words == "before" else (other, one)
                _check_phases(one, words, outer, further_in, scope)
                inner[outer.name].add(further_in.name)
    return [*(phased[name].middleware for name in _sorted(phased, inner, scope)), *(one.middleware for one in used)]


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            raise TypeError(f"{name!r} is no name of a middleware: use a str")
    return names


def _look_up(one: Standing, words: str, name: str, known: set[str], plugins: Plugins | None, scope: str) -> None:
    """Checks a name that no other middleware with a phase has."""
    if (used := name.removeprefix("?")) in known:
        if words == "before":
            return
        raise StartError(
            f"the middleware {one.name!r} of {scope} asks to stand after {used!r}, which was given to use() and so "
            "stands innermost: give it to add_middleware() instead"
        )
    if name.startswith("?"):
        return
    idle = ""
    whence = None
    if plugins is not None:
        from cello._plugins.declaration import Kind
        from cello._plugins.missing import is_brought, unsure
        from cello._plugins.missing import whence as whence_of

        if is_brought(Kind.MIDDLEWARE, name, plugins):
            return
        idle = unsure(Kind.MIDDLEWARE, name, plugins)
        known = known | {*plugins.names(Kind.MIDDLEWARE)}
        whence = whence_of(Kind.MIDDLEWARE, name, plugins)
    from difflib import get_close_matches

    close = get_close_matches(name, known - {one.name}, 1)
    hint = f"did you mean {close[0]!r}?" if close else f'write "?{name}" if it need not be there'
    told = (
        f"the middleware {one.name!r} of {scope} asks to stand {words} {name!r}, which is not there: {whence or hint}"
    )
    if not idle:
        raise StartError(told)
    _warn(f"{told}{idle}")


def _warn(words: str) -> None:
    if words not in _warned:
        from logging import getLogger

        _warned.add(words)
        getLogger("cello").warning("%s", words)


def _check_phases(one: Standing, words: str, outer: Standing, inner: Standing, scope: str) -> None:
    if outer.phase is None or inner.phase is None or outer.phase <= inner.phase:
        return
    other = inner if one is outer else outer
    raise StartError(
        f"the middleware {one.name!r} of {scope} asks to stand {words} {other.name!r}, but every middleware of "
        f"{inner.phase.name} stands before those of {outer.phase.name}, and {inner.name!r} is {inner.phase.name}, "
        f"{outer.name!r} {outer.phase.name}"
    )


def _sorted(phased: dict[str, Standing], inner: dict[str, set[str]], scope: str) -> list[str]:
    """Each name after all that are to stand outside of it; those that may stand anywhere by phase, then by name."""
    waits_for = {name: {outer for outer in phased if name in inner[outer]} for name in phased}
    order: list[str] = []
    left = sorted(phased, key=lambda name: (phased[name].phase or 0, name))
    while left:
        first = phased[left[0]].phase
        free = next((name for name in left if phased[name].phase == first and not waits_for[name] - set(order)), None)
        if free is None:
            raise StartError(f"the middleware of {scope} cannot be put in order: {_circle(left, waits_for, phased)}")
        order.append(free)
        left.remove(free)
    return order


def _circle(left: Sequence[str], waits_for: dict[str, set[str]], phased: dict[str, Standing]) -> str:
    """Who asks for what, from one of those that stand in each other's way around to it again."""
    from itertools import pairwise

    path = [left[0]]
    stuck = set(left)
    while True:
        outer = min(name for name in waits_for[path[-1]] if name in stuck)
        if outer in path:
            circle = [outer, *reversed(path[path.index(outer) :])]
            return ", ".join(_wish(phased[outer], phased[inner]) for outer, inner in pairwise(circle))
        path.append(outer)


def _wish(outer: Standing, inner: Standing) -> str:
    """Which of two asks that the first stands before the second, and whose it is."""
    one, words, other = (outer, "before", inner) if _names_it(outer.before, inner) else (inner, "after", outer)
    whose = f" of the plugin {one.whose}" if one.whose else ""
    return f"{one.name!r}{whose} asks to stand {words} {other.name!r}"


def _names_it(names: Iterable[str], one: Standing) -> bool:
    return any(name.removeprefix("?") == one.name for name in names)
