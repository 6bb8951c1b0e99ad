"""What the loop has to do with asyncio's private parts: methods only, in one file, the same in every Python."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from interpreters import PYTHONS, run_python

SOURCE = Path(__file__).parent.parent / "packages/cello-core/src/cello"

#: Each private method of asyncio's that is called or defined anew, with its parameters.
METHODS: dict[str, str | dict[str, str]] = {
    "asyncio.SelectorEventLoop._run_once": "self",
    "asyncio.SelectorEventLoop._process_events": "self event_list",
    "asyncio.SelectorEventLoop._add_callback": "self handle",
    "asyncio.SelectorEventLoop._make_socket_transport": "self sock protocol waiter extra server",
    "asyncio.SelectorEventLoop._make_ssl_transport": (
        "self rawsock protocol sslcontext waiter server_side server_hostname extra server ssl_handshake_timeout "
        "ssl_shutdown_timeout"
    ),
    "asyncio.SelectorEventLoop._start_serving": (
        "self protocol_factory sock sslcontext server backlog ssl_handshake_timeout ssl_shutdown_timeout"
    ),
    "asyncio.SelectorEventLoop._stop_serving": "self sock",
    "asyncio.SelectorEventLoop._ensure_fd_no_transport": "self fd",
    "asyncio.SelectorEventLoop._ensure_resolved": "self address family type proto flags loop",
    "asyncio.SelectorEventLoop._sendfile_native": "self transp file offset count",
    "asyncio.SelectorEventLoop._check_callback": "self callback method",
    "asyncio.SelectorEventLoop._check_thread": "self",
    "asyncio.base_events._format_handle": "handle",
    "asyncio.tasks._swap_current_task": "loop task",
    "asyncio.tasks._register_eager_task": "task",
    "asyncio.tasks._unregister_eager_task": "task",
    "asyncio.tasks._unregister_task": "task",
    "asyncio.Handle._run": "self",
    "asyncio.sslproto.SSLProtocol._get_app_transport": "self",
    "asyncio.sslproto.ssl.SSLObject._create": "incoming outgoing server_side server_hostname session context",
    "asyncio.Server._attach": {"3.12": "self", "3.13": "self transport"},
    "asyncio.Server._detach": {"3.12": "self", "3.13": "self transport"},
}
#: Private, but neither a method nor state: a class to be an instance of, and a constant.
CONSTANTS = ["asyncio.transports._FlowControlMixin", "asyncio.constants._SendfileMode"]

TELL = f"""
import asyncio, asyncio.base_events, asyncio.constants, asyncio.sslproto, asyncio.tasks, asyncio.transports
import functools, inspect, json, operator
find = lambda path: functools.reduce(getattr, path.split(".")[1:], asyncio)
parameters = lambda path: " ".join(inspect.signature(find(path)).parameters)
print(json.dumps({{path: parameters(path) for path in {list(METHODS)}}}))
assert all(inspect.isclass(find(path)) for path in {CONSTANTS})
"""


@pytest.mark.parametrize("version", PYTHONS)
def test_asyncio_s_private_methods_are_what_the_loop_takes_them_for(version: str) -> None:
    told = run_python(version, "-c", TELL)
    assert told.returncode == 0
    expected = {path: words if isinstance(words, str) else words[version] for path, words in METHODS.items()}
    assert json.loads(told.stdout) == expected


def private_names(file: Path) -> set[str]:
    """Every attribute with a leading underscore that a file asks anything for, or defines as a method."""
    tree = ast.parse(file.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


#: The loop's own, and the native half's.
OWN = {
    "_acceptors",
    "_by_descriptor",
    "_own_selector",
    "_signals",
    "_transport_kind",
    "_sendfile_mode",
    "_came",
    *("_accept_on", "_open_stream", "_run_native", "_stop_native", "_open_streams", "_close_native", "_note_debug"),
    "_is_forked_while_running",
    *("_collect_events", "_run_handle", "_show_socket", "_release", "_check_call", "_note_duration", "_note_io_error"),
    *("_receive_signals", "_wake_on_signals", "_sleep_through_signals", "_forwards_signals_to", "_park_at_exit"),
    *("_park", "_rest"),
    *("_sock", "_make_empty_waiter", "_reset_empty_waiter"),  # of the native transport
}


def test_nothing_else_of_asyncio_that_is_private_is_touched() -> None:
    known = {path.rpartition(".")[2] for path in [*METHODS, *CONSTANTS]}
    assert private_names(SOURCE / "_asyncio_private.py") <= known | OWN
    assert private_names(SOURCE / "loop.py") <= OWN
