"""The pages of errors, as a real browser shows them while an application is developed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Browser, Page
    from serving import Serve, Server

#: Runs wherever HTML or a script is taken for what it is: in an element, out of an attribute, in a style, as a link.
ATTACK = "</style></code></h1><script>ran = 1</script>\"'><img src=x onerror='ran = 2'><svg onload=ran=3><b>bold</b>"

SOURCE = f"""
    from cello import App, Response
    from cello.errors import NotFound

    ATTACK = {ATTACK!r}
    app = App()

    @app.get("/fails/{{*rest}}")
    def fails(request):
        raise type(ATTACK, (ValueError,), {{}})(ATTACK)

    @app.get("/missing")
    def missing(request):
        raise NotFound(ATTACK, extensions={{"attack": {{ATTACK: ATTACK}}}})

    @app.get("/unguarded")
    def unguarded(request):
        return Response.html("<!doctype html><title>x</title><p>" + ATTACK)

    app.run()
"""

SCRIPTS = "[...document.querySelectorAll('script, img, svg, b, [onerror], [onload]')].length"


@pytest.fixture
def server(serve: Serve) -> Server:
    """An application whose errors carry what would run, were it not made text."""
    return serve(SOURCE, "--debug")


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """An empty tab."""
    page = browser.open("about:blank")
    yield page
    page.close()


def is_styled(page: Page) -> bool:
    """Whether the stylesheet of a page is applied."""
    (accent, card) = (page.style(".status", "color"), page.style("code", "fontFamily"))
    return accent == "rgb(179, 38, 30)" and card == "ui-monospace, monospace" and page.style("body", "margin") == "0px"


def nothing_ran(page: Page) -> bool:
    """Whether a page made nothing of what it shows, and nothing was refused that it asked for itself."""
    return page.evaluate("typeof ran") == "undefined" and page.evaluate(SCRIPTS) == 0 and page.complaints() == []


def test_an_exception_is_shown_with_its_style_and_its_words_as_text(server: Server, tab: Page) -> None:
    tab.command("Network.setExtraHTTPHeaders", headers={"X-Attack": ATTACK})
    tab.go(f"{server.url}/fails/<script>ran=4</script>?<script>ran=5</script>")
    assert tab.evaluate("document.title") == "500 Internal Server Error"
    assert is_styled(tab)
    assert tab.evaluate("document.querySelector('h1').textContent") == f"{ATTACK}: {ATTACK}"
    text = tab.text()
    assert text.count(ATTACK) == 5  # twice in the heading and above the trace, once in the table of header fields
    assert "/fails/%3Cscript%3Eran=4%3C/script%3E" in text
    assert "raise type(ATTACK, (ValueError,), {})(ATTACK)" in tab.evaluate("document.querySelector('mark').textContent")
    assert tab.style("mark", "backgroundColor") == "rgb(253, 226, 225)"
    assert nothing_ran(tab)


@pytest.mark.parametrize("path", ["/missing", "/nowhere/<script>ran=4</script>"], ids=["raised", "native"])
def test_a_404_is_shown_alike(server: Server, tab: Page, path: str) -> None:
    tab.go(server.url + path)
    assert tab.evaluate("document.title") == "404 Not Found"
    assert is_styled(tab)
    assert (ATTACK in tab.evaluate("document.querySelector('h1').textContent")) == (path == "/missing")
    assert tab.text().count("<b>bold</b>") == (4 if path == "/missing" else 0)  # the second two in the extension
    assert nothing_ran(tab)


def test_a_page_is_dark_for_whoever_prefers_it_so(server: Server, tab: Page) -> None:
    tab.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    tab.go(f"{server.url}/nowhere")
    assert tab.style("body", "backgroundColor") == "rgb(22, 22, 24)"


def test_not_even_a_script_that_is_put_into_a_page_runs(server: Server, tab: Page) -> None:
    tab.go(f"{server.url}/nowhere")
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'ran = 1'}))")
    tab.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: '/x'}))")
    tab.evaluate("document.body.setAttribute('style', 'margin: 9px')")
    assert tab.evaluate("typeof ran") == "undefined"
    assert tab.style("body", "margin") == "0px"
    complaints = tab.complaints()
    assert len(complaints) == 3
    assert all("Content Security Policy" in complaint for complaint in complaints)


def test_where_nothing_guards_a_page_the_same_words_run(server: Server, tab: Page) -> None:
    # Were this not so, the tests above would show nothing.
    tab.go(f"{server.url}/unguarded")
    tab.until("window.ran")
    assert tab.evaluate(SCRIPTS) >= 4
    assert not nothing_ran(tab)
