"""The supervisor of workers that are forked off a template, which has imported the application once.

A worker's parent ends as soon as it is there, so that the supervisor is its parent, as of any other. While there is no
template, workers start as they do without one. SIGHUP makes a new template, of new code, before it replaces workers.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from cello._launch import EXIT_START
from cello._prctl import adopt_orphans
from cello._supervisor import Slot, Supervisor, tell
from cello._supervisor_worker import Handed, Process, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from cello._kernel import Arena
    from cello._supervisor_cluster import Cluster
    from cello._supervisor_limits import Limits

__all__ = ["Preloading"]

#: How long a template may take to fork; one that takes longer is stuck.
FORK_TIMEOUT_S = 10.0


class Template(Worker):
    """The process that forks workers off. It is told and heard as a worker is, but serves nothing."""

    def fork(self, handed: Handed) -> Worker:
        """A new worker.

        Errors: OSError where the template does not answer.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            words = f"fork {handed.slot},{handed.seat}\n"
            socket.send_fds(self.channel, [words.encode()], [theirs.fileno()])
        if not select.select([self.channel], [], [], FORK_TIMEOUT_S)[0]:
            raise TimeoutError("it does not answer")
        said = self.channel.recv(1 << 10).decode().split()
        if said[:1] != ["forked"]:
            raise OSError("it has ended")
        return Worker(Process(int(said[1])), ours, handed)

    def end(self) -> None:
        """Has it end: it has nothing to do without a supervisor."""
        self.channel.close()


class Preloading(Supervisor):
    """Workers that are forked off a template."""

    def __init__(self, command: Sequence[str], cluster: Cluster, arena: Arena, limits: Limits) -> None:
        super().__init__(command, cluster, arena, limits)
        adopt_orphans()
        #: The one that workers are forked off; the one that is to take its place; and those that have not ended yet.
        self.template: Template | None = None
        self.next_template: Template | None = None
        self.templates: list[Template] = []

    def begin(self) -> None:
        """Starts the first template, and the first workers when it is ready."""
        self.prepare()

    def prepare(self) -> None:
        """Starts a template."""
        template = Template.launch(self.command, Handed(self.arena.fileno(), 0, 0), is_template=True)
        self.next_template = template
        self.templates.append(template)
        self.selector.register(template.channel, selectors.EVENT_READ, lambda: self.follow_template(template))

    def follow_template(self, template: Template) -> None:
        """Listens to a template that is being made ready; what it says later is an answer, or its end."""
        if "ready" in list(template.hear()):
            self.forget_channel(template)
            self.next_template, before, self.template = None, self.template, template
            if before is not None:
                before.end()
            if self.is_stopping:
                template.end()
            elif any(slot.worker is not None for slot in self.slots):
                super().renew_all()
            else:
                super().begin()
        elif template.is_deaf:
            self.forget_channel(template)

    def worker(self, slot: Slot, prepare: Callable[[], None] | None = None, *, has_terminal: bool = False) -> Worker:
        """A new process for a slot, forked off the template if there is one."""
        if self.template is not None:
            try:
                return self.template.fork(self.hand(slot))
            except OSError as error:
                tell(f"the template {self.template.pid} is of no use any more: {error}")
                self.template.kill()
                self.template = None
        return super().worker(slot, prepare, has_terminal=has_terminal)

    def bury(self) -> None:
        """Sees which processes have ended."""
        for template in [one for one in self.templates if one.process.poll() is not None]:
            self.templates.remove(template)
            self.lose_template(template)
        super().bury()

    def lose_template(self, template: Template) -> None:
        """A template has ended."""
        if template is self.next_template:
            list(template.hear())
            self.forget_channel(template)
            self.next_template = None
            if not self.is_stopping:
                tell(template.failure or f"the template {template.cause()} before it was ready")
            if self.is_started:
                tell("the workers stay as they are")
                self.notifier.reloaded()
            else:
                self.stop(EXIT_START)
        elif template is self.template:
            self.template = None
            if not self.is_stopping:
                tell(f"the template {template.pid} {template.cause()}: workers start without it until SIGHUP")
        template.channel.close()

    def own(self) -> set[int]:
        """The processes whose end is seen otherwise."""
        return super().own() | {template.pid for template in self.templates}

    def renew_all(self) -> None:
        """Makes a template of the new code, and has all workers replaced when it is ready."""
        if (before := self.next_template) is not None:  # it may have imported what there was before
            self.forget_channel(before)
            before.kill()
        self.prepare()

    def next_of_roll(self) -> None:
        """Starts the successor of the next worker that is to be replaced; while a template is awaited, of no other."""
        if self.next_template is None or self.roll:
            super().next_of_roll()

    def stop(self, exit_code: int, order: Literal["stop", "drain"] = "stop") -> None:
        """Has all workers end, and then the supervisor."""
        if not self.is_stopping:
            for template in self.templates:
                template.process.send_signal(signal.SIGTERM)
        super().stop(exit_code, order)

    def close(self) -> None:
        """Ends what is left."""
        super().close()
        for template in self.templates:
            template.kill()
            template.end()
            with suppress(ChildProcessError):
                os.waitpid(template.pid, 0)
