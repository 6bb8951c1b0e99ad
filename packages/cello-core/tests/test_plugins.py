"""What plugins bring to an application."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from itertools import pairwise, permutations
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Blueprint, Request
from cello._compose import compose
from cello._middleware import in_order, placed
from cello._threads import Threads
from cello.errors import PluginError, StartError
from cello.plugin import Phase, RouteOption
from cello.testing import TestClient
from hypothesis import given
from hypothesis import strategies as st
from plugging import install, module, plugin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cello import Response
    from cello.middleware import CallNext
    from cello.plugin import Registrar
    from serving import Serve


def start(app: App) -> None:
    """Composes an application, as its start does."""
    compose(app, Threads(1))


def options(*declared: tuple[str, Phase], target: str = "option_of_a_test:word") -> Any:
    """A plugin with these options of routes."""

    def register(plugin: Registrar) -> None:
        for name, phase in declared:
            plugin.route_option(name, target, phase=phase)

    return plugin_of(register)


def places(*declared: tuple[str, Phase, tuple[str, ...], tuple[str, ...]]) -> Any:
    """A plugin with these middleware: name, phase, before and after."""

    def register(plugin: Registrar) -> None:
        for name, phase, before, after in declared:
            plugin.middleware(name, "os:getcwd", phase=phase, before=before, after=after)

    return plugin_of(register)


def passing(name: str) -> Callable[..., Any]:
    """A middleware that writes its name into a header field, before those that it encloses."""

    async def middleware(request: Request, call_next: CallNext) -> Response:
        response = await call_next(request)
        response.headers["x-order"] = f"{name} {response.headers.get('x-order', '')}".strip()
        return response

    return middleware


def names_of(app: App) -> list[str]:
    """The middleware of an application by name, the outermost first."""
    names = {id(one.middleware): one.name for one in app._middleware}
    return [names[id(one)] for one in in_order(app._middleware, app._words, app._plugins)]


def refuse(value: Any, said: str) -> None:
    """Refuses what is no str."""
    if not isinstance(value, str):
        raise TypeError(f"{said} is no word")


def told(value: str) -> list[Any]:
    """The middleware that a word stands for."""
    return [passing(value)]


def joined(outer: str, inner: str) -> str:
    """Both words."""
    return f"{outer}+{inner}"


def accept(*_: object) -> None:
    """Refuses nothing."""


WORD = RouteOption(refuse, layers=told)


@pytest.fixture(autouse=True)
def no_attributes_left() -> Iterator[None]:
    """Has the class of requests forget the attributes that plugins of a test brought."""
    before = {*vars(Request)}
    yield
    for name in {*vars(Request)} - before:
        delattr(Request, name)


# --- App methods


def test_an_app_method_is_called_with_the_application() -> None:
    def enable(app: App, word: str = "a") -> tuple[App, str]:
        return app, word

    def register(plugin: Registrar) -> None:
        plugin.app_method("enable_words", "words_of_a_test:enable")

    app: Any = App(plugins=[plugin_of(register)])
    with module("words_of_a_test", enable=enable):
        assert app.enable_words("b") == (app, "b")
    assert "enable_words" in dir(app)
    with pytest.raises(AttributeError, match="'App' object has no attribute 'enable_word'") as refused:
        app.enable_word()
    assert "Did you mean: 'enable_words'?" in "".join(format_exception(refused.value))


def test_a_method_of_a_subclass_goes_before_that_of_a_plugin() -> None:
    class Own(App):
        def getcwd(self) -> str:
            return "own"

        @property
        def lost(self) -> object:
            return self.not_there  # type: ignore[attr-defined]  # pyright: ignore

    def register(plugin: Registrar) -> None:
        plugin.app_method("getcwd", "os:getcwd")

    app = Own(plugins=[plugin_of(register)])
    assert app.getcwd() == "own"
    with pytest.raises(AttributeError, match="'Own' object has no attribute 'not_there'"):
        _ = app.lost


def test_an_application_can_be_copied_and_one_that_was_not_made_is_no_trap() -> None:
    app = App(plugins=[options(("word", Phase.PERMIT))])
    assert copy.copy(app)._plugins is copy.deepcopy(app)._plugins is app._plugins
    with pytest.raises(AttributeError, match="'_plugins'"):
        _ = App.__new__(App).enable_something  # type: ignore[attr-defined]  # pyright: ignore


# --- options of routes


def test_a_route_takes_the_options_of_plugins() -> None:
    app: Any = App(plugins=[options(("word", Phase.PERMIT))])
    with module("option_of_a_test", word=WORD):
        app.get("/", word="x")(lambda: None)
        with pytest.raises(TypeError, match="word=7 of the route /seven is no word"):
            app.get("/seven", word=7)
        with pytest.raises(TypeError, match=r"has an option 'words', which nothing provides: did you mean word\?"):
            app.get("/words", words="x")
    assert app.routes[0].options == {"word": "x"}


def test_the_layers_of_options_stand_by_phase_then_by_name_within_those_of_the_application() -> None:
    declared = [("a", Phase.TRANSFORM), ("c", Phase.PERMIT), ("b", Phase.PERMIT)]
    for order in permutations(declared):
        with module("option_of_a_test", word=WORD):
            app: Any = App(plugins=[options(*order)])
            app.add_middleware(passing("app"))
            app.get("/", a="a", b="b", c="c", middleware=[passing("own")])(lambda: "x")
            with TestClient(app) as client:
                assert client.get("/").headers["x-order"] == "app b c a own"


def test_an_option_of_a_blueprint_is_that_of_the_application_it_is_in() -> None:
    pages: Any = Blueprint("/pages")
    with pytest.raises(TypeError, match="an option 'title'"):
        pages.get("/", title="x")
    with module("option_of_a_test", word=WORD, other=RouteOption(accept, joined)):
        first = App(plugins=[options(("title", Phase.PERMIT))])
        second = App(plugins=[options(("title", Phase.PERMIT), target="option_of_a_test:other")])
        pages.get("/", title="inner")(lambda: "x")
        make: Any = Blueprint
        outer = make("/outer", title="outer").register(pages)
        for app, title in ((first, "inner"), (second, "outer+inner")):
            app.register_blueprint(outer)
            start(app)
            assert app.routes[0].options == {"title": title}


def test_an_option_whose_plugin_the_application_does_not_have_is_an_error_of_the_start() -> None:
    pages: Any = Blueprint("/pages")
    with module("option_of_a_test", word=WORD):
        having = App(plugins=[options(("theme", Phase.PERMIT))])
        pages.get("/", theme="dark")(lambda: "x")
        app = App(autoload=False).register_blueprint(pages)
        words = r"GET /pages/? has the option theme=, which its application does not have: the plugin simplenamespace"
        with pytest.raises(StartError, match=words):
            start(app)
        outer = App(autoload=False).mount("/in", having.register_blueprint(pages))
        start(outer)
    with pytest.raises(TypeError, match="an option 'theme'"):
        App(autoload=False).get("/", theme="dark")  # type: ignore[call-arg]  # pyright: ignore


@pytest.mark.parametrize(
    ("word", "error", "words"),
    [
        (7, PluginError, "the route option 'word' of the plugin .* is 7, which is no RouteOption"),
        (RouteOption(lambda *_: None, layers=lambda _: [7]), StartError, "its middleware cannot be had of the plugin"),  # type: ignore[list-item]  # pyright: ignore
        (RouteOption(lambda *_: None, layers=lambda value: 1 / value), StartError, "word=0 of GET /: .*: division by"),  # pyright: ignore
    ],
)
def test_an_option_that_fails_says_whose_it_is(word: object, error: type[Exception], words: str) -> None:
    with module("option_of_a_test", word=word):
        app: Any = App(plugins=[options(("word", Phase.PERMIT))])
        with pytest.raises(error, match=words):
            start(app.get("/", word=0)(lambda: "x") and app)


# --- middleware


def test_middleware_that_is_named_stands_where_its_plugin_says() -> None:
    app = App(plugins=[places(("cors", Phase.SHIELD, (), ()), ("limit", Phase.SHIELD, (), ("cors",)))])
    app.add_middleware(passing("own"))
    app.add_middleware(passing("a"), name="limit")
    app.add_middleware(passing("b"), name="cors")
    app.add_middleware(passing("c"), name="edge", phase=Phase.EDGE)
    assert names_of(app) == ["edge", "cors", "limit", "middleware"]
    assert [(one.name, one.whose) for one in placed(app._middleware, app._plugins)][1:3] == [
        ("limit", "simplenamespace (the application itself)"),
        ("cors", "simplenamespace (the application itself)"),
    ]


def test_middleware_of_a_blueprint_stands_where_a_plugin_of_its_application_says() -> None:
    app = App(plugins=[places(("z", Phase.EDGE, (), ()), ("a", Phase.PERMIT, (), ()))])
    pages = Blueprint("/pages").add_middleware(passing("a"), name="a").add_middleware(passing("z"), name="z")
    pages.get("/")(lambda: "x")
    app.register_blueprint(pages)
    with TestClient(app) as client:
        assert client.get("/pages/").headers["x-order"] == "z a"


def test_a_name_that_is_known_and_not_enabled_is_ignored() -> None:
    app = App(plugins=[places(("a", Phase.EDGE, ("b",), ("?else",)), ("b", Phase.EDGE, (), ()))])
    app.add_middleware(passing("a"), name="a")
    app.add_middleware(passing("own"), after="b")
    assert names_of(app) == ["a", "middleware"]


def test_a_name_that_nobody_declares_is_an_error_unless_it_is_optional() -> None:
    app = App(plugins=[places(("a", Phase.EDGE, (), ("cosr",)), ("cors", Phase.EDGE, (), ()))])
    app.add_middleware(passing("a"), name="a")
    with pytest.raises(StartError, match=r"the middleware 'a' of .* to stand after 'cosr', .*: did you mean 'cors'\?"):
        start(app)
    app = App(plugins=[places(("a", Phase.EDGE, (), ("?cosr",)))]).add_middleware(passing("a"), name="a")
    start(app)


PLACED = """
import sys
sys.path.insert(0, {folder!r})
from cello import App
from cello._compose import compose
from cello._threads import Threads
app = App({arguments}).add_middleware(lambda request, call_next: None, after={name!r})
compose(app, Threads(1))
compose(app, Threads(1))
"""
NAMED = """
from cello.plugin import Phase, hookimpl
CELLO_API = 1
@hookimpl
def cello_register(plugin):
    plugin.middleware("fence", "cello_fencing:Fence", phase=Phase.EDGE)
"""
NOBODY = "the middleware '<lambda>' of the application asks to stand after 'fence', which is not there"
UNSURE = 'write "?fence" if it need not be there; it may be of a plugin that is not loaded (fencing'


@pytest.mark.parametrize(
    ("source", "name", "disabled", "arguments", "words"),
    [
        (NAMED, "fence", "", "", ""),
        (NAMED, "fence", "", "autoload=False", ""),
        (NAMED, "fence", "fencing", "", f"{UNSURE} is disabled: CELLO_PLUGINS_DISABLE names it)\n"),
        ("1 / 0", "fence", "", "", f"{UNSURE} failed: ZeroDivisionError: division by zero)\n"),
        (NAMED, "request_id", "observability", "", ""),
        (NAMED, "request_id", "", "autoload=False", ""),
        (None, "fence", "observability", "", 'write "?fence" if it need not be there\n'),
        (None, "fence", "", "autoload=False", 'write "?fence" if it need not be there\n'),
    ],
)
def test_a_name_is_ignored_where_an_installed_plugin_has_it_and_told_where_one_may_have_it(
    tmp_path: Path, source: str | None, name: str, disabled: str, arguments: str, words: str
) -> None:
    if source is not None:
        install(tmp_path, "fencing", source)
    done = subprocess.run(
        [sys.executable, "-c", PLACED.format(folder=str(tmp_path), arguments=arguments, name=name)],
        env={**os.environ, "CELLO_PLUGINS_DISABLE": disabled},
        capture_output=True,
        text=True,
        check=False,
    )
    assert words in done.stderr
    assert bool(done.stderr) == bool(words)
    assert done.stderr.count(NOBODY) == bool(words)  # once, however often it is asked
    assert done.returncode == (source is None)


def test_the_name_of_a_family_that_is_not_installed_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from cello._plugins import catalogue

    monkeypatch.setitem(catalogue.CATALOGUE, "middleware", {"cors": "security"})
    app = App().add_middleware(passing("a"), after="cors")
    with pytest.raises(StartError, match="cors comes from cello-security, which is not installed: pip install"):
        start(app)


def test_a_contradiction_is_an_error_of_the_start_that_says_why() -> None:
    around = (("a", Phase.EDGE, ("b",), ()), ("b", Phase.EDGE, ("c",), ()), ("c", Phase.EDGE, ("a",), ()))
    app = App(plugins=[places(*around)])
    for name in "abc":
        app.add_middleware(passing(name), name=name)
    whose = r"of the plugin simplenamespace \(the application itself\)"
    wishes = [f"'{one}' {whose} asks to stand before '{other}'" for one, other in pairwise("abca")]
    with pytest.raises(StartError, match=f"cannot be put in order: {', '.join(wishes)}$"):
        start(app)
    app = App().add_middleware(passing("x"), name="x", after="y", phase=Phase.EDGE)
    app.add_middleware(passing("y"), name="y", after="?x", phase=Phase.EDGE)
    with pytest.raises(StartError, match=r"order: 'y' asks to stand after 'x', 'x' asks to stand after 'y'$"):
        start(app)
    app = App(plugins=[places(("a", Phase.PERMIT, ("b",), ()), ("b", Phase.EDGE, (), ()))])
    app.add_middleware(passing("a"), name="a").add_middleware(passing("b"), name="b")
    with pytest.raises(StartError, match="every middleware of EDGE stands before those of PERMIT"):
        start(app)


@given(st.data())
def test_the_order_depends_on_no_order_of_installation(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    phases = {name: data.draw(st.sampled_from(list(Phase))) for name in names}
    # Who asks stands further in than those it asks for, or further out, so that nothing contradicts itself.
    possible = sorted(names, key=lambda name: phases[name])
    wishes: dict[str, dict[str, list[str]]] = {name: {"before": [], "after": []} for name in names}
    pairs = [(outer, inner) for index, inner in enumerate(possible) for outer in possible[:index]]
    for outer, inner in data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else ():
        asks, words, other = data.draw(st.sampled_from([(outer, "before", inner), (inner, "after", outer)]))
        wishes[asks][words].append(other)
    declared = [(name, phases[name], tuple(one["before"]), tuple(one["after"])) for name, one in wishes.items()]
    found: list[list[str]] = []
    for order in (declared, data.draw(st.permutations(declared))):
        app = App(plugins=[places(one) for one in order], autoload=False)
        for name, *_ in data.draw(st.permutations(declared)):
            app.add_middleware(passing(name), name=name)
        found.append(names_of(app))
    assert found[0] == found[1]
    assert [phases[name] for name in found[0]] == sorted(phases.values())
    for name, one in wishes.items():
        assert all(found[0].index(name) < found[0].index(inner) for inner in one["before"])
        assert all(found[0].index(outer) < found[0].index(name) for outer in one["after"])


# --- attributes of requests


def attributed(target: str) -> Any:
    """A plugin with an attribute of requests."""

    def register(plugin: Registrar) -> None:
        plugin.request_attribute("greeting", target)

    return plugin_of(register)


def test_a_request_has_the_attributes_of_its_own_application() -> None:
    def greet(request: Any) -> Any:
        return request.greeting

    def one_of(request: Request) -> str:
        return f"one {request.path}"

    def two_of(_: Request) -> str:
        return "two"

    def has(request: Request) -> str:
        return str(hasattr(request, "greeting"))

    with module("greeting_of_a_test", one=one_of, two=two_of):
        inner, bare = App(plugins=[attributed("greeting_of_a_test:two")]), App(autoload=False)
        app = App(plugins=[attributed("greeting_of_a_test:one")]).mount("/in", inner).mount("/bare", bare)
        for one in (app, inner):
            one.get("/greet")(greet)
        bare.get("/greet")(has)
        with TestClient(app) as client:
            texts = [client.get(path).text for path in ("/greet", "/in/greet", "/bare/greet")]
    assert texts == ["one /greet", "two", "False"]


def test_an_attribute_of_a_request_by_hand_is_that_of_the_application_it_is_given() -> None:
    def one_of(_: Request) -> str:
        return "one"

    with module("greeting_of_a_test", one=one_of):
        app = App(plugins=[attributed("greeting_of_a_test:one")])
        made: Any = Request("GET", "/", app=app)
        assert made.greeting == "one"
        made = Request("GET", "/")
        with pytest.raises(RuntimeError, match="made without an application: give one"):
            _ = made.greeting
        twice: Any = Request("GET", "/", app=App(plugins=[attributed("a:b"), attributed("a:b")]))
        with pytest.raises(AttributeError, match=r"'greeting' is declared by simplenamespace .* and simplenamespace-2"):
            _ = twice.greeting


# --- start and stop

HOOKS = """
    import os
    from types import SimpleNamespace
    from cello import App
    from cello.plugin import hookimpl

    def say(*words):
        os.write(1, f"{' '.join(words)}\\n".encode())  # in one piece, beside those of other workers

    def plugin(name, fails_at=""):
        @hookimpl
        async def cello_startup(app):
            say(name, "starts")
            if fails_at == "start":
                raise ValueError("no start")

        @hookimpl
        def cello_shutdown(app):
            say(name, "stops")
            if fails_at == "stop":
                raise ValueError("no stop")

        kind = type(name, (SimpleNamespace,), {})
        return kind(CELLO_API=1, cello_startup=cello_startup, cello_shutdown=cello_shutdown)

    app = App(plugins=[plugin("b", FAILS), plugin("a"), plugin("c")], autoload=False)

    @app.lifespan
    def own():
        say("own starts")
        yield
        say("own stops")

    @app.get("/")
    def home():
        return "home"
"""

IN_ORDER = "a starts\nb starts\nc starts\nown starts\n"
IN_REVERSE = "own stops\nc stops\nb stops\na stops\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_hooks_enclose_the_life_of_the_application_in_each_worker(serve: Serve, workers: str) -> None:
    server = serve(HOOKS.replace("FAILS", '""') + "\n    app.run()\n", "--workers", workers)
    assert server.get("/").body == b"home"
    stopped = server.stop()
    assert stopped.exit_code == 0
    if workers == "1":
        assert stopped.stdout.startswith(IN_ORDER)
        assert stopped.stdout.endswith(IN_REVERSE)
    for line in (IN_ORDER + IN_REVERSE).splitlines():
        assert stopped.stdout.count(f"{line}\n") == int(workers)


@pytest.mark.parametrize("how", ["TestClient(app).__enter__()", "asyncio.run(lifespan())", "app.run()"])
def test_a_start_that_fails_stops_what_was_started(tmp_path: Path, how: str) -> None:
    source = (
        HOOKS.replace("FAILS", '"start"')
        + """
    import asyncio
    from cello.testing import TestClient

    async def lifespan():
        messages = iter([{"type": "lifespan.startup"}])
        async def receive(): return next(messages)
        async def send(message): say(message["type"])
        await app.asgi({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    """
    )
    (tmp_path / "app.py").write_text("\n".join(line[4:] for line in source.splitlines()) + f"\n{how}\n")
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("a starts\nb starts\na stops\n"), done.stderr
    assert "cello_startup of the plugin b (the application itself) failed" in done.stderr + done.stdout


def test_a_stop_that_fails_lets_the_others_stop_and_is_told(serve: Serve) -> None:
    server = serve(HOOKS.replace("FAILS", '"stop"') + "\n    app.run()\n")
    stopped = server.stop()
    assert stopped.exit_code == 3
    assert stopped.stdout.endswith(IN_REVERSE)
    assert "cello_shutdown of the plugin b (the application itself) failed" in stopped.stderr


# --- what is said of it


def test_explain_and_routes_say_who_brought_what(tmp_path: Path) -> None:
    declares = """
from cello.plugin import Phase, hookimpl
CELLO_API = 1
@hookimpl
def cello_register(plugin):
    plugin.middleware("shield", "cello_greeting.thing:shield", phase=Phase.SHIELD)
    plugin.route_option("word", "cello_greeting.thing:word", phase=Phase.PERMIT)
"""
    thing = """
from cello.plugin import RouteOption
def shield(request, call_next): return call_next(request)
def spoken(request, call_next): return call_next(request)
def word_too(request, call_next): return call_next(request)
word = RouteOption(lambda value, said: None, layers=lambda value: [word_too, spoken])
"""
    install(tmp_path, "greeting", declares, thing=thing)
    (tmp_path / "app.py").write_text("""
from cello import App
from cello_greeting.thing import shield
app = App().add_middleware(shield, name="shield")
app.get("/", word="hello")(lambda: "x")
""")
    said: dict[str, str] = {}
    for command in ("explain GET / app", "routes app"):
        done = subprocess.run(
            [sys.executable, "-m", "cello", *command.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ":".join([str(tmp_path), *filter(None, sys.path)])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said[command.partition(" ")[0]] = done.stdout
    assert "middleware of the application, Phase.SHIELD, of the plugin greeting (cello-greeting)" in said["explain"]
    assert said["explain"].count("word= of the route, of the plugin greeting (cello-greeting)") == 2
    assert "word (greeting (cello-greeting))=hello" in said["routes"]
