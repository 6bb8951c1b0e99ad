"""The template of preloaded workers: a process that has imported the application, and forks off each worker."""

from __future__ import annotations

import gc
import os
import socket
import threading
from typing import TYPE_CHECKING

from cello.errors import StartError

if TYPE_CHECKING:
    from cello._worker import Control

__all__ = ["become_worker"]


def become_worker(control: Control) -> Control:
    """Serves as the template until the supervisor is gone; returns in each worker, with the worker's own channel.

    Errors: StartError where threads run already, which no worker would have.
    """
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        raise StartError(
            f"threads run once the application is imported ({', '.join(threads)}), and workers that are forked off have"
            " none of them: start them before the first request, as on_event does, or serve without preload"
        )
    # Looking for garbage would write to what workers share.
    gc.collect()
    gc.freeze()
    control.say("ready")
    for place, descriptor in control.orders():
        if _is_forked_off(control):
            return control.succeeded(socket.socket(fileno=descriptor), place)
        os.close(descriptor)
    os._exit(0)


def _is_forked_off(control: Control) -> bool:
    """Forks a process that forks the worker and ends: the supervisor becomes its parent. True in the worker."""
    told, tells = os.pipe()
    between = os.fork()
    if between == 0:
        worker = os.fork()
        if worker == 0:
            os.close(told)
            os.close(tells)
            os.setpgid(0, 0)
            return True
        os.write(tells, str(worker).encode())
        os._exit(0)
    os.close(tells)
    os.waitpid(between, 0)
    with open(told) as pipe:
        control.say(f"forked {pipe.read()}")
    return False
