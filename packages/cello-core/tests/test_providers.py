"""What features provide to each other, and what is told of one that is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from cello import App, Blueprint, Depends
from cello.errors import StartError
from cello.providers import Cache, Database, Meter, Redis, Span, Tracer, Transaction
from cello.testing import TestClient
from plugging import plugin_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cello.plugin import Registrar


class Memory:
    """A cache in a dict, whose values never expire."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def set(self, key: str, value: bytes, *, ttl_s: float, tags: Iterable[str] = ()) -> None:
        assert ttl_s > 0
        self.values[key] = value
        self.tags |= dict.fromkeys(tags, key)

    async def add(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        assert ttl_s > 0
        return self.values.setdefault(key, value) is value

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self.values.pop(key, None)

    async def invalidate(self, tags: Iterable[str]) -> None:
        await self.delete(*(self.tags[tag] for tag in tags))


class Clock:
    """A form of an application's own."""

    def __init__(self, now: str) -> None:
        self.now = now


async def kept(cache: Cache = Depends(Cache)) -> bytes:
    """What a cache has."""
    return await cache.get("word") or b"nothing"


def test_a_handler_depends_on_what_is_provided() -> None:
    inner = App().provide(Cache, Memory())
    app = App().provide(Cache, Memory()).provide(Clock, Clock("noon")).mount("/in", inner)

    async def home(word: Annotated[bytes, Depends(kept)], clock: Annotated[Clock, Depends()]) -> str:
        return f"{word.decode()} at {clock.now}"

    app.get("/")(home)
    inner.get("/")(home)
    app.provided(Cache).values["word"] = b"outer"  # type: ignore[attr-defined]  # pyright: ignore
    with TestClient(app) as client:
        assert client.get("/").text == "outer at noon"
        assert client.get("/in/").text == "nothing at noon"
    app.dependency_overrides[Clock] = lambda: Clock("midnight")
    with TestClient(app) as client:
        assert client.get("/").text == "outer at midnight"


def test_a_handler_that_depends_on_what_nothing_provides_is_an_error_of_the_start() -> None:
    app = App()

    async def home(cache: Cache = Depends(Cache)) -> None:
        await cache.delete("word")

    app.get("/")(home)
    words = (
        r"^GET /: .*home needs a Cache, and nothing provides one: app.provide.* gives one of your own\n.* in .*home\n"
    )
    with pytest.raises(StartError, match=words), TestClient(app):
        pass


def test_a_feature_has_what_another_provides_whichever_is_enabled_first() -> None:
    app = App()

    @app.get("/")
    async def home() -> str:
        cache = app.provided(Cache)
        await cache.set("a", b"b", ttl_s=1)
        return (await cache.get("a") or b"").decode()

    app.needs(Cache, "the response cache").provide(Cache, Memory())
    with TestClient(app) as client:
        assert client.get("/").text == "b"


def test_an_application_that_lacks_what_a_feature_needs_does_not_start() -> None:
    app = App().needs(Cache, "the response cache")
    with pytest.raises(StartError, match=r"the response cache needs a Cache, .*: app.provide\(Cache, …\) gives one"):
        TestClient(app).__enter__()
    with pytest.raises(StartError, match="needs a Cache"):
        app.provided(Cache)


def test_what_is_missing_is_told_with_the_plugins_that_have_it() -> None:
    def register(plugin: Registrar) -> None:
        plugin.provider("Cache", "tin.cache:TinCache")

    app = App(plugins=[plugin_of(register)]).needs(Cache, "the response cache")
    with pytest.raises(StartError, match=r"the plugin simplenamespace \(.*\) has tin\.cache:TinCache: enable it"):
        TestClient(app).__enter__()


def test_what_is_missing_ends_the_process_with_3_and_the_place_that_needs_it(tmp_path: Path) -> None:
    (tmp_path / "needy.py").write_text(
        'from cello import App\nfrom cello.providers import Cache\napp = App()\napp.needs(Cache, "the rate limit")\n'
    )
    command = [sys.executable, "-m", "cello", "run", "needy:app", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "the rate limit needs a Cache" in done.stderr
    assert "needy.py:4" in done.stderr


def test_what_is_not_of_the_form_is_told_with_what_it_lacks() -> None:
    class Half:
        delete = None

        async def get(self, key: str) -> bytes | None:
            return key.encode()

    value: Any = Half()
    with pytest.raises(TypeError, match="Half is no Cache: it has no add and no delete and no invalidate and no set"):
        App().provide(Cache, value)
    kind: Any = Memory
    with pytest.raises(TypeError, match="Memory is a class, and no Cache: give an object of it"):
        App().provide(Cache, kind)
    with pytest.raises(TypeError, match="'Cache' is no protocol"):
        App().needs("Cache", "it")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_second_one_needs_a_name_and_the_error_says_where_the_first_is() -> None:
    app = App().provide(Cache, Memory())
    with pytest.raises(ValueError, match=r"there is a Cache already: .*name=…\n.*test_providers\.py"):
        app.provide(Cache, Memory())
    named = Memory()
    app.provide(Cache, named, name="sessions")
    assert app.provided(Cache, name="sessions") is named
    assert app.provided(Cache) is not named


def test_who_asks_by_a_name_that_there_is_not_has_the_one_without() -> None:
    memory = Memory()
    app = App().provide(Cache, memory).needs(Cache, "sessions", name="sessions")
    assert app.provided(Cache, name="sessions") is memory
    with TestClient(app):
        pass


def test_who_asks_without_a_name_has_none_that_has_one() -> None:
    app = App().provide(Cache, Memory(), name="sessions")
    with pytest.raises(StartError, match="there is one named 'sessions', which is not for all"):
        app.provided(Cache)


def test_a_mounted_application_has_what_is_around_it_unless_it_has_its_own() -> None:
    outer, inner, innermost, other = App(), App(), App(), App()
    blueprint = Blueprint("/inner")
    mine, theirs = Memory(), Memory()
    outer.provide(Cache, mine)
    other.provide(Cache, theirs)
    outer.register_blueprint(blueprint)
    outer.mount("/inner", inner)
    inner.mount("/most", innermost)
    outer.mount("/other", other)
    innermost.needs(Cache, "the response cache")
    with TestClient(outer):
        assert innermost.provided(Cache) is mine
        assert other.provided(Cache) is theirs
    with pytest.raises(StartError, match="needs a Cache"):
        TestClient(App().needs(Cache, "it")).__enter__()


def test_an_application_that_is_mounted_in_two_which_differ_does_not_start() -> None:
    shared, left, right, outer = App(), App(), App(), App()
    left.provide(Cache, Memory()).mount("/shared", shared)
    right.provide(Cache, Memory()).mount("/shared", shared)
    outer.mount("/left", left).mount("/right", right)
    with pytest.raises(StartError, match="mounted in two that do not provide the same Cache"):
        TestClient(outer).__enter__()
    shared.provide(Cache, Memory())
    with TestClient(outer):
        pass


def test_any_class_can_be_what_is_provided() -> None:
    app = App().provide(Memory, Memory())
    assert app.provided(Memory).values == {}
    with pytest.raises(TypeError, match="is no Memory"):
        app.provide(Memory, 7)


@pytest.mark.parametrize("form", [Cache, Database, Meter, Redis, Span, Tracer, Transaction])
def test_each_form_knows_what_belongs_to_it(form: Any) -> None:
    with pytest.raises(TypeError, match=f"is no {form.__name__}: it has no "):
        App().provide(form, object())
