"""The supervisor, as a worker has it: a channel of orders and answers.

Both are words, one a line: see `cello._supervisor_worker`.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any, cast

from cello._kernel import Listener
from cello._place import Place

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from cello._kernel import Server
    from cello._options import Options
    from cello._stopping import Order

__all__ = ["Control", "lifespan"]


def lifespan(options: Options) -> int:
    """After how many answers this process is to be replaced; 0 for never."""
    if not options.max_requests:
        return 0
    from random import randint

    jitter = options.max_requests_jitter
    return max(1, options.max_requests + randint(-jitter, jitter))


def _dump_when_aborted() -> None:
    """Has SIGABRT write what all threads do to standard error, whatever they do and whoever has the interpreter."""
    import faulthandler

    if not faulthandler.is_enabled():
        faulthandler.enable(2)


class Control:
    """The channel to the supervisor that started this process."""

    def __init__(self, channel: socket.socket, place: str) -> None:
        self._channel = channel
        self._place = place
        #: Whether this process is to fork workers off, and serves nothing itself.
        self.is_template = place.endswith(",template")
        self._received = b""
        self._listeners: list[int] = []

    @classmethod
    def inherited(cls) -> Control | None:
        """The channel that the environment names, once; None in a process that is no worker."""
        place = os.environ.pop("CELLO_PLACE", "")
        number = os.environ.pop("CELLO_WORKER", None)
        if number is None:
            return None
        try:
            channel = socket.socket(fileno=int(number))
        except (ValueError, OSError):
            return None  # this process was started by a worker, and has its environment only
        if channel.family != socket.AF_UNIX:
            channel.detach()
            return None
        channel.set_inheritable(False)
        channel.setblocking(False)
        return cls(channel, place)

    def orders(self) -> Iterator[tuple[str, int]]:
        """What a template is asked for, as long as there is a supervisor: a place, and a worker's end of a channel."""
        while True:
            self._channel.setblocking(True)
            data, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 10, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            yield data.decode().split()[1], descriptors[0]

    def succeeded(self, channel: socket.socket, place: str) -> Control:
        """That of a worker that was forked off."""
        self._channel.close()
        channel.setblocking(False)
        return Control(channel, f"{self._place.partition(',')[0]},{place}")

    def place(self, options: Options) -> Place:
        """The place that the supervisor has given this process; asked once.

        Errors: StartError.
        """
        descriptor, slot, seat = map(int, self._place.split(","))
        try:
            place = Place.handed(descriptor, slot, seat, shows_progress=options.worker_timeout > 0)
        finally:
            os.close(descriptor)
        place.wears_after = lifespan(options)
        place.on_worn = lambda: self.say(f"worn {place.wears_after}")
        if options.worker_timeout:
            _dump_when_aborted()
        return place

    def obey(self, loop: asyncio.AbstractEventLoop, server: Server, stop: Callable[[Order], None]) -> None:
        """Follows the supervisor's orders from now on, and stops without one when it is gone."""

        def hear() -> None:
            try:
                data, listeners, _, _ = socket.recv_fds(self._channel, 1 << 16, 16, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                data, listeners = b"", []
            self._listeners += listeners
            if not data:
                loop.remove_reader(self._channel)
                stop("stop")
                return
            *lines, self._received = (self._received + data).split(b"\n")
            for line in lines:
                self._follow(line.decode(), server, stop)

        loop.add_reader(self._channel, hear)

    def say(self, word: str) -> None:
        """Tells the supervisor."""
        self._send(word)

    def describe(self, process: Mapping[str, Any]) -> None:
        """Tells the supervisor about this process."""
        self._send(f"about {json.dumps(process)}")

    def fail(self, error: BaseException) -> None:
        """Tells the supervisor why this process ends, for it to tell."""
        words = str(error)
        if error.__cause__ is not None:
            from cello._trace import fold

            words = f"{words}\n{fold(error.__cause__)}"
        self._send(f"failed {json.dumps(words)}")

    def _follow(self, order: str, server: Server, stop: Callable[[Order], None]) -> None:
        word, _, place = order.partition(" ")
        if word == "take":
            descriptor = self._listeners.pop(0)
            try:
                server.listen(int(place), Listener.inherited(descriptor))
            finally:
                os.close(descriptor)
        elif word == "leave":
            server.leave(int(place))
        else:
            stop(cast("Order", word))

    def _send(self, words: str) -> None:
        try:
            self._channel.setblocking(True)
            self._channel.sendall(f"{words}\n".encode())
        except OSError:
            pass  # it is gone, which is seen by the channel's end
        finally:
            self._channel.setblocking(False)
