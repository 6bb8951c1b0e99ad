"""`cello plugins order`: the middleware that plugins declare, in the order in which it stands, and why."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from cello._commands._plugins._survey import survey
from cello._commands._table import table
from cello._middleware import Standing, in_order, placed
from cello._plugins.declaration import Kind

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Mapping, Sequence

    from cello._plugins import Plugins
    from cello._plugins.declaration import Declaration
    from cello._plugins.plugin import Plugin

__all__ = ["add_arguments", "in_their_order", "run"]

_HEAD = ("PHASE", "MIDDLEWARE", "FROM", "BEFORE", "AFTER", "WHY HERE")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument(
        "target", metavar="MODULE[:APP]", nargs="?", help="an application, for the middleware that it has itself"
    )


def run(options: Namespace) -> None:
    """Prints them, the outermost first: of all installed plugins, or of an application.

    Errors: StartError where they cannot be brought into an order, with the circle; of an application as its start has.
    """
    if options.target is None:
        found = survey()
        found.tell_problems()
        plugins, ordered = found.all, in_their_order(found.all)
    else:
        from cello._target import load

        app = load(options.target)[0]
        plugins = app._plugins
        itself = [_itself(one, one) for one in placed(app._middleware, plugins)]
        ordered = _standings(in_order(itself, app._words, plugins))
    if ordered:
        print(table([_HEAD, *_rows(ordered, plugins.names(Kind.MIDDLEWARE))]))
    else:
        print("There is no middleware.")


def in_their_order(plugins: Plugins) -> list[Standing]:
    """All middleware that plugins declare, the outermost first.

    Errors: StartError where they cannot be brought into an order.
    """
    nothing: Any = None
    places = {name: whose[0][1] for name, whose in plugins.names(Kind.MIDDLEWARE).items()}
    said = [
        Standing(nothing, name, one.phase, one.before, one.after, whose=plugins.whose(Kind.MIDDLEWARE, name))
        for name, one in places.items()
    ]
    return _standings(in_order([_itself(one, one) for one in said], "the installed plugins", plugins))


def _itself(said: Standing, ordered: Standing) -> Standing:
    """What is ordered, with what is told of it in the place of its middleware."""
    return ordered._replace(middleware=cast("Any", said))


def _standings(ordered: Sequence[Any]) -> list[Standing]:
    return [*ordered]


def _rows(
    ordered: Sequence[Standing], names: Mapping[str, Sequence[tuple[Plugin, Declaration]]]
) -> Iterable[tuple[str, ...]]:
    why = ["it is the first", *(_why(outer, inner) for outer, inner in pairwise(ordered))]
    for one, reason in zip(ordered, why, strict=True):
        phase = "" if one.phase is None else one.phase.name
        whose = " and ".join(plugin.name for plugin, _ in names.get(one.name, ()))
        yield phase, one.name, whose, ", ".join(one.before), ", ".join(one.after), reason


def _why(outer: Standing, inner: Standing) -> str:
    """Why a middleware stands right after another, and not before it."""
    if inner.phase is None:
        return "use() was given it" if outer.phase is not None else "use() was given it later"
    assert outer.phase is not None
    if outer.phase != inner.phase:
        return f"{outer.phase.name} encloses {inner.phase.name}"
    if outer.name in _plain(inner.after):
        return f"it asks to stand after {outer.name}"
    if inner.name in _plain(outer.before):
        return f"{outer.name} asks to stand before it"
    return "by its name"


def _plain(names: Sequence[str]) -> list[str]:
    return [name.removeprefix("?") for name in names]
