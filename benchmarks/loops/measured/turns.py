"""Turns of the loop without any input or output: callbacks, timers and tasks that only wait for them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    type Step = Callable[[], Awaitable[int]]

STEP_OPERATIONS = 1000


@asynccontextmanager
async def sleep_0() -> AsyncGenerator[Step]:
    """One task that gives the others a turn."""

    async def step() -> int:
        for _ in range(STEP_OPERATIONS):
            await asyncio.sleep(0)
        return STEP_OPERATIONS

    yield step


@asynccontextmanager
async def call_soon_chain() -> AsyncGenerator[Step]:
    """Callbacks each of which schedules the next: one a turn."""
    loop = asyncio.get_running_loop()

    async def step() -> int:
        done = loop.create_future()
        left = STEP_OPERATIONS

        def call() -> None:
            nonlocal left
            left -= 1
            if left:
                loop.call_soon(call)
            else:
                done.set_result(None)

        loop.call_soon(call)
        await done
        return STEP_OPERATIONS

    yield step


@asynccontextmanager
async def call_soon_batch() -> AsyncGenerator[Step]:
    """Callbacks that are scheduled at once: all in one turn."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        pass

    async def step() -> int:
        for _ in range(STEP_OPERATIONS):
            loop.call_soon(call)
        await asyncio.sleep(0)
        return STEP_OPERATIONS

    yield step


@asynccontextmanager
async def timer_cancelled() -> AsyncGenerator[Step]:
    """Timers that are cancelled long before their time, as nearly every timeout is."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        pass

    async def step() -> int:
        timers = [loop.call_later(10 + number / 1000, call) for number in range(STEP_OPERATIONS)]
        for timer in timers:
            timer.cancel()
        # The loop's chance to forget them.
        await asyncio.sleep(0)
        return STEP_OPERATIONS

    yield step


@asynccontextmanager
async def sleeps_1000() -> AsyncGenerator[Step]:
    """Tasks that each sleep once, for ten different times."""

    async def step() -> int:
        await asyncio.gather(*[asyncio.sleep(0.005 + number % 10 / 1000) for number in range(STEP_OPERATIONS)])
        return STEP_OPERATIONS

    yield step
