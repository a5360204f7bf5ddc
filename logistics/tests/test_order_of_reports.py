"""Whatever the order, repetition and splitting of what two carriers report: one end for shipments and order."""

import datetime as dt
import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frozenshop.kernel import clock
from logistics import tracking
from logistics.models import Shipment
from logistics.tests.factories import event, make_carrier, make_report, make_shipment
from orders.models import Order
from orders.tests.factories import line, make_order

STATUSES = ("picked_up", "in_transit", "out_for_delivery", "awaiting_pickup", "delivery_failed", "exception",
            "delivered", "returning", "returned", "unknown", "cancelled")  # fmt: skip
RANK = ("paid", "shipped", "in_transit", "delivered", "returned")
SHOWN = ("status", "status_at", "location", "in_transit_at", "delivered_at", "returned_at", "event_count")
MILESTONES = ("status", "shipped_at", "in_transit_at", "delivered_at", "returned_at")


def scan(status: str, minute: int):
    return event(
        status, clock.now().replace(microsecond=0) - dt.timedelta(minutes=30 - minute), text=f"{status}{minute}"
    )


def tell(shipment: Shipment, *scans) -> None:
    tracking.record_events(shipment, make_report(*scans), provider="kdniao")


def two_parcels() -> tuple[Order, list[Shipment]]:
    order = make_order("paid", lines=[line(sku="A", quantity=1), line(sku="B", quantity=1)])
    at = clock.now() - dt.timedelta(minutes=40)
    return order, [make_shipment(order, lines={sku: 1}, shipped_at=at) for sku in "AB"]


def end(order: Order) -> tuple:
    order.refresh_from_db()
    shipments = Shipment.objects.filter(links__order=order).order_by("id").values_list(*SHOWN)
    alerts = order.alerts.filter(resolved_at=None).values_list("kind", flat=True)
    return (*(getattr(order, name) for name in MILESTONES), *shipments, "partly_returned" in alerts)


class Carriers(RuleBasedStateMachine):
    """Scans are told in any order, again, and in bundles; at the end a second order hears the same at once."""

    @initialize()
    def ship(self):
        make_carrier()
        self.order, self.shipments = two_parcels()
        self.told = ([], [])
        self.furthest = 1

    @rule(which=st.integers(0, 1), bundle=st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(1, 9)), max_size=3))
    def new_scans(self, which, bundle):
        scans = [scan(*told) for told in bundle]
        self.told[which].extend(scans)
        tell(self.shipments[which], *scans)

    @rule(which=st.integers(0, 1), data=st.data())
    def again(self, which, data):
        if self.told[which]:
            tell(self.shipments[which], *data.draw(st.lists(st.sampled_from(self.told[which]), max_size=3)))

    @invariant()
    def never_back(self):
        self.order.refresh_from_db()
        assert RANK.index(self.order.status) >= self.furthest
        self.furthest = RANK.index(self.order.status)

    def teardown(self):
        twin, shipments = two_parcels()
        Shipment.objects.filter(links__order=twin).update(shipped_at=self.shipments[0].shipped_at)
        for which in (1, 0):
            tell(shipments[which], *reversed(self.told[which]))
        assert end(twin)[0] == end(self.order)[0]
        assert end(twin)[2:] == end(self.order)[2:]


class TestAnyOrderOfReports(TestCase):
    def test_ends_alike_and_never_goes_back(self):
        from django.db import transaction

        class Rolled(Carriers):
            def __init__(self):
                super().__init__()
                self.undo = transaction.atomic()
                self.undo.__enter__()

            def teardown(self):
                try:
                    super().teardown()
                finally:
                    transaction.set_rollback(True)
                    self.undo.__exit__(None, None, None)

        run_state_machine_as_test(
            Rolled,
            settings=settings(
                max_examples=25,
                stateful_step_count=10,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.django_db
def test_every_permutation_of_a_history_ends_alike_in_the_database():
    history = [scan("picked_up", 1), scan("out_for_delivery", 3), scan("delivery_failed", 4), scan("delivered", 6)]
    ends = set()
    for order_of_arrival in itertools.permutations(history):
        shipment = make_shipment(shipped_at=clock.now() - dt.timedelta(minutes=40))
        for one in order_of_arrival:
            tell(shipment, one)
        ends.add((end(shipment.orders.get())[0], Shipment.objects.get(pk=shipment.pk).status))
    assert ends == {("delivered", "delivered")}
