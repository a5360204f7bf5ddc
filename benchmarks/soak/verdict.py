"""After the soak: is everything that was accepted there, once? Runs inside the program; prints JSON."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import django

django.setup()

from django.db.models import Count, F  # noqa: E402

from frozenshop.kernel.models import OutboxMessage  # noqa: E402
from logistics.models import Shipment, TrackingEvent  # noqa: E402
from notifications.models import Delivery  # noqa: E402
from orders.models import Order, OrderEvent  # noqa: E402


def found(kind: str, wanted: list[str]) -> Iterator[str]:
    for first in range(0, len(wanted), 500):
        some = wanted[first : first + 500]
        if kind == "order":
            yield from Order.objects.filter(order_no__in=some).values_list("order_no", flat=True)
        elif kind == "parcel":
            yield from Shipment.objects.filter(waybill_no__in=some).values_list("waybill_no", flat=True)
        else:
            yield from TrackingEvent.objects.filter(text__in=some).values_list("text", flat=True)


def main() -> None:
    facts: defaultdict[str, list[str]] = defaultdict(list)
    for line in Path(sys.argv[1]).read_text().splitlines():
        fact = json.loads(line)
        facts[fact["kind"]].append(fact[{"order": "order_no", "parcel": "waybill_no", "scan": "text"}[fact["kind"]]])
    told: dict[str, object] = {}
    for kind, wanted in facts.items():
        there = Counter(found(kind, wanted))
        told[kind] = {
            "accepted": len(wanted),
            "lost": len(set(wanted) - set(there)),
            "twice": sum(n > 1 for n in there.values()),
        }
    run = sys.argv[2]
    steps = OrderEvent.objects.filter(order__order_no__startswith=run).exclude(from_status=F("to_status"))
    again = steps.values("order", "from_status", "to_status").annotate(n=Count("pk")).filter(n__gt=1)
    told["steps_twice"] = again.count()
    told["outbox"] = dict(Counter(OutboxMessage.objects.exclude(status="done").values_list("status", flat=True)))
    told["dead"] = list(OutboxMessage.objects.filter(status="dead").values_list("topic", "last_error")[:5])
    told["deliveries"] = dict(Counter(Delivery.objects.values_list("state", flat=True)))
    print(json.dumps(told, ensure_ascii=False))


main()
