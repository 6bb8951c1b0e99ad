"""A worker as its supervisor sees it: a process, and a channel to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Literal, Self

__all__ = ["Handed", "Process", "Worker"]


class Process:
    """A process that this one is the parent of, however it was started.

    Shape: `returncode` is negative for a signal, and None until `poll()` has seen its end; so is `peak_bytes`, the most
    memory that it had in use, 0.
    """

    def __init__(self, pid: int, started: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.returncode: int | Any = None
        self.peak_bytes = 0
        self._started = started

    def poll(self) -> int | None:
        """Sees whether it has ended: its exit code."""
        if self.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.returncode, self.peak_bytes = os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10
                if self._started is not None:
                    self._started.returncode = self.returncode  # or it would wait for it, too
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Sends it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


class Handed(NamedTuple):
    """What a worker's place among the others is: the descriptor of what they share, its slot, and a seat of its own."""

    arena: int
    slot: int
    seat: int


class Worker:
    """A process that serves, and that says when it does.

    The channel carries words, one a line: from here `take N` (with listening socket N), `leave N`, `retire`, `drain`
    and `stop`; from there `ready`, `leaving`, `worn N` (after N answers), `failed "WORDS"` and
    `about {"NAME": VALUE}`. Its end is that of the other side.

    Shape: `channel` is the supervisor's end.
    """

    def __init__(self, process: Process, channel: socket.socket, handed: Handed) -> None:
        channel.setblocking(False)
        self.process = process
        self.channel = channel
        self.slot = handed.slot
        self.seat = handed.seat
        self.began_s = time.monotonic()
        self.ready_s: float | None = None
        #: Whether it is on its way out, told or by itself.
        self.is_leaving = False
        #: After how many answers it said that it wants to be replaced.
        self.answered = 0
        #: What it said of why it could not go on.
        self.failure: str | None = None
        #: What it said about itself (`cello._reload.about`).
        self.about: dict[str, Any] = {}
        #: Whether the other end of the channel is closed.
        self.is_deaf = False
        #: Whether it has the sockets that all workers share.
        self._has_shared = False
        self._received = b""
        self._blame: str | None = None

    @classmethod
    def launch(
        cls,
        command: Sequence[str],
        handed: Handed,
        prepare: Callable[[], None] | None = None,
        *,
        has_terminal: bool = False,
        is_template: bool = False,
    ) -> Self:
        """Starts a process that runs the command.

        Shape: `prepare` is called in the new process before that; a template forks workers off (`cello._template`).
        """
        place = f"{handed.arena},template" if is_template else ",".join(map(str, handed))
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, "CELLO_WORKER": str(theirs.fileno()), "CELLO_PLACE": place},
                stdin=None if has_terminal else subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), handed.arena],
                # Ctrl-C in a terminal is for the supervisor alone, which tells the workers.
                process_group=None if has_terminal else 0,
                preexec_fn=prepare,
            )
        return cls(Process(process.pid, process), ours, handed)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    @property
    def serves(self) -> bool:
        """Whether it takes connections."""
        return self.ready_s is not None and not self.is_leaving

    def hear(self) -> Iterator[str]:
        """What it has said since the last time, besides of its failure."""
        while True:
            try:
                data = self.channel.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.is_deaf = True
                break
            self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "failed":
                self.failure = json.loads(rest)
                continue
            if word == "about":
                self.about = json.loads(rest)
                continue
            if word == "worn":
                self.answered = int(rest)
            if word == "ready":
                self.ready_s = time.monotonic()
            yield word

    def take(self, number: int, listener: socket.socket) -> None:
        """Has it accept on a listening socket."""
        self._say(f"take {number}", listener)

    def leave(self, number: int) -> None:
        """Has it accept no more on a listening socket."""
        self._say(f"leave {number}")

    def share(self, listeners: Mapping[int, socket.socket]) -> None:
        """Has it accept on the sockets that all workers share, from now on."""
        if not self._has_shared:
            self._has_shared = True
            for number, listener in listeners.items():
                self.take(number, listener)

    def retire(self) -> None:
        """Has it answer what it has, with patience for requests that are on their way to it, and end."""
        self._end("retire")

    def stop(self, order: Literal["stop", "drain"] = "stop") -> None:
        """Has it answer the requests it has, and end: at once, or with what time it is to give to its clients."""
        self._end(order)

    def kill(self) -> None:
        """Ends it whatever it does."""
        self.process.send_signal(signal.SIGKILL)

    def abort(self, blame: str) -> None:
        """Has it tell what all its threads do, and end."""
        self._blame = blame
        self.process.send_signal(signal.SIGABRT)

    def cause(self) -> str:
        """Why it ended, once it has."""
        if self._blame is not None:
            return self._blame
        code = self.process.returncode
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"

    def was_killed(self) -> bool:
        """Whether somebody else, mostly the system, has ended it without a word."""
        return self._blame is None and self.process.returncode == -signal.SIGKILL

    def _end(self, word: str) -> None:
        self.is_leaving = True
        if self.ready_s is None:
            self.process.send_signal(signal.SIGTERM)  # it may not be listening to the channel yet
        else:
            self._say(word)

    def _say(self, words: str, listener: socket.socket | None = None) -> None:
        try:
            data = f"{words}\n".encode()
            if listener is None:
                self.channel.send(data)
            else:
                socket.send_fds(self.channel, [data], [listener.fileno()])
        except OSError:
            pass  # it has just ended, which is told otherwise
