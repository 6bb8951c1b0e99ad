"""`cello plugins info`: all that is known of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._commands._plugins._survey import survey
from cello._commands._table import table
from cello._plugins.declaration import Kind
from cello.errors import OptionError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from cello._commands._plugins._survey import Seen
    from cello._plugins.declaration import Declaration

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("name", metavar="NAME", help="as `cello plugins list` has it")


def run(options: Namespace) -> None:
    """Prints what it is, what has become of it, and what it declares.

    Errors: OptionError for a name that no installed plugin has.
    """
    found = survey()
    named = [one for one in found.plugins if one.plugin.name == options.name]
    if not named:
        raise OptionError(f"no plugin {options.name!r} is installed{_hint(options.name, found.plugins)}")
    found.tell_problems()
    print("\n\n".join("\n".join(_lines(one)) for one in named))


def _hint(name: str, plugins: list[Seen]) -> str:
    from difflib import get_close_matches

    names = list(dict.fromkeys(one.plugin.name for one in plugins))
    if close := get_close_matches(name, names, 1):
        return f": did you mean {close[0]!r}?"
    return f": there are {', '.join(names)}" if names else ", and no other"


def _lines(one: Seen) -> Iterator[str]:
    plugin = one.plugin
    rows: list[tuple[str, ...]] = [
        ("distribution", f"{plugin.distribution} {plugin.version}".rstrip()),
        ("target", plugin.target),
    ]
    rows += [("state", one.state), *([("reason", one.reason)] if one.reason else [])]
    yield plugin.name
    yield _indented(rows)
    if plugin.declarations:
        yield "\nBrings"
        yield _indented([(str(each.kind), each.name, each.target, _place(each)) for each in plugin.declarations])
    for each in plugin.declarations:
        if each.kind is Kind.CONFIG:
            yield f"\n[{each.name}]"
            yield from _settings(each)
    if plugin.trace:
        yield f"\nTrace\n{plugin.trace}"


def _settings(one: Declaration) -> Iterator[str]:
    """The keys of a section: of each its type, its default, and its value with what says it."""
    from cello._plugins.settings import settings

    try:
        found = settings(one.name, one.load())
    except Exception as error:
        yield f"  cannot be told: {type(error).__name__}: {error}"
        return
    heads = [("key", "type", "default", "value", "by")]
    rows = [(each.key, each.type, each.default, each.value, each.origin) for each in found]
    yield _indented([*heads, *rows])
    yield from (f"  {each.problem}" for each in found if each.problem and each.origin)


def _place(one: Declaration) -> str:
    """Where a middleware or a route option stands; what a command does."""
    said = [one.phase.name] if one.phase is not None else []
    said += [f"before {', '.join(one.before)}"] if one.before else []
    said += [f"after {', '.join(one.after)}"] if one.after else []
    return "; ".join([*said, *([one.words] if one.words else [])])


def _indented(rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"  {line}" for line in table(rows).splitlines())
