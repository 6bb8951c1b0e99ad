"""Snippets of the documents, which run as written: dependencies, and work in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving import Serve

#: What the snippets take for granted.
PRELUDE = """
from cello import App, BackgroundTasks, Depends

app = App()
released = []


class Database:
    async def acquire(self):
        return self

    async def release(self):
        released.append("released")


app.db = Database()
app.register_singleton("db", "the database")


@app.get("/released")
def get_released():
    return released


"""

DEPENDENCIES = """
async def get_db():
    conn = await app.db.acquire()
    try: yield conn
    finally: await conn.release()
async def get_current_user(request, db=Depends(get_db)): ...
@app.get("/profile")
async def profile(request, user=Depends(get_current_user)): ...
@app.get("/users")
def get_users(db=Depends("db")): ...         # no request parameter; register_singleton("db", db)
"""


def test_dependencies_run_as_written(serve: Serve) -> None:
    server = serve(f"{PRELUDE}{DEPENDENCIES}\napp.run()\n")
    assert (server.get("/profile").status, server.get("/users").status) == (200, 200)
    assert server.get("/released").json() == ["released"]


def test_dependencies_give_what_they_are_made_of(serve: Serve) -> None:
    filled = DEPENDENCIES.replace(
        "async def get_current_user(request, db=Depends(get_db)): ...",
        "async def get_current_user(request, db=Depends(get_db)): return [request.path, db is app.db]",
    )
    filled = filled.replace("user=Depends(get_current_user)): ...", "user=Depends(get_current_user)): return user")
    filled = filled.replace('def get_users(db=Depends("db")): ...', 'def get_users(db=Depends("db")): return db')
    server = serve(f"{PRELUDE}{filled}\napp.run()\n")
    assert server.get("/profile").json() == ["/profile", True]
    assert server.get("/users").body == b"the database"


def test_a_handler_of_another_framework_moves_with_its_dependency(serve: Serve) -> None:
    server = serve(f"""{PRELUDE}
async def get_db():
    conn = await app.db.acquire()
    try:
        yield conn
    finally:
        await conn.release()


@app.get("/items/{{item_id}}")
async def read_item(request, db=Depends(get_db)):
    return {{"item_id": request.params["item_id"], "has_db": db is app.db}}


app.run()
""")
    assert server.get("/items/7").json() == {"item_id": "7", "has_db": True}
    assert server.get("/released").json() == ["released"]


def test_work_in_the_background_runs_as_written(serve: Serve) -> None:
    server = serve(f"""{PRELUDE}
def send_confirmation_email(order_id):
    print("sent", order_id, flush=True)


@app.post("/orders/{{order_id}}")
async def order(request):
    order_id = request.params["order_id"]
    tasks = BackgroundTasks(); tasks.add_task(send_confirmation_email, order_id)
    return {{"ordered": order_id}}


app.run()
""")
    assert server.post("/orders/7", b"").json() == {"ordered": "7"}
    assert server.next_line() == "sent 7"
