"""The listening sockets of all workers: one for each slot, so that the system deals connections out among them."""

from __future__ import annotations

import errno
import socket

__all__ = ["BACKLOG", "BindError", "another", "listen"]

#: Connections that wait for a worker; the operating system caps it (`net.core.somaxconn`).
BACKLOG = 4096


class BindError(OSError):
    """An address cannot be listened on; the words say why."""


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """Binds the first address of `host` that can be bound, `count` times; port 0 takes any that is free, once for all.

    Errors: BindError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        words = f"the host {host!r} cannot be resolved: give an address of this machine, such as 127.0.0.1 or 0.0.0.0"
        raise BindError(words) from None
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for family, _, _, _, address in found:
        try:
            if port:  # sockets that share a port would share it with another server, too
                _bound(family, address, is_shared=False).close()
            first = _bound(family, address)
        except OSError as error:
            failure = error
            continue
        sockets = [first, *(another(first) for _ in range(count - 1))]
        for one in sockets:
            one.listen(BACKLOG)
        return sockets
    raise BindError(_explained(host, port, failure)) from None


def another(first: socket.socket) -> socket.socket:
    """One more socket of the same address. It gets connections once it listens."""
    return _bound(first.family, first.getsockname())


def _bound(family: int, address: object, *, is_shared: bool = True) -> socket.socket:
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


def _explained(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop the program that has it, or choose another with --port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} on {host} is not allowed: ports below 1024 belong to root, choose another with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"the host {host!r} is no address of this machine: give 127.0.0.1, 0.0.0.0 or one that is"
    return f"{host}:{port} cannot be listened on: {error}"
