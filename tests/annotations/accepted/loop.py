"""The loop."""

import asyncio
from typing import assert_type

import cello.loop
from cello.loop import EventLoop


def tidy() -> int:
    return 0


async def main() -> int:
    return 7


def run() -> None:
    assert_type(cello.loop.run(main()), int)
    assert_type(cello.loop.run(main(), debug=True), int)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert_type(runner.run(main()), int)
    loop: asyncio.AbstractEventLoop = EventLoop()
    assert_type(loop.run_until_complete(main()), int)
    assert_type(EventLoop().time(), float)
    EventLoop().call_soon(print, "now")
    EventLoop().call_later(1.5, tidy).cancel()
