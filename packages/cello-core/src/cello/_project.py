"""New projects and plugins, made of the templates in `_templates/project` and `_templates/plugin`.

In a template's path NAME stands for the module, DISTRIBUTION for what is installed, and a leading `dot_` for a dot. In
its text `@name@`, `@NAME@`, `@Name@`, `@distribution@`, `@version@`, `@next_major@`, `@license@` and `@year@` are
filled in.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from cello import __version__
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["checked_name", "checked_plugin", "make", "make_plugin"]

_TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_templates")
_SUFFIX = ".template"
#: What the project has beside its module.
_OWN = ("deploy", "src", "tests")


def checked_name(name: str, kind: str = "a project") -> str:
    """The name of a project, or of a plugin, which is that of its module, too.

    Errors: OptionError for what is no such name, and for one that is taken.
    """
    from importlib.util import find_spec
    from keyword import iskeyword

    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        likely = "_".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789_")
        hint = f", such as {likely}" if likely else ""
        raise OptionError(f"{name!r} is no name of {kind}: use small letters, digits and single underscores{hint}")
    taken = None
    if iskeyword(name):
        taken = "a word of Python's"
    elif name in sys.stdlib_module_names:
        taken = "a module of Python's standard library"
    elif name in _OWN:
        taken = f"a folder of every {kind.partition(' ')[2]}"
    elif (spec := find_spec(name)) is not None and spec.origin is not None:  # a folder without code has none
        taken = "a module that can be imported already"
    if taken is not None:
        raise OptionError(f"{name!r} is {taken}: call the {kind.partition(' ')[2]} something else")
    return name


def checked_plugin(name: str) -> str:
    """The name of a plugin, which is that of its module, of its section and, in part, of all else that it declares.

    Errors: OptionError for what is no such name, and for one that is taken, or has it declare what is.
    """
    from cello._plugins.catalogue import CATALOGUE
    from cello._plugins.core_names import taken
    from cello._plugins.declaration import Kind
    from cello._plugins.scan import scan

    checked_name(name, "a plugin")
    whose = next((entry.distribution for entry in scan() if entry.name == name), None)
    if whose is None and any(name in families.values() for families in CATALOGUE.values()):
        whose = f"cello-{name}"
    if whose is not None:
        raise OptionError(f"{name!r} is a plugin of {whose}: call the plugin something else")
    own = _words(name)["@Name@"]
    declared = [
        (Kind.CONFIG, name),
        (Kind.APP_METHOD, f"enable_{name}"),
        (Kind.EXPORT, f"{own}Config"),
        (Kind.MIDDLEWARE, name),
    ]
    for kind, one in declared:
        if one in taken(kind) or one in CATALOGUE.get(kind, {}):
            raise OptionError(
                f"{name!r} would bring the {kind} {one!r}, which is taken: call the plugin something else"
            )
    if own in (*taken(Kind.EXPORT), "CallNext"):  # its middleware is a class of that name, beside these
        raise OptionError(
            f"{name!r} would be the class {own}, which is the framework's: call the plugin something else"
        )
    return name


def make(name: str, folder: str) -> list[str]:
    """Writes a project's files and returns their paths within its folder, which is made.

    Errors: OptionError for a folder that is not empty or cannot be made.
    """
    return _made("project", folder, dict(_files("project", name)))


def make_plugin(name: str, folder: str, license_name: str | None) -> list[str]:
    """Writes a plugin's files and returns their paths within its folder, which is made.

    Shape: the license is one of those in `_templates/licenses`.
    Errors: OptionError for a folder that is not empty or cannot be made.
    """
    files = dict(_files("plugin", name, license_name))
    if license_name is not None:
        files["LICENSE"] = _filled(os.path.join(_TEMPLATES, "licenses", f"{license_name}{_SUFFIX}"), _words(name))
    return _made("plugin", folder, files)


def _made(kind: str, folder: str, files: Mapping[str, str]) -> list[str]:
    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise OptionError(f"{folder} is not empty: a {kind} is made in a folder of its own")
        for path, text in files.items():
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise OptionError(f"{folder} cannot have a {kind}: {error.strerror}") from None
    return list(files)


def _words(name: str, license_name: str | None = None) -> dict[str, str]:
    """What is filled in, by what stands for it."""
    import time

    major, minor = __version__.split(".")[:2]
    return {
        "@name@": name,
        "@NAME@": name.upper(),
        "@Name@": "".join(word.capitalize() for word in name.split("_")),
        "@distribution@": name.replace("_", "-"),
        "@version@": f"{major}.{minor}",
        "@next_major@": str(int(major) + 1),
        "@license@": f'license = "{license_name}"\nlicense-files = ["LICENSE"]\n' if license_name else "",
        "@year@": time.strftime("%Y"),
    }


def _filled(template: str, words: Mapping[str, str]) -> str:
    with open(template, encoding="utf-8") as file:
        text = file.read()
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _files(kind: str, name: str, license_name: str | None = None) -> Iterator[tuple[str, str]]:
    """The paths of the files and their text."""
    words = _words(name, license_name)
    templates = os.path.join(_TEMPLATES, kind)
    for parent, folders, files in os.walk(templates):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(os.path.relpath(parent, templates), file)
            if not path.endswith(_SUFFIX):
                continue
            text = _filled(os.path.join(parent, file), words)
            path = os.path.normpath(path.removesuffix(_SUFFIX)).replace("dot_", ".")
            yield path.replace("NAME", name).replace("DISTRIBUTION", words["@distribution@"]), text
