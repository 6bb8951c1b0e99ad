"""What is done on an event loop: which function of `measured/`, how, and what it may cost beside uvloop."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopWorkload:
    """One kind of work on a loop.

    Units: `limit` is of uvloop's CPU per operation.
    """

    name: str
    title: str
    function: str
    connections: int = 1
    limit: float = 1.0
    has_load: bool = False
    has_database: bool = False


LOOP_WORKLOADS = {
    workload.name: workload
    for workload in (
        LoopWorkload("stream_echo_1", "stream echo, 1 connection", "echo:stream", has_load=True),
        LoopWorkload("stream_echo_64", "stream echo, 64 connections", "echo:stream", 64, has_load=True),
        LoopWorkload("protocol_echo_1", "protocol echo, 1 connection", "echo:protocol", has_load=True),
        LoopWorkload("protocol_echo_64", "protocol echo, 64 connections", "echo:protocol", 64, has_load=True),
        LoopWorkload("row_1", "asyncpg `fetchrow`, 1 connection", "rows:fetch", has_database=True),
        LoopWorkload("row_8", "asyncpg `fetchrow`, 8 connections", "rows:fetch", 8, has_database=True),
        LoopWorkload("sleep_0", "`sleep(0)`", "turns:sleep_0"),
        LoopWorkload("call_soon_chain", "`call_soon`, each from the one before", "turns:call_soon_chain"),
        LoopWorkload("call_soon_batch", "`call_soon`, 1,000 in one turn", "turns:call_soon_batch"),
        LoopWorkload("timer_cancelled", "`call_later` and `cancel`", "turns:timer_cancelled"),
        LoopWorkload("sleeps_1000", "1,000 tasks in a `sleep` of 5 to 14 ms", "turns:sleeps_1000"),
        LoopWorkload("tls_echo", "TLS stream echo, both ends", "ends:tls_echo", limit=1.3),
        LoopWorkload("bulk", "1 MiB written, drained and read, both ends", "ends:bulk", limit=1.3),
        LoopWorkload("connect", "connect, echo and close, both ends", "ends:connect", limit=1.3),
    )
}
