"""What the supervisor is told of its workers: where they run, how often they are tried, how long they may end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cello._cpus import pin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from cello._supervisor_worker import Worker

__all__ = ["Cluster"]

#: What a worker has beside the time for its requests.
_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The terms that all workers have.

    Units: `shutdown_timeout` and `shutdown_delay` in seconds; `max_restarts` None for no limit.
    """

    cpu_affinity: bool
    shutdown_timeout: float
    max_restarts: int | None
    shutdown_delay: float = 0.0

    @classmethod
    def of(cls, terms: Mapping[str, Any]) -> Self:
        """Those that `cello._launch` wrote."""
        return cls(terms["cpu_affinity"], terms["shutdown_timeout"], terms["max_restarts"], terms["shutdown_delay"])

    @property
    def kill_after_s(self) -> float:
        """When a worker that was told to stop is killed: after the delay it has the timeout twice, for requests and for
        what is left.
        """
        return self.shutdown_delay + 2 * self.shutdown_timeout + _MARGIN_S

    def gives_up(self, failures: int) -> bool:
        """Whether nobody is to succeed a worker, the last of so many in one place that failed in a row."""
        return self.max_restarts is not None and failures >= self.max_restarts

    def settle(self, worker: Worker) -> None:
        """Puts a worker that has just been started where it is to run.

        Errors: OSError.
        """
        if self.cpu_affinity:
            with suppress(ProcessLookupError):  # it has ended, which is told otherwise
                pin(worker.slot, worker.pid)
