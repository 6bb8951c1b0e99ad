"""The interface: all that is under `/api`, and what clients are told where the notes refuse something."""

from cello import Blueprint, Request
from cello.errors import NotFound, PreconditionFailed

from notes.model import NotFoundError, OutdatedError
from notes.routes import attachments, export, notes

api = Blueprint("/api")
api.register_blueprint(notes.blueprint)
api.register_blueprint(attachments.blueprint)
api.register_blueprint(export.blueprint)


@api.exception_handler(NotFoundError)
def not_found(_: Request, error: NotFoundError) -> None:
    raise NotFound(str(error)) from error


@api.exception_handler(OutdatedError)
def outdated(_: Request, error: OutdatedError) -> None:
    # The note as it is now comes with the refusal, so that its reader can compare.
    raise PreconditionFailed(
        str(error), headers={"etag": error.current.etag}, extensions={"current": error.current}
    ) from error
