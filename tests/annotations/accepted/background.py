"""Work after the answer: a function is given what it takes."""

from typing import assert_type

from cello import App, BackgroundTasks, Request

app = App()


async def confirm(order: str, copies: int = 1, *, quiet: bool = False) -> None: ...


def tidy() -> int:
    return 0


@app.get("/orders/{id}/confirm")
def confirm_order(request: Request) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(tidy)
    tasks.add_task(confirm, "7", 2, quiet=True)
    tasks.add_task(confirm, "7", copies=2)
    tasks.add_task(confirm, ["7", 2])
    tasks.add_task(print, "done", end="")
    request.add_background_task(confirm, "7", quiet=True)
    assert_type(tasks.pending_count(), int)
