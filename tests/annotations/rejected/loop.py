"""The loop: what it does not run."""

import cello.loop


async def main() -> int:
    return 7


cello.loop.run(main)  # rejected
cello.loop.run(main(), debug="yes")  # rejected
word: str = cello.loop.run(main())  # rejected
cello.loop.EventLoop("epoll")  # rejected
