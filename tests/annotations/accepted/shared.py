"""What workers share: counters, limits and numbers are typed by how they are declared."""

from typing import assert_type

from cello import App
from cello.shared import (
    Counter,
    Decision,
    ExpiringMap,
    FixedWindow,
    LabelledCounter,
    MapFull,
    RateLimit,
    Reading,
    Shared,
    SlidingWindow,
    TokenBucket,
)

app = App()

assert_type(app.shared, Shared)
assert_type(app.shared.of("plugin"), Shared)
assert_type(app.shared.of("other", counter_bytes=1 << 16), Shared)

orders = app.shared.counter("orders")
visits = app.shared.counter("visits", labels=("page", "status"))
assert_type(orders, Counter)
assert_type(visits, LabelledCounter)
assert_type(visits.labels(page="/", status="200"), Counter)
limit = app.shared.rate_limit("login", TokenBucket(5, fill_s=60), keys=1000)
assert_type(limit, RateLimit)
app.shared.rate_limit("search", SlidingWindow(5, 1.5))
app.shared.rate_limit("upload", FixedWindow(requests=5, window_s=60))
numbers = app.shared.expiring_map("seen", 60)
assert_type(numbers, ExpiringMap)


def use(key: str | bytes) -> int:
    orders.add()
    orders.add(2)
    assert_type(orders.value() + visits.value(), int)
    assert_type(app.shared.readings() + visits.readings(), list[Reading])
    decision = limit.decide(key, cost=2)
    assert_type(decision, Decision)
    assert_type(decision.retry_after_s, float)
    try:
        assert_type(numbers.replace(key, None, 1), bool)
        assert_type(numbers.get(key), int | None)
        numbers.set(key, 7)
        numbers.discard(key)
        return numbers.add(key)
    except MapFull:
        return decision.remaining
