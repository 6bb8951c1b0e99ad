"""What a request may cost and how long it may take, told: each limit in force, and who says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cello._config import LimitsConfig, TimeoutConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cello._rehearsal import Rehearsal
    from cello._scope import Scope

__all__ = ["Bound", "bounds"]

_DEFAULT = "the default"


@dataclass(frozen=True)
class Bound:
    """A limit that is in force."""

    name: str
    #: None where there is no limit.
    value: float | None
    unit: Literal["bytes", "seconds", "connections"]
    origin: str


def bounds(rehearsal: Rehearsal, number: int | None, names: Mapping[Scope, str]) -> list[Bound]:
    """The limits of a route, or of a request that comes to none."""
    app = rehearsal.app
    limits, timeouts = app._limits or LimitsConfig(), app._timeouts or TimeoutConfig()
    of_limits = _DEFAULT if app._limits is None else "set_limits() of the application"
    of_timeouts = _DEFAULT if app._timeouts is None else "set_timeouts() of the application"
    found = [
        Bound("head", limits.max_header_size, "bytes", of_limits),
        Bound("from its first byte to its end", timeouts.read_header_timeout, "seconds", of_timeouts),
    ]
    if number is not None:
        found += _of_route(rehearsal, number, names)
        found.append(Bound("between two pieces of a body", timeouts.read_body_timeout, "seconds", of_timeouts))
    found += [
        Bound("while the client takes nothing of the answer", timeouts.write_timeout, "seconds", of_timeouts),
        Bound("between two requests", timeouts.idle_timeout, "seconds", of_timeouts),
        Bound("connections", limits.max_connections, "connections", of_limits),
    ]
    return found


def _of_route(rehearsal: Rehearsal, number: int, names: Mapping[Scope, str]) -> Iterator[Bound]:
    plan = rehearsal.plans[number]
    body, origin = plan.body_limit_bytes, _who(rehearsal, number, names, "body_limit")
    if body is None and plan.streams_body:
        origin = "stream=True has none of its own"
    elif body is None:
        body, origin = (rehearsal.app._limits or LimitsConfig()).max_body_size, _DEFAULT
    yield Bound("body", body, "bytes", origin)
    yield Bound("handler", plan.timeout_s, "seconds", _who(rehearsal, number, names, "timeout"))


def _who(rehearsal: Rehearsal, number: int, names: Mapping[Scope, str], option: str) -> str:
    """Who says an option of a route: the route itself, or the innermost around it that does."""
    from cello.app import App

    if option in rehearsal.own[number]:
        return f"{option}= of the route"
    for scope, name in reversed(list(names.items())):
        said: Mapping[str, Any] = scope._defaults()
        if option in said:
            return name if isinstance(scope, App) else f"{option}= of {name}"
    return _DEFAULT
