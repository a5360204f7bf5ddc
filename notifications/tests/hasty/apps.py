"""A test-only app that lets settlement and messages wait for seconds where they wait for minutes.

`HASTE=` (empty) leaves all waits as they are; there is no night either way.
"""

import datetime as dt
import os
import threading
import time
from pathlib import Path

from django.apps import AppConfig

SECOND = dt.timedelta(seconds=1)
ANSWERS = "answers.log"


class HastyConfig(AppConfig):
    name = "notifications.tests.hasty"
    label = "hasty"

    def ready(self) -> None:
        from notifications import outcomes, quiet

        quiet.over_at = lambda instant: instant
        outcomes.answered = _written_down(outcomes.answered, Path(os.environ["VAR_DIR"]) / ANSWERS)
        from frozenshop.kernel.outbox import ledger, relay

        haste = bool(os.environ.get("HASTE", "1"))
        if haste:
            _hurry()
        seconds = 5 if haste else 60
        relay.Relay.run_once = _keeping(relay.Relay.run_once, 2, ledger.rearm, lambda: _jobs(seconds))


def _hurry() -> None:
    from frozenshop.kernel.outbox import relay
    from notifications import claiming, dispatch, outcomes
    from notifications.channels import sms_aliyun
    from notifications.settlement import claiming as reporting
    from notifications.settlement import content, guard, upload

    content.UNDO = dt.timedelta(0)
    reporting.LEASE, guard.OVERDUE = 8 * SECOND, 60 * SECOND
    upload.ASK_AFTER, upload.LONGEST, upload.TIMEOUT = SECOND, 10 * SECOND, 2.0
    # As in earnest: who asks about a letter does so after it can't be sent any more, and after its call has ended.
    dispatch.LEASE = 8 * SECOND
    dispatch.TOO_LATE, sms_aliyun.SURE_AFTER = 3 * SECOND, 16 * SECOND
    claiming.ASK_AFTER = outcomes.ASK_AFTER = dispatch.ASK_AGAIN = 5 * SECOND
    dispatch.REPORT_AWAITED, dispatch.ASKED_FOR = 40 * SECOND, 120 * SECOND
    relay.Relay.run_once = _keeping(relay.Relay.run_once, 30, guard.wake_overdue)


def _jobs(seconds) -> None:
    """What beat starts each minute."""
    from frozenshop.kernel import outbox

    slot = int(time.time() / seconds)
    for topic in ("notifications.send_due", "notifications.ask_unknown"):
        outbox.enqueue(topic, {"slot": str(slot)}, key=f"hasty:{topic}:{slot}")


def _written_down(answered, path):
    """Keep in a file which letters' answers were recorded: what isn't there was cut off."""

    def wrapped(answers):
        answered(answers)
        with path.open("a") as file:
            for envelope, answer in answers:
                word = "unknown" if getattr(answer, "unknown", False) else "known"
                file.write(f"{envelope.letter.reference} {word}\n")

    return wrapped


def _keeping(run_once, seconds, *acts):
    """Instead of beat: see every so many seconds what is to be done."""
    last, lock = [time.monotonic()], threading.Lock()

    def wrapped(self):
        with lock:
            if time.monotonic() - last[0] > seconds:
                last[0] = time.monotonic()
                for act in acts:
                    act()
        return run_once(self)

    return wrapped
