"""Forms for the servers that have no parser of their own, by the one that FastAPI uses."""

from importlib import import_module
from io import BytesIO
from typing import Any

python_multipart: Any = import_module("python_multipart")


def describe_file(content_type: str, body: bytes) -> dict[str, Any]:
    """Parse a form with one file in it and answer from that file."""
    files: list[Any] = []
    python_multipart.parse_form({"Content-Type": content_type}, BytesIO(body), None, files.append)
    (file,) = files
    answer = {"filename": file.file_name.decode(), "size": file.size}
    file.close()
    return answer
