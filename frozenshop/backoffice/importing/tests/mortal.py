"""A worker that checks, runs and undoes an import and kills itself between steps: run as a module, with a folder.

Of orders, each with its parcel; where the folder has a file `corrections`, of the right waybills of such orders.
"""

import datetime as dt
import sys
import time
from pathlib import Path

import django

from notifications.tests.dying import Dying

COUNT = 64
PASSES = 2
WRONG, RIGHT = "SF00000000000", "SF90000000000"


def main(folder: Path) -> None:
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import transaction

    from frozenshop.backoffice.batches import moves, running
    from frozenshop.backoffice.batches.models import Batch
    from frozenshop.backoffice.importing import kinds
    from frozenshop.kernel import clock, outbox
    from frozenshop.kernel.models import Lease, OutboxMessage

    running.STRETCH_SECONDS, running.ROWS_READ = 0.2, 8
    kinds.CHECKED_AT_ONCE, kinds.Import.many = 8, 4
    dying = Dying(folder, passes=PASSES)
    dying.around(running, "_perform_many")
    dying.around(running, "_perform")
    correcting = (folder / "corrections").exists()
    dying.around(*((kinds.sending, "correct") if correcting else (kinds.taking, "perform")))
    dying.around(kinds.undoing, "undo_many")
    dying.around(kinds.moves, "add_rows")
    if not (folder / "ready").exists():
        call_command("migrate", verbosity=0, skip_checks=True)
        call_command("load_base_data", stdout=(folder / "loaded").open("w"))
        prepare(User.objects.create_superuser("owner"), correcting=correcting)
        (folder / "ready").touch()
    Lease.objects.update(until=clock.now() - dt.timedelta(seconds=1))
    work(running.TOPIC, OutboxMessage, outbox)
    of = Batch.objects.get(kind="import", undo_of=None)
    if of.state == Batch.State.PREVIEW:
        with transaction.atomic():
            moves.start(of)
        work(running.TOPIC, OutboxMessage, outbox)
    if not (folder / "counted").exists():
        from logistics.models import Shipment

        live = Shipment.objects.filter(voided_at=None, waybill_no__startswith=RIGHT if correcting else WRONG)
        (folder / "counted").write_text(str(live.filter(orders__status="shipped").count()))
    if not Batch.objects.exclude(undo_of=None).exists():
        of.refresh_from_db()
        with transaction.atomic():
            moves.undo(of, User.objects.get(), "导错了")
    work(running.TOPIC, OutboxMessage, outbox)


def work(topic, messages, outbox) -> None:
    while ids := list(messages.objects.filter(topic=topic, status="pending").values_list("pk", flat=True)):
        for message_id in ids:
            outbox.deliver(message_id)
        time.sleep(0.01)


def prepare(owner, *, correcting: bool) -> None:
    """Upload a file and ask for its check, which is where killing begins."""
    import io

    from frozenshop.backoffice.batches import files, moves
    from frozenshop.backoffice.batches.models import BatchFile, BatchRow
    from frozenshop.backoffice.importing.kinds import CHECK, IMPORT
    from orders.importing import COLUMNS
    from orders.tests.test_importing import ROW, as_csv

    if correcting:
        send(COUNT)
        what, columns = "corrections", ["order_no", "waybill_no"]
        rows = [{"order_no": f"A{n}", "waybill_no": f"{RIGHT}{n:02}"} for n in range(COUNT)]
    else:
        parcel = {"paid_at": "2026-01-05 09:00", "carrier_code": "SF", "shipped_at": "2026-01-06"}
        what, columns = "orders", list(COLUMNS)
        rows = [ROW | parcel | {"order_no": f"A{n}", "waybill_no": f"{WRONG}{n:02}"} for n in range(COUNT)]
    body = as_csv([columns, *[[row[name] for name in columns] for row in rows]]).encode()
    batch = moves.begin(IMPORT, title="导入", owner=owner, parameters={"what": what})
    files.keep(batch, BatchFile.Kind.UPLOAD, "x.csv", "text/csv", io.BytesIO(body))
    match = {name: at for at, name in enumerate(columns)}
    told = {"what": what, "import": batch.pk, "match": match, "header_row": 1}
    check = moves.begin(CHECK, title="检查", owner=owner, parameters=told)
    moves.add_rows(check, [BatchRow(batch=check, number=1)])
    moves.start(check)


def send(count: int) -> None:
    """Make orders that have left under wrong numbers."""
    from django.db import transaction

    from frozenshop.backoffice.importing import sending
    from frozenshop.kernel.actor import staff
    from orders.tests.factories import make_order

    for n in range(count):
        make_order("paid", order_no=f"A{n}")
    with transaction.atomic():
        sending.ship([{"order_no": f"A{n}", "waybill_no": f"{WRONG}{n:02}"} for n in range(count)], staff(1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
