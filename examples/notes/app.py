"""Serves the notes: `python app.py`. They are kept in the folder that NOTES_FOLDER names."""

import os
import tempfile
from pathlib import Path

from notes import create_app

app = create_app(Path(os.environ.get("NOTES_FOLDER") or Path(tempfile.gettempdir(), "cello-notes")))

if __name__ == "__main__":
    app.run()
