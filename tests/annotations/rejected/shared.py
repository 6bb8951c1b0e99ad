"""What workers share: what a counter, a limit or a number is not."""

from cello import App
from cello.shared import Decision, FixedWindow, TokenBucket

app = App()

app.shared = None  # rejected
app.shared.counter()  # rejected
app.shared.counter(7)  # rejected
app.shared.counter("orders", labels=7)  # rejected
app.shared.counter("orders").labels(page="/")  # rejected
app.shared.counter("orders").add("1")  # rejected
app.shared.counter("orders").add(1.5)  # rejected
app.shared.counter("visits", ("page",)).add()  # rejected
app.shared.counter("visits", ("page",)).labels(page=7)  # rejected
app.shared.counter("visits", ("page",)).labels("/")  # rejected
app.shared.rate_limit("login", 5)  # rejected
app.shared.rate_limit("login", TokenBucket(5, 60), 1000)  # rejected
app.shared.rate_limit("login", TokenBucket(5, 60)).decide(7)  # rejected
app.shared.rate_limit("login", TokenBucket(5, 60)).decide(None)  # rejected
app.shared.rate_limit("login", TokenBucket(5, 60)).decide("key", 1.5)  # rejected
app.shared.expiring_map("seen")  # rejected
app.shared.expiring_map("seen", "60")  # rejected
app.shared.expiring_map("seen", 60).get(7)  # rejected
app.shared.expiring_map("seen", 60).set("key", None)  # rejected
app.shared.expiring_map("seen", 60).add("key", 0.5)  # rejected
app.shared.of("plugin", 4096)  # rejected

TokenBucket(5)  # rejected
TokenBucket("5", 60)  # rejected
FixedWindow(5, fill_s=60)  # rejected
FixedWindow(5, 60).window_s = 7  # rejected
Decision(True, 5, 0.0, 0.0)  # rejected
