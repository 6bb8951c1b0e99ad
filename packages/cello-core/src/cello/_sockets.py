"""Listening sockets: what is to be listened on becomes one for all, or one for each place that a worker has."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from typing import TYPE_CHECKING

from cello._binds import Tcp, Unix
from cello._port import holder_of_port, url
from cello._unix_socket import BindError, SocketFile, bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cello._binds import Bind, Descriptor

__all__ = ["BindError", "Sockets"]

#: Connections that wait for a worker; the operating system caps it (`net.core.somaxconn`).
BACKLOG = 4096


class Sockets:
    """What is listened on, by numbers that are nobody else's.

    With slots each of them has a socket of its own of every TCP address, so that the system deals connections out among
    them. All else is shared: Unix sockets, and what the process was started with.
    Errors: BindError.
    """

    def __init__(self, binds: Sequence[Bind], slots: int = 0) -> None:
        self.shared: dict[int, socket.socket] = {}
        self.slots: list[dict[int, socket.socket]] = []
        #: Where it is listened, as a person is told.
        self.names: list[str] = []
        #: Of each TCP address the first socket, where slots have their own.
        self._firsts: list[socket.socket] = []
        self._files: list[SocketFile] = []
        self._numbers = itertools.count()
        try:
            for one in binds:
                self._open(one, has_slots=slots > 0)
            if slots:
                self.slots.append({next(self._numbers): first for first in self._firsts})
                self.slots += [self._slot() for _ in range(slots - 1)]
            for slot in self.slots:
                _listen(slot)
        except BaseException:
            self.close()
            raise

    def add_slot(self) -> dict[int, socket.socket]:
        """The sockets of one more slot.

        Errors: OSError.
        """
        slot = self._slot()
        _listen(slot)
        self.slots.append(slot)
        return slot

    def let_go(self) -> None:
        """Closes the sockets here: what has them otherwise goes on to listen."""
        for sockets in (self.shared, *self.slots):
            for one in sockets.values():
                one.close()

    def close(self) -> None:
        """Closes the sockets, and removes the files of those that were made here."""
        for file in self._files:
            file.remove()
        self._files.clear()
        for first in self._firsts:
            first.close()
        self.let_go()

    def _open(self, place: Bind, *, has_slots: bool) -> None:
        if isinstance(place, Tcp):
            one = _tcp(place, is_shared=has_slots)
        elif isinstance(place, Unix):
            one, file = bind(place.path, place.mode, BACKLOG)
            self._files += [file] if file else []
        else:
            one = _inherited(place)
        self.names.append(_name(one))
        if isinstance(place, Tcp) and has_slots:
            self._firsts.append(one)
        else:
            self.shared[next(self._numbers)] = one
            if isinstance(place, Tcp):
                one.listen(BACKLOG)

    def _slot(self) -> dict[int, socket.socket]:
        slot: dict[int, socket.socket] = {}
        try:
            for first in self._firsts:
                slot[next(self._numbers)] = _bound(first.family, first.getsockname(), is_shared=True)
        except BaseException:
            for one in slot.values():
                one.close()
            raise
        return slot


def _listen(slot: dict[int, socket.socket]) -> None:
    for one in slot.values():
        one.listen(BACKLOG)


def _tcp(place: Tcp, *, is_shared: bool) -> socket.socket:
    """Binds the first address of a host that can be bound."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise BindError(
            f'the host "{place.host}" cannot be resolved: give an address of this machine, such as 127.0.0.1 or 0.0.0.0'
        ) from None
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for family, _, _, _, address in found:
        try:
            if place.port and is_shared:  # sockets that share a port would share it with another server, too
                _bound(family, address, is_shared=False).close()
            return _bound(family, address, is_shared=is_shared)
        except OSError as error:
            failure = error
    raise BindError(_explained(place, failure)) from None


def _bound(family: int, address: object, *, is_shared: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setblocking(False)
        one.bind(address)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - as getaddrinfo gave it
    except BaseException:
        one.close()
        raise
    return one


def _inherited(place: Descriptor) -> socket.socket:
    if not (place.name.isascii() and place.name.isdigit()):
        raise BindError(f"systemd passed no socket called {place.name!r}")
    number = int(place.name)
    try:
        # Standard input stays what it is.
        one = socket.socket(fileno=number if number > 2 else os.dup(number))
    except OSError as error:
        if error.errno == errno.EBADF:
            raise BindError(f"there is no descriptor {number}: whoever starts the server has to pass it on") from None
        raise BindError(f"descriptor {number} is no socket: pass one that listens") from None
    is_stream = one.type == socket.SOCK_STREAM and one.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
    if not is_stream or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        one.detach()
        raise BindError(f"descriptor {number} is no socket that listens for streams: pass one that does")
    one.set_inheritable(False)
    one.setblocking(False)
    return one


def _name(one: socket.socket) -> str:
    address = one.getsockname()
    if one.family != socket.AF_UNIX:
        return url(*address[:2])
    text = os.fsdecode(address)
    return f"unix:@{text[1:]}" if text.startswith("\0") else f"unix:{text}"


def _explained(place: Tcp, error: OSError) -> str:
    host, port, option = place.host, place.port, place.option
    if error.errno == errno.EADDRINUSE:
        other = f"{port + 1 if port < 65_535 else 0}"
        other = other if option == "--port" else f"{f'[{host}]' if ':' in host else host}:{other}"
        words = f"port {port} on {host} is in use: stop the program that has it, or choose another: {option} {other}"
        return f"{words}{holder_of_port(port)}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} on {host} is not allowed: ports below 1024 belong to root, choose another with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f'the host "{host}" is no address of this machine: give 127.0.0.1, 0.0.0.0 or one that is'
    return f"{host}:{port} cannot be listened on: {error}"
