"""A whole order with up to three parcels, told in any order: what holds at every step, and that the end is one."""

import datetime as dt
import itertools

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import OutboxMessage
from logistics import document, messages, tasks, tracking
from logistics.models import Shipment, ShipmentStatus
from logistics.providers import kdniao
from logistics.services import confirm_receipt, record_shop_fact
from logistics.shipping import ship, void
from logistics.tests.factories import make_carrier, make_report, waybill_no
from logistics.tests.test_kdniao import parcel, push_of, trace
from logistics.tests.tracked import deliver
from orders import lifecycle
from orders.facts import Fact, FactType
from orders.intake import parse_order
from orders.models import Alert, AlertKind, OrderEvent, OrderStatus
from orders.services import take_order
from orders.tests.factories import SHOP, line, order_payload

assert tasks  # registers the consumers
NOW = dt.datetime.fromisoformat("2026-11-22T12:00:00+08:00")
BUYER, STAFF = Actor(Source.BUYER, "customer:1"), Actor(Source.STAFF, "staff:1")
SKUS = "ABC"
# 快递鸟's Action codes, in the order in which a parcel may meet them.
CODES = ("1", "2", "201", "202", "211", "204", "3", "301", "302", "4", "401", "304", "311")
RANK = {"paid": 0, "shipped": 1, "in_transit": 2, "delivered": 3, "returned": 4}
SEEN = (
    "status",
    "status_at",
    "location",
    "picked_up_at",
    "in_transit_at",
    "delivered_at",
    "returned_at",
    "event_count",
)
HISTORY = ("pk", "kind", "from_status", "to_status", "occurred_at", "recorded_at", "source", "actor", "reason")
stories = st.lists(st.tuples(st.sampled_from(CODES), st.integers(1, 50)), min_size=1, max_size=5)


def scan(code: str, minute: int) -> dict:
    at = NOW - dt.timedelta(minutes=60 - minute)
    return trace(f"{clock.shanghai(at):%Y-%m-%d %H:%M:%S}", f"第 {minute} 分钟：{code}", code)


class Story(RuleBasedStateMachine):
    """Each rule is what somebody may do at that moment; what isn't possible says so and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()

    def teardown(self) -> None:
        try:
            if hasattr(self, "order"):
                self.the_end_depends_on_the_set_alone()
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @initialize(lines=st.integers(1, 3))
    def place(self, lines: int) -> None:
        make_carrier()
        payload = order_payload(
            placed_at=(NOW - dt.timedelta(hours=4)).isoformat(),
            lines=[line(sku=sku, quantity=1, unit_price_fen=1000) for sku in SKUS[:lines]],
            total_fen=1000 * lines,
        )
        self.order = take_order(parse_order(payload), SHOP).order
        self.unshipped, self.told = list(SKUS[:lines]), {}
        self.references = itertools.count(1)
        self.history: list[tuple] = []
        self.reached = OrderStatus.PLACED

    def tell_fact(self, fact: FactType, amount_fen: int | None = None) -> None:
        record_shop_fact(self.order, Fact(fact, NOW, f"f{next(self.references)}", amount_fen), SHOP)

    @rule()
    def pay(self) -> None:
        self.tell_fact(FactType.PAID)

    @rule()
    def cancel(self) -> None:
        self.tell_fact(FactType.CANCELLED)

    @rule(part=st.sampled_from([None, 1, 500]))
    def refund(self, part: int | None) -> None:
        self.tell_fact(FactType.REFUNDED, part)

    @rule(several=st.booleans())
    def dispatch(self, several: bool) -> None:
        if not self.unshipped:
            return
        lines = dict.fromkeys(self.unshipped[:1] if several else self.unshipped, 1)
        at = NOW - dt.timedelta(hours=2)
        parcel = ship(
            self.order, carrier=make_carrier(), waybill_no=waybill_no(), shipped_at=at, actor=SHOP, lines=lines
        )
        self.unshipped = [sku for sku in self.unshipped if sku not in lines]
        self.told[parcel.pk] = []

    @rule(which=st.integers(0, 2))
    def withdraw(self, which: int) -> None:
        if (parcel := self.parcel(which)) is None:
            return
        inside = list(parcel.links.get().lines.values_list("order_line__sku", flat=True))
        try:
            void(parcel, order=self.order, reason="填错", actor=STAFF)
        except NotPossible:
            assert self.told[parcel.pk], "nothing was scanned, and yet it can't be withdrawn"
            return
        assert not Shipment.objects.get(pk=parcel.pk).picked_up_at
        del self.told[parcel.pk]
        self.unshipped += inside
        self.reached = OrderStatus.PAID  # the one arrow back

    @rule(which=st.integers(0, 2), story=stories, by_push=st.booleans())
    def report(self, which: int, story: list, by_push: bool) -> None:
        if parcel := self.parcel(which):
            self.tell(parcel, story, by_push)
            self.told[parcel.pk] += story

    @rule(which=st.integers(0, 2), by_push=st.booleans(), data=st.data())
    def report_again(self, which: int, by_push: bool, data: st.DataObject) -> None:
        parcel = self.parcel(which)
        if parcel and self.told[parcel.pk]:
            self.tell(parcel, data.draw(st.lists(st.sampled_from(self.told[parcel.pk]), min_size=1)), by_push)

    @rule()
    def confirm(self) -> None:
        try:
            confirm_receipt(self.order, BUYER)
        except NotPossible:
            assert self.order.status in ("placed", "paid", "cancelled", "refunded", "returned")

    # --- what the carrier says --------------------------------------------------------------------

    def parcel(self, which: int) -> Shipment | None:
        keys = sorted(self.told)
        return Shipment.objects.select_related("carrier").get(pk=keys[which % len(keys)]) if keys else None

    def tell(self, shipment: Shipment, story: list, by_push: bool) -> None:
        said = parcel(*(scan(*told) for told in story), LogisticCode=shipment.waybill_no)
        if by_push:
            assert messages.receive("kdniao", push_of(said)).status == 200
            deliver("logistics.apply_message")
            return
        (report,) = kdniao.parse(push_of(said))
        tracking.record_events(shipment, make_report(*report.events), provider="kdniao")

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def history_grows_by_arrows_of_the_table(self) -> None:
        if not hasattr(self, "order"):
            return
        rows = list(OrderEvent.objects.filter(order=self.order).order_by("pk").values_list(*HISTORY))
        assert rows[: len(self.history)] == self.history, "the past was rewritten"
        self.history = rows
        steps = [(row[2], row[3]) for row in rows]
        assert all(origin == to or (origin, to) in lifecycle.TRANSITIONS for origin, to in steps)
        assert all(before[1] == after[0] for before, after in itertools.pairwise(steps))
        self.order.refresh_from_db()
        assert steps[-1][1] == self.order.status

    @invariant()
    def no_report_moves_the_order_back(self) -> None:
        if not hasattr(self, "order"):
            return
        status = OrderStatus(self.order.status)
        if status in RANK and self.reached in RANK:
            assert RANK[status] >= RANK[self.reached]
        if self.reached in (OrderStatus.CANCELLED, OrderStatus.REFUNDED):
            assert status == self.reached
        self.reached = status

    @invariant()
    def no_alert_of_a_kind_is_open_twice(self) -> None:
        keys = list(Alert.objects.filter(resolved_at=None).values_list("kind", "subject"))
        assert len(keys) == len(set(keys))

    @invariant()
    def the_document_builds_and_keeps_to_the_closed_lists(self) -> None:
        if not hasattr(self, "order"):
            return
        shown = document.build(self.order)
        assert shown["status"] == self.order.status
        assert {step["status"] for step in shown["milestones"]} <= set(OrderStatus.values)
        assert [step["status"] for step in shown["milestones"]][:5] == [step.value for step in document.STEPS]
        assert {row["source"] for row in shown["history"]} <= set(Source)
        assert {box["status"] for box in shown["shipments"]} <= set(ShipmentStatus.values)
        assert {scan["status"] for box in shown["shipments"] for scan in box["events"]} <= set(ShipmentStatus.values)
        assert {alert["kind"] for alert in shown["alerts"]} <= set(AlertKind.values)
        times = [[scan["occurred_at"] for scan in box["events"]] for box in shown["shipments"]]
        assert all(instants == sorted(instants, reverse=True) for instants in times)
        assert len(shown["shipments"]) == len(self.told)
        document.serialise(shown)

    def the_end_depends_on_the_set_alone(self) -> None:
        """Tell a twin of each parcel the same at once, backwards."""
        for pk, story in self.told.items():
            first = Shipment.objects.get(pk=pk)
            twin = Shipment.objects.create(carrier=first.carrier, waybill_no=waybill_no(), shipped_at=first.shipped_at)
            if story:
                self.tell(twin, story[::-1], by_push=False)
            twin.refresh_from_db()
            assert [getattr(twin, name) for name in SEEN] == [getattr(first, name) for name in SEEN]
        assert not OutboxMessage.objects.exclude(last_error="").exists()


@pytest.mark.long
@pytest.mark.timeout(120)
class TestAnyStory(TestCase):
    def test_keeps_to_the_rules_and_has_one_end(self):
        with time_machine.travel(NOW, tick=False):
            run_state_machine_as_test(
                Story,
                settings=settings(
                    max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
                ),
            )
