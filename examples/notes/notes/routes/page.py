"""The page at `/`, and the files it is made of."""

from pathlib import Path

from cello import Blueprint, Request, Response
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
def home(request: Request) -> Response:
    return answer(request, "index.html")


@blueprint.get("/page/{name}")
def file(request: Request, name: str) -> Response:
    if name not in FILES:
        raise NotFound("The page has no such file.")
    return answer(request, name)


def answer(request: Request, name: str) -> Response:
    """A file of the page, or a 304 where the browser has it."""
    response = Response.sendfile(FILES[name], headers=HEADERS)
    if request.get_header("if-modified-since") == response.headers["last-modified"]:
        return Response(status=304, headers=HEADERS)
    return response
