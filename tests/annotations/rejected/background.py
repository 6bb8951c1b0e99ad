"""Work after the answer: functions that are not given what they take."""

from cello import BackgroundTasks, Request


async def confirm(order: str, copies: int = 1) -> None: ...


def give_up(request: Request) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(confirm)  # rejected
    tasks.add_task(confirm, 7)  # rejected
    tasks.add_task(confirm, "7", number=2)  # rejected
    tasks.add_task(confirm("7"))  # rejected
    tasks.add_task("confirm", "7")  # rejected
    request.add_background_task(confirm, 7)  # rejected
    request.add_background_task(confirm, "7", copies="2")  # rejected
    tasks.pending_count().append(1)  # rejected
