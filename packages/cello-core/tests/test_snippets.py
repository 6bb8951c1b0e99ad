"""Snippets of the documents, which run as written: dependencies, work in the background, and what moves here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages import blocks

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


def test_the_example_that_came_from_fastapi_answers_as_it_did_there(serve: Serve) -> None:
    server = serve(blocks("docs/guides/migration.md", "python")[0])
    violin = {"name": "violin", "price": 900.0}
    assert server.get("/items/violin").json() == violin
    missing = server.get("/items/bow")
    assert (missing.status, missing.json()["detail"]) == (404, "Item not found")
    made = server.request("PUT", "/items/bow", b'{"name": "bow", "price": 80}', {"content-type": "application/json"})
    assert (made.status, made.json()) == (201, {"name": "bow", "price": 80.0})
    assert server.get("/items?limit=1").json() == [violin]
    assert server.get("/items?skip=1").json() == [made.json()]
    refused = server.get("/items?skip=x&limit=101")
    assert refused.status == 422
    assert [error["name"] for error in refused.json()["errors"]] == ["skip", "limit"]
    wrong = server.request("PUT", "/items/bow", b'{"name": "bow"}', {"content-type": "application/json"})
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["#/price"]


def test_the_example_that_came_from_django_answers_as_it_did_there(serve: Serve) -> None:
    server = serve(blocks("docs/guides/migration.md", "python")[1])
    strings, bows = {"id": 1, "title": "Strings"}, {"id": 2, "title": "Bows"}
    assert server.get("/articles/").json() == server.get("/articles").json() == {"articles": [strings, bows]}
    assert server.get("/articles/?q=bow").json() == {"articles": [bows]}
    assert server.get("/articles/1/").json() == server.get("/articles/1").json() == strings
    missing = server.get("/articles/9")
    assert (missing.status, missing.json()["detail"]) == (404, "There is no article 9.")
    assert server.get("/articles/first").status == 404
    form = {"content-type": "application/x-www-form-urlencoded"}
    made = server.post("/articles/", b"title=Pegs", form)
    assert (made.status, made.json()) == (201, {"id": 3, "title": "Pegs"})
    assert server.post("/articles/", b"title=Pegs", form).status == 500  # undone, with all that it began
    assert server.post("/articles/1", b"").status == 405
    gone = server.request("DELETE", "/articles/1")
    assert (gone.status, gone.body) == (204, b"")
    assert server.get("/articles/").json() == {"articles": [bows, made.json()]}
