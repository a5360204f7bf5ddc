"""What a served program does per second, against a bare Django view on the same server and workers.

Runs in the environment of one database. Prints JSON lines.
"""

import os
import time

import django

django.setup()

from django.conf import settings  # noqa: E402

from benchmarks.client import Buyer, kdniao_push  # noqa: E402
from benchmarks.wrk import drive, raw_request, served, show  # noqa: E402
from frozenshop.api import sessions  # noqa: E402
from frozenshop.backoffice.demo import credentials  # noqa: E402
from logistics.models import Shipment  # noqa: E402
from orders.models import Customer, OrderAccess  # noqa: E402

PORT = int(os.environ.get("BENCH_PORT", "8890"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
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


def main() -> None:
    with served("benchmarks.bare:application", port=PORT, environment={}):
        bare = drive(PORT, [raw_request("GET", "/", {})] * 400_000, seconds=SECONDS)
    show("web: bare view", per_s=round(bare.per_second), p99_ms=bare.p99_ms, bad=bare.bad)
    # Signatures live for 120 s: prepare as many as one run can use, and no more.
    wanted = int(bare.per_second * SECONDS)
    with served(
        "frozenshop.wsgi:application",
        port=PORT,
        environment={},
    ):
        drive(PORT, warm_requests(400), seconds=3)
        started = time.monotonic()
        warm = drive(PORT, warm_requests(wanted), seconds=SECONDS)
        if time.monotonic() - started > 100:
            raise SystemExit("preparing took longer than signatures live; set BENCH_SECONDS lower")
        taken = drive(PORT, pushes(wanted // 2), seconds=SECONDS)
    for title, outcome in (("web: warm signed document", warm), ("web: push taken in", taken)):
        show(
            title,
            per_s=round(outcome.per_second),
            p99_ms=outcome.p99_ms,
            requests=outcome.requests,
            bad=outcome.bad,
            ratio=round(outcome.per_second / bare.per_second, 3),
        )


main()
