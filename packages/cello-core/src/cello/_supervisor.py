"""The supervisor: it starts workers, replaces those that end, and serves nothing itself.

It has the listening sockets of all slots for as long as it lives: what waits in them is never reset. A slot whose
worker is gone is given to a neighbour, and given back to the successor. The application is never imported here.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cello._binds import binds
from cello._kernel import Arena
from cello._launch import EXIT_INTERRUPTED, EXIT_START
from cello._port import listing
from cello._sd_notify import Notifier
from cello._sockets import BindError, Sockets
from cello._supervisor_cluster import Cluster
from cello._supervisor_limits import Limits, mebibytes
from cello._supervisor_worker import Handed, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Literal

    from cello._binds import Bind

__all__ = ["Supervisor", "main"]

EXIT_KILLED = 1
EXIT_GIVEN_UP = 1

#: A worker that lived so long begins a new count of failures.
STEADY_S = 10.0
#: The first successor starts at once, the second so much later; from then on it doubles.
BACK_OFF_S = 0.25
MOST_BACK_OFF_S = 30.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD)


def main() -> None:
    """Supervises as the words of the command line say, which `cello._launch` wrote."""
    terms: dict[str, Any] = json.loads(sys.argv[1])
    try:
        arena = Arena.create()
    except OSError as error:
        tell(f"the memory that workers share is not to be had: {error}")
        sys.exit(EXIT_START)
    supervisor = _supervisor(terms, arena)
    try:
        is_known = terms["host"] is not None
        supervisor.open(binds(terms["bind"], terms["host"], terms["port"]) if is_known else None, terms["workers"])
        code = supervisor.run()
    except BindError as error:
        tell(str(error))
        code = EXIT_START
    finally:
        supervisor.close()
    sys.exit(code)


def _supervisor(terms: dict[str, Any], arena: Arena) -> Supervisor:
    limits = Limits(arena, tell, *terms["limits"])
    if terms["reload"] is not None:
        from cello._supervisor_reload import Reloading

        return Reloading(terms["command"], Cluster.of(terms), arena, limits, terms["reload"])
    if terms["preload"]:
        from cello._supervisor_preload import Preloading

        return Preloading(terms["command"], Cluster.of(terms), arena, limits)
    return Supervisor(terms["command"], Cluster.of(terms), arena, limits)


def tell(words: str) -> None:
    """Writes a line to standard error, where there is one."""
    with suppress(OSError):
        print(f"cello: {words}", file=sys.stderr, flush=True)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


def has_terminal() -> bool:
    """Whether there is a terminal that the process belongs to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


@dataclass(eq=False)
class Slot:
    """A place that a worker has, and its listening sockets by their numbers."""

    number: int
    listeners: dict[int, socket.socket]
    is_wanted: bool = True
    #: Whether its workers failed too often: it is not wanted until somebody says so.
    is_given_up: bool = False
    #: The worker whose place it is, starting or serving.
    worker: Worker | None = None
    #: The one that is being started to take its place.
    successor: Worker | None = None
    #: Whoever accepts on the sockets.
    holder: Worker | None = None
    failures: int = 0
    #: A worker that has been used up is not replaced before: a successor did not start.
    renews_s: float = 0.0
    starts_s: float | None = None


class Supervisor:
    """Workers that all run one command."""

    def __init__(self, command: Sequence[str], cluster: Cluster, arena: Arena, limits: Limits) -> None:
        self.command = command
        self.cluster = cluster
        #: What the workers share: each is handed it.
        self.arena = arena
        self.limits = limits
        self.sockets = Sockets([])
        self.notifier = Notifier(os.environ)
        self.slots: list[Slot] = []
        #: All processes there are, those that are leaving among them.
        self.workers: list[Worker] = []
        self.is_started = False
        self.is_stopping = False
        self.exit_code = 0
        self.interrupts = 0
        self.kills_s: float | None = None
        self.told: set[str] = set()
        #: What is said behind the workers, once they have started.
        self.remark = ""
        #: Slots whose workers are to be replaced, and the one that is being replaced, until it has ended.
        self.roll: deque[Slot] = deque()
        #: When that was last asked for, of all of them.
        self.rolls_s = 0.0
        self.retiring: Worker | None = None
        self.selector = selectors.DefaultSelector()
        self.signals, self._wakeup = socket.socketpair()
        for end in (self.signals, self._wakeup):
            end.setblocking(False)
        #: Whether it ends with its terminal: `nohup` says that it does not.
        self.needs_terminal = has_terminal() and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, _ignore)  # they come by the socket
        self.selector.register(self.signals, selectors.EVENT_READ)

    def open(self, places: Sequence[Bind] | None, count: int) -> None:
        """Binds the listening sockets of so many workers.

        Errors: BindError.
        """
        assert places is not None
        self.sockets = Sockets(places, count)
        self.slots = [Slot(number, listeners) for number, listeners in enumerate(self.sockets.slots)]

    def run(self) -> int:
        """Starts the workers, supervises them until all have ended, and gives the exit code."""
        self.begin()
        while self.workers or not self.is_stopping:
            for key, _ in self.selector.select(self.pause_s()):
                if key.data is None:
                    self.follow_signals()
                elif isinstance(key.data, Worker):
                    self.hear(key.data)
                else:
                    key.data()
            self.bury()
            self.come_to_time()
        return self.exit_code

    def begin(self) -> None:
        """Starts the first workers."""
        for slot in self.slots:
            slot.worker = self.start(slot)

    def close(self) -> None:
        """Ends what is left. Workers that nobody tells anything any more end by themselves."""
        for worker in self.workers:
            worker.channel.close()
        self.sockets.close()

    # --- workers

    def start(self, slot: Slot) -> Worker:
        """Starts a process for a slot."""
        return self.follow(self.worker(slot))

    def hand(self, slot: Slot) -> Handed:
        """A place for one more worker of a slot."""
        seat = min({*range(len(self.workers) + 1)} - {worker.seat for worker in self.workers})
        return Handed(self.arena.fileno(), slot.number, seat)

    def worker(self, slot: Slot, prepare: Callable[[], None] | None = None, *, has_terminal: bool = False) -> Worker:
        """A new process for a slot."""
        handed = self.hand(slot)
        return Worker.launch(self.command, handed, prepare, has_terminal=has_terminal)

    def follow(self, worker: Worker) -> Worker:
        """Puts a worker that has just been started where it is to run, and listens to it from now on."""
        try:
            self.cluster.settle(worker)
        except OSError as error:
            tell(f"worker {worker.pid} runs on any CPU: {error}")
        self.workers.append(worker)
        self.selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker

    def hear(self, worker: Worker) -> None:
        """Listens to what a worker says."""
        for word in worker.hear():
            if word == "ready":
                self.welcome(worker)
            elif word == "leaving" and self.is_started and not (self.is_stopping or worker.is_leaving):
                # It was asked to by somebody else, and may take its time.
                worker.is_leaving = True
                self.replace(worker, "was told to stop")
            elif word == "worn":
                self.relieve(worker, f"has answered {worker.answered} requests")
        # Its end makes the channel readable for ever: that it ended is known by the signal.
        if worker.process.poll() is not None or worker.is_deaf:
            self.forget_channel(worker)

    def forget_channel(self, worker: Worker) -> None:
        """Listens to a worker no more."""
        if worker.channel in self.selector.get_map():
            self.selector.unregister(worker.channel)

    def welcome(self, worker: Worker) -> None:
        """A worker has started."""
        slot = self.slots[worker.slot]
        self.limits.welcome(worker)
        if self.is_stopping or worker.is_leaving:
            worker.stop()
        elif slot.successor is worker:
            before, slot.worker, slot.successor = slot.worker, worker, None
            self.share()
            if before is not None:
                tell(f"worker {worker.pid} takes the place of worker {before.pid}")
                self.retiring = before
                before.retire()
        elif self.is_started:
            self.share()
        elif all(slot.worker and slot.worker.serves for slot in self.slots):
            self.is_started = True
            self.share()
            pids = ", ".join(str(worker.pid) for worker in self.workers)
            where = listing(self.sockets.names)
            served = f"{len(self.workers)} workers (pids {pids})" if len(self.workers) > 1 else f"1 worker (pid {pids})"
            with suppress(OSError):  # who reads that may be gone
                print(f"Cello running at {where} with {served}{self.remark}", flush=True)
            self.notifier.ready(f"Running at {where} with {served.partition(' (')[0]}")
        self.next_of_roll()

    def share(self) -> None:
        """Has each slot served by its own worker, or by the neighbour that has the fewest."""
        serving = [slot.worker for slot in self.slots if slot.worker is not None and slot.worker.serves]
        if not serving or not self.is_started:
            return
        for worker in serving:
            worker.share(self.sockets.shared)
        held = {worker.pid: sum(slot.holder is worker for slot in self.slots) for worker in serving}
        for slot in self.slots:
            holder = slot.holder if slot.holder in serving else None
            if slot.worker is not None and slot.worker.serves:
                chosen = slot.worker
            else:
                chosen = holder or min(serving, key=lambda worker: held[worker.pid])
            if chosen is holder:
                continue
            for number, listener in slot.listeners.items():
                chosen.take(number, listener)
            held[chosen.pid] += 1
            if holder is not None:
                for number in slot.listeners:
                    holder.leave(number)
                held[holder.pid] -= 1
            slot.holder = chosen

    def bury(self) -> None:
        """Sees which workers have ended."""
        for worker in [one for one in self.workers if one.process.poll() is not None]:
            self.hear(worker)
            self.workers.remove(worker)
            worker.channel.close()
            self.lose(worker)
        self.bury_orphans()

    def bury_orphans(self) -> None:
        """Waits for processes that are none of its own: as process 1 of a container it is given every orphan."""
        own = self.own()
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in own:
                    return  # it has ended just now: its signal is on the way
                os.waitpid(ended.si_pid, 0)

    def own(self) -> set[int]:
        """The processes whose end is seen otherwise."""
        return {worker.pid for worker in self.workers}

    def lose(self, worker: Worker) -> None:
        """A worker has ended."""
        slot = self.slots[worker.slot]
        if self.is_stopping:
            self.tell_failure(worker)
            if worker.process.returncode > 0:
                self.exit_code = self.exit_code or worker.process.returncode
        elif not self.is_started:
            if worker.failure is None:
                tell(f"a worker {worker.cause()} before it had started")
            self.tell_failure(worker)
            self.stop(EXIT_START)
        elif slot.successor is worker:
            self.tell_failure(worker)
            tell(f"the successor {worker.pid} {worker.cause()} before it had started: the workers stay as they are")
            slot.successor = None
            slot.renews_s = time.monotonic() + MOST_BACK_OFF_S
            self.roll.clear()
        else:
            self.tell_failure(worker)
            if not worker.is_leaving:
                if worker.was_killed():
                    tell(f"worker {worker.pid} had up to {mebibytes(worker.process.peak_bytes)} of memory")
                self.replace(worker, worker.cause())
        if worker is self.retiring:
            self.retiring = None
        self.next_of_roll()

    def replace(self, worker: Worker, cause: str) -> None:
        """Has neighbours serve the slot of a worker that is lost, and starts its successor."""
        slot = self.slots[worker.slot]
        if slot.worker is not worker:
            return
        slot.worker, slot.successor = slot.successor, None
        self.share()
        if slot.worker is not None:
            tell(f"worker {worker.pid} {cause}; its successor {slot.worker.pid} is starting already")
            return
        if worker.ready_s is not None and time.monotonic() - worker.ready_s > STEADY_S:
            slot.failures = 0
        if self.cluster.gives_up(slot.failures):
            self.give_up(slot, f"worker {worker.pid} {cause}")
            return
        pause_s = min(BACK_OFF_S * 2 ** (slot.failures - 1), MOST_BACK_OFF_S) if slot.failures else 0.0
        slot.failures += 1
        if pause_s:
            tell(f"worker {worker.pid} {cause}; its successor starts in {pause_s:g} s")
            slot.starts_s = time.monotonic() + pause_s
        else:
            slot.worker = self.start(slot)
            tell(f"worker {worker.pid} {cause}; its successor is worker {slot.worker.pid}")

    def give_up(self, slot: Slot, cause: str) -> None:
        """Starts no successor: neighbours keep the slot. Where there are none, it is the end."""
        slot.is_wanted, slot.is_given_up = False, True
        tell(f"{cause}; its place is given up (max_restarts={slot.failures}): SIGHUP or SIGTTIN tries it again")
        if not any(slot.is_wanted for slot in self.slots):
            tell("the places of all workers are given up: the server ends")
            self.stop(EXIT_GIVEN_UP)

    def relieve(self, worker: Worker, cause: str) -> None:
        """Has a successor take the place of a worker that is used up, as a roll does."""
        slot = self.slots[worker.slot]
        is_awaited = slot.successor is not None or slot in self.roll or time.monotonic() < slot.renews_s
        if slot.worker is worker and worker.serves and not (self.is_stopping or is_awaited):
            tell(f"worker {worker.pid} {cause}, and is replaced")
            self.roll.append(slot)
            self.next_of_roll()

    def tell_failure(self, worker: Worker) -> None:
        """Says what a worker said of its end: what all of them say, once."""
        failure = worker.failure
        if failure is not None and not (failure in self.told and (self.is_stopping or not self.is_started)):
            self.told.add(failure)
            tell(failure)

    # --- time

    def pause_s(self) -> float | None:
        """How long there is nothing to do."""
        times = [slot.starts_s for slot in self.slots if slot.starts_s is not None]
        times += [one for one in (self.kills_s, self.limits.looks_s, self.notifier.due_s) if one is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def come_to_time(self) -> None:
        """Does what it is time for."""
        now_s = time.monotonic()
        self.notifier.come_to_time()
        for slot in self.slots:
            if slot.starts_s is not None and slot.starts_s <= now_s:
                slot.starts_s = None
                slot.worker = self.start(slot)
                tell(f"worker {slot.worker.pid} starts")
        self.limits.look(self.workers, self.relieve)
        if self.kills_s is not None and self.kills_s <= now_s:
            self.kills_s = None
            for worker in self.workers:
                tell(f"worker {worker.pid} has not ended within {self.cluster.kill_after_s:g} s, and is killed")
                worker.kill()
            self.exit_code = self.exit_code or EXIT_KILLED

    # --- signals

    def follow_signals(self) -> None:
        """Does what signals ask for."""
        for number in self.signals.recv(1 << 10):
            if number == signal.SIGTERM:
                self.stop(0, "drain")
            elif number == signal.SIGINT:
                self.interrupts += 1
                if self.interrupts > 1:
                    self.exit_code = EXIT_INTERRUPTED
                    for worker in self.workers:
                        worker.kill()
                elif self.is_stopping:
                    for worker in self.workers:
                        worker.stop()
                self.stop(0)
            elif self.is_stopping:
                continue
            elif number == signal.SIGHUP:
                if self.needs_terminal and not has_terminal():
                    self.stop(0)
                    continue
                self.notifier.reloading()
                self.renew_all()
            elif number == signal.SIGTTIN:
                self.add()
            elif number == signal.SIGTTOU:
                self.remove()

    def stop(self, exit_code: int, order: Literal["stop", "drain"] = "stop") -> None:
        """Has all workers end, and then the supervisor."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.exit_code = self.exit_code or exit_code
        self.kills_s = time.monotonic() + self.cluster.kill_after_s
        self.notifier.stopping()
        for slot in self.slots:
            slot.starts_s = None
        self.sockets.let_go()  # files stay as long as workers may serve on
        for worker in self.workers:
            worker.stop(order)

    def renew_all(self) -> None:
        """Has all workers replaced, one by one, and tries again what was given up."""
        self.roll, self.rolls_s = deque(slot for slot in self.slots if slot.is_wanted), time.monotonic()
        for slot in self.slots:
            if slot.is_given_up:
                self.fill(slot)
        self.next_of_roll()

    def next_of_roll(self) -> None:
        """Starts the successor of the next worker that is to be replaced, when the one before has ended."""
        if self.is_stopping or not self.is_started or any(slot.successor is not None for slot in self.slots):
            return
        while self.roll and self.retiring is None:
            slot = next((slot for slot in self.roll if not self.may_have_old_code(slot)), None)
            if slot is None:
                return
            self.roll.remove(slot)
            # Whoever has been started since has the new code, or fails by it.
            if slot.is_wanted and slot.worker is not None and slot.worker.serves:
                slot.successor = self.start(slot)
                return
        if not self.roll:
            self.notifier.reloaded()

    def may_have_old_code(self, slot: Slot) -> bool:
        """Whether a slot's worker was being started when the roll was asked for: it is replaced when it serves."""
        worker = slot.worker
        if worker is None or worker.ready_s is not None or worker.is_leaving or not slot.is_wanted:
            return False
        return worker.began_s < self.rolls_s

    def add(self) -> None:
        """Starts one more worker."""
        slot = next((slot for slot in self.slots if not slot.is_wanted), None)
        if slot is None:
            try:
                listeners = self.sockets.add_slot()
            except OSError as error:
                tell(f"there can be no more workers: {error}")
                return
            slot = Slot(len(self.slots), listeners)
            self.slots.append(slot)
        self.fill(slot)

    def fill(self, slot: Slot) -> None:
        """Starts a worker for a slot that was not wanted."""
        slot.is_wanted, slot.is_given_up, slot.failures = True, False, 0
        slot.worker = self.start(slot)
        tell(f"worker {slot.worker.pid} is one more")
        self.share()

    def remove(self) -> None:
        """Retires one worker, unless it is the only one."""
        wanted = [slot for slot in self.slots if slot.is_wanted]
        if len(wanted) == 1 or not self.is_started:
            tell(
                "the last worker stays: SIGTERM stops the server" if self.is_started else "not all workers have started"
            )
            return
        slot = wanted[-1]
        leaving = [worker for worker in (slot.worker, slot.successor) if worker is not None]
        slot.is_wanted, slot.worker, slot.successor, slot.starts_s = False, None, None, None
        self.share()
        for worker in leaving:
            tell(f"worker {worker.pid} is one too many")
            worker.retire()
