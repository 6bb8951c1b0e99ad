"""Which of the installed plugins are wanted, as the environment says it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Choice", "choice", "disabled_alone"]

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


class Choice(NamedTuple):
    """What the environment says of plugins."""

    #: Whether all that are installed are loaded.
    is_autoloading: bool = True
    #: Those that are loaded where not all are.
    wanted: tuple[str, ...] = ()
    #: Those that are not loaded.
    disabled: tuple[str, ...] = ()
    #: Whether a plugin that fails is an error of the application that loads it.
    is_strict: bool = False

    def why_not(self, name: str) -> str | None:
        """Why an installed plugin is not loaded by itself; None where it is."""
        if name in self.disabled:
            return "CELLO_PLUGINS_DISABLE names it"
        if not self.is_autoloading and name not in self.wanted:
            return "CELLO_PLUGINS_AUTOLOAD is off, and CELLO_PLUGINS does not name it"
        return None


def choice(environment: Mapping[str, str] | None = None) -> Choice:
    """What the environment says.

    Errors: OptionError, naming the variable.
    """
    said = os.environ if environment is None else environment
    is_autoloading = _flag(said, "CELLO_PLUGINS_AUTOLOAD", default=True)
    wanted = _names(said, "CELLO_PLUGINS")
    if wanted and is_autoloading:
        raise OptionError(
            "CELLO_PLUGINS names the plugins that are loaded where not all are: set CELLO_PLUGINS_AUTOLOAD=0, too"
        )
    return Choice(
        is_autoloading,
        wanted,
        _names(said, "CELLO_PLUGINS_DISABLE"),
        _flag(said, "CELLO_PLUGINS_STRICT", default=False),
    )


def disabled_alone(environment: Mapping[str, str] | None = None) -> Choice:
    """What can be read of what the environment says, whatever the rest of it is."""
    said = os.environ if environment is None else environment
    return Choice(disabled=_names(said, "CELLO_PLUGINS_DISABLE"))


def _names(said: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in said.get(variable, "").split(","))))


def _flag(said: Mapping[str, str], variable: str, *, default: bool) -> bool:
    value = said.get(variable)
    if value is None:
        return default
    if value.lower() not in _TRUE + _FALSE:
        raise OptionError(f"{variable} is {value!r}: use 1 or 0")
    return value.lower() in _TRUE
