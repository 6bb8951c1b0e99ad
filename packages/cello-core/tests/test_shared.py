"""What workers share, in one process: names, errors, what is full, and decisions by a clock that the test has."""

from __future__ import annotations

import asyncio
import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from cello import App
from cello._kernel import Arena, Limit, SharedLimit, SharedNumbers
from cello.errors import StartError
from cello.shared import (
    Counter,
    Decision,
    FixedWindow,
    LabelledCounter,
    MapFull,
    Reading,
    SlidingWindow,
    TokenBucket,
)
from cello.testing import TestClient
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MS = 1_000_000


@pytest.fixture
def app() -> App:
    app = App()
    app.get("/")(lambda: "answer")
    return app


@pytest.fixture
def served(app: App) -> Generator[App]:
    """An application that is served, so that what is declared has memory at once."""
    with TestClient(app):
        yield app


# --- counters


def test_a_counter_is_what_was_added(app: App) -> None:
    counter = app.shared.counter("orders")
    with TestClient(app):
        assert counter.value() == 0
        counter.add()
        counter.add(41)
        assert counter.value() == 42
    assert counter.value() == 42


def test_each_server_begins_anew(app: App) -> None:
    counter = app.shared.counter("orders")
    pages = app.shared.counter("pages", labels=["page"])
    first = pages.labels(page="/")
    for _ in range(2):
        with TestClient(app):
            assert (counter.value(), pages.readings()) == (0, [])
            counter.add()
            first.add()
            pages.labels(page="/x").add()
            assert pages.value() == 2


def test_labels_are_counted_each_and_together(served: App) -> None:
    pages = served.shared.counter("pages", labels=("status", "page"))
    pages.labels(page="/b", status="200").add()
    kept = pages.labels(status="200", page="/a")
    kept.add(2)
    assert pages.labels(page="/a", status="200") is kept
    assert pages.readings() == [
        Reading("pages", {"page": "/a", "status": "200"}, 2),
        Reading("pages", {"page": "/b", "status": "200"}, 1),
    ]
    assert (kept.label_values, kept.value(), pages.value()) == ({"page": "/a", "status": "200"}, 2, 3)


def test_all_counters_of_a_name_space_are_read_at_once(served: App) -> None:
    served.shared.counter("b").add()
    served.shared.counter("a", labels=("l",)).labels(l="x").add(2)
    served.shared.of("plugin").counter("c").add(3)
    assert served.shared.readings() == [Reading("a", {"l": "x"}, 2), Reading("b", {}, 1)]
    assert served.shared.of("plugin").readings() == [Reading("c", {}, 3)]
    assert served.shared.of("empty").readings() == []
    assert served.shared.of("empty").dropped() == 0


def test_labels_may_be_any_names_and_any_text(served: App) -> None:
    odd = served.shared.counter("odd", labels=("self", "name", "values"))
    texts = ["", "ü", "\0", "x" * 1000, "a/b c"]
    for text in texts:
        odd.labels(self=text, name="n", values="v").add()
    assert [one.labels["self"] for one in odd.readings()] == sorted(texts)
    kept = [odd.labels(self=text, name="n", values="v") for text in ("\ud800", "\udfff", "?")]
    assert kept[0] is kept[1] is kept[2]


def test_labels_without_room_are_other_and_that_is_logged_once(served: App, caplog: pytest.LogCaptureFixture) -> None:
    space = served.shared.of("small", counter_bytes=4096)
    users = space.counter("users", labels=("user",))
    for _ in range(2):
        for user in range(100):
            users.labels(user=f"user {user}").add()
    assert users.value() == 200
    other = [reading.value for reading in users.readings() if reading.labels == {"user": "other"}]
    assert other == [2 * space.dropped()]
    assert space.dropped() == 100 - (len(users.readings()) - 1)
    assert [record.getMessage() for record in caplog.records] == [
        "the room for the counters of 'small' is full: labels that find no place are counted as 'other'"
    ]


def test_a_name_without_room_is_an_error_where_it_is_declared(served: App) -> None:
    space = served.shared.of("small", counter_bytes=4096)
    with pytest.raises(OSError, match=r"the room .* of 4,096 bytes is full: there is no place for the counter 'n\d+'"):
        for number in range(100):
            space.counter(f"n{number}").add()


@pytest.mark.parametrize(("count", "error"), [(-1, ValueError), (1 << 64, ValueError), (1.5, TypeError)])
def test_what_cannot_be_added_is_refused(served: App, count: Any, error: type[Exception]) -> None:
    counter = served.shared.counter("orders")
    with pytest.raises(error):
        counter.add(count)
    assert counter.value() == 0


@pytest.mark.parametrize("values", [{}, {"page": "/", "status": "200"}, {"pages": "/"}, {"page": 7}, {"page": []}])
def test_labels_that_a_counter_does_not_have_are_refused(served: App, values: dict[str, Any]) -> None:
    pages = served.shared.counter("pages", labels=("page",))
    with pytest.raises(TypeError, match="the counter 'pages' of 'app'"):
        pages.labels(**values)


# --- names


def test_what_is_declared_twice_is_the_same(app: App) -> None:
    shared = app.shared
    assert shared.counter("a") is app.shared.counter("a")
    assert shared.counter("b", labels=("x", "y")) is shared.counter("b", labels=("y", "x"))
    assert shared.rate_limit("c", FixedWindow(1, 1)) is shared.rate_limit("c", FixedWindow(1, 1))
    assert shared.expiring_map("d", 60) is shared.expiring_map("d", 60)
    assert shared.of("plugin") is shared.of("plugin")
    assert shared.of("plugin").counter("a") is not shared.counter("a")
    assert isinstance(shared.counter("a"), Counter)
    assert isinstance(shared.counter("b", labels=("x", "y")), LabelledCounter)


CLASHES: list[Callable[[App], object]] = [
    lambda app: app.shared.counter("name"),
    lambda app: app.shared.counter("name", labels=("label",)),
    lambda app: app.shared.rate_limit("name", TokenBucket(1, 1)),
    lambda app: app.shared.rate_limit("name", TokenBucket(1, 2)),
    lambda app: app.shared.rate_limit("name", FixedWindow(1, 1)),
    lambda app: app.shared.rate_limit("name", TokenBucket(1, 1), keys=7),
    lambda app: app.shared.expiring_map("name", 60),
    lambda app: app.shared.expiring_map("name", 61),
]


@pytest.mark.parametrize("second", CLASHES)
def test_a_name_that_means_something_else_is_an_error_that_says_both(second: Callable[[App], object]) -> None:
    for first in CLASHES:
        if first is second:
            continue
        app = App()
        words = repr(first(app)).strip("<>")
        with pytest.raises(ValueError, match=" is there already: it cannot be ") as caught:
            second(app)
        assert str(caught.value).startswith(words)
        assert str(caught.value).count("test_shared.py:") == 2


def test_a_name_space_has_one_room_for_its_counters(app: App) -> None:
    space = app.shared.of("plugin", counter_bytes=1 << 16)
    assert app.shared.of("plugin") is app.shared.of("plugin", counter_bytes=1 << 16) is space
    with pytest.raises(ValueError, match="'plugin' has 65,536 bytes for its counters already: it cannot have 4,096"):
        app.shared.of("plugin", counter_bytes=4096)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("counter", ("",), ValueError),
        ("counter", ("two words",), ValueError),
        ("counter", ("a/b",), ValueError),
        ("counter", ("x" * 49,), ValueError),
        ("counter", (7,), TypeError),
        ("counter", ("a", ()), ValueError),
        ("counter", ("a", ("x", "x")), ValueError),
        ("counter", ("a", ("no name",)), ValueError),
        ("rate_limit", ("a", (5, 60)), TypeError),
        ("expiring_map", ("a", 0), ValueError),
        ("expiring_map", ("a", "60"), TypeError),
        ("expiring_map", ("a", 8 * 86_400), ValueError),
        ("of", ("a b",), ValueError),
    ],
)
def test_what_cannot_be_declared_is_refused(
    app: App, method: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(app.shared, method)(*arguments)
    with TestClient(app):
        assert app.shared.readings() == []


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (1 << 30, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_size_is_a_number_that_the_memory_may_have(app: App, size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="keys is "):
        app.shared.rate_limit("a", TokenBucket(1, 1), keys=size)
    with pytest.raises(error, match="keys is "):
        app.shared.expiring_map("a", 60, keys=size)
    with pytest.raises(error, match="counter_bytes is "):
        app.shared.of("a", counter_bytes=size)


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (lambda: TokenBucket(0, 1), ValueError),
        (lambda: TokenBucket(True, 1), TypeError),
        (lambda: TokenBucket(1, float("inf")), ValueError),
        (lambda: FixedWindow(-1, 1), ValueError),
        (lambda: FixedWindow(1, 0.0001), ValueError),
        (lambda: SlidingWindow(65_536, 1), ValueError),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(limit: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        limit()


def test_the_longest_names_fit(served: App) -> None:
    space = served.shared.of("x" * 48)
    assert space.rate_limit("y" * 48, SlidingWindow(1, 1)).decide("key")


# --- before the start, and without room


def test_nothing_is_counted_before_the_first_start(app: App) -> None:
    shared = app.shared
    pages = shared.counter("pages", labels=("page",))
    for use in (
        shared.counter("orders").add,
        shared.counter("orders").value,
        pages.labels(page="/").add,
        pages.readings,
        lambda: shared.rate_limit("login", TokenBucket(1, 1)).decide("key"),
        lambda: shared.expiring_map("map", 60).get("key"),
        shared.readings,
    ):
        with pytest.raises(RuntimeError, match="has no memory yet, which the server makes when it starts"):
            use()


def test_what_is_declared_while_the_server_runs_has_memory_at_once(app: App) -> None:
    @app.on_event("startup")
    def start() -> None:
        app.shared.counter("starts").add()

    @app.get("/late")
    def late() -> int:
        app.shared.counter("late").add()
        return app.shared.counter("late").value()

    with TestClient(app) as client:
        assert [client.get("/late").json() for _ in range(2)] == [1, 2]
        assert app.shared.counter("starts").value() == 1


def test_what_does_not_fit_is_an_error_at_start(app: App) -> None:
    for name in ("one", "two"):
        app.shared.rate_limit(name, TokenBucket(1, 1), keys=1 << 18)
    words = r"the rate limit 'two' of 'app', .* for 262,144 keys cannot be had: the arena is full"
    with pytest.raises(StartError, match=words) as caught, TestClient(app):
        pass
    assert "test_shared.py:" in str(caught.value)


def test_what_does_not_fit_later_is_an_error_where_it_is_declared(served: App) -> None:
    served.shared.expiring_map("one", 60, keys=1 << 18)
    with pytest.raises(OSError, match="the arena is full"):
        served.shared.expiring_map("two", 60, keys=1 << 18)
    assert served.shared.expiring_map("two", 60).add("key") == 1


# --- mounted, and under other servers


def test_a_mounted_application_shares_with_the_one_around_it(app: App) -> None:
    sub = App()
    app.mount("/sub", sub)
    outer, inner = app.shared.counter("orders"), sub.shared.counter("orders")
    with TestClient(app):
        outer.add()
        inner.add()
        assert outer.value() == inner.value() == 2


def test_a_mounted_application_that_means_something_else_by_a_name_is_an_error_at_start(app: App) -> None:
    sub = App()
    app.mount("/sub", sub)
    app.shared.counter("orders")
    sub.shared.counter("orders", labels=("kind",))
    words = "the counter 'orders' of 'app' is there already: it cannot be the counter 'orders' of 'app' with the labels"
    with pytest.raises(StartError, match=words), TestClient(app):
        pass


async def live(app: App) -> None:
    """The life of an application that another server serves."""
    events = iter(["startup", "shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": f"lifespan.{next(events)}"}

    async def send(message: Any) -> None:
        assert message["type"].endswith(".complete")

    await app.asgi({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)


def test_under_another_server_it_is_said_once_that_each_process_has_its_own(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(live(app))
    assert not caplog.records
    app.shared.counter("orders")
    asyncio.run(live(app))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "is exact for this process alone" in record.getMessage()


# --- limits


def test_a_decision_is_true_where_it_allows() -> None:
    terms: dict[str, Any] = {"remaining": 0, "retry_after_s": 0.5, "reset_after_s": 1.0}
    yes, no = Decision(allowed=True, **terms), Decision(allowed=False, **terms, is_shared=True)
    assert (bool(yes), bool(no)) == (True, False)
    assert yes == Decision(allowed=True, **terms) != no
    assert repr(no) == "Decision(allowed=False, remaining=0, retry_after_s=0.5, reset_after_s=1.0, is_shared=True)"


@pytest.mark.parametrize("limit", [TokenBucket(2, 3600), FixedWindow(2, 3600), SlidingWindow(2, 3600)])
def test_each_key_has_its_own_limit(served: App, limit: TokenBucket | FixedWindow | SlidingWindow) -> None:
    login = served.shared.rate_limit("login", limit)
    assert [bool(login.decide(key)) for key in ("a", b"a", "a", "b")] == [True, True, False, True]
    refused = login.decide("a")
    assert (refused.allowed, refused.remaining, refused.is_shared) == (False, 0, False)
    assert 0 < refused.retry_after_s <= refused.reset_after_s <= 7200
    assert (login.limit, login.keys, login.name) == (limit, 16_384, "login")


@pytest.mark.parametrize("limit", [TokenBucket(5, 3600), FixedWindow(5, 3600), SlidingWindow(5, 3600)])
def test_a_request_may_count_for_several_or_for_none(
    served: App, limit: TokenBucket | FixedWindow | SlidingWindow
) -> None:
    exports = served.shared.rate_limit("exports", limit)
    first = exports.decide("a", 3)
    assert (first.allowed, first.remaining) == (True, 2)
    assert first.retry_after_s > 0, "another three are not allowed yet"
    refused = exports.decide("a", cost=3)
    assert (refused.allowed, refused.remaining) == (False, 2)
    assert 0 < refused.retry_after_s <= first.retry_after_s
    assert exports.decide("a", 2).allowed
    assert exports.decide("b", 5).remaining == 0


@pytest.mark.parametrize("cost", [0, -1, 6, 1 << 64, "2", 1.5, None])
def test_a_cost_that_is_never_allowed_is_refused(served: App, cost: Any) -> None:
    exports = served.shared.rate_limit("exports", TokenBucket(5, 3600))
    with pytest.raises((TypeError, ValueError), match=r"a request costs 1 or more|a cost of 6: 5 is the most|int"):
        exports.decide("a", cost)
    assert exports.decide("a", 5).allowed


def test_keys_without_room_share_a_limit_and_that_is_logged_once(served: App, caplog: pytest.LogCaptureFixture) -> None:
    limit = served.shared.rate_limit("login", FixedWindow(1, 3600), keys=1)
    decisions = [limit.decide(f"key {number}") for number in range(5)]
    assert [(one.allowed, one.is_shared) for one in decisions] == [
        *[(True, False)] * 2,
        (True, True),
        *[(False, True)] * 2,
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "the rate limit 'login' of 'app' is full: keys that find no place share one limit"
    ]


@pytest.mark.parametrize("key", [7, None, ("a",), bytearray(b"a")])
def test_a_key_is_text_or_bytes(served: App, key: Any) -> None:
    limit = served.shared.rate_limit("login", TokenBucket(1, 1))
    numbers = served.shared.expiring_map("map", 60)
    for use in (limit.decide, numbers.get, numbers.add, numbers.discard):
        with pytest.raises(TypeError, match="a key is a str or bytes, not "):
            use(key)


def test_a_key_may_be_any_text(served: App) -> None:
    numbers = served.shared.expiring_map("map", 60)
    keys = ["", "a", "\ud800", "\udfff", "ü", "\0", "x" * 100_000]
    for key in keys:
        assert numbers.add(key) == 1
    assert numbers.get("ü".encode()) == 1


class Bucket:
    """A token bucket as one would write it: what is in it, in tokens."""

    def __init__(self, requests: int, time_ms: int) -> None:
        self.capacity = requests
        self.per_ns = Fraction(1, -(-time_ms * MS // requests))
        self.tokens = Fraction(requests)
        self.last_ns = 0

    def allows(self, now_ns: int, cost: int) -> bool:
        self.tokens = min(Fraction(self.capacity), self.tokens + (now_ns - self.last_ns) * self.per_ns)
        self.last_ns = now_ns
        is_allowed = self.tokens >= cost
        self.tokens -= cost * is_allowed
        return is_allowed


class Windows:
    """Windows that follow on the first request, with the count of each."""

    def __init__(self, requests: int, time_ms: int, *, slides: bool) -> None:
        self.requests = requests
        self.window_ns = time_ms * MS
        self.slides = slides
        self.start_ns: int | None = None
        self.counts: dict[int, int] = {}

    def allows(self, now_ns: int, cost: int) -> bool:
        kept = max(self.counts, default=0) + (2 if self.slides else 1)
        if self.start_ns is None or (now_ns - self.start_ns) // self.window_ns >= kept:
            self.start_ns, self.counts = now_ns, {}
        window, age_ns = divmod(now_ns - self.start_ns, self.window_ns)
        weight = Fraction(self.counts.get(window, 0))
        if self.slides:
            weight += self.counts.get(window - 1, 0) * (1 - Fraction(age_ns, self.window_ns))
        is_allowed = weight + cost <= self.requests
        if is_allowed:
            self.counts[window] = self.counts.get(window, 0) + cost
        return is_allowed


REFERENCES: dict[str, Callable[[int, int], Bucket | Windows]] = {
    "token bucket": Bucket,
    "fixed window": lambda requests, time_ms: Windows(requests, time_ms, slides=False),
    "sliding window": lambda requests, time_ms: Windows(requests, time_ms, slides=True),
}


@pytest.mark.parametrize("kind", REFERENCES)
@given(
    requests=st.integers(1, 12),
    time_ms=st.integers(1, 2000),
    visits=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 700), st.integers(1, 12)), max_size=60),
)
def test_decisions_are_those_of_a_simple_reference(
    kind: str, requests: int, time_ms: int, visits: list[tuple[str, int, int]]
) -> None:
    limit = SharedLimit(ARENA, f"{kind} of the test", 1024, Limit(kind, requests, time_ms * MS))
    references = {key: REFERENCES[kind](requests, time_ms) for key in "abc"}
    global now_ns
    now_ns += 10_000_000 * MS
    for reference in references.values():
        if isinstance(reference, Bucket):
            reference.last_ns = now_ns
    for key, wait_ms, asked in visits:
        now_ns += wait_ms * MS
        cost = min(asked, requests)
        decision = limit.decide(key, cost, now_ns)
        assert decision.allowed == references[key].allows(now_ns, cost)
        assert not decision.is_shared
        if not decision.allowed:
            assert decision.retry_after_s > 0
            assert decision.remaining < cost


ARENA = Arena.create()
now_ns = 0


# --- numbers by key


def test_a_number_is_kept_for_each_key(served: App) -> None:
    numbers = served.shared.expiring_map("map", 60)
    assert numbers.get("a") is None
    assert [numbers.add("a"), numbers.add("a", 4), numbers.add("b", 0)] == [1, 5, 0]
    assert [numbers.replace("a", 4, 9), numbers.replace("a", 5, 9), numbers.replace("a", None, 1)] == [
        *(False, True, False),
    ]
    assert [numbers.replace("c", None, 0), numbers.get("c")] == [True, 0]
    numbers.set("c", 4_294_967_294)
    assert numbers.add("c", 7) == 4_294_967_294
    numbers.discard("c")
    numbers.discard("d")
    assert [numbers.get(key) for key in "abcd"] == [9, 0, None, None]
    assert (numbers.lifetime_s, numbers.keys) == (60, 16_384)


@pytest.mark.parametrize(("number", "error"), [(-1, ValueError), (4_294_967_295, ValueError), ("1", TypeError)])
def test_what_is_no_number_of_a_map_is_refused(served: App, number: Any, error: type[Exception]) -> None:
    numbers = served.shared.expiring_map("map", 60)
    for method, arguments in (("add", (number,)), ("set", (number,)), ("replace", (None, number))):
        with pytest.raises(error):
            getattr(numbers, method)("a", *arguments)
    assert numbers.get("a") is None


def test_a_map_that_is_full_says_so_and_logs_it_once(served: App, caplog: pytest.LogCaptureFixture) -> None:
    numbers = served.shared.expiring_map("map", 3600, keys=1)
    assert [numbers.add("a"), numbers.add("b")] == [1, 1]
    for method, arguments in (("add", (1,)), ("set", (1,)), ("replace", (None, 1))):
        with pytest.raises(MapFull, match="the expiring map 'map' of 'app' is full"):
            getattr(numbers, method)("c", *arguments)
    assert (numbers.get("c"), numbers.replace("c", 1, 2), numbers.add("a")) == (None, False, 2)
    assert len(caplog.records) == 1


CHANGES = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3)),
    st.tuples(st.just("set"), st.none() | st.integers(0, 3)),
    st.tuples(st.just("replace"), st.none() | st.integers(0, 3), st.integers(0, 3)),
)


@given(
    lifetime_ms=st.integers(1, 300),
    changes=st.lists(st.tuples(st.sampled_from("abc"), CHANGES, st.integers(0, 200)), max_size=60),
)
def test_numbers_are_those_of_a_simple_reference(
    lifetime_ms: int, changes: list[tuple[str, tuple[Any, ...], int]]
) -> None:
    global now_ns
    now_ns += 10_000_000 * MS
    numbers = SharedNumbers(ARENA, "numbers of the test", 1024, lifetime_ms * MS)
    kept: dict[str, tuple[int, int]] = {}
    for key, (change, *arguments), wait_ms in changes:
        now_ns += wait_ms * MS
        kept = {key: one for key, one in kept.items() if now_ns <= one[1] + lifetime_ms * MS}
        before, _ = kept.get(key, (None, 0))
        assert numbers.get(key, now_ns) == before
        result = getattr(numbers, change)(key, *arguments, now_ns)
        if change == "add":
            kept[key] = (before or 0) + arguments[0], now_ns
            assert result == kept[key][0]
        elif change == "set" and arguments[0] is None:
            kept.pop(key, None)
        elif change == "set":
            kept[key] = arguments[0], now_ns
        else:
            assert result == (before == arguments[0])
            if result:
                kept[key] = arguments[1], now_ns
