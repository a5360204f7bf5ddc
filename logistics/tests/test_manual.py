"""The provider without an API: each thing counts once, within the parcel's life, and moves what a scan would move."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid, NotPossible
from frozenshop.kernel.models import AuditEntry
from logistics import manual, polling, staleness
from logistics.carriers import is_manual, load_carriers, resolve_carrier
from logistics.manual import Step, report
from logistics.models import Shipment, ShipmentStatus, TrackingEvent
from logistics.shipping import void
from logistics.tests.factories import STAFF, make_carrier, make_shipment
from logistics.tests.factories import report as told_by_provider
from orders.models import Alert, Order
from orders.tests.factories import SHOP, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
S = ShipmentStatus


@pytest.fixture
def van():
    return make_carrier("OWN_FLEET", kdniao_code="")


@pytest.fixture
def shipment(van) -> Shipment:
    return make_shipment(carrier=van)


def step(status: str = "out_for_delivery", at: dt.datetime | None = None, reference: str = "r-1", **changes) -> Step:
    return Step(S(status), at or clock.now(), reference, **changes)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


# --- what it moves --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "order_status"),
    [("picked_up", "in_transit"), ("out_for_delivery", "in_transit"), ("delivered", "delivered"),
     ("returned", "returned"), ("unknown", "shipped")],
)  # fmt: skip
def test_the_order_follows_what_people_say(shipment, status, order_status):
    assert report(shipment, step(status), by=STAFF)
    assert (fresh(shipment).status, Order.objects.get().status) == (status, order_status)


def test_what_is_said_is_a_scan_of_the_manual_provider(shipment):
    report(shipment, step(description="三号车已出发", location="虹口"), by=STAFF)
    event = TrackingEvent.objects.get()
    assert (event.provider, event.text, event.location) == ("manual", "三号车已出发", "虹口")
    assert event.code.startswith("staff-")


def test_without_a_description_the_buyer_reads_the_status(shipment):
    report(shipment, step(), by=SHOP)
    assert TrackingEvent.objects.get().text == "商家更新：派送中"


def test_the_consignees_own_number_is_masked(van):
    shipment = make_shipment(make_order("paid", phone="13812347788"), carrier=van)
    report(shipment, step(description="打 13812347788 没人接"), by=STAFF)
    assert "13812347788" not in TrackingEvent.objects.get().text


def test_the_reason_is_read_from_the_description_where_it_is_of_that_status(shipment):
    report(shipment, step("delivery_failed", description="收件人拒收，派送不成功"), by=SHOP)
    assert fresh(shipment).reason == "refused"
    later = clock.now() + dt.timedelta(minutes=1)
    report(shipment, step("in_transit", later, description="收件人拒收，派送不成功", reference="2"), by=SHOP)
    assert fresh(shipment).reason == ""


def test_an_older_word_does_not_undo_delivery(shipment):
    report(shipment, step("delivered"), by=STAFF)
    report(shipment, step("out_for_delivery", clock.now() - dt.timedelta(minutes=20)), by=STAFF)
    assert fresh(shipment).status == "delivered"


def test_each_word_stands_in_the_audit(shipment):
    report(shipment, step(), by=STAFF, subject="FD1", address="10.0.0.1")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.address) == (
        "staff:1", "shipment.reported", "FD1", "10.0.0.1",
    )  # fmt: skip
    assert entry.details["status"] == "out_for_delivery"


# --- once -----------------------------------------------------------------------------------------


def test_a_reference_counts_once_per_status_whatever_else_is_said(shipment):
    assert report(shipment, step(), by=SHOP)
    assert not report(shipment, step(at=clock.now() - dt.timedelta(minutes=3), description="again"), by=SHOP)
    assert report(shipment, step("delivered"), by=SHOP)
    assert TrackingEvent.objects.count() == AuditEntry.objects.count() == 2


def test_staff_and_shop_have_books_of_their_own(shipment):
    assert report(shipment, step(), by=SHOP)
    assert report(shipment, step(), by=STAFF)


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "fine"), [({"minutes": 5}, True), ({"minutes": 5, "seconds": 1}, False), ({"days": -2}, True)]
)
def test_a_word_may_be_five_minutes_ahead(shipment, ahead, fine):
    def say():
        return report(shipment, step(at=clock.now() + dt.timedelta(**ahead)), by=STAFF)

    if fine:
        assert say()
    else:
        with pytest.raises(Invalid) as refused:
            say()
        assert refused.value.fields.keys() == {"occurred_at"}
        assert not TrackingEvent.objects.exists()


def test_a_word_from_before_the_parcels_life_is_refused(shipment):
    earliest = shipment.shipped_at - dt.timedelta(hours=72)
    assert report(shipment, step("picked_up", earliest), by=STAFF)
    with pytest.raises(Invalid) as refused:
        report(shipment, step(at=earliest - dt.timedelta(seconds=1)), by=STAFF)
    assert refused.value.fields.keys() == {"occurred_at"}


def test_a_withdrawn_waybill_is_refused(shipment):
    void(shipment, order=shipment.orders.get(), reason="填错", actor=STAFF)
    with pytest.raises(NotPossible, match="作废"):
        report(shipment, step(), by=STAFF)


def test_a_word_that_breaks_half_way_leaves_nothing(shipment, monkeypatch):
    monkeypatch.setattr(manual.audit, "record", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report(shipment, step("delivered"), by=STAFF)
    assert not TrackingEvent.objects.exists()
    assert (fresh(shipment).status, Order.objects.get().status) == ("no_trace", "shipped")
    assert Order.objects.get().events.filter(to_status="delivered").count() == 0


# --- no polling, but silence is noticed ------------------------------------------------------------


def test_a_parcel_that_nobody_can_ask_about_is_not_polled(shipment):
    assert shipment.next_poll_at is None
    report(shipment, step(), by=STAFF)
    assert fresh(shipment).next_poll_at is None
    assert not polling.due(clock.now() + dt.timedelta(days=60)).exists()


def test_asking_about_it_anyway_says_why_not_and_opens_nothing(shipment):
    Shipment.objects.update(next_poll_at=clock.now())
    assert "人工" in polling.sync_now(fresh(shipment)).reason
    assert fresh(shipment).next_poll_at is None
    assert not Alert.objects.exists()


def test_its_silence_is_noticed_as_any_others(shipment, frozen):
    report(shipment, step(), by=STAFF)
    limit = fresh(shipment).stale_after
    assert limit
    frozen.move_to(limit + dt.timedelta(minutes=1))
    staleness.find_stale()
    assert fresh(shipment).stale_since
    assert Alert.objects.filter(resolved_at=None).exists()


def test_a_provider_of_the_carrier_is_still_asked(frozen):
    shipment = make_shipment()
    report(shipment, step(), by=STAFF)
    assert fresh(shipment).next_poll_at
    told_by_provider(shipment, "delivered")
    assert fresh(shipment).status == "delivered"


def test_the_own_fleet_comes_with_the_program_and_others_may_be_added():
    load_carriers()
    assert is_manual(resolve_carrier("自有车队"))
    assert is_manual(make_carrier("LOCAL", kdniao_code=""))
    assert is_manual(make_carrier("HALF", providers=["manual"]))
    assert not is_manual(resolve_carrier("SF"))
