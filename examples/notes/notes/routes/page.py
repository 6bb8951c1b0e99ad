"""The page at `/`, and the files it is made of."""

from pathlib import Path

from cello import Blueprint, Response
from cello.errors import NotFound

FILES = {path.name: path for path in (Path(__file__).parent.parent / "page").iterdir()}
HEADERS = {
    # A browser asks each time whether its copy is the latest, and is mostly told so with a 304.
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}

blueprint = Blueprint()


@blueprint.get("/")
def home() -> Response:
    return Response.sendfile(FILES["index.html"], headers=HEADERS)


@blueprint.get("/page/{name}")
def file(name: str) -> Response:
    if name not in FILES:
        raise NotFound("The page has no such file.")
    return Response.sendfile(FILES[name], headers=HEADERS)
