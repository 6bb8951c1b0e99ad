"""The page: its files, and a reader who clicks through it in a real browser."""

import base64
import json
import os
from pathlib import Path

import pytest
from browser import Browser, Page
from cello.testing import TestClient
from serving import Server

README = Path(__file__).parent.parent / "README.md"
SCREENSHOT = README.with_name("screenshot.png")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_is_sent_once_and_confirmed_after_that(client: TestClient, path: str, content_type: str) -> None:
    first = client.get(path)
    assert (first.status_code, first.headers["content-type"]) == (200, content_type)
    assert first.headers["content-security-policy"].startswith("default-src 'self';")
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/page/none.js", "/page/..%2fschema.sql", "/page/%2e%2e/app.js"])
def test_nothing_else_is_sent(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    assert "://" not in client.get("/").text


class Reader:
    """Somebody who uses the page."""

    def __init__(self, browser: Browser, service: Server, path: str = "/") -> None:
        self.page: Page = browser.open(f"{service.url}{path}")
        self.sees("'ready' in document.body.dataset")

    def sees(self, condition: str) -> None:
        # A tab in the background draws no frames, and waits forever.
        self.page.command("Page.bringToFront")
        self.page.until(condition)

    def reads(self, selector: str, text: str) -> None:
        """Waits until an element that is shown has a text."""
        self.sees(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    def clicks(self, selector: str) -> None:
        self.page.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def clicks_link(self, text: str) -> None:
        self.sees(f"[...document.links].some(link => link.innerText.includes({json.dumps(text)}))")
        self.page.evaluate(f"[...document.links].find(link => link.innerText.includes({json.dumps(text)})).click()")

    def types(self, selector: str, text: str) -> None:
        """Replaces what stands in a field."""
        self.page.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.page.command("Input.insertText", text=text)

    def chooses(self, selector: str, path: Path) -> None:
        """Chooses a file to upload."""
        root = self.page.command("DOM.getDocument")["root"]["nodeId"]
        node = self.page.command("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.page.command("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def address(self) -> str:
        return str(self.page.evaluate("location.pathname + location.search"))


def test_a_reader_turns_pages_searches_and_goes_back(browser: Browser, service: Server) -> None:
    reader = Reader(browser, service)
    reader.reads("#total", "48 notes")
    reader.clicks("#pager button:last-child")
    reader.reads("#pager", "Page 2 of 5")
    assert reader.address() == "/?page=2"
    reader.types("#search input", "passaca")
    reader.reads("#items mark", "passacaglia")
    reader.reads("#total", "1 note for “passaca”")
    reader.clicks_link("Welcome to the notes")
    reader.reads("#attachments", "found by the search")
    reader.page.evaluate("history.back()")
    reader.reads("#paper", "Pick a note")
    assert reader.page.complaints() == []


def test_a_reader_writes_a_note_and_is_told_what_is_wrong_with_it(browser: Browser, service: Server) -> None:
    reader = Reader(browser, service)
    reader.clicks("#new")
    reader.types("[name=body]", "<img src=x onerror=alert(1)> & more")
    reader.types("[name=tags]", "new, " + "t" * 25)
    reader.clicks("#editor footer .primary")
    reader.reads("#title-error", "A note needs a title.")
    reader.reads("#tags-error", "A tag has at most 24 characters.")
    assert reader.page.evaluate("document.activeElement.name") == "title"
    reader.types("[name=title]", "<b>Bold</b>")
    reader.types("[name=tags]", "new")
    reader.clicks("#editor footer .primary")
    reader.reads("#editor output", "Saved. Version 1")
    assert reader.address() == "/?note=49"
    reader.reads("#items [aria-current] h2", "<b>Bold</b>")
    reader.reads("#items [aria-current] p", "<img src=x onerror=alert(1)> & more")
    # The browser logs the 422; the page has nothing to say.
    assert [said for said in reader.page.complaints() if "422" not in said] == []


def test_two_readers_who_edit_the_same_note_are_told_of_each_other(browser: Browser, service: Server) -> None:
    first, second = (Reader(browser, service, "/?note=16") for _ in range(2))
    first.types("[name=title]", "The first suite")
    first.clicks("#editor footer .primary")
    first.reads("#editor output", "Version 2")
    second.types("[name=title]", "Suite one")
    second.clicks("#editor footer .primary")
    second.reads("#conflict", "Somebody else changed this note meanwhile")
    second.reads("#conflict h3", "The first suite")
    assert second.page.evaluate("document.querySelector('[name=title]').value") == "Suite one"
    second.clicks("#mine")
    second.reads("#editor output", "Version 3")
    first.types("[name=title]", "Number one")
    first.clicks("#editor footer .primary")
    first.reads("#conflict h3", "Suite one")
    first.clicks("#theirs")
    first.reads("#editor output", "Version 3")
    assert first.page.evaluate("document.querySelector('[name=title]').value") == "Suite one"
    assert [said for reader in (first, second) for said in reader.page.complaints() if "412" not in said] == []


def test_a_reader_attaches_a_file_and_gets_it_back(browser: Browser, service: Server, tmp_path: Path) -> None:
    (tmp_path / "étude.txt").write_text("Popper, High School of Cello Playing, op. 73\n")
    reader = Reader(browser, service, "/?note=1")
    reader.chooses("#attachments input", tmp_path / "étude.txt")
    reader.reads("#attachments li", "étude.txt")
    reader.reads("#attachments li", "found by the search")
    kept = "fetch(document.querySelector('#attachments li a').href).then(answer => answer.text())"
    assert reader.page.evaluate(kept) == "Popper, High School of Cello Playing, op. 73\n"
    reader.types("#search input", "popper")
    reader.reads("#items mark", "Popper")
    reader.clicks("#attachments li button")
    reader.sees("!document.querySelector('#attachments li')")
    assert reader.page.complaints() == []


def test_a_reader_exports_everything(browser: Browser, service: Server, tmp_path: Path) -> None:
    reader = Reader(browser, service)
    browser.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), eventsEnabled=True)
    reader.clicks("a[href$='.ndjson']")
    while not any(
        event["method"] == "Browser.downloadProgress" and event["params"]["state"] == "completed"
        for event in browser.events
    ):
        browser.receive()
    assert len((tmp_path / "notes.ndjson").read_text().splitlines()) == 48


def test_the_readme_shows_the_page(browser: Browser, service: Server) -> None:
    if "NOTES_SCREENSHOT" in os.environ:
        reader = Reader(browser, service, "/?q=bow&note=41")
        reader.page.command(
            "Emulation.setDeviceMetricsOverride", width=1200, height=760, deviceScaleFactor=1, mobile=False
        )
        SCREENSHOT.write_bytes(base64.b64decode(reader.page.command("Page.captureScreenshot")["data"]))
    assert f"]({SCREENSHOT.name})" in README.read_text()
    picture = SCREENSHOT.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000
