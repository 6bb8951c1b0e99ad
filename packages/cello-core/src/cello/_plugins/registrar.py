"""What `cello_register` is given: it takes down what the plugin declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cello._plugins.declaration import Declaration, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cello.middleware import Phase

__all__ = ["Registrar"]

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
#: A command may have hyphens, as one writes them; a provider is named by its protocol.
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_TARGET = re.compile(r"[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*(:[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*)?")


class Registrar:
    """Takes down what a plugin declares.

    A target is a string, "package.module:attribute", and is imported when it is first used.
    Errors: every method raises TypeError or ValueError for a name or a target that cannot be one, and ValueError for a
    name that the plugin has declared as the same kind already.
    """

    def __init__(self) -> None:
        self._declarations: dict[tuple[Kind, str], Declaration] = {}

    def app_method(self, name: str, target: str) -> None:
        """Has `app.name(…)` call a function, whose first parameter is the App."""
        self._declare(Declaration(Kind.APP_METHOD, _checked(name), _target(target, name)))

    def export(self, name: str, target: str) -> None:
        """Has `from cello import name` give what the target names: of a module alone its attribute of this name."""
        whole = _target(target, name)
        self._declare(Declaration(Kind.EXPORT, _checked(name), whole if ":" in whole else f"{whole}:{name}"))

    def middleware(
        self,
        name: str,
        target: str,
        *,
        phase: Phase,
        before: str | Iterable[str] = (),
        after: str | Iterable[str] = (),
    ) -> None:
        """Says where a middleware of this name stands in any application that has it.

        It is added by whoever enables it, with `app.add_middleware(middleware, name=name)`, which finds its place here.
        Shape: the target is its class, or the function; `before` and `after` are names of middleware, which are ignored
        where an application does not have those; "?name" is ignored also where no plugin declares it.
        """
        from cello.middleware import Phase

        if not isinstance(phase, Phase):  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise TypeError(f"phase={phase!r} of the middleware {name!r} is no phase: use one of cello.plugin.Phase")
        self._declare(
            Declaration(
                Kind.MIDDLEWARE,
                _checked(name),
                _target(target, name),
                phase=phase,
                before=_others(before, name),
                after=_others(after, name),
            )
        )

    def route_option(self, name: str, target: str, *, phase: Phase, value: str | None = None) -> None:
        """Has every route and blueprint take an option of this name.

        Shape: the target is a `cello.plugin.RouteOption`; `value` is the target of the type that its values have, which
        type checkers are told, and without which they take any. The middleware that its values stand for encloses the
        handlers of the routes that have it, the earlier phase outside, of one phase by name.
        """
        from cello.middleware import Phase

        if not isinstance(phase, Phase):  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise TypeError(f"phase={phase!r} of the route option {name!r} is no phase: use one of cello.plugin.Phase")
        kind = "" if value is None else _target(value, name)
        self._declare(Declaration(Kind.ROUTE_OPTION, _checked(name), _target(target, name), phase=phase, value=kind))

    def request_attribute(self, name: str, target: str) -> None:
        """Has `request.name` give what a function of the request returns, which is called each time."""
        self._declare(Declaration(Kind.REQUEST_ATTRIBUTE, _checked(name), _target(target, name)))

    def command(self, name: str, target: str, words: str) -> None:
        """Adds the command `cello name`; `words` say what it does.

        Shape: the target is a module, or an object, with `add_arguments(parser)` and `run(options)`.
        """
        if not isinstance(name, str) or not _WORD.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise ValueError(f"{name!r} is no name of a command: use lower case letters, digits and hyphens")
        if not isinstance(words, str) or not words.strip():  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise ValueError(f"the command {name!r} says nothing of what it does: give a few words")
        self._declare(Declaration(Kind.COMMAND, name, _target(target, name), " ".join(words.split())))

    def config(self, section: str, target: str) -> None:
        """Says that a section of the configuration is this plugin's.

        Shape: the target is a frozen dataclass, whose fields are the keys (`cello.plugin.configured`).
        """
        if not isinstance(section, str) or not _WORD.fullmatch(section) or "-" in section:  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise ValueError(f"{section!r} is no name of a section: use lower case letters, digits and underscores")
        self._declare(Declaration(Kind.CONFIG, section, _target(target, section)))

    def provider(self, protocol: str, target: str) -> None:
        """Says that the plugin can provide a protocol of `cello.providers`, such as "Cache".

        Shape: the target is the class, or the function that makes one; it is for those who ask what to install.
        """
        self._declare(Declaration(Kind.PROVIDER, _checked(protocol), _target(target, protocol)))

    def _declare(self, one: Declaration) -> None:
        if self._declarations.setdefault((one.kind, one.name), one) is not one:
            raise ValueError(f"the {one.kind} {one.name!r} is declared twice")


def _checked(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name: use a str")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: use letters, digits and underscores, a letter first")
    return name


def _target(target: object, name: object) -> str:
    if not isinstance(target, str):
        raise TypeError(f'the target of {name!r} is {target!r}: write it as a string, "package.module:attribute"')
    if not _TARGET.fullmatch(target):
        raise ValueError(f'the target of {name!r} is {target!r}: write it as "package.module:attribute"')
    return target


def _others(names: str | Iterable[str], name: str) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    for other in found:
        if not isinstance(other, str) or not _NAME.fullmatch(other.removeprefix("?")):  # pyright: ignore[reportUnnecessaryIsInstance] - what the plugin wrote
            raise ValueError(f"the middleware {name!r} is to stand before or after {other!r}, which is no name of one")
    return found
