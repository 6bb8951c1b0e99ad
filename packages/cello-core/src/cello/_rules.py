"""The older form of validation: classes whose attributes are rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cello._document import is_object
from cello._invalid import Fault, Invalid, Wrong

if TYPE_CHECKING:
    from typing import ClassVar, Self

__all__ = ["DTO", "Email", "MinLength", "Required", "Rule"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
#: Source: RFC 5321 §4.5.3.1.3, without its angle brackets.
_EMAIL_CHARACTERS = 254


class Rule:
    """What a member of a body must be; use one of its subclasses."""

    def check(self, value: Any) -> None:
        """Raises what is wrong with the value."""

    if TYPE_CHECKING:
        # What an instance of the class has is the value of the member.
        def __get__(self, instance: object, owner: type[object]) -> Any: ...
        def __set__(self, instance: object, value: Any) -> None: ...


class MinLength(Rule):
    """Text of at least so many characters."""

    def __init__(self, length: int) -> None:
        self.length = length

    def check(self, value: Any) -> None:
        """Raises what is wrong with the value."""
        if not isinstance(value, str):
            raise Wrong("must be a string", "string_type")
        if len(value) < self.length:
            raise Wrong(f"must have at least {self.length} character{'s' if self.length != 1 else ''}", "too_short")


class Email(Rule):
    """Text that has the form of an e-mail address."""

    def check(self, value: Any) -> None:
        """Raises what is wrong with the value."""
        if not isinstance(value, str):
            raise Wrong("must be a string", "string_type")
        if len(value) > _EMAIL_CHARACTERS or not _EMAIL.fullmatch(value):
            raise Wrong("must be an e-mail address", "email")


class Required(Rule):
    """A member that must be there, and not null; with rules for its value."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    def check(self, value: Any) -> None:
        """Raises what is wrong with the value."""
        if value is None:
            raise Wrong("is required", "missing")
        for rule in self.rules:
            rule.check(value)


class DTO:
    """A body whose members follow rules: `name = Required(MinLength(2))`.

    As the annotation of a handler's parameter it takes the body, an object. Each attribute that is a rule becomes a
    member; one that is not `Required` is None where it was not sent. Other members are left out.
    """

    _rules: ClassVar[dict[str, Rule]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: rule for name, rule in vars(cls).items() if isinstance(rule, Rule)}
        cls._rules = {**cls._rules, **own}

    def __init__(self, **values: Any) -> None:
        for name in self._rules:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._rules)})"

    @classmethod
    def _read(cls, document: bytes) -> Self:
        from cello._kernel import _json_decode

        value = _json_decode(document)
        if not is_object(value):
            raise Invalid([Fault("body", (), "must be an object", "dict_type")])
        faults: list[Fault] = []
        for name, rule in cls._rules.items():
            given = value.get(name)
            try:
                if given is not None or isinstance(rule, Required):
                    rule.check(given)
            except Wrong as wrong:
                faults.append(Fault("body", (name,), wrong.detail, wrong.code, is_of_field=True))
        if faults:
            raise Invalid(faults)
        return cls(**value)
