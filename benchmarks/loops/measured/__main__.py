"""Does one kind of work on one loop and prints what it cost.

Runs in the interpreter that has the loop: `python -m loops.measured FACTORY FUNCTION WARM_UP_S DURATION_S`. A
function is an asynchronous context manager that yields a step, which does some work and returns how many operations
that was.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    type Step = Callable[[], Awaitable[int]]
    type Function = Callable[[], AbstractAsyncContextManager[Step]]


def named(name: str) -> Any:
    """Find what `module:name` names."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


async def repeat(step: Step, duration_s: float) -> int:
    """Take steps until the time is over, and at least one."""
    deadline_s = time.monotonic() + duration_s
    operations = await step()
    while time.monotonic() < deadline_s:
        operations += await step()
    return operations


async def measure(function: Function, warm_up_s: float, duration_s: float) -> dict[str, float]:
    """Give the CPU of this process, all its threads included, and what it did in that."""
    async with function() as step:
        await repeat(step, warm_up_s)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        operations = await repeat(step, duration_s)
        cpu_s, took_s = time.process_time() - began_cpu_s, time.monotonic() - began_s
    return {"operations": operations, "cpu_s": cpu_s, "duration_s": took_s}


def main() -> None:
    """Read the command line, measure and print."""
    factory, function, warm_up_s, duration_s = sys.argv[1:]
    work = measure(named(f"loops.measured.{function}"), float(warm_up_s), float(duration_s))
    with asyncio.Runner(loop_factory=named(factory)) as runner:
        cost = runner.run(work)
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
