"""Sends notices, kills itself between steps, and lives again: `python -m notifications.tests.mortal FOLDER askable`.

Prints how often it was killed. Its channel writes what it takes into a file, which outlives it.
"""

import datetime as dt
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import django

from notifications.tests.dying import Dying, lives

COUNT = 40
PASSES = 4


def main(folder: Path, askable: bool) -> None:
    django.setup()
    from notifications import claiming, dispatch, outcomes, quiet
    from notifications.channels import base
    from notifications.channels.base import Fate, Report, Taken

    taken, dying = folder / "taken", Dying(folder, passes=PASSES)

    def send(letter, *, timeout=10.0):
        dying.step("before-call")
        with taken.open("a") as file:
            file.write(f"{letter.text} {letter.reference}\n")
        dying.step("taken")
        return Taken(letter.reference)

    def ask(letter, provider_id, sent_at):
        if not askable:
            return None
        known = taken.exists() and letter.reference in taken.read_text()
        return Report(Fate.DELIVERED if known else Fate.NEVER_TAKEN)

    base.CHANNELS = {"wecom_bot": "fake"}
    base.get_channel = lambda name: SimpleNamespace(configured=lambda: True, send=send, ask=ask)
    quiet.over_at = lambda instant: instant
    claiming.ASK_AFTER = outcomes.ASK_AFTER = dt.timedelta(seconds=1)
    dispatch.LEASE = dispatch.ASK_AGAIN = dispatch.REPORT_AWAITED = dt.timedelta(seconds=1)
    dying.around(claiming, "claim")
    dying.around(outcomes, "answered")
    dying.around(outcomes, "_taken")  # its end is inside the transaction, before the commit
    dying.around(outcomes, "reported")
    print(lives(lambda: live(folder)))


def live(folder: Path) -> None:
    from notifications import dispatch
    from notifications.models import Notice

    if not (folder / "ready").exists():
        prepare()
        (folder / "ready").touch()
    while Notice.objects.filter(state="waiting").exists():
        dispatch.send_due(5)
        dispatch.ask_unknown()
        time.sleep(0.1)


def prepare() -> None:
    from django.core.management import call_command

    from frozenshop.kernel import clock
    from notifications.models import Notice

    call_command("migrate", verbosity=0, skip_checks=True)
    now = clock.now()
    Notice.objects.bulk_create(
        Notice(
            audience="staff",
            recipient="role:员工",
            subject=f"day:{number}",
            milestone="digest",
            channel="wecom_bot",
            facts={"lines": [str(number)]},
            occurred_at=now,
            due_at=now,
            expires_at=now + dt.timedelta(hours=1),
        )
        for number in range(COUNT)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "askable")
