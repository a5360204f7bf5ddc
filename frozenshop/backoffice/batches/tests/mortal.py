"""A worker that runs a batch and kills itself between steps: `python -m frozenshop.backoffice.batches.tests.mortal`."""

import datetime as dt
import sys
import time
from pathlib import Path

import django

from notifications.tests.dying import Dying

COUNT = 60
PASSES = 2


def main(folder: Path) -> None:
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from frozenshop.backoffice.batches import kinds, running
    from frozenshop.backoffice.batches.tests import doing
    from frozenshop.kernel import clock, outbox
    from frozenshop.kernel.models import Lease, OutboxMessage

    kinds.KINDS = {**kinds.KINDS, **doing.KINDS}
    running.STRETCH_SECONDS, running.ROWS_READ = 0.01, 4
    dying = Dying(folder, passes=PASSES)
    dying.around(running, "_perform")  # retried binds it by name at each call
    dying.around(running, "_do")  # its end is inside the transaction, before the commit
    dying.around(running, "_refuse")
    Dying(folder, passes=1).around(running.moves, "ask")  # rarer than rows
    if not (folder / "ready").exists():
        call_command("migrate", verbosity=0, skip_checks=True)
        owner = User.objects.create_superuser("owner")
        doing.start(doing.make_batch(owner, *(f"NO{n}" if n % 2 else f"A{n}" for n in range(COUNT))))
        (folder / "ready").touch()
    # What the relay does about a worker that died: the message comes again, and the dead one's lease runs out.
    Lease.objects.update(until=clock.now() - dt.timedelta(seconds=1))
    while ids := list(OutboxMessage.objects.filter(topic=running.TOPIC, status="pending").values_list("pk", flat=True)):
        for message_id in ids:
            outbox.deliver(message_id)
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
