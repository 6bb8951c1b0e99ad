"""`cello routes`: lists the routes of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cello._commands._table import table
from cello._target import add_target, load

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]

_HEAD = ("METHOD", "PATH", "HANDLER", "MIDDLEWARE", "OPTIONS")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    add_target(parser)
    parser.add_argument(
        "--sort", choices=("router", "registration"), default="router", help="the order of the routes (router)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: Namespace) -> None:
    """Prints the routes, those of blueprints and mounted applications included.

    Errors: StartError for an application that is not there or could not start.
    """
    from cello._rehearsal import rehearse

    rehearsal = rehearse(load(options.target)[0])
    numbers = rehearsal.routing.order() if options.sort == "router" else range(len(rehearsal.placed))
    rows = [_row(rehearsal, number) for number in numbers]
    if options.json:
        import json

        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print(table([_HEAD, *map(_cells, rows)]))
    else:
        print("The application has no routes.")


def _row(rehearsal: Any, number: int) -> dict[str, Any]:
    from cello._around import apps_of, innermost_app, layers_around, layers_of, layers_of_route
    from cello._rehearsal import middleware_of, place, said

    route, scopes = rehearsal.placed[number]
    app, apps = innermost_app(scopes), apps_of(rehearsal.app)
    layers = {id(scope): list(layers_of(scope, apps[scope])) for scope in scopes}
    around = [*layers_of_route(route, app), *layers_around(scopes, layers)]
    handler = place(route.handler)
    return {
        "method": route.method,
        "path": route.path,
        "handler": {"name": handler.name, "file": handler.file, "line": handler.line},
        "middleware": len(middleware_of(around)),
        "options": said(route.options, app._plugins),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    handler = row["handler"]
    where = f" ({handler['file']}:{handler['line']})" if handler["file"] else ""
    options = "; ".join(f"{name}={_text(value)}" for name, value in row["options"].items())
    return row["method"], row["path"], f"{handler['name']}{where}", str(row["middleware"]), options


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}:{said}" for name, said in cast("dict[str, Any]", value).items())
    return ", ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
