"""The bytes of attachments, on the disk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile


class Storage:
    """A folder of files, each named by its attachment's id: nothing that a client sends becomes a path."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def path(self, attachment_id: int) -> Path:
        """Where the file of an attachment is."""
        return self._folder / str(attachment_id)

    @asynccontextmanager
    async def receive(self, pieces: AsyncIterable[bytes]) -> AsyncGenerator[Path]:
        """Writes a file while its pieces arrive. Who does not `keep` it meanwhile has lost it afterwards."""
        with NamedTemporaryFile(dir=self._folder, delete=False) as file:
            path = Path(file.name)
            try:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(file.flush)
                yield path
            finally:
                path.unlink(missing_ok=True)

    def keep(self, path: Path, attachment_id: int) -> None:
        """Makes what was received the file of an attachment."""
        path.replace(self.path(attachment_id))

    def remove(self, attachment_id: int) -> None:
        """Removes the file of an attachment."""
        self.path(attachment_id).unlink(missing_ok=True)

    def keep_only(self, attachment_ids: Iterable[int]) -> None:
        """Removes the files that belong to none of these: what a crash left behind."""
        names = {str(attachment_id) for attachment_id in attachment_ids}
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink()
