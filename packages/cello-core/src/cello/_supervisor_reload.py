"""The supervisor of `--reload`: when a file is saved all workers end, and new ones start.

It differs from the other in what is lost and what is kept. Workers end before their successors start, within a moment,
whatever they do: two of them would contend for what an application has once. The listening sockets stay, so that
connections wait for the new code. A worker that does not start is told of, and started again when a file is saved.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from cello._binds import binds
from cello._launch import EXIT_START
from cello._prctl import adopt_orphans, end_with
from cello._sockets import BindError
from cello._supervisor import Slot, Supervisor, tell
from cello._watch import Watch
from cello._watch_notice import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from cello._binds import Bind
    from cello._kernel import Arena
    from cello._supervisor_cluster import Cluster
    from cello._supervisor_limits import Limits
    from cello._supervisor_worker import Worker

__all__ = ["Reloading"]

#: Workers have this long to end. What still runs then is killed.
MOMENT_S = 1.0
#: Of what the system tells, more is mostly told at once.
SOON_S = 0.01
#: A file that was saved may be one of several: the others are waited for, and not for ever.
QUIET_S = 0.05
MOST_QUIET_S = 0.5
#: How often files are looked at without a word of the system's; and where it tells of changes, until one was silent.
LOOK_ALONE_S = 0.25
LOOK_S = 5.0
#: Looks take one of so many parts of the processor's time at most.
SHARE = 50
#: So many files are named.
_NAMES = 3


class Reloading(Supervisor):
    """Workers that are replaced, all at once, when a file is saved."""

    def __init__(
        self, command: Sequence[str], cluster: Cluster, arena: Arena, limits: Limits, terms: Mapping[str, Any]
    ) -> None:
        super().__init__(command, replace(cluster, max_restarts=None), arena, limits)  # the next save may mend it
        self.watch = Watch(terms["folder"], terms["include"], terms["exclude"], terms["files"])
        self.notice = self.listen()
        #: Whether the system has told of a change since the last look, and whether it has of all so far.
        self.has_heard = False
        self.is_told = True
        #: When files are looked at next, and when workers that are leaving are killed.
        self.looks_s = inf
        self.ends_s: float | None = None
        #: What has changed, since when, until it is quiet.
        self.changed: dict[str, None] = {}
        self.changes_s = 0.0
        #: Whether new workers are to start, and for which files.
        self.is_renewing = False
        self.names: dict[str, None] = {}
        self.is_bound = False
        #: Host, port, number of workers and places, as the first worker has them; whether the code has others by now.
        self.served: list[Any] | None = None
        self.has_moved = False
        adopt_orphans()  # so that what workers leave behind is known here
        #: What the terminal was like that a worker has.
        self.terminal = _terminal()
        self.remark = f", watching {self.watch.folder}"
        self.look()
        if self.watch.is_cut:
            tell(f"{self.watch.folder} has too many folders to watch all of them: give --reload-exclude some names")

    def listen(self) -> Notice | None:
        """Has the system tell of changes, where it does."""
        try:
            notice = Notice()
        except OSError:
            return None
        self.watch.before_folder = notice.add
        self.selector.register(notice, selectors.EVENT_READ, self.heed)
        return notice

    def close(self) -> None:
        """Ends what is left."""
        super().close()
        self.sweep()
        if self.notice is not None:
            self.notice.close()

    def open(self, places: Sequence[Bind] | None, count: int) -> None:
        """Binds the listening sockets; with no places when a worker says where.

        Errors: BindError.
        """
        if places is None:
            self.slots = [Slot(0, {})]
        else:
            self.is_bound = True
            super().open(places, count)

    # --- files

    def heed(self) -> None:
        """Looks soon where something has happened that may be a change."""
        for event in list(self.notice.hear()) if self.notice is not None else ():
            if not event.folder or self.watch.concerns(event.folder, event.name, is_folder=event.is_folder):
                self.has_heard = True
                if not self.changed and not self.is_stopping:
                    self.looks_s = min(self.looks_s, time.monotonic() + SOON_S)

    def look(self) -> None:
        """Sees which files have changed, and reloads when that was all."""
        self.heed()
        took_s = -time.process_time()
        changed = self.watch.changes()
        took_s += time.process_time()
        now_s = time.monotonic()
        if changed and not self.changed:
            self.changes_s = now_s
        self.changed |= dict.fromkeys(changed)
        # Folders of other machines are silent, and are looked at more often from the first save on.
        self.is_told = self.is_told and (self.has_heard or not changed)
        self.has_heard = False
        is_told = self.is_told and self.notice is not None and self.notice.is_whole
        self.looks_s = now_s + max(LOOK_S if is_told else LOOK_ALONE_S, SHARE * took_s)
        if changed and now_s - self.changes_s < MOST_QUIET_S:
            self.looks_s = now_s + QUIET_S
        elif self.changed:
            names, self.changed = self.changed, {}
            self.reload(names)

    # --- workers

    def start(self, slot: Slot) -> Worker:
        """Starts a process for a slot; the only one has the terminal."""
        is_alone = sum(one.is_wanted for one in self.slots) == 1
        prepare = partial(_bind, os.getpid())
        return self.follow(self.worker(slot, prepare, has_terminal=self.terminal is not None and is_alone))

    def reload(self, names: Mapping[str, None]) -> None:
        """Ends all workers there are; new ones start when they are gone."""
        self.is_renewing = True
        self.names |= names
        self.told.clear()
        for slot in self.slots:
            slot.worker, slot.successor, slot.starts_s, slot.failures = None, None, None, 0
        for worker in self.workers:
            if not worker.is_leaving:
                worker.stop()
        self.ends_s = self.ends_s or time.monotonic() + MOMENT_S
        self.renew()

    def renew(self) -> None:
        """Starts new workers, if that is to be done and those before have ended."""
        if self.workers or not self.is_renewing or self.is_stopping:
            return
        why = f"{_several(list(self.names))} changed" if self.names else "told to reload"
        self.is_renewing, self.names, self.ends_s = False, {}, None
        self.sweep()
        for slot in self.slots:
            if slot.is_wanted:
                slot.worker = self.start(slot)
        pids = ", ".join(str(worker.pid) for worker in self.workers)
        tell(f"{why}: {f'worker {pids} starts' if len(self.workers) == 1 else f'workers {pids} start'}")

    def sweep(self) -> None:
        """Ends what workers that are gone have started and left behind, unless it has a session of its own."""
        known = self.own()
        while left := [pid for pid in _children() if pid not in known]:
            for pid in left:
                known.add(pid)
                with suppress(OSError):
                    if os.getsid(pid) == os.getsid(0):
                        os.kill(pid, signal.SIGKILL)
                        os.waitpid(pid, 0)

    def welcome(self, worker: Worker) -> None:
        """A worker has started, and has said what the application is now."""
        self.watch.add(worker.about["files"])
        served = worker.about["served"]
        if self.served is None and not (self.is_stopping or worker.is_leaving):
            self.served = served
            if not self.is_bound:
                self.settle(worker, served)
        elif served != self.served and not self.has_moved:
            self.has_moved = True
            tell("host, port and number of workers stay as they are: what the code has now is taken at the next start")
        super().welcome(worker)

    def settle(self, worker: Worker, served: list[Any]) -> None:
        """Binds the listening sockets that the first worker asks for, and starts the others."""
        host, port, count, texts = served
        try:
            self.open(binds(texts, host, port), count)
        except BindError as error:
            tell(str(error))
            self.stop(EXIT_START)
            return
        self.slots[0].worker = worker
        for slot in self.slots[1:]:
            slot.worker = self.start(slot)

    def lose(self, worker: Worker) -> None:
        """A worker has ended. One that served and crashed is replaced, one that did not come to it waits for a save."""
        if self.terminal is not None:
            _restore(self.terminal)
        slot = self.slots[worker.slot]
        if self.is_stopping:
            super().lose(worker)
        elif not worker.is_leaving and (worker.ready_s is None or not self.is_started):
            slot.worker = None
            words = worker.failure or f"a worker {worker.cause()} before it had started"
            if words not in self.told:
                tell(words)
                if not self.told:
                    tell("the next save starts it again")
                self.told.add(words)
        elif not worker.is_leaving:
            super().lose(worker)
        elif worker.failure is not None and worker.ready_s is not None:
            tell(worker.failure)
        self.renew()

    def next_of_roll(self) -> None:
        """Does at once what SIGHUP asks for."""
        if self.roll:
            self.roll.clear()
            self.reload({})
        else:
            self.notifier.reloaded()

    def add(self) -> None:
        """Starts one more worker, unless it is the terminal that sends the signal: to who may not read from it now."""
        if self.terminal is None:
            super().add()

    def remove(self) -> None:
        """Retires one worker, unless it is the terminal that sends the signal."""
        if self.terminal is None:
            super().remove()

    def stop(self, exit_code: int, order: Literal["stop", "drain"] = "stop") -> None:  # noqa: ARG002
        """Has all workers end within a moment, whatever the order, and then the supervisor."""
        if not self.is_stopping:
            super().stop(exit_code)
            self.kills_s, self.looks_s, self.ends_s = None, inf, time.monotonic() + MOMENT_S

    # --- time

    def pause_s(self) -> float | None:
        """How long there is nothing to do."""
        pause_s = super().pause_s()
        ends_s = inf if self.ends_s is None else self.ends_s
        ours_s = max(0.0, min(self.looks_s, ends_s) - time.monotonic())
        return None if pause_s is None and ours_s == inf else min(ours_s, inf if pause_s is None else pause_s)

    def come_to_time(self) -> None:
        """Does what it is time for."""
        now_s = time.monotonic()
        if self.ends_s is not None and self.ends_s <= now_s:
            self.ends_s = None
            for worker in self.workers:
                if worker.is_leaving:
                    worker.kill()
        if self.looks_s <= now_s:
            self.look()
        super().come_to_time()


def _several(names: list[str]) -> str:
    if len(names) > _NAMES:
        return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _bind(supervisor: int) -> None:
    """What a worker does before it is one.

    It ends with the supervisor, also where that is killed while a handler keeps the worker from hearing of it. Ctrl-C,
    which reaches whoever shares the terminal, is the supervisor's to follow.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(supervisor)


def _children() -> list[int]:
    """The processes whose parent this is; none where the system does not say."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            return [int(pid) for pid in children.read().split()]
    except OSError:
        return []


def _terminal() -> list[Any] | None:
    """The settings of the terminal that standard input is; None where it is none."""
    import termios

    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError):
        return None


def _restore(settings: list[Any]) -> None:
    """Gives the terminal its settings back: a debugger that was ended while it read a line has changed them."""
    import termios

    with suppress(termios.error, OSError):
        if os.tcgetpgrp(0) == os.getpgrp():
            termios.tcsetattr(0, termios.TCSADRAIN, settings)
