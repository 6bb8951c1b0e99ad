"""`cello explain`: says what becomes of a request, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._target import add_target, load

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("method", metavar="METHOD", help="such as GET")
    parser.add_argument("path", metavar="PATH", help="such as /users/7, with or without a query")
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: Namespace) -> None:
    """Prints the explanation. Nothing of the application is started or called.

    Errors: OptionError for what is no method or path, StartError for an application that is not there or could not
    start.
    """
    from cello._explained import explain, render
    from cello._rehearsal import rehearse

    explanation = explain(rehearse(load(options.target)[0]), options.method, options.path)
    if options.json:
        import json
        from dataclasses import asdict

        print(json.dumps(asdict(explanation), indent=2, ensure_ascii=False))
        return
    print(render(explanation))
