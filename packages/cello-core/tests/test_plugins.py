"""What plugins bring to an application."""

from __future__ import annotations

from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._route_options import OPTIONS
from cello.plugin import Phase, RouteOption
from plugging import module, plugin_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello.plugin import Registrar


@pytest.fixture(autouse=True)
def no_options_left() -> Iterator[None]:
    """Has routes forget the options that plugins of a test brought."""
    before = dict(OPTIONS)
    yield
    OPTIONS.clear()
    OPTIONS.update(before)


def test_an_app_method_is_called_with_the_application() -> None:
    def enable(app: App, word: str = "a") -> tuple[App, str]:
        return app, word

    def register(plugin: Registrar) -> None:
        plugin.app_method("enable_words", "words_of_a_test:enable")

    app: Any = App(plugins=[plugin_of(register)])
    with module("words_of_a_test", enable=enable):
        assert app.enable_words("b") == (app, "b")
    with pytest.raises(AttributeError, match="'App' object has no attribute 'enable_word'") as refused:
        app.enable_word()
    assert "Did you mean: 'enable_words'?" in "".join(format_exception(refused.value))


def test_a_route_takes_the_options_of_plugins() -> None:
    def refuse(value: Any, said: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{said} is no word")

    def register(plugin: Registrar) -> None:
        plugin.route_option("word", "option_of_a_test:word", phase=Phase.PERMIT)

    app: Any = App(plugins=[plugin_of(register)])
    with module("option_of_a_test", word=RouteOption(refuse)):
        app.get("/", word="x")(lambda: None)
        with pytest.raises(TypeError, match="word=7 of the route /seven is no word"):
            app.get("/seven", word=7)
        with pytest.raises(TypeError, match=r"has an option 'words', which nothing provides: did you mean word\?"):
            app.get("/words", words="x")
    assert app.routes[0].options == {"word": "x"}


def test_what_cannot_be_a_plugin_is_refused() -> None:
    with pytest.raises(TypeError, match="which is no plugin"):
        App(plugins=[object()])
