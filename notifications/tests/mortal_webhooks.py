"""Sends webhooks and kills itself between two steps, until it is done: `python -m notifications.tests.mortal_webhooks`.

Arguments: a folder, and the addresses of the endpoints. Prints how often it was killed.
"""

import datetime as dt
import sys
import time
from pathlib import Path

import django

from notifications.tests.dying import Dying, lives

COUNT = 40
PASSES = 3


def main(folder: Path, urls: list[str]) -> None:
    django.setup()
    from notifications.webhooks import outcomes, posting, sending

    dying = Dying(folder, passes=PASSES)
    sending.CLAIM = sending.LEASE = dt.timedelta(seconds=1)
    dying.around(sending, "_claim_of")
    dying.around(posting, "post")
    dying.around(outcomes, "settle")
    dying.around(outcomes, "_taken")  # its end is inside the transaction, before the commit
    print(lives(lambda: live(folder, urls)))


def live(folder: Path, urls: list[str]) -> None:
    from notifications.models import WebhookMessage
    from notifications.webhooks import sending

    if not (folder / "ready").exists():
        prepare(urls)
        (folder / "ready").touch()
    while WebhookMessage.objects.exclude(state="done").exists():
        sending.send_due(5)
        time.sleep(0.1)


def prepare(urls: list[str]) -> None:
    from django.core.management import call_command

    from notifications import webhooks
    from notifications.webhooks import endpoints

    call_command("migrate", verbosity=0, skip_checks=True)
    for url in urls:
        endpoints.add(url)
    for number in range(COUNT):
        webhooks.publish("alert.opened", str(number), {"alert_id": number})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
