"""`cello plugins list`: which plugins are installed, and what has become of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._commands._plugins._survey import survey
from cello._commands._table import table
from cello._plugins.declaration import Kind
from cello._plugins.stubs import are_stale

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from cello._commands._plugins._survey import Seen

__all__ = ["add_arguments", "run"]

_HEAD = ("NAME", "DISTRIBUTION", "VERSION", "STATE", "BRINGS")

#: What is counted, as it is called in JSON, and in the text where there is one of it and where there are more.
_COUNTED = {
    Kind.APP_METHOD: ("app_methods", "App method", "App methods"),
    Kind.EXPORT: ("exports", "export", "exports"),
    Kind.MIDDLEWARE: ("middleware", "middleware", "middleware"),
    Kind.ROUTE_OPTION: ("route_options", "route option", "route options"),
    Kind.REQUEST_ATTRIBUTE: ("request_attributes", "request attribute", "request attributes"),
    Kind.COMMAND: ("commands", "command", "commands"),
    Kind.CONFIG: ("config_sections", "config section", "config sections"),
    Kind.PROVIDER: ("providers", "provider", "providers"),
}


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: Namespace) -> None:
    """Prints the plugins, by name."""
    found = survey()
    rows = [_row(one) for one in found.plugins]
    is_stale = are_stale(found.all)
    if options.json:
        import json

        told = {"plugins": rows, "problems": found.problems, "stubs": "stale" if is_stale else "current"}
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    found.tell_problems()
    if rows:
        print(table([_HEAD, *(_cells(row) for row in rows)]))
    else:
        print("No plugins are installed.")
    for row in rows:
        if row["reason"]:
            print(f"\n{row['name']} ({row['distribution']}): {row['reason']}")
    if is_stale:
        print("\nType checkers know of other plugins than these: `cello plugins stubs` tells them.")


def _row(one: Seen) -> dict[str, Any]:
    plugin = one.plugin
    brings = dict.fromkeys((key for key, _, _ in _COUNTED.values()), 0)
    for declaration in plugin.declarations:
        brings[_COUNTED[declaration.kind][0]] += 1
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "target": plugin.target,
        "state": one.state,
        "reason": one.reason,
        "trace": plugin.trace,
        "brings": brings,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = ((row["brings"][key], one, more) for key, one, more in _COUNTED.values())
    brings = ", ".join(f"{count} {one if count == 1 else more}" for count, one, more in counts if count)
    return row["name"], row["distribution"], row["version"], row["state"], brings
