"""Busy threads beside the server: as many as BENCH_SPIN says, computing in Python without end."""

import os
import threading
from pathlib import Path


def start() -> None:
    """Start the threads in this process; without BENCH_SPIN there are none."""
    for _ in range(int(os.environ.get("BENCH_SPIN", "0"))):
        threading.Thread(target=_compute, daemon=True).start()


def _compute() -> None:
    # The harness knows these threads by this name and leaves their CPU out of the server's.
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("bench-spin")
    total = 0
    while True:
        for number in range(1000):
            total = (total + number * number) % 1_000_003
