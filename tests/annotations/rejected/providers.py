"""Wrong uses of what features share."""

from __future__ import annotations

from cello import App
from cello.providers import Cache, Meter, Tracer

app = App()
app.needs("Cache", "the greeting")  # rejected
app.needs(Cache)  # rejected
app.provide("Cache", None)  # rejected
app.provide(Cache)  # rejected
app.provided("Cache")  # rejected
app.provided(Cache, "main")  # rejected


async def use(cache: Cache, tracer: Tracer, meter: Meter) -> None:
    """What its methods do not take."""
    await cache.set("a", b"")  # rejected
    await cache.set("a", "b", ttl_s=1)  # rejected
    tracer.span("a", kind="other")  # rejected
    meter.counter("a")(1)  # rejected
