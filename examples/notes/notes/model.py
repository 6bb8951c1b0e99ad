"""What a note is: as a client writes it, and as it is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cello.validation import ValidationError

TITLE_CHARACTERS = 120
BODY_CHARACTERS = 20_000
TAGS = 8
TAG_CHARACTERS = 24


@dataclass
class Draft:
    """A note as a client writes it."""

    title: str
    body: str = ""
    tags: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.title = self.title.strip()
        self.tags = sorted({tag.strip().lower() for tag in self.tags} - {""})
        errors = [{"in": "body", "pointer": f"#/{name}", "detail": detail} for name, detail in self._mistakes()]
        if errors:
            raise ValidationError("The note cannot be saved like this.", errors=errors)

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if not self.title:
            yield "title", "A note needs a title."
        if len(self.title) > TITLE_CHARACTERS:
            yield "title", f"A title has at most {TITLE_CHARACTERS} characters."
        if len(self.body) > BODY_CHARACTERS:
            yield "body", f"A note has at most {BODY_CHARACTERS:,} characters."
        if len(self.tags) > TAGS:
            yield "tags", f"A note has at most {TAGS} tags."
        if any(len(tag) > TAG_CHARACTERS for tag in self.tags):
            yield "tags", f"A tag has at most {TAG_CHARACTERS} characters."


@dataclass(frozen=True)
class Attachment:
    """A file that belongs to a note."""

    id: int
    note_id: int
    name: str
    content_type: str
    size_bytes: int
    #: Whether its words are found by the search; None while nobody has looked.
    is_searchable: bool | None
    created_at: datetime


@dataclass(frozen=True)
class Note:
    """A note as it is told."""

    id: int
    title: str
    body: str
    tags: list[str]
    #: Counts the changes; a client that changes a note says which version it has seen.
    version: int
    created_at: datetime
    updated_at: datetime
    attachments: list[Attachment]

    @property
    def etag(self) -> str:
        """The version, as HTTP has it."""
        return f'"{self.version}"'


@dataclass(frozen=True)
class Summary:
    """A note in a list."""

    id: int
    #: In pieces: every second one is what was searched for.
    title: list[str]
    excerpt: list[str]
    tags: list[str]
    attachments: int
    updated_at: datetime


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    items: list[Summary]
    page: int
    pages: int
    total: int


class NotFoundError(LookupError):
    """There is no such note, or no such attachment."""


class OutdatedError(Exception):
    """A note was changed by somebody else meanwhile."""

    def __init__(self, current: Note) -> None:
        super().__init__("The note was changed by somebody else meanwhile.")
        self.current = current
