"""Where a server listens: the texts that say so, and which of the options' sources they are taken from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cello._sd_listen import passed
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Bind", "Descriptor", "Tcp", "Unix", "binds", "chosen"]

#: A Unix socket is for its owner and its group.
MODE = 0o660

_FORMS = "give HOST:PORT, [::1]:8000, unix:/run/app.sock or fd://3"
_TCP = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<host>[^:/\[\]\s]+)):(?P<port>\d{1,5})", re.ASCII)
_BARE = re.compile("[0-9a-fA-F]*:[0-9a-fA-F:.%]*:[0-9]+")
_MODE = re.compile("mode=0?[0-7]{3}")


@dataclass(frozen=True, slots=True)
class Tcp:
    """An address of this machine and a port, where 0 takes any that is free."""

    host: str
    port: int
    #: The option to choose another with.
    option: str = "--bind"


@dataclass(frozen=True, slots=True)
class Unix:
    """A Unix socket: its path, or a name without a file, which begins with `@`."""

    path: str
    mode: int = MODE


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A socket that the process was started with: its number, or the name that systemd gave it."""

    name: str


type Bind = Tcp | Unix | Descriptor


def binds(texts: Sequence[str], host: str, port: int) -> list[Bind]:
    """What is listened on: what the texts say, or host and port where there are none."""
    return [_parse(text, "bind") for text in texts] or [Tcp(host, port, "--port")]


def chosen(
    command_line: Mapping[str, Any], arguments: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[str, ...]:
    """What is listened on in place of host and port; nothing where the first source that says where says these.

    The last source are the sockets that systemd has passed.
    Errors: OptionError, naming the source; for one that says both, with both names.
    """
    names = ("bind", "host", "port")
    sources: list[dict[str, Any]] = [
        {f"--{name}": command_line.get(name) for name in names},
        {f"run({name}=...)": arguments.get(name) for name in names},
        {f"CELLO_{name.upper()}": environment.get(f"CELLO_{name.upper()}") for name in names},
    ]
    for source in sources:
        (name, value), *others = source.items()
        other = next((other for other, said in others if said is not None), None)
        if value is not None and other is not None:
            raise OptionError(f"{name} and {other} both say where to listen: give one of them")
        if value is not None:
            return _texts(value.split(",") if name == "CELLO_BIND" else value, name)
        if other is not None:
            return ()
    if "PORT" in environment:
        return ()
    return tuple(f"fd://{number}" for number in passed(environment))


def _texts(value: Any, source: str) -> tuple[str, ...]:
    texts = [*cast("Sequence[Any]", value)] if isinstance(value, list | tuple) else [value]
    if not texts:
        raise OptionError(f"{source} is {value!r}: {_FORMS}")
    found: list[Bind] = []
    for text in texts:
        bind = _parse(text, source)
        is_any = isinstance(bind, Tcp) and not bind.port  # which is another each time
        if bind in found and not is_any:
            raise OptionError(f"{source} has {text!r} twice")
        found.append(bind)
    return tuple(texts)


def _parse(text: Any, source: str) -> Bind:
    """Reads one text.

    Errors: OptionError.
    """
    if not isinstance(text, str):
        raise OptionError(f"{source} is {text!r}: {_FORMS}")
    scheme, colon, rest = text.strip().partition(":")
    if colon and scheme == "unix":
        return _unix(rest, text, source)
    if colon and scheme == "fd" and (name := rest.removeprefix("//")) and "/" not in name:
        return Descriptor(name)
    found = _TCP.fullmatch(text.strip())
    if found is None:
        advice = "an address of IPv6 stands in brackets" if _BARE.fullmatch(text) else _FORMS
        raise OptionError(f"{source} is {text!r}: {advice}")
    if int(found["port"]) > 65_535:
        raise OptionError(f"{source} is {text!r}: a port is a number from 0 to 65535")
    return Tcp(found["bracketed"] or found["host"], int(found["port"]))


def _unix(rest: str, text: str, source: str) -> Unix:
    path, question, option = rest.partition("?")
    path = path.removeprefix("//")
    if path in ("", "@") or "\0" in path:
        raise OptionError(f"{source} is {text!r}: give a path, as in unix:/run/app.sock")
    if question and (not _MODE.fullmatch(option) or path.startswith("@")):
        advice = "a name without a file has no mode" if path.startswith("@") else "behind the ? stands mode=660"
        raise OptionError(f"{source} is {text!r}: {advice}")
    return Unix(path, int(option.removeprefix("mode="), 8)) if question else Unix(path)
