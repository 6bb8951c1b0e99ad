"""The soak of `hatch run soak`, with the numbers that CI has time for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parent.parent / "conformance" / "soak.py"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_starts_and_connections_and_what_happens_to_workers_under_load_leave_nothing() -> None:
    numbers = ("--starts", "20", "--rolls", "10", "--cycles", "5", "--kills", "5", "--connections", "2000")
    done = subprocess.run([sys.executable, SOAK, *numbers], capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.stdout.endswith("soak: 7/7\n")
    assert (done.returncode, done.stderr) == (0, "")
