"""Figures against a plain recount, whatever happened between two refreshes, and whoever was killed."""

import datetime as dt
from collections import Counter

import pytest
import time_machine
from django.core.management import call_command
from django.db.models import F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from frozenshop.backoffice.dashboard import changes, refreshing
from frozenshop.backoffice.dashboard.models import Figure, FigureDay, FigureKind, FigureMark
from frozenshop.backoffice.dashboard.passages import lane
from frozenshop.kernel import clock
from frozenshop.kernel.clock import now, shanghai
from logistics.models import Shipment, TrackingEvent
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders import lifecycle
from orders.models import Order, OrderEvent
from orders.tests.factories import SHOP, make_order

pytestmark = pytest.mark.django_db
NOON = "2026-11-18T12:00:00+08:00"
DAY = dt.timedelta(days=1)
HAPPENINGS = ("take", "ship", "report", "report", "refund", "wait", "refresh")


def count_all() -> None:
    for kind in refreshing.COUNTED:
        while refreshing.refresh(kind).left:
            pass


def steps() -> dict:
    rows = Figure.objects.filter(kind=FigureKind.STEPS)
    return {(row.day, row.key): row.count for row in rows}


def steps_recounted() -> dict:
    return Counter((shanghai(order.placed_at).date(), order.status) for order in Order.objects.all())


def arrived() -> list[Shipment]:
    return list(Shipment.objects.filter(status="delivered", voided_at=None).prefetch_related("orders", "carrier"))


def passages(dimension: str, kind: FigureKind = FigureKind.PASSAGES) -> dict:
    rows = Figure.objects.filter(kind=kind, dimension=dimension)
    return {(row.day, row.key): (row.count, row.promised, row.kept, row.hours) for row in rows}


def passages_recounted(key_of, day_of=lambda day: day) -> dict:
    found: dict = {}
    for parcel in arrived():
        place = (day_of(shanghai(parcel.status_at).date()), key_of(parcel))
        count, promised, kept, hours = found.get(place, (0, 0, 0, {}))
        promise = min((order.promised_by for order in parcel.orders.all() if order.promised_by), default=None)
        took = str(max(int((parcel.delivered_at - parcel.shipped_at).total_seconds() // 3600), 0))
        kept_it = promise is not None and parcel.delivered_at <= promise
        found[place] = count + 1, promised + bool(promise), kept + kept_it, hours | {took: hours.get(took, 0) + 1}
    return found


def assert_figures_are_right() -> None:
    assert steps() == steps_recounted()
    assert passages("all") == passages_recounted(lambda parcel: "")
    assert passages("carrier") == passages_recounted(lambda parcel: parcel.carrier.code)
    assert passages("lane") == passages_recounted(lambda parcel: lane(parcel.origin, parcel.destination))
    weekly = passages_recounted(lambda parcel: parcel.carrier.code, refreshing.monday)
    assert passages("carrier", FigureKind.WEEK) == weekly


def parcel(order: Order | None = None, *, carrier: str = "SF", days: int = 2) -> Shipment:
    order = order or make_order("paid", placed_at=(now() - days * DAY).isoformat(), promised_by=now().isoformat())
    return make_shipment(order, carrier=make_carrier(carrier), shipped_at=now() - days * DAY)


@pytest.fixture
def noon():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


class Shop:
    """A shop to which things happen; each method is one of them, done to the n-th thing there is."""

    def __init__(self, clock: time_machine.Traveller) -> None:
        self.clock = clock
        self.orders: list[Order] = []
        self.parcels: list[Shipment] = []

    def take(self, n: int) -> None:
        promised = {"promised_by": (now() + n * DAY / 4).isoformat()} if n % 3 else {}
        self.orders.append(make_order("paid", placed_at=(now() - n * DAY).isoformat(), **promised))

    def ship(self, n: int) -> None:
        if waiting := [order for order in self.orders if order.status == "paid"]:
            order = waiting[n % len(waiting)]
            ago = min(n % 4, (now() - order.placed_at).days)
            self.parcels.append(parcel(order, carrier=("SF", "JD", "ZTO")[n % 3], days=ago))
            order.refresh_from_db()

    def report(self, n: int) -> None:
        if self.parcels:
            status = ("in_transit", "delivered", "awaiting_pickup", "delivered", "returned", "delivery_failed")[n % 6]
            place = ("杭州转运中心", "上海浦东", "成都双流", "")[n % 4]
            report(self.parcels[n % len(self.parcels)], event(status, now() - n * DAY / 8, location=place))

    def refund(self, n: int) -> None:
        if self.orders:
            order = self.orders[n % len(self.orders)]
            order.refresh_from_db()
            if lifecycle.allowed(order.status, "refunded"):
                lifecycle.move(order, lifecycle.OrderStatus.REFUNDED, kind="refunded", occurred_at=now(), actor=SHOP)

    def wait(self, n: int) -> None:
        self.clock.shift(n * DAY / 6)

    def refresh(self, n: int) -> None:
        count_all()
        assert_figures_are_right()


class FiguresAreARecount(TestCase):
    @pytest.mark.slow
    @settings(max_examples=15)
    @given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 23)), max_size=30))
    def test_whatever_happened_between_two_refreshes(self, life: list[tuple[str, int]]) -> None:
        with time_machine.travel(NOON, tick=False) as traveller:
            shop = Shop(traveller)
            for n in range(4):
                shop.take(n)
                shop.ship(n)
            for what, n in life:
                getattr(shop, what)(n)
            shop.refresh(0)


def test_an_order_that_moves_back_and_forth_is_counted_where_it_stands(noon):
    order = make_order("paid")
    count_all()
    shipment = make_shipment(order)
    count_all()
    assert steps() == {(shanghai(now()).date(), "shipped"): 1}
    from logistics import shipping

    shipping.void(shipment, order=order, reason="重复打单", actor=SHOP)
    count_all()
    assert steps() == {(shanghai(now()).date(), "paid"): 1}


def test_a_delivery_that_is_taken_back_leaves_its_day(noon):
    box = parcel()
    report(box, event("delivered", now() - DAY))
    count_all()
    assert passages("all")
    report(box, event("returned", now()))
    count_all()
    assert passages("all") == passages_recounted(lambda parcel: "") == {}


def test_nothing_new_leaves_nothing_to_count(noon):
    make_order("paid")
    count_all()
    noon.shift(2 * changes.LOOK_BACK)
    count_all()
    count_all()
    assert refreshing.refresh(FigureKind.STEPS).counted == 0


def test_a_row_that_is_committed_late_in_front_of_what_was_read_is_not_missed(noon):
    order = make_order("paid")
    count_all()
    late = OrderEvent.objects.order_by("-pk").first()
    OrderEvent.objects.filter(pk=late.pk).update(id=late.pk + 2)
    count_all()
    Order.objects.filter(pk=order.pk).update(status="refunded")
    OrderEvent.objects.create(
        pk=late.pk + 1, order=order, kind="refunded", from_status="paid", to_status="refunded", occurred_at=now(),
        source="shop",
    )  # fmt: skip
    count_all()
    assert steps() == steps_recounted()


def test_who_is_killed_half_way_leaves_whole_days_and_the_next_run_does_the_rest(noon, monkeypatch):
    for n in range(5):
        make_order("paid", placed_at=(now() - n * DAY).isoformat())

    class Killed(BaseException):
        pass

    def die(kind, day, sums, left=[3]):  # noqa: B006 (counts down over the calls)
        left[0] -= 1
        if not left[0]:
            raise Killed
        return write(kind, day, sums)

    write = refreshing._write
    monkeypatch.setattr(refreshing, "_write", die)
    with pytest.raises(Killed):
        refreshing.refresh(FigureKind.STEPS)
    assert set(steps().items()) < set(steps_recounted().items())
    monkeypatch.setattr(refreshing, "_write", write)
    count_all()
    assert steps() == steps_recounted()


def test_a_run_counts_so_many_days_and_says_how_many_are_left(noon):
    for n in range(5):
        make_order("paid", placed_at=(now() - n * DAY).isoformat())
    assert refreshing.refresh(FigureKind.STEPS, most=2)[1:] == (2, 4)
    assert FigureMark.objects.filter(name="steps").first() is None
    assert refreshing.refresh(FigureKind.STEPS).left == 0
    assert FigureMark.objects.get(name="steps").at == now()


def test_a_day_that_changes_while_it_is_counted_is_counted_again(noon, monkeypatch):
    make_order("paid")
    today = shanghai(now()).date()

    def count(day):
        changes.mark(FigureKind.STEPS, [today])
        return {}

    monkeypatch.setitem(refreshing.COUNTED, FigureKind.STEPS, count)
    refreshing.refresh(FigureKind.STEPS)
    assert FigureDay.objects.filter(marked__gt=F("counted")).values_list("day", flat=True).get() == today


def test_two_that_count_the_same_day_write_it_once(noon, monkeypatch):
    make_order("paid")
    changes.mark_all(FigureKind.STEPS)
    row = refreshing.waiting(FigureKind.STEPS).order_by("day").first()
    assert refreshing._count(row)
    assert not refreshing._count(row)
    assert sum(steps().values()) == 1


def test_who_is_far_behind_counts_every_day_and_reads_on_from_there(noon, monkeypatch):
    make_order("paid")
    count_all()
    for n in range(4):
        make_order("paid", placed_at=(now() - n * DAY).isoformat())
    monkeypatch.setattr(changes, "FAR_BEHIND", 3)
    count_all()
    assert steps() == steps_recounted()


def test_only_one_counts_at_a_time(noon):
    from frozenshop.kernel import leases

    with leases.hold("figures_steps", DAY):
        assert not refreshing.refresh(FigureKind.STEPS).held


def test_a_day_is_counted_in_batches_of_an_index(noon, monkeypatch, django_assert_num_queries):
    from frozenshop.backoffice.dashboard import passages as module

    for _ in range(5):
        report(parcel(), event("delivered", now()))
    monkeypatch.setattr(module, "BATCH", 2)
    with django_assert_num_queries(3):
        assert module.passages_of(shanghai(now()).date())["all", ""].count == 5


def test_everything_is_recounted_on_request(noon, capsys):
    report(parcel(), event("delivered", now()))
    count_all()
    Figure.objects.update(count=99)
    call_command("refresh_figures", "--from", "2026-11-01")
    assert_figures_are_right()
    assert "订单各步" in capsys.readouterr().out


def test_the_command_refuses_what_is_no_date():
    from django.core.management import CommandError

    with pytest.raises(CommandError, match="日期"):
        call_command("refresh_figures", "--from", "yesterday")


def test_a_wording_that_is_read_otherwise_is_healed_at_night(noon):
    box = parcel()
    report(box, event("delivered", now()))
    count_all()
    noon.shift(2 * changes.LOOK_BACK)
    count_all()
    TrackingEvent.objects.filter(shipment=box).update(status="in_transit")
    Shipment.objects.filter(pk=box.pk).update(status="in_transit")
    refreshing.heal()
    count_all()
    assert passages("all") == {}
    assert clock.now() == now()
