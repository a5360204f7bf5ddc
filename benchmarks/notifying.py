"""How long it takes from an event to a message that its channel took, and how fast a backlog goes out.

`python -m benchmarks.notifying [EVENTS] [PER_SECOND]`, in the database that DATABASE_URL names (migrated, and emptied
of notices afterwards). Planning and sending only: add what `benchmarks.polling` says of relay and worker. The channel
answers after 20 ms. Threads consume as the worker does.
"""

import datetime as dt
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
WORKERS, ANSWER_SECONDS = 4, 0.02


def main(events: int, per_second: float) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, connections

    call_command("migrate", verbosity=0, skip_checks=True)
    from frozenshop.kernel import clock
    from frozenshop.kernel.models import OutboxMessage
    from logistics.models import Shipment
    from logistics.tests.factories import make_shipment
    from notifications import dispatch, planning, quiet
    from notifications.channels import base
    from notifications.channels.base import Letter, Taken
    from notifications.models import MessageTemplate, Notice
    from orders.tests.factories import make_customer, make_order

    settings.NOTIFY_THREADS = 1 if connection.vendor == "sqlite" else 8
    taken: dict[str, float] = {}
    lock = threading.Lock()

    def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
        time.sleep(ANSWER_SECONDS)
        with lock:
            taken[letter.fields["thing1"]] = time.monotonic()
        return Taken("x")

    channel = SimpleNamespace(configured=lambda: True, send=send)
    base.CHANNELS, base.get_channel = {"wechat_subscribe": "fake"}, lambda name: channel
    quiet.over_at = lambda instant: instant
    MessageTemplate.objects.all().delete()
    fields = {"thing1": "{order_no}"}
    for milestone in ("out_for_delivery", "delivered"):
        MessageTemplate.objects.create(channel="wechat_subscribe", milestone=milestone, template_id="T", fields=fields)
    run = f"{time.time():.0f}"
    shipments = []
    for number in range(events):
        buyer = make_customer(f"bench-{run}-{number}")
        order = make_order("paid", buyer_openid=buyer.openid, order_no=f"B{run}-{number}")
        shipments.append((make_shipment(order, waybill_no=f"B{run}{number:06}").pk, order.order_no))
    ids = [shipment_id for shipment_id, _ in shipments]
    Shipment.objects.filter(pk__in=ids).update(status="out_for_delivery", status_at=clock.now())
    OutboxMessage.objects.all().delete()
    began: dict[str, float] = {}

    def consume(shipment_id: int, order_no: str) -> None:
        from django.db import transaction

        with transaction.atomic():
            due = planning.shipment_changed(shipment_id)
        dispatch.send(due)

    start = time.monotonic()
    cpu = time.process_time()
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, (shipment_id, order_no) in enumerate(shipments):
            time.sleep(max(0.0, start + number / per_second - time.monotonic()))
            began[order_no] = time.monotonic()
            pool.submit(consume, shipment_id, order_no)
    waits = sorted(taken[order_no] - began[order_no] for order_no in began if order_no in taken)
    used = (time.process_time() - cpu) / events * 1000
    print(f"{len(waits)} of {events} events at {per_second:g}/s on {connection.vendor}, {used:.1f} ms CPU each")
    for share in (0.5, 0.95, 0.99):
        print(f"  p{share * 100:.0f} {waits[int(len(waits) * share)] * 1000:.0f} ms")
    Shipment.objects.filter(pk__in=ids).update(status="delivered", status_at=clock.now())
    held = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    from notifications import breaker

    breaker.ChannelState.objects.update_or_create(channel="wechat_subscribe", defaults={"open_until": held})
    for shipment_id in ids:
        planning.shipment_changed(shipment_id)
    breaker.ChannelState.objects.all().delete()
    start = time.monotonic()
    sent = dispatch.send_due(600)
    rate = sent / (time.monotonic() - start)
    print(f"  backlog of {sent}: {rate:.0f}/s, {rate * 600:.0f} in ten minutes")
    Notice.objects.all().delete()
    connections.close_all()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 50.0)
