"""Listening sockets that systemd passes to the process it starts.

Source: sd_listen_fds(3), systemd.socket(5).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

__all__ = ["passed", "take"]

#: The number of the first one.
_FIRST = 3
_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


def passed(environment: Mapping[str, str]) -> dict[int, str]:
    """The names of the sockets that were passed to this process, by their number; not what was passed to another."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    return {_FIRST + index: names[index] if index < len(names) else "" for index in range(int(count))}


def take(binds: Sequence[str], environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Puts numbers in the place of the names of sockets; no process that this one starts is told of them.

    Sockets that nothing is said of are told: who connects to them would wait for ever.
    Errors: OptionError for a name that no socket has.
    """
    names = passed(environment)
    for variable in _VARIABLES:
        environment.pop(variable, None)
    found: list[str] = []
    for bind in binds:
        name = bind.strip().removeprefix("fd:").removeprefix("//")
        if not bind.strip().startswith("fd:") or (name.isascii() and name.isdigit()):
            found.append(bind)
            continue
        numbers = [number for number, own in names.items() if own == name]
        if not numbers:
            known = ", ".join(sorted({own for own in names.values() if own})) or "none"
            raise OptionError(f"systemd passed no socket called {name!r}: there are {known} (FileDescriptorName=)")
        found += [f"fd://{number}" for number in numbers]
    unused = [f"fd://{number}" for number in names if f"fd://{number}" not in found]
    if unused:
        words = (
            f"systemd passed {', '.join(unused)}, which nobody is to listen on: leave out where to listen, or say it"
        )
        print(f"cello: {words}", file=sys.stderr, flush=True)
    return tuple(found)
