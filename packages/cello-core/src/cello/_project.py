"""New projects, made of the templates in `_templates/project`.

In a template's path NAME stands for the module, DISTRIBUTION for what is installed, and a leading `dot_` for a dot. In
its text `@name@`, `@NAME@`, `@distribution@`, `@version@` and `@next_major@` are filled in.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from cello import __version__
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["checked_name", "make"]

_TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_templates", "project")
_SUFFIX = ".template"
#: What the project has beside its module.
_OWN = ("deploy", "src", "tests")


def checked_name(name: str) -> str:
    """The name of a project, which is that of its module, too.

    Errors: OptionError for what is no such name, and for one that is taken.
    """
    from importlib.util import find_spec
    from keyword import iskeyword

    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        likely = "_".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789_")
        hint = f", such as {likely}" if likely else ""
        raise OptionError(f"{name!r} is no name of a project: use small letters, digits and single underscores{hint}")
    taken = None
    if iskeyword(name):
        taken = "a word of Python's"
    elif name in sys.stdlib_module_names:
        taken = "a module of Python's standard library"
    elif name in _OWN:
        taken = "a folder of every project"
    elif (spec := find_spec(name)) is not None and spec.origin is not None:  # a folder without code has none
        taken = "a module that can be imported already"
    if taken is not None:
        raise OptionError(f"{name!r} is {taken}: call the project something else")
    return name


def make(name: str, folder: str) -> list[str]:
    """Writes a project's files and returns their paths within its folder, which is made.

    Errors: OptionError for a folder that is not empty or cannot be made.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise OptionError(f"{folder} is not empty: a project is made in a folder of its own")
        files = dict(_files(name))
        for path, text in files.items():
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise OptionError(f"{folder} cannot have a project: {error.strerror}") from None
    return list(files)


def _files(name: str) -> Iterator[tuple[str, str]]:
    """The paths of a project's files and their text."""
    distribution = name.replace("_", "-")
    major, minor = __version__.split(".")[:2]
    words = {
        "@name@": name,
        "@NAME@": name.upper(),
        "@distribution@": distribution,
        "@version@": f"{major}.{minor}",
        "@next_major@": str(int(major) + 1),
    }
    for parent, folders, files in os.walk(_TEMPLATES):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(os.path.relpath(parent, _TEMPLATES), file)
            if not path.endswith(_SUFFIX):
                continue
            with open(os.path.join(parent, file), encoding="utf-8") as template:
                text = template.read()
            for word, value in words.items():
                text = text.replace(word, value)
            path = os.path.normpath(path.removesuffix(_SUFFIX)).replace("dot_", ".")
            yield path.replace("NAME", name).replace("DISTRIBUTION", distribution), text
