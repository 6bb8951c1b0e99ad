"""The application: what it opens at start, and the parts it is made of."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from cello import App, Request, Response
from cello.errors import Forbidden

from notes import indexing, seed
from notes.database import open_database
from notes.routes import page
from notes.routes.api import api
from notes.storage import Storage


def create_app(folder: Path) -> App:
    """Makes the application whose notes are kept in a folder."""
    app = App(lifespan=partial(library, folder))
    app.register_blueprint(api)
    app.register_blueprint(page.blueprint)
    app.before_request(refuse_other_sites)
    app.after_request(forbid_guessing_of_types)
    return app


async def library(folder: Path, app: App) -> AsyncIterator[None]:
    """Opens database and storage; fills them the first time, and catches up on what a crash left undone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    storage = Storage(folder / "attachments")
    async with open_database(folder / "notes.db") as database:
        await seed.plant(database, storage)
        await indexing.catch_up(database, storage)
        app.register_singleton("database", database)
        app.register_singleton("storage", storage)
        yield


def refuse_other_sites(request: Request) -> None:
    """Browsers say which site a request comes from: the pages of other sites may change nothing here."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        site = request.get_header("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            raise Forbidden("Notes are changed from their own page only.")


def forbid_guessing_of_types(_: Request, response: Response) -> None:
    """What people upload is nothing but what its Content-Type says."""
    response.headers["x-content-type-options"] = "nosniff"
