"""The family as a plugin."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from cello import App

DECLARED = ("enable_request_id", "enable_structured_logging")


def test_the_app_methods_are_the_functions_of_the_package() -> None:
    from cello_observability import request_id, structured_logging

    app: Any = App()
    assert [getattr(app, name).__func__ for name in DECLARED] == [request_id.enable, structured_logging.enable]


def test_declaring_imports_nothing_of_the_family_but_its_declaration() -> None:
    code = "import cello_observability.plugin, sys; print(*(name for name in sys.modules if 'observab' in name))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == {"cello_observability", "cello_observability.plugin"}
