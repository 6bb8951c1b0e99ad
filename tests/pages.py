"""The pages of the documentation, for tests that compare them with the code."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "GUIDES",
    "PLUGINS",
    "REFERENCE",
    "ROOT",
    "blocks",
    "code_spans",
    "table",
    "tables",
    "text_of",
    "without_blocks",
]

ROOT = Path(__file__).parent.parent
#: The pages of the reference.
REFERENCE = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/reference/*.md"))
#: The guides.
GUIDES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/guides/*.md"))
#: The pages about plugins.
PLUGINS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/plugins/*.md"))


def text_of(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text()


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)


def without_blocks(name: str) -> str:
    """A page's prose and tables."""
    return re.sub(r"^```.*?^```$", "", text_of(name), flags=re.DOTALL | re.MULTILINE)


def table(name: str, *columns: str) -> list[list[str]]:
    """The rows of the one table of a page that has these columns."""
    head = "| " + " | ".join(columns) + " |"
    _, found, rest = text_of(name).partition(f"{head}\n|{'---|' * len(columns)}\n")
    assert found, f"{name} has no table {head}"
    lines = rest.partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert rows
    assert all(len(row) == len(columns) for row in rows)
    return rows


def code_spans(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def tables(name: str) -> list[tuple[str, list[str]]]:
    """The tables of a page: the head of the first column, and the cells below it."""
    found = re.findall(r"((?:^\|.*\|\n)+)", without_blocks(name), re.MULTILINE)
    columns = [[line.strip("|").split(" | ")[0].strip() for line in lines.splitlines()] for lines in found]
    return [(head, cells) for head, _, *cells in columns]
