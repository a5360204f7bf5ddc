"""The database under more and more clients, reading and writing the same few hundred orders, until it gives no more.

`python -m benchmarks.stress` (ORDERS=20000): 1, 2, 4 … clients, each a process with a connection of its own, for
STRESS_SECONDS (10). Beside them one who locks orders before their parcels, against the program's rule, and whose
transactions are the larger ones: of the deadlocks, which the server counts, the program loses most. None may reach a
caller. Exit 1 if one did.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

from benchmarks import database
from benchmarks.wrk import show

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SECONDS = int(os.environ.get("STRESS_SECONDS", "10"))
ORDERS = int(os.environ.get("ORDERS", "20000"))
HOT = 200
"""So many parcels and their orders take all the writes: the fewer, the more they meet."""
OBSTRUCTOR = -1
GAIN = 1.1
"""The knee: twice the clients give less than a tenth more."""


class Client:
    """One process: what each kind of work took, and what it raised."""

    def __init__(self, number: int) -> None:
        import django

        django.setup()
        from logistics.models import Carrier, Shipment
        from orders.models import Customer

        self.rng, self.number, self.made = random.Random(number), number, 0
        self.run = f"ST{os.getpid()}-{time.time_ns() % 10**9}"
        live = Shipment.objects.filter(voided_at=None).select_related("carrier").order_by("-id")
        self.parcels = list(live.prefetch_related("orders")[:HOT])
        self.customers = list(Customer.objects.filter(accesses__isnull=False).distinct()[:50])
        self.carrier = Carrier.objects.get(code="ZTO")
        kinds = {self.scan: 30, self.document: 30, self.page: 15, self.order: 10, self.confirm: 10, self.search: 5}
        self.kinds, self.weights = list(kinds), list(kinds.values())

    def scan(self) -> None:
        """A report of three parcels' news each: their rows, their orders, alerts and the outbox."""
        from frozenshop.kernel import clock
        from logistics.models import ShipmentStatus
        from logistics.providers.base import ProviderEvent, ProviderReport
        from logistics.tracking import record_events

        self.made += 1
        status = self.rng.choice([ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY, ShipmentStatus.EXCEPTION])
        event = ProviderEvent(status, clock.now(), text=f"{self.run} {self.made}", code="2")
        record_events(self.rng.choice(self.parcels), ProviderReport("", "", (event,), None), provider="kdniao")

    def document(self) -> None:
        from logistics import document

        document.build(self.rng.choice(self.parcels).orders.all()[0])

    def page(self) -> None:
        from logistics import document
        from orders.models import Order

        customer = self.rng.choice(self.customers)
        document.summaries(list(Order.objects.filter(accesses__customer=customer).order_by("-placed_at", "-id")[:20]))

    def order(self) -> None:
        """A new order, paid, and shipped in a box of its own or (one in four) in one with the former."""
        from frozenshop.kernel import clock
        from frozenshop.kernel.actor import Actor, Source
        from logistics import shipping
        from logistics.services import take_order
        from orders.intake import parse_order

        self.made += 1
        shop, now = Actor(Source.SHOP, "key:stress"), clock.now().isoformat()
        consignee = {"name": "测试甲", "phone": f"1390000{self.rng.randrange(50):04d}", "province": "上海市"}
        consignee |= {"city": "上海市", "district": "浦东新区", "address": "世纪大道一号"}
        line = {"sku": "S1", "name": "冻虾", "quantity": 1, "unit_price_fen": 100}
        content = {"order_no": f"{self.run}-{self.made}", "placed_at": now, "paid_at": now, "lines": [line]}
        order = take_order(parse_order(content | {"consignee": consignee, "total_fen": 100}), shop).order
        box = self.made - self.made % 4
        number = f"{self.run.replace('-', '')}{box}"
        shipping.ship(order, carrier=self.carrier, waybill_no=number, shipped_at=clock.now(), actor=shop)

    def confirm(self) -> None:
        """The buyer of a hot parcel confirms it, while carriers go on about it."""
        from frozenshop.kernel.actor import Actor, Source
        from frozenshop.kernel.errors import NotPossible
        from logistics.services import confirm_receipt

        with contextlib.suppress(NotPossible):
            confirm_receipt(self.rng.choice(self.parcels).orders.all()[0], Actor(Source.BUYER, "customer:1"))

    def search(self) -> None:
        from orders.models import Order

        list(Order.objects.filter(shipments__waybill_no=self.rng.choice(self.parcels).waybill_no)[:20])

    def obstruct(self, until: float) -> int:
        """Lock an order, then its parcel, having written so much that the other one is the deadlock's victim.

        Returns how often it was the victim all the same.
        """
        from django.db import OperationalError, connection, transaction

        lost = 0
        while time.time() < until:
            parcel = self.rng.choice(self.parcels)
            lost += 1
            with contextlib.suppress(OperationalError), transaction.atomic(), connection.cursor() as cursor:
                rows = [("stress", f"{self.run}{n}", "2000-01-01") for n in range(100)]
                cursor.executemany("INSERT INTO kernel_nonce (scope, nonce, expires_at) VALUES (%s, %s, %s)", rows)
                cursor.execute("SELECT id FROM orders_order WHERE id = %s FOR UPDATE", [parcel.orders.all()[0].pk])
                time.sleep(0.01)
                cursor.execute("SELECT id FROM logistics_shipment WHERE id = %s FOR UPDATE", [parcel.pk])
                transaction.set_rollback(True)
                lost -= 1
        return lost

    def go_on(self, until: float) -> dict[str, object]:
        took: list[float] = []
        raised: Counter[str] = Counter()
        while time.time() < until:
            kind = self.rng.choices(self.kinds, self.weights)[0]
            started = time.perf_counter()
            try:
                kind()
            except Exception as error:
                raised[f"{kind.__name__}: {type(error).__name__} {error.args[:1]}"] += 1
            took.append(time.perf_counter() - started)
        return {"took": took, "raised": raised}


def client(number: int, begins: float) -> None:
    """A child: connects, waits for the others, works, and tells."""
    one = Client(number)
    time.sleep(max(begins - time.time(), 0))
    until = max(begins, time.time()) + SECONDS
    print(json.dumps(one.obstruct(until) if number == OBSTRUCTOR else one.go_on(until)))


def step(clients: int, environment: dict[str, str], deadlocks: Callable[[], int]) -> tuple[float, Counter[str]]:
    """Run so many clients at once; return what they did a second in all, and what reached a caller."""
    before, begins = deadlocks(), time.time() + 5 + clients * 0.75
    command = [sys.executable, "-m", "benchmarks.stress", "client"]
    running = [
        subprocess.Popen(
            [*command, str(number), str(begins)],
            env=os.environ | environment,
            cwd=database.ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (OBSTRUCTOR, *range(clients))
    ]
    lost, *told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    took = sorted(seconds for one in told for seconds in one["took"])
    raised: Counter[str] = sum((Counter(one["raised"]) for one in told), Counter())
    rate = len(took) / SECONDS
    show(
        "database: mixed reads and writes",
        clients=clients,
        per_s=round(rate),
        p50_ms=round(took[len(took) // 2] * 1000, 1),
        p99_ms=round(took[int(len(took) * 0.99)] * 1000, 1),
        deadlocks=deadlocks() - before,
        lost_by_the_other=lost,
        seen_by_callers=dict(raised),
    )
    return rate, raised


def main() -> int:
    environment, _ = database.prepared(ORDERS)

    def deadlocks() -> int:
        return int(database.run([sys.executable, "-c", DEADLOCKS, database.SERVER], {}).split()[-1])

    rates: list[float] = []
    raised: Counter[str] = Counter()
    for clients in CLIENTS:
        rate, seen = step(clients, environment, deadlocks)
        raised += seen
        rates.append(rate)
        if len(rates) > 2 and max(rates[-2:]) < max(rates[:-2]) * GAIN:
            break
    best = max(range(len(rates)), key=rates.__getitem__)
    show("database: the knee", clients=CLIENTS[best], per_s=round(rates[best]))
    print("\n".join(["FAILED", *raised]) if raised else "ok")
    return 1 if raised else 0


DEADLOCKS = """
import sys, environ, MySQLdb
url = environ.Env.db_url_config(sys.argv[1])
password = url["PASSWORD"] or ""
cursor = MySQLdb.connect(host=url["HOST"], port=url["PORT"] or 3306, user=url["USER"], passwd=password).cursor()
cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"); print((cursor.fetchone() or ("", 0))[1])
"""

if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(int(sys.argv[2]), float(sys.argv[3]))
    else:
        sys.exit(main())
