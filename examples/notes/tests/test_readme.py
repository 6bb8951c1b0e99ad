"""What the README says of the interface and of the files is true."""

import re
from pathlib import Path

from notes import create_app

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text()


def test_the_readme_names_every_route_of_the_interface(tmp_path: Path) -> None:
    routes = create_app(tmp_path).routes
    there = {f"{route.method} {re.sub(r'{.*?}', '{id}', route.path)}" for route in routes if "/api/" in route.path}
    named = re.findall(r"`((?:GET|POST|PUT|DELETE) /api/[^?`]*)", README)
    assert len(named) >= 10
    assert {path.rstrip("/") for path in there} == set(named)


def test_every_file_that_the_readme_links_to_is_there() -> None:
    linked = re.findall(r"\]\(([^)]+)\)", README)
    assert len(linked) >= 10
    assert [path for path in linked if not (HERE / path).exists()] == []
