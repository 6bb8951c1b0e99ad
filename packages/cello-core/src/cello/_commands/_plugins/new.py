"""`cello plugins new`: makes the folder of a new plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]

_LICENSES = ("MIT", "BSD-3-Clause", "none")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("name", metavar="NAME", help="of the plugin and its package, such as rate_limit")
    parser.add_argument("--path", metavar="FOLDER", help="the folder to make, or an empty one (NAME)")
    parser.add_argument("--license", choices=_LICENSES, default="MIT", help="its license (MIT)")


def run(options: Namespace) -> None:
    """Makes the folder. Nothing that is there is changed.

    Errors: OptionError for a name that cannot be or is taken, and for a folder that is not empty or cannot be made.
    """
    from cello._project import checked_plugin, make_plugin

    name: str = checked_plugin(options.name)
    folder: str = name if options.path is None else options.path
    files = make_plugin(name, folder, None if options.license == "none" else options.license)
    print(f"{folder} has a new plugin of {len(files)} files. What to do next:")
    print(f"\n  cd {folder}\n  python -m venv .venv && . .venv/bin/activate")
    print(f"  pip install --editable . --group dev\n  pytest\n  cello plugins info {name}")
