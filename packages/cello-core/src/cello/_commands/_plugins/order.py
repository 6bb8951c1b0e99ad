"""`cello plugins order`: the middleware that plugins declare, in the order in which it stands, and why."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from cello._commands._table import table
from cello._middleware import Standing, in_order
from cello._plugins.declaration import Kind

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from cello._plugins import Plugins

__all__ = ["add_arguments", "run"]

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
    plugins, standings, scope = _declared() if options.target is None else _of_application(options.target)
    names = plugins.names(Kind.MIDDLEWARE)
    # What is ordered is the standings themselves, in the place of their middleware.
    itself: Any = [Standing(cast("Any", one), *one[1:]) for one in standings]
    ordered: Any = in_order(itself, scope, names)
    if not ordered:
        print("There is no middleware.")
        return
    why = ["it is the first", *(_why(outer, inner) for outer, inner in pairwise(ordered))]
    rows = [
        (
            one.phase.name if one.phase is not None else "",
            one.name,
            " and ".join(plugin.name for plugin, _ in names.get(one.name, ())),
            ", ".join(one.before),
            ", ".join(one.after),
            reason,
        )
        for one, reason in zip(ordered, why, strict=True)
    ]
    print(table([_HEAD, *rows]))


def _declared() -> tuple[Plugins, list[Standing], str]:
    from cello._commands._plugins._survey import survey

    found = survey()
    found.tell_problems()
    nothing: Any = None
    names = found.all.names(Kind.MIDDLEWARE)
    standings = [Standing(nothing, name).declared(whose[0][1]) for name, whose in names.items()]
    return found.all, standings, "the installed plugins"


def _of_application(target: str) -> tuple[Plugins, list[Standing], str]:
    from cello._target import load

    app = load(target)[0]
    return app._plugins, app._middleware, app._words


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
