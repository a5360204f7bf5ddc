"""Short makers for tests of the settlement guard: orders that were paid at the stand-in, and the work that follows."""

import datetime as dt
from typing import Any

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from logistics import shipping
from logistics.models import Carrier, Shipment
from logistics.tests.factories import STAFF, make_carrier, make_shipment
from notifications import tasks
from notifications.models import ShippingReport
from orders.models import Alert, Order
from orders.tests.factories import make_order
from sandbox.faults import Fault
from sandbox.payments import Payment

assert tasks  # registers the consumers
OPENID = "oPayer00000000000000000001"
UPLOAD, GET = "/wxa/sec/order/upload_shipping_info", "/wxa/sec/order/get_order"
TOPICS = ("report_shipping", "parcels_changed", "order_changed", "remind_receipt", "wechat_event", "compare_payments")
State = ShippingReport.State


def transaction(number: int = 1) -> str:
    return f"4200{number:024}"


class Shop:
    """A shop whose buyers pay at the sandbox; `frozen` is its clock."""

    def __init__(self, sim: Any, frozen: Any) -> None:
        self.sim, self.frozen, self.book = sim, frozen, sim.wechat.shipping.book
        make_carrier("SF", wechat_code="SF")

    def pay(self, number: int = 1, *, known: bool = True, **changes: Any) -> Order:
        """Make a paid order; `known`: WeChat knows of the payment."""
        given = {"buyer_openid": OPENID, "payment": {"transaction_id": transaction(number)}} | changes
        order = make_order("paid", **given)
        if known and self.payment(number) is None:
            self.charge(number)
        return order

    def charge(self, number: int = 1, **changes: Any) -> None:
        now = clock.now().timestamp()
        one = Payment(transaction(number), "1900000109", f"A{number}", OPENID, now, now, paid_fen=10_000)
        for name, value in changes.items():
            setattr(one, name, value)
        self.sim.wechat.shipping.pay(one)

    def ship(self, order: Order | None = None, *, number: int = 1, **changes: Any) -> Shipment:
        return make_shipment(order or self.pay(number), **changes)

    def payment(self, number: int = 1) -> Payment | None:
        return self.book.find(transaction_id=transaction(number))

    def uploads(self, number: int = 1) -> int:
        found = self.payment(number)
        return found.uploads if found else 0

    def asked(self, path: str = UPLOAD) -> list[Any]:
        """The bodies of the calls of a path, oldest first."""
        return [call.request["body"] for call in self.sim.asked_for(path)]

    def later(self, minutes: float = 11) -> None:
        """Let time pass, and what is due be done."""
        self.frozen.shift(dt.timedelta(minutes=minutes))
        self.work()

    def work(self) -> None:
        topics = [f"notifications.{topic}" for topic in TOPICS]
        due = OutboxMessage.objects.filter(topic__in=topics, status="pending").order_by("due_at", "id")
        for _ in range(30):
            ids = list(due.filter(due_at__lte=clock.now()).values_list("pk", flat=True))
            for pk in ids:
                outbox.deliver(pk)
            if not ids:
                return
        raise AssertionError("there is no end of it")

    def fault(self, kind: str) -> None:
        """Let WeChat fail in this way until it is mended."""
        self.sim.world.faults.add(Fault("wechat", kind, 1.0, self.sim.world.clock() + 3600))

    def mend(self) -> None:
        self.sim.world.faults.clear()

    def heard(self) -> None:
        """Let WeChat's events out, and take them in."""
        self.sim.push()
        self.work()


def report(order: Order) -> ShippingReport:
    return ShippingReport.objects.get(order=order)


def state(order: Order) -> tuple[str, str]:
    found = report(order)
    return found.state, found.code


def alerts() -> list[str]:
    return list(Alert.objects.filter(kind="settlement", resolved_at=None).values_list("detail", flat=True))


def void(shipment: Shipment, order: Order, replacement: tuple[Carrier, str] | None = None) -> Shipment:
    return shipping.void(shipment, order=order, reason="填错", actor=STAFF, replacement=replacement)
