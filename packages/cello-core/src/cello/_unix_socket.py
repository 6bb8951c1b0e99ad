"""Unix sockets to listen on: a file that takes the place of one whose server is gone, and is removed by who made it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cello._port import holder_of_path

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["BindError", "SocketFile", "bind"]

#: Of a path in bytes, without the one that ends it: unix(7).
_MOST_BYTES = 107
#: How long another server may take to make its socket in the same folder.
_PATIENCE_S = 1.0


class BindError(OSError):
    """An address cannot be listened on; the words say why."""


class SocketFile:
    """The file of a socket that this process has bound."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._process = os.getpid()
        self._identity = _identity(self._path)

    def remove(self) -> None:
        """Removes it, unless another server has put its own in its place."""
        # Numbers of files that are gone are used again: the time tells them apart.
        with suppress(OSError):
            if self._process == os.getpid() and _identity(self._path) == self._identity:
                os.unlink(self._path)


def bind(path: str, mode: int, backlog: int) -> tuple[socket.socket, SocketFile | None]:
    """Listens at a path, or under a name without a file, which begins with `@`.

    Errors: BindError.
    """
    if len(os.fsencode(path)) > _MOST_BYTES:
        raise BindError(f"the path {path} is too long: a Unix socket's has {_MOST_BYTES} bytes at most")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        if path.startswith("@"):
            one.bind(b"\0" + os.fsencode(path[1:]))
            one.listen(backlog)
            return one, None
        with _alone_in(os.path.dirname(os.path.abspath(path))):
            _make_way(path)
            one.bind(path)
            os.chmod(path, mode)  # before anybody can connect
            one.listen(backlog)
            return one, SocketFile(path)
    except BindError:
        one.close()
        raise
    except OSError as error:
        one.close()
        raise BindError(_explained(path, error)) from None


@contextmanager
def _alone_in(folder: str) -> Generator[None]:
    """Keeps other servers from making sockets in a folder: one that does not listen yet looks like one that is left."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # what is wrong with it is told when the socket is bound
        yield
        return
    try:
        give_up_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up_s:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _make_way(path: str) -> None:
    """Removes the socket of a server that is gone.

    Errors: BindError for one that is there, and for what is no socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BindError(f"{path} is there and is no socket: move it away, or choose another with --bind")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass  # somebody has it who cannot take a connection just now, or not ours
    raise BindError(_explained(path, OSError(errno.EADDRINUSE, "")))


def _explained(path: str, error: OSError) -> str:
    folder = os.path.dirname(path) or "."
    if error.errno == errno.EADDRINUSE:
        return (
            f"unix:{path} is in use: stop the program that has it, or choose another with --bind{holder_of_path(path)}"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"unix:{path} is not allowed: this user makes no files in {folder}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"unix:{path} cannot be made: there is no folder {folder}"
    return f"unix:{path} cannot be listened on: {error}"


def _identity(path: str) -> tuple[int, int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns
