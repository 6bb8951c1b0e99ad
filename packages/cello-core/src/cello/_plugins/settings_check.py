"""What is checked at start of the whole configuration: that nothing in it is said to nobody."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from cello._document import is_object
from cello._plugins.declaration import Kind
from cello._plugins.loading import installed
from cello._plugins.missing import is_brought, unsure, whence
from cello._plugins.sections import of_variable, sections
from cello._plugins.settings import check_section
from cello._plugins.settings_file import overlooked, settings_file
from cello._plugins.variables import PREFIX, VARIABLES, reserved
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._plugins.plugins import Plugins
    from cello._plugins.settings_file import File

__all__ = ["check_configuration"]

_log = logging.getLogger("cello")

#: How like each other two variables are that are taken for one: CELLO_PROT is CELLO_PORT.
_LIKENESS = 0.88

_warned: set[str] = set()


def check_configuration() -> None:
    """Checks all that the environment and the file say.

    A section that a disabled or failed plugin may have is warned of: whoever disables one need not change the file.
    Errors: OptionError for a section, a key or a value that cannot be; PluginError for a section that two plugins have.
    """
    file = settings_file()
    if file is not None and not sections().issuperset(file.sections):
        installed()  # the file is that of other applications, too
    said = {section for name in os.environ if (section := of_variable(name)) is not None}
    if file is not None:
        for name, value in file.sections.items():
            if name in sections():
                said.add(name)
            else:
                _tell_unknown(file, name, value, installed())
    for section in sorted(said):
        check_section(section)
    for words in _warnings():
        _warn(words)


def _tell_unknown(file: File, name: str, value: Any, plugins: Plugins) -> None:
    own = f"{PREFIX}{name.upper()}"
    if name in reserved() or own in VARIABLES or not is_object(value):
        where = file.place(name) if is_object(value) else file.name
        example = own if own in VARIABLES else reserved().get(name, "CELLO_PORT")
        raise OptionError(
            f"{where} has {name!r}, which is no section of a plugin: what is the server's own is said on the command "
            f"line, in run(), or by variables such as {example}"
        )
    words = f"{file.place(name)}: {whence(Kind.CONFIG, name, plugins) or _nobody(name)}"
    if is_brought(Kind.CONFIG, name, plugins):
        _warn(words)
    elif idle := unsure(Kind.CONFIG, name, plugins):
        _warn(f"{words}{idle}")
    else:
        raise OptionError(words)


def _nobody(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, sections(), 1)
    return f"there is no config section {name!r}{f': did you mean {close[0]!r}?' if close else ''}"


def _warnings() -> Iterator[str]:
    from difflib import get_close_matches

    if (words := overlooked()) is not None:
        yield words
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in VARIABLES and of_variable(name) is None:
            close = get_close_matches(name, sorted(VARIABLES | _prefixed(name)), 1, _LIKENESS)
            if close:
                yield f"{name} is set, and nothing reads it: did you mean {close[0]}?"


def _prefixed(name: str) -> set[str]:
    """What a variable would be with the sections there are."""
    words = name.removeprefix(PREFIX).split("_")
    rests = {"_".join(words[count:]) for count in range(1, len(words))}
    return {f"{PREFIX}{section.upper()}_{rest}" for section in sections() for rest in rests}


def _warn(words: str) -> None:
    if words not in _warned:
        _warned.add(words)
        _log.warning("%s", words)
