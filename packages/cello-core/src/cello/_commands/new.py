"""`cello new`: makes the folder of a new project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("name", metavar="NAME", help="of the project and its module, such as shop")
    parser.add_argument("--path", metavar="FOLDER", help="the folder to make, or an empty one (NAME)")


def run(options: Namespace) -> None:
    """Makes the folder. Nothing that is there is changed.

    Errors: OptionError for a name that cannot be or is taken, and for a folder that is not empty or cannot be made.
    """
    from cello._project import checked_name, make

    name: str = checked_name(options.name)
    folder: str = name if options.path is None else options.path
    files = make(name, folder)
    print(f"{folder} has a new project of {len(files)} files. What to do next:")
    print(f"\n  cd {folder}\n  python -m venv .venv && . .venv/bin/activate")
    print(f"  pip install --editable . --group dev\n  pytest\n  cello run {name}.app:app")
