"""What a served program does per second, against a bare Django view on the same server and workers.

Runs in the environment of one database. Prints JSON lines.
"""

import os
from collections.abc import Callable

import django

django.setup()

from django.conf import settings  # noqa: E402

from benchmarks.client import Buyer, kdniao_push  # noqa: E402
from benchmarks.wrk import Outcome, drive, raw_request, served, show  # noqa: E402
from frozenshop.api import sessions  # noqa: E402
from frozenshop.backoffice.demo import credentials  # noqa: E402
from logistics.models import Shipment  # noqa: E402
from orders.models import Customer, OrderAccess  # noqa: E402

PORT = int(os.environ.get("BENCH_PORT", "8890"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = 3
BURST = 200


def warm_requests(count: int) -> list[bytes]:
    """Return signed requests of warm documents, 200 a session, which is what a session may do at once."""
    customer = Customer.objects.get(openid=credentials.known()["buyer"]["openid"])
    order_nos = list(
        OrderAccess.objects.filter(customer=customer)
        .order_by("-placed_at")
        .values_list("order__order_no", flat=True)[:50]
    )
    requests = []
    for number in range(count):
        if number % BURST == 0:
            login = sessions.start(customer)
            buyer = Buyer(login.token, login.sign_secret)
        requests.append(buyer.request(f"/api/orders/{order_nos[number % len(order_nos)]}"))
    return requests


def pushes(count: int) -> list[bytes]:
    """Return signed pushes, each with a new scan of some parcel."""
    rows = Shipment.objects.order_by("-id").values_list("waybill_no", "carrier__kdniao_code")[: min(count, 5000)]
    parcels = list(rows)
    items = [
        {
            "ShipperCode": parcels[number % len(parcels)][1],
            "LogisticCode": parcels[number % len(parcels)][0],
            "Success": True,
            "State": "2",
            "StateEx": "2",
            "Traces": [
                {"AcceptTime": "2026-11-22 08:00:00", "AcceptStation": f"快件到达 {number}", "Action": "2"},
            ],
        }
        for number in range(count)
    ]
    return list(kdniao_push(settings.KDNIAO_API_KEY, items))


def bare() -> Outcome:
    with served("benchmarks.bare:application", port=PORT, environment={}):
        return drive(PORT, [raw_request("GET", "/", {})] * 400_000, seconds=SECONDS)


def ours(prepare: Callable[[int], list[bytes]], wanted: int) -> Outcome:
    """Signatures live for 120 s: as many requests are prepared as one run can use, and no more."""
    with served("frozenshop.wsgi:application", port=PORT, environment={}):
        drive(PORT, warm_requests(400), seconds=2)
        return drive(PORT, prepare(wanted), seconds=SECONDS)


def main() -> None:
    """Each beside the bare view, in turns; the median of the ratios, because the machine's noise comes in waves."""
    for title, prepare in (("web: warm signed document", warm_requests), ("web: push taken in", pushes)):
        rounds = []
        for _ in range(ROUNDS):
            beside = bare()
            rounds.append((beside, ours(prepare, int(beside.per_second * SECONDS / 2))))
        ratios = sorted(mine.per_second / beside.per_second for beside, mine in rounds)
        show(
            title,
            per_s=[round(mine.per_second) for _, mine in rounds],
            bare_per_s=[round(beside.per_second) for beside, _ in rounds],
            p99_ms=[mine.p99_ms for _, mine in rounds],
            bad=sum(mine.bad + beside.bad for beside, mine in rounds),
            ratio=round(ratios[ROUNDS // 2], 3),
        )


main()
