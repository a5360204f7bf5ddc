import datetime as dt
import threading
import time

from django.apps import AppConfig

SECOND = dt.timedelta(seconds=1)


class HastyConfig(AppConfig):
    name = "notifications.tests.hasty"
    label = "hasty"

    def ready(self) -> None:
        from frozenshop.kernel.outbox import ledger, relay
        from notifications.settlement import claiming, content, guard, upload

        content.UNDO = dt.timedelta(0)
        claiming.LEASE, guard.OVERDUE = 8 * SECOND, 60 * SECOND
        upload.ASK_AFTER, upload.LONGEST, upload.TIMEOUT = SECOND, 10 * SECOND, 2.0
        relay.Relay.run_once = _keeping(relay.Relay.run_once, ledger.rearm, guard.wake_overdue)


def _keeping(run_once, *acts):
    """Instead of beat and its jobs: look after what got stuck, every two seconds."""
    last, lock = [time.monotonic()], threading.Lock()

    def wrapped(self):
        with lock:
            if time.monotonic() - last[0] > 2:
                last[0] = time.monotonic()
                for act in acts:
                    act()
        return run_once(self)

    return wrapped
