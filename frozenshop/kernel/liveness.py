"""Signs of life of the processes that no address can be asked of: one file each, touched while they go round."""

import threading
from contextlib import suppress
from typing import Literal

from django.conf import settings

Role = Literal["worker", "relay", "beat"]


def show(role: Role) -> None:
    """Touch the role's file in VAR_DIR. Never fails: a full disk must not stop the work."""
    with suppress(OSError):
        (settings.VAR_DIR / f"alive-{role}").touch()


def keep_showing(role: Role, *, every_seconds: float = 10.0) -> threading.Event:
    """Show life from a thread of its own, for a process whose main thread may rightly wait long.

    Returns what ends the thread once it is set.
    """
    stop = threading.Event()

    def go_on() -> None:
        while True:
            show(role)
            if stop.wait(every_seconds):
                return

    threading.Thread(target=go_on, name="liveness", daemon=True).start()
    return stop
