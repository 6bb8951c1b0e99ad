"""The configuration of features: the keys of a section, what says them, and the dataclass that it all becomes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, cast, overload

from cello._document import is_object
from cello._plugins.sections import ask, kind_of, of_variable
from cello._plugins.settings_file import settings_file
from cello._plugins.variables import PREFIX, variable
from cello.errors import OptionError, PluginError, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cello._plugins.conversion import Conversion

__all__ = ["HIDDEN", "Setting", "check_section", "configured", "secret", "settings"]

#: What is shown in place of a secret.
HIDDEN = "•••"

_SECRET = "cello.secret"


class Dataclass(Protocol):
    """What any dataclass is."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Setting(NamedTuple):
    """A key of a section, as whoever asks is told of it."""

    key: str
    #: In words; empty of a key that there is not.
    type: str
    #: As text; empty where it must be given.
    default: str
    #: As text, or what is shown in place of a secret; empty where nothing says it.
    value: str
    #: What says it: a variable, a place in a file, or "default"; empty where nothing does.
    origin: str
    is_required: bool
    is_secret: bool
    #: What is wrong with it; empty where nothing is.
    problem: str


class _Key(NamedTuple):
    name: str
    conversion: Conversion
    is_required: bool
    is_secret: bool
    default: Callable[[], Any]


class _Said(NamedTuple):
    """What a source says of a key: the converter of such values is the second."""

    value: Any
    convert: Callable[[Any], Any] | None
    origin: str


@overload
def secret[T](*, default: T) -> T: ...
@overload
def secret[T](*, default_factory: Callable[[], T]) -> T: ...
@overload
def secret() -> Any: ...
def secret(**default: Any) -> Any:
    """A field of a configuration whose value nobody is shown: not by `repr()`, an error, or `cello plugins info`.

    Shape: `default` and `default_factory` as `dataclasses.field` has them; without one it must be given.
    """
    from dataclasses import field

    return field(**default, repr=False, metadata={_SECRET: True})


def configured[Config: Dataclass](section: str, kind: type[Config], /, **given: object) -> Config:
    """The configuration of a feature: what its caller gave, then the environment, then the file, then the defaults.

    Shape: `kind` is a frozen dataclass, whose fields are the keys of the section. Of what is `given` by key a None
    leaves the choice to the next source: the variable `CELLO_<SECTION>_<KEY>`, and the section of the file, which is
    `cello.toml` or `[tool.cello]` of `pyproject.toml` in the working directory, or the one that `CELLO_CONFIG` names.
    A section that no plugin declares is the application's own.
    Errors: TypeError for what is no key or has another type, and what the dataclass raises of TypeError and ValueError,
    where it was given; OptionError where the environment or the file says it, or nothing says what must be said, naming
    the source, the key, and unless it is a secret the value; PluginError where two plugins declare the section, and for
    an annotation that cannot be resolved.
    """
    keys = _keys(kind)
    ask(section, kind)
    for name in given:
        if name not in keys:
            raise TypeError(f"the section {section} has no key {name!r}{_close(name, keys)}")
    _refuse_unknown(section, keys)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key in keys.values():
        if given.get(key.name) is not None:
            values[key.name] = _of_code(section, key, given[key.name])
        elif (said := _said(section, key)) is not None:
            values[key.name], origins[key.name] = _converted(key, said), said.origin
        elif key.is_required:
            where = f"{key.name} in the section {_header(section)}"
            raise OptionError(f"{where} is not given: say it in the file, or as {variable(section, key.name)}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        words = _redacted(
            str(error), [values[key.name] for key in keys.values() if key.is_secret and key.name in values]
        )
        if not origins:
            raise (TypeError if isinstance(error, TypeError) else ValueError)(words) from None
        told = ", ".join(f"{name} is {_told(keys[name], values[name])} by {place}" for name, place in origins.items())
        raise OptionError(f"the configuration of {section} cannot be: {words}; {told}") from None


def settings(section: str, kind: type) -> list[Setting]:
    """Each key of a section with what the environment, the file and the defaults say of it; what is no key comes last.

    Errors: OptionError for a file that cannot be read, TypeError for what is no dataclass.
    """
    from cello._plugins.conversion import shown

    keys = _keys(kind)
    found: list[Setting] = []
    for key in keys.values():
        default = "" if key.is_required else shown(key.default())
        value, origin, problem = (default, "default", "") if not key.is_required else ("", "", "must be given")
        if (said := _said(section, key)) is not None:
            origin, problem = said.origin, ""
            try:
                value = shown(_converted(key, said))
            except OptionError as error:
                value, problem = shown(said.value), str(error)
        if key.is_secret:
            default, value = _hidden(default), _hidden(value)
        found.append(
            Setting(key.name, key.conversion.words, default, value, origin, key.is_required, key.is_secret, problem)
        )
    for name, origin, problem in _unknown(section, keys):
        found.append(Setting(name, "", "", "", origin, is_required=False, is_secret=False, problem=problem))
    return found


def check_section(section: str) -> None:
    """Checks what the environment and the file say of a section, whether or not anything asks for it.

    Errors: OptionError; PluginError where its dataclass cannot be had.
    """
    kind = kind_of(section)
    if kind is None:
        return
    keys = _keys(kind)
    _refuse_unknown(section, keys)
    for key in keys.values():
        if (said := _said(section, key)) is not None:
            _converted(key, said)


@cache
def _keys(kind: type) -> dict[str, _Key]:
    from dataclasses import MISSING, fields, is_dataclass

    from cello._plugins.conversion import conversion
    from cello._structure import hints_of

    if not isinstance(kind, type) or not is_dataclass(kind):  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
        raise TypeError(f"{kind!r} is no configuration: give a frozen dataclass")
    try:
        hints = hints_of(kind)
    except StartError as error:
        whose = f"{kind.__module__}.{kind.__qualname__}"
        raise PluginError(f"the configuration {whose}: {error}: import it outside of `if TYPE_CHECKING:`") from None
    found: dict[str, _Key] = {}
    for field in fields(kind):
        if not field.init:
            continue
        made: Any = field.default_factory
        if made is MISSING:
            made = _giving(field.default)
        is_required = field.default is MISSING and field.default_factory is MISSING
        is_secret = _SECRET in field.metadata
        found[field.name] = _Key(field.name, conversion(hints[field.name]), is_required, is_secret, made)
    return found


def _giving(value: Any) -> Callable[[], Any]:
    return lambda: value


def _said(section: str, key: _Key) -> _Said | None:
    """What the environment, or else the file, says of a key."""
    name = variable(section, key.name)
    text = os.environ.get(name)
    if text is not None and of_variable(name, section) == section:
        return _Said(text, key.conversion.from_text, name)
    file = settings_file()
    table = None if file is None else file.sections.get(section)
    if file is None or not is_object(table) or key.name not in table:
        return None
    return _Said(table[key.name], key.conversion.from_value, file.place(section, key.name))


def _converted(key: _Key, said: _Said) -> Any:
    from cello._invalid import Wrong

    told = f"{said.origin} is" if said.origin.startswith(PREFIX) else f"{said.origin}: {key.name} is"
    if said.convert is None:
        words = f"its type is {key.conversion.words}, which no variable can say: say it in the file, or in code"
        raise OptionError(f"{told} {_told(key, said.value)}: {words}")
    try:
        return said.convert(said.value)
    except Wrong as wrong:
        raise OptionError(f"{told} {_told(key, said.value)}: {_detail(key, wrong)}") from None


def _of_code(section: str, key: _Key, value: object) -> Any:
    from cello._invalid import Wrong
    from cello._plugins.conversion import TYPE

    try:
        return key.conversion.from_value(value)
    except Wrong as wrong:
        words = f"{key.name} of {section} is {_told(key, value)}: {_detail(key, wrong)}"
        raise (TypeError if wrong.code == TYPE else ValueError)(words) from None


def _detail(key: _Key, wrong: Any) -> str:
    # What is said of an element may name it.
    return f"must be {key.conversion.words}" if key.is_secret else str(wrong.detail)


def _told(key: _Key, value: Any) -> str:
    return HIDDEN if key.is_secret else repr(value)


def _hidden(text: str) -> str:
    return HIDDEN if text not in ("", "nothing") else text


def _redacted(words: str, secrets: Iterable[Any]) -> str:
    texts = {text for one in secrets for part in _parts(one) for text in (str(part), repr(part))}
    for text in sorted(filter(None, texts), key=len, reverse=True):
        words = words.replace(text, HIDDEN)
    return words


def _parts(value: Any) -> Iterator[Any]:
    """A value, and all that it is made of but names."""
    yield value
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        for one in cast("Iterable[Any]", value):
            yield from _parts(one)


def _refuse_unknown(section: str, keys: Mapping[str, _Key]) -> None:
    """Refuses what the environment and the file say of keys that there are not."""
    for _, _, problem in _unknown(section, keys):
        raise OptionError(problem)


def _unknown(section: str, keys: Mapping[str, _Key]) -> list[tuple[str, str, str]]:
    """The keys that there are not: each with what says it, and the words for it."""
    found: list[tuple[str, str, str]] = []
    names = {variable(section, key) for key in keys}
    for name in sorted(os.environ):
        if name not in names and of_variable(name, section) == section:
            key = name.removeprefix(f"{PREFIX}{section.upper()}_").lower()
            close = _close(key, keys, lambda key: variable(section, key))
            found.append((key, name, f"{name} is set, and the section {section} has no key {key!r}{close}"))
    file = settings_file()
    table: Any = {} if file is None else file.sections.get(section, {})
    if file is not None and not is_object(table):
        place = file.place(section)
        found.append((section, place, f"{place}: {section} is {type(table).__name__}, and no table: write [{section}]"))
    elif file is not None:
        for key in table:
            if key not in keys:
                place = file.place(section, key)
                found.append((key, place, f"{place}: the section {section} has no key {key!r}{_close(key, keys)}"))
    return found


def _header(section: str) -> str:
    file = settings_file()
    return f"[{'' if file is None else file.prefix}{section}]"


def _close(name: str, keys: Iterable[str], spelt: Callable[[str], str] = str) -> str:
    from difflib import get_close_matches

    known = list(keys)
    if close := get_close_matches(name, known, 1):
        return f": did you mean {spelt(close[0])}?"
    return f": it has {', '.join(map(spelt, known))}" if known else ""
