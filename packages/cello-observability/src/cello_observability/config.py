"""What can be chosen: a frozen dataclass for each feature, and a section of the configuration."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - whoever reads the configuration asks for the types of fields
from dataclasses import dataclass, field
from typing import Any, Literal

from cello import Request  # noqa: TC002 - as above

__all__ = ["LEVELS", "RequestIdConfig", "StructuredLoggingConfig"]

#: The words for levels, and what the standard library calls them.
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


@dataclass(frozen=True, slots=True)
class RequestIdConfig:
    """How answers tell the id of their request.

    Errors: those of `App.set_request_id_header`, when it is used.
    """

    #: The header field.
    header: str = "X-Request-ID"
    #: Whether an id that comes in that field from a trusted proxy is taken for the request's.
    takes_incoming: bool = True


@dataclass(frozen=True, slots=True)
class StructuredLoggingConfig:
    """How log records are written.

    Units: `sample_rate` is a part of all, 0 to 1.
    Errors: ValueError or TypeError for what cannot be.
    """

    #: "json" is an object a line; "text" is for reading.
    format: Literal["json", "text"] = "json"
    #: Below it nothing is written: debug, info, warning, error or critical.
    level: str = "info"
    #: Whether records have the ids of the `traceparent` that came with their request.
    include_trace_id: bool = True
    #: "stdout", "stderr", or the path of a file, which is appended to.
    output: str = "stdout"
    #: Whose records: those of this logger and all below it; of all where it is empty.
    logger: str = ""
    #: The levels of single loggers, by name.
    levels: dict[str, str] = field(default_factory=dict[str, str])
    #: Names of values that are not to be shown, beside those that never are.
    redact: tuple[str, ...] = ()
    #: The part of the requests whose records below "warning" are written.
    sample_rate: float = 1.0
    #: Whether the line for each answer has the same form.
    access_log: bool = True
    #: Who asks, for the field "user": what it returns of a request. Without it the request's context says it.
    user: Callable[[Request], object] | None = None

    def __post_init__(self) -> None:
        if self.format not in ("json", "text"):
            raise ValueError(f'format={self.format!r} is no form of a log: use "json" or "text"')
        _check_level(self.level, "level")
        for name, level in self.levels.items():
            _check_level(level, f"levels[{name!r}]")
        if not self.output:
            raise ValueError('output="" is no place: use "stdout", "stderr" or the path of a file')
        for name in _each(self.redact, "redact"):
            if not any(character.isalnum() for character in name):
                raise ValueError(f"redact has {name!r}, which is no name of a value")
        if isinstance(self.sample_rate, bool) or not isinstance(self.sample_rate, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            raise TypeError(f"sample_rate={self.sample_rate!r} is no number")
        if not 0 <= self.sample_rate <= 1:
            raise ValueError(f"sample_rate={self.sample_rate!r} cannot be: it is a part of all, 0 to 1")
        if self.user is not None and not callable(self.user):
            raise TypeError(f"user={self.user!r} is no function of a request")


def _check_level(level: object, what: str) -> None:
    if not isinstance(level, str):
        raise TypeError(f"{what}={level!r} is no level: use one of {', '.join(LEVELS)}")
    if level.lower() not in LEVELS:
        raise ValueError(f"{what}={level!r} is no level: use one of {', '.join(LEVELS)}")


def _each(names: Any, what: str) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{what}={names!r} is no list of names")
    return tuple(names)
