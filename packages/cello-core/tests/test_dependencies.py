"""What dependencies are given, how long they live, and what is told of those that cannot be."""

# ruff: noqa: ARG001, ARG002 - what is asked for here is not always used

from __future__ import annotations

import asyncio
import dataclasses
import functools
import gc
import linecache
import socket
import weakref
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pydantic.dataclasses
import pytest
from cello import Depends, Request
from cello._graph import Leaf
from cello._inject import Injected, Providers, inject, resolve
from cello._invalid import Fault, Invalid
from cello.errors import StartError
from cello.validation import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from cello._annotation import Taken
    from serving import Serve


def injected(
    handler: Callable[..., Any], providers: Providers | None = None, *, path_names: tuple[str, ...] = ()
) -> Injected:
    """A handler of GET /, as it is called."""
    return inject(handler, route="GET /", path_names=path_names, providers=providers or Providers())


async def answer(handler: Callable[..., Any], providers: Providers | None = None) -> Any:
    """What a handler returns for one request, whose endings are called as the server calls them."""
    call, is_async, takes_request = injected(handler, providers)
    request = Request("GET", "/")
    failure: BaseException | None = None
    try:
        returned = call(request) if takes_request else call()
        return await returned if is_async else returned
    except BaseException as error:
        failure = error
        raise
    finally:
        ends, _ = request._take_later()
        for end in reversed(ends):
            awaitable = end(failure)
            if awaitable is not None:
                await awaitable


def refusal(handler: Callable[..., Any], providers: Providers | None = None) -> str:
    """The words of the StartError for a handler."""
    with pytest.raises(StartError) as caught:
        injected(handler, providers)
    return str(caught.value)


def places(*functions: Callable[..., Any]) -> str:
    """Where functions stand, as messages tell it."""
    codes = [(function.__qualname__, function.__code__) for function in functions]
    return "".join(
        f"\n  {code.co_filename}:{code.co_firstlineno} in {name}"
        f"\n      {linecache.getline(code.co_filename, code.co_firstlineno).strip()}"
        for name, code in codes
    )


# --- what a dependency may be


class Service:
    def __init__(self, request: Request, factor: int = 2) -> None:
        self.path = request.path
        self.factor = factor


class Factory:
    def __call__(self) -> str:
        return "called"


class AsyncFactory:
    async def __call__(self) -> str:
        return "awaited"


def sync_value() -> str:
    return "sync"


async def async_value() -> str:
    return "async"


def sync_generator() -> Iterator[str]:
    yield "yielded"


async def async_generator() -> AsyncIterator[str]:
    yield "yielded later"


def with_prefix(prefix: str, value: str = Depends(sync_value)) -> str:
    return prefix + value


@pytest.mark.parametrize(
    ("dependency", "value", "is_async"),
    [
        (sync_value, "sync", False),
        (async_value, "async", True),
        (sync_generator, "yielded", False),
        (async_generator, "yielded later", True),
        (Factory(), "called", False),
        (AsyncFactory(), "awaited", True),
        (functools.partial(with_prefix, "a "), "a sync", False),
        (functools.partial(async_value), "async", True),
        (dict, {}, False),
    ],
    ids=[
        "def",
        "async def",
        "generator",
        "async generator",
        "object",
        "async object",
        "partial",
        "async partial",
        "built in",
    ],
)
def test_whatever_can_be_called_is_a_dependency(dependency: Any, value: object, is_async: bool) -> None:
    def handler(given: Any = Depends(dependency)) -> Any:
        return given

    assert injected(handler).is_async is is_async
    assert asyncio.run(answer(handler)) == value


def test_a_class_is_made_with_its_parameters_injected() -> None:
    def handler(service: Annotated[Service, Depends()]) -> Any:
        return service.path, service.factor

    assert asyncio.run(answer(handler)) == ("/", 2)


@dataclasses.dataclass
class Filter:
    q: str | None = None
    tags: list[str] = dataclasses.field(default_factory=list[str])
    page: int = dataclasses.field(default_factory=lambda: 1)


@pydantic.dataclasses.dataclass
class FilterOfPydantic(Filter): ...


class FilterModel(pydantic.BaseModel):
    q: str | None = None
    tags: list[str] = []
    page: int = pydantic.Field(default_factory=lambda: 1, ge=1)


class FilterStruct(msgspec.Struct):
    q: str | None = None
    tags: list[str] = []
    page: int = msgspec.field(default_factory=lambda: 1)


@pytest.mark.parametrize("kind", [Filter, FilterOfPydantic, FilterModel, FilterStruct])
def test_what_a_class_makes_by_default_is_made_for_each_request(kind: Any) -> None:
    def handler(found: Any = Depends(kind)) -> Any:
        return found

    call = injected(handler).call
    one, other = (call(Request("GET", "/")) for _ in range(2))
    assert one == other == kind(q=None, tags=[], page=1)
    assert one.tags is not other.tags
    sent = call(Request("GET", "/", query={"q": "a", "tags": "b", "page": "2"}))
    assert sent == kind(q="a", tags=["b"], page=2)
    with pytest.raises(ValidationError):
        call(Request("GET", "/", query={"page": "x"}))


def test_annotated_and_default_say_the_same() -> None:
    def handler(one: Annotated[str, Depends(sync_value)], two: str = Depends(sync_value)) -> Any:
        return one, two

    assert asyncio.run(answer(handler)) == ("sync", "sync")


def test_dependencies_nest_and_take_the_request_where_they_ask_for_it() -> None:
    def database() -> str:
        return "db"

    async def user(request: Any, db: str = Depends(database)) -> str:
        return f"{db} user of {request.path}"

    async def handler(request: Any, *, who: str = Depends(user), db: str = Depends(database)) -> Any:
        return request.method, who, db

    assert asyncio.run(answer(handler)) == ("GET", "db user of /", "db")


def test_a_handler_with_sync_dependencies_stays_a_def_and_one_without_any_stays_itself() -> None:
    def plain(request: Any) -> None: ...

    async def plain_async() -> None: ...

    def handler(value: str = Depends(sync_value)) -> None: ...

    assert injected(plain) == (plain, False, True)
    assert injected(plain_async) == (plain_async, True, False)
    assert injected(handler)[1:] == (False, False)


def test_a_dependency_is_made_once_a_request_unless_it_says_otherwise() -> None:
    made: list[int] = []

    def count() -> int:
        made.append(1)
        return len(made)

    def above(value: int = Depends(count)) -> int:
        return value

    def handler(a: int = Depends(above), b: int = Depends(count), c: int = Depends(count, use_cache=False)) -> Any:
        return a, b, c

    assert asyncio.run(answer(handler)) == (1, 1, 2)
    assert asyncio.run(answer(handler)) == (3, 3, 4)


def test_parameters_after_one_that_keeps_its_default_are_given_by_name() -> None:
    def handler(kept=7, value: str = Depends(sync_value), *, last: str = Depends(sync_value)) -> Any:  # type: ignore[no-untyped-def]  # pyright: ignore
        return kept, value, last

    assert asyncio.run(answer(handler)) == (7, "sync", "sync")


def test_annotations_that_are_there_for_type_checkers_alone_do_not_hurt_a_dependency() -> None:
    source = "def handler(request: Nowhere, db: Nothing = Depends(get)): return db"
    names: dict[str, Any] = {"Depends": Depends, "get": sync_value}
    exec(f"from __future__ import annotations\n{source}", names)
    assert asyncio.run(answer(names["handler"])) == "sync"


def test_what_is_overridden_stands_in_everywhere_with_parameters_of_its_own() -> None:
    def database() -> str:
        return "real"

    def user(db: str = Depends(database)) -> str:
        return f"user of {db}"

    def handler(who: str = Depends(user), key: str = Depends("key")) -> Any:
        return who, key

    def fake(value: str = Depends(sync_value)) -> str:
        return f"fake {value}"

    providers = Providers({"key": "k"}, {database: fake, "key": "other"})
    assert asyncio.run(answer(handler, providers)) == ("user of fake sync", "other")
    assert asyncio.run(answer(handler, Providers({"key": "k"}, {user: "nobody"}))) == ("nobody", "k")


def test_an_override_may_depend_on_what_it_stands_in_for() -> None:
    def wrapped(value: str = Depends(sync_value)) -> str:
        return f"wrapped {value}"

    def handler(value: str = Depends(sync_value)) -> str:
        return value

    assert asyncio.run(answer(handler, Providers({}, {sync_value: wrapped}))) == "wrapped sync"


def test_what_a_partial_has_bound_is_no_parameter() -> None:
    def made(one: str, two: str = "2") -> str:
        return one + two

    def handler(value: str = Depends(functools.partial(made, one="1"))) -> str:
        return value

    call = injected(handler).call
    assert call(Request("GET", "/", query="one=x&two=y")) == "1y"


@pytest.mark.parametrize("annotation", [None, "Request", "cello.Request", "Any", "Nowhere"])
def test_the_request_is_known_by_its_name_whatever_is_annotated(annotation: str | None) -> None:
    names: dict[str, Any] = {"Any": Any}
    exec(f"def handler(request{f': {annotation!r}' if annotation else ''}): return request.path", names)
    assert asyncio.run(answer(names["handler"])) == "/"


def test_an_annotation_that_is_imported_for_type_checkers_alone_may_be_the_request() -> None:
    names: dict[str, Any] = {}
    exec("def handler(asked: 'Request | None', also: 'cello.Request' = None): return asked.path", names)
    words = "the annotation 'Request | None' of asked names Request, which is not defined: write `from cello import Req"
    assert words in refusal(names["handler"])
    exec("def handler(asked: 'Request'): return asked.path", names)
    assert asyncio.run(answer(names["handler"])) == "/"


# --- without HTTP


class Message:
    """What a consumer may be called for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends: list[Any] = []

    def _at_end(self, function: Any) -> None:
        self.ends.append(function)


class Words:
    """Gives parameters the words of a message."""

    def leaf(self, parameter: Taken, owner: Any, *, is_root: bool) -> Leaf | None:
        if parameter.name == "message":
            return Leaf(None)
        if parameter.annotation is not int:
            raise StartError(f"{parameter.name} is no number")

        def read(message: Message) -> int:
            if not message.text.isdigit():
                raise Invalid([Fault("message", (parameter.name,), "is no number", "int_parsing")])
            return int(message.text)

        return Leaf(read)

    def refusal(self, faults: list[Fault]) -> Exception:
        return ValueError([fault.path[0] for fault in faults])


def test_a_dependency_is_the_same_for_whatever_a_function_is_called_for() -> None:
    log: list[str] = []
    database = recorded(log, "database")

    def double(number: int, db: str = Depends(database)) -> str:
        return f"{number * 2} of {db}"

    def consumer(message: Any, count: int, value: str = Depends(double)) -> Any:
        return message.text, count, value

    call, is_async, takes_message = resolve(consumer, Words(), Providers(), "the queue orders")
    assert (is_async, takes_message) == (False, True)
    message = Message("4")
    assert call(message) == ("4", 4, "8 of database")
    (end,) = message.ends
    end(None)
    assert log == ["database begins", "database is done"]
    with pytest.raises(ValueError, match=r"\['number', 'count'\]"):
        call(Message("x"))

    def wrong(text: str) -> None: ...

    with pytest.raises(StartError, match=r"the queue orders: text is no number\n.* in .*wrong\n"):
        resolve(wrong, Words(), Providers(), "the queue orders")


# --- names


def test_a_name_is_what_was_registered_last() -> None:
    def handler(db: Any = Depends("db")) -> Any:
        return db

    providers = Providers({"db": 1})
    assert asyncio.run(answer(handler, providers)) == 1
    providers.register("db", 2)
    call = injected(handler, providers).call
    assert call() == 2
    providers.register("db", 3)
    assert call() == 3


def test_a_name_may_be_registered_while_the_application_starts_but_not_later() -> None:
    def get_user(db: Any = Depends("databse")) -> Any: ...

    def handler(user: Any = Depends(get_user)) -> Any:
        return user

    providers = Providers()
    call = injected(handler, providers).call
    providers.register("database", 1)
    with pytest.raises(RuntimeError, match="the singleton 'databse' is not there before the application has started"):
        call()
    with pytest.raises(StartError) as caught:
        asyncio.run(providers.open())
    assert str(caught.value) == (
        "GET /: nothing has the name 'databse', which is asked for: did you mean 'database'?"
        f"{places(handler, get_user)}"
    )
    providers.register("databse", 1)
    asyncio.run(providers.open())


# --- what cannot be


def test_a_circle_is_refused_with_its_path() -> None:
    def get_user(value: Any) -> None: ...

    def get_db(user: Any = Depends(get_user)) -> None: ...

    get_user.__defaults__ = (Depends(get_db),)

    def handler(user: Any = Depends(get_user)) -> None: ...

    assert refusal(handler) == (
        f"GET /: dependencies go round in a circle, {get_user.__qualname__} → {get_db.__qualname__} → "
        f"{get_user.__qualname__}: have one of them do without the next{places(handler, get_user, get_db)}"
    )


def test_scopes_that_outlive_what_they_depend_on_are_refused() -> None:
    def short() -> None: ...

    def middle(value: Any = Depends(short, scope="call")) -> None: ...

    def long(value: Any = Depends(short)) -> None: ...

    def of_request(value: Any = Depends(middle)) -> None: ...

    def of_app(value: Any = Depends(long, scope="app")) -> None: ...

    assert refusal(of_request) == (
        'GET /: a dependency of the scope "request" cannot depend on one of the scope "call", which ends before it'
        f"{places(of_request, middle, short)}"
    )
    assert 'the scope "app" cannot depend on one of the scope "request"' in refusal(of_app)


def test_an_app_scoped_dependency_cannot_read_the_request() -> None:
    def pool(request: Any) -> None: ...

    def handler(value: Any = Depends(pool, scope="app")) -> None: ...

    assert "GET /: request is read from each request" in refusal(handler)
    assert refusal(handler).endswith(places(handler, pool))


def test_a_parameter_of_a_dependency_that_nothing_provides_is_refused() -> None:
    def get_user(token: Any) -> None: ...

    def handler(user: Any = Depends(get_user)) -> None: ...

    assert "GET /: it wants token, which nothing provides" in refusal(handler)
    assert refusal(handler).endswith(places(handler, get_user))


def test_what_depends_is_given_is_checked_at_once() -> None:
    with pytest.raises(TypeError, match="7 is no dependency: give a function"):
        Depends(7)  # type: ignore[call-overload]  # pyright: ignore
    with pytest.raises(ValueError, match="there is no scope 'session': use one of call, request, app"):
        Depends("x", scope="session")  # type: ignore[call-overload]  # pyright: ignore
    with pytest.raises(ValueError, match="made once"):
        Depends(sync_value, scope="app", use_cache=False)


# --- endings


def recorded(log: list[str], name: str) -> Callable[[], Iterator[str]]:
    def dependency() -> Iterator[str]:
        log.append(f"{name} begins")
        try:
            yield name
        except BaseException as error:
            log.append(f"{name} gets {error!r}")
            raise
        else:
            log.append(f"{name} is done")

    return dependency


def test_endings_come_in_reverse_and_those_of_the_call_first() -> None:
    log: list[str] = []
    one, two, three = recorded(log, "one"), recorded(log, "two"), recorded(log, "three")

    async def four() -> AsyncIterator[str]:
        yield "four"
        log.append("four is done")

    async def handler(
        a: str = Depends(one),
        b: str = Depends(two, scope="call"),
        c: str = Depends(three),
        d: str = Depends(four, scope="call"),
    ) -> str:
        log.append(f"handler of {a} {b} {c} {d}")
        return "answer"

    assert asyncio.run(answer(handler)) == "answer"
    assert log == [
        "one begins",
        "two begins",
        "three begins",
        "handler of one two three four",
        "four is done",
        "two is done",
        "three is done",
        "one is done",
    ]


@pytest.mark.parametrize("scope", ["call", "request"])
def test_an_exception_of_the_handler_is_raised_in_each_generator_and_none_can_undo_it(scope: Any) -> None:
    log: list[str] = []

    def swallow() -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            log.append(f"swallowed {error}")

    outer = recorded(log, "outer")

    def handler(a: Any = Depends(outer, scope=scope), b: Any = Depends(swallow, scope=scope)) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(answer(handler))
    assert log == ["outer begins", "swallowed no", "outer gets ValueError('no')"]


def test_a_failing_end_of_the_call_is_what_the_call_fails_with() -> None:
    log: list[str] = []

    def transaction() -> Iterator[None]:
        yield
        raise OSError("commit failed")

    outer = recorded(log, "outer")

    def handler(a: Any = Depends(outer, scope="call"), b: Any = Depends(transaction, scope="call")) -> str:
        return "answer"

    with pytest.raises(OSError, match="commit failed"):
        asyncio.run(answer(handler))
    assert log == ["outer begins", "outer gets OSError('commit failed')"]


def test_a_dependency_that_fails_ends_those_before_it_and_no_others() -> None:
    log: list[str] = []
    before, after = recorded(log, "before"), recorded(log, "after")

    def failing(before: Any = Depends(before)) -> None:
        raise LookupError("no")

    def handler(a: Any = Depends(failing), b: Any = Depends(after)) -> None: ...

    with pytest.raises(LookupError):
        asyncio.run(answer(handler))
    assert log == ["before begins", "before gets LookupError('no')"]


@pytest.mark.parametrize("passes_on", [True, False])
def test_an_error_is_gone_when_the_generators_that_were_told_have_ended(passes_on: bool) -> None:
    class Held: ...

    held: list[weakref.ref[Held]] = []

    def dependency() -> Iterator[None]:
        try:
            yield
        except ValueError:
            if passes_on:
                raise

    def handler(value: Any = Depends(dependency)) -> None:
        here = Held()
        held.append(weakref.ref(here))
        raise ValueError("no")

    request = Request("GET", "/")
    gc.disable()
    try:
        with suppress(ValueError):
            injected(handler).call(request)
        assert held[0]() is not None
        ends, _ = request._take_later()
        ends.pop()(None)
        assert held[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("scope", ["call", "request"])
def test_a_generator_yields_once(scope: Any) -> None:
    def never() -> Iterator[None]:
        yield from ()

    def twice() -> Iterator[None]:
        yield
        yield

    async def never_async() -> AsyncIterator[None]:
        for _ in ():
            yield

    async def twice_async() -> AsyncIterator[None]:
        yield
        yield

    for dependency, words in ((never, "nothing"), (never_async, "nothing"), (twice, "twice"), (twice_async, "twice")):

        def handler(value: Any = Depends(dependency, scope=scope)) -> None: ...

        with pytest.raises(RuntimeError, match=rf"{dependency.__name__} \(.*:\d+\) yielded {words}: it yields once"):
            asyncio.run(answer(handler))


def test_stop_iteration_passes_through_a_generator() -> None:
    def dependency() -> Iterator[None]:
        yield

    def handler(value: Any = Depends(dependency, scope="call")) -> None:
        raise StopIteration(7)

    with pytest.raises(StopIteration):
        injected(handler).call()


# --- the scope app


def test_what_is_of_the_application_is_made_once_and_ended_at_the_end() -> None:
    log: list[str] = []

    async def config() -> dict[str, str]:
        log.append("config")
        return {"url": "db"}

    async def pool(
        key: str = Depends("key"), config: dict[str, str] = Depends(config, scope="app"), size: int = 3
    ) -> AsyncIterator[str]:
        log.append("pool begins")
        yield f"pool of {config['url']}, {key}, {size}"
        log.append("pool ends")

    cache = recorded(log, "cache")

    def connection(pool: str = Depends(pool, scope="app")) -> str:
        return f"connection of {pool}"

    def handler(
        a: str = Depends(connection), b: str = Depends(pool, scope="app"), c: str = Depends(cache, scope="app")
    ) -> Any:
        return a, b, c

    async def live() -> None:
        providers = Providers({"key": "k"})
        calls = [injected(handler, providers) for _ in range(2)]
        assert not any(call.is_async or call.takes_request for call in calls)
        with pytest.raises(RuntimeError, match="is not there before the application has started"):
            calls[0].call()
        await providers.open()
        whole = "pool of db, k, 3"
        assert [call.call() for call in calls] == [(f"connection of {whole}", whole, "cache")] * 2
        assert log == ["config", "pool begins", "cache begins"]
        await providers.close()

    asyncio.run(live())
    assert log == ["config", "pool begins", "cache begins", "cache is done", "pool ends"]


def test_one_that_fails_ends_those_before_it_and_the_start() -> None:
    log: list[str] = []
    first = recorded(log, "first")

    async def second() -> None:
        raise OSError("no database")

    def handler(a: Any = Depends(first, scope="app"), b: Any = Depends(second, scope="app")) -> None: ...

    providers = Providers()
    injected(handler, providers)
    with pytest.raises(StartError, match=r"the dependency .*second \(.*\) of the scope app failed") as caught:
        asyncio.run(providers.open())
    assert isinstance(caught.value.__cause__, OSError)
    assert log == ["first begins", "first gets OSError('no database')"]


# --- over sockets

SERVED = """
    import asyncio, contextvars
    from cello import App, Depends
    from cello.errors import Unauthorized

    app = App()
    log = []
    user = contextvars.ContextVar("user")

    def recorded(name, scope="request"):
        def dependency():
            log.append(f"{name} begins")
            try:
                yield name
            except BaseException as error:
                log.append(f"{name} gets {type(error).__name__}")
                raise
            else:
                log.append(f"{name} ends")
        return Depends(dependency, scope=scope)

    async def get_db():
        await asyncio.sleep(0)
        yield "db"
        await asyncio.sleep(0)
        log.append("db ends")

    async def get_current_user(request, db=Depends(get_db)):
        user.set(request.get_header("x-user"))
        return f"{user.get()} of {db}"

    @app.get("/log")
    def told():
        told, log[:] = list(log), []
        return told

    @app.get("/profile")
    async def profile(request, who=Depends(get_current_user)):
        return {"who": who, "context": user.get()}

    @app.get("/sync/{id}")
    def sync_handler(id: int, one=recorded("one"), two=recorded("two", "call")):
        log.append("handler")
        return {"id": id, "one": one}

    @app.get("/failing")
    def failing(one=recorded("one"), two=recorded("two", "call")):
        raise LookupError("no")

    def commit():
        yield
        raise OSError("commit failed")

    @app.get("/commit")
    def committing(one=Depends(commit, scope="call")):
        return "never"

    def token(request):
        raise Unauthorized("Who are you?")

    @app.post("/guarded")
    def guarded(item: int, who=Depends(token)):
        return "never"

    @app.get("/stream")
    async def stream(one=recorded("one"), two=recorded("two", "call")):
        async def pieces():
            log.append("stream")
            yield "a"
            await asyncio.sleep(0)
            yield "b"
            log.append("streamed")
        return pieces()

    @app.get("/endless")
    async def endless(one=recorded("one")):
        async def pieces():
            while True:
                yield "x" * 10_000
                await asyncio.sleep(0)
        return pieces()

    @app.get("/waiting")
    async def waiting(one=recorded("one")):
        log.append("waiting")
        await asyncio.Event().wait()

    app.run()
"""


def test_dependencies_live_as_long_as_their_scope(serve: Serve) -> None:
    server = serve(SERVED)

    def log(until: str) -> list[str]:
        # What comes after the answer may come after the client has it.
        told: list[str] = []
        while until not in told:
            told += server.get("/log").json()
        return told

    reply = server.request("GET", "/profile", headers={"x-user": "Alice"})
    assert reply.json() == {"who": "Alice of db", "context": "Alice"}
    assert log("db ends") == ["db ends"]
    assert server.get("/sync/7").json() == {"id": 7, "one": "one"}
    assert log("one ends") == ["one begins", "two begins", "handler", "two ends", "one ends"]
    assert server.get("/failing").status == 500
    assert log("one gets LookupError") == ["one begins", "two begins", "two gets LookupError", "one gets LookupError"]
    assert server.get("/commit").status == 500
    assert server.post("/guarded", b"").status == 401
    assert server.get("/stream").body == b"ab"
    assert log("one ends") == ["one begins", "two begins", "two ends", "stream", "streamed", "one ends"]


ANSWERED = """
    import asyncio
    from cello import App, Depends
    from cello.errors import NotFound

    app = App()
    ends = []

    def transaction(request):
        try:
            yield
        except BaseException as error:
            ends.append(f"{request.path} rolled back: {type(error).__name__}")
            raise
        ends.append(f"{request.path} committed")

    async def audit(request, within=Depends(transaction)):
        try:
            yield
        except BaseException as error:
            ends.append(f"{request.path} told: {type(error).__name__}")

    async def patient(request, call_next):
        try:
            return await call_next(request)
        except LookupError:
            return await call_next(request)

    app.use(patient)

    @app.exception_handler(ValueError)
    def answered(request, exc):
        return {"answered": str(exc)}, 400

    @app.get("/ends")
    def told():
        told, ends[:] = list(ends), []
        return told

    @app.get("/handler")
    def failing(one=Depends(audit)):
        raise ValueError("no")

    @app.get("/status")
    async def missing(one=Depends(audit)):
        raise NotFound()

    @app.get("/dependency")
    def depends(one=Depends(audit), two=Depends(lambda: int("x"))):
        return "never"

    @app.get("/parameter")
    def takes(number: int, one=Depends(audit)):
        return "never"

    @app.get("/again")
    def once(request, one=Depends(audit)):
        request.state.tries = getattr(request.state, "tries", 0) + 1
        if request.state.tries == 1:
            raise LookupError("not yet")
        return request.state.tries

    @app.get("/fine")
    def fine(one=Depends(audit)):
        return "fine", 404

    app.run()
"""


@pytest.mark.parametrize(
    ("path", "status", "ends"),
    [
        ("/handler", 400, ["told: ValueError", "rolled back: ValueError"]),
        ("/status", 404, ["told: NotFound", "rolled back: NotFound"]),
        ("/dependency", 400, ["told: ValueError", "rolled back: ValueError"]),
        ("/parameter", 422, ["told: ValidationError", "rolled back: ValidationError"]),
        ("/again", 200, ["committed", "told: LookupError", "rolled back: LookupError"]),
        ("/fine", 404, ["committed"]),
    ],
)
def test_a_dependency_is_told_of_what_somebody_else_answered_for(
    serve: Serve, path: str, status: int, ends: list[str]
) -> None:
    server = serve(ANSWERED)
    assert server.get(path).status == status
    told: list[str] = []
    while len(told) < len(ends):
        told += server.get("/ends").json()
    assert told == [f"{path} {end}" for end in ends]


@pytest.mark.parametrize("path", ["/endless", "/waiting"])
def test_dependencies_end_when_the_client_leaves(serve: Serve, path: str) -> None:
    server = serve(SERVED)
    connection = server.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    told: list[str] = []
    if path == "/endless":
        assert connection.recv(1000)
    while ("one begins" if path == "/endless" else "waiting") not in told:
        told += server.get("/log").json()
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    while not [line for line in told if line.startswith(("one gets", "one ends"))]:
        told += server.get("/log").json()
    assert len([line for line in told if line.startswith(("one gets", "one ends"))]) == 1
    assert server.get("/sync/1").status == 200


def test_a_missing_dependency_keeps_the_application_from_starting(tmp_path: Any) -> None:
    from serving import run_source

    stopped = run_source(
        tmp_path,
        """
        from cello import App, Depends

        app = App()

        def get_db(pool=Depends("pool", scope="request")):
            return pool

        def get_user(db=Depends(get_db), token=Depends(lambda missing: 1)):
            return db

        @app.get("/")
        def handler(user=Depends(get_user)):
            return user

        app.run()
        """,
    )
    script = tmp_path / "app.py"
    assert stopped.exit_code == 3
    assert stopped.stderr == (
        "cello: GET /: it wants missing, which nothing provides: annotate it, have the path name it, or make it a "
        "dependency with Depends()\n"
        f'  {script}:12 in handler\n      @app.get("/")\n'
        f"  {script}:9 in get_user\n      def get_user(db=Depends(get_db), token=Depends(lambda missing: 1)):\n"
        f"  {script}:9 in <lambda>\n      def get_user(db=Depends(get_db), token=Depends(lambda missing: 1)):\n"
    )


def test_a_dependency_that_says_nothing_is_an_error_at_start() -> None:
    def handler(service=Depends()) -> Any:  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType]
        return service

    with pytest.raises(StartError, match=r"service=Depends\(\) says nothing: annotate the parameter with a class"):
        asyncio.run(answer(handler))


def test_a_context_variable_set_by_a_dependency_is_seen_by_the_handler_alone() -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")

    def dependency() -> None:
        name.set("Alice")

    def handler(given: None = Depends(dependency)) -> str:
        return name.get()

    assert asyncio.run(answer(handler)) == "Alice"
    assert name.get() == "nobody"
