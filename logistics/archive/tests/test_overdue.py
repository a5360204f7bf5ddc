"""Terms reach what was never archived too: names go, keys and facts stay, and so does what is held or worked on."""

import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock
from logistics import shipping
from logistics.archive import jobs, overdue
from logistics.archive.tests.factories import finished
from logistics.models import TrackingEvent
from logistics.tests.factories import STAFF, make_shipment, report
from orders import alerting, holds
from orders.models import AlertKind, Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
WHO = {"phone": "15566667777", "name": "慕容绝", "note": "放门口"}
TERM = 1095


def expire(days=TERM + 1):
    with time_machine.travel(clock.now() + dt.timedelta(days=days)):
        return sum(one.orders for one in overdue.erase_overdue())


def names():
    return {order.pk for order in Order.objects.exclude(consignee_sealed="", note="")}


@pytest.mark.parametrize("status", ["placed", "paid", "shipped", "delivered", "cancelled"])
def test_an_order_that_never_went_loses_its_names_and_keeps_its_keys(status):
    order = make_order(status, **WHO)
    assert expire(TERM - 1) == 0
    assert expire() == 1
    now = Order.objects.get()
    assert (now.consignee_sealed, now.note) == ("", "")
    assert (now.phone_index, now.status, now.total_fen) == (order.phone_index, status, order.total_fen)
    assert now.version > order.version


def test_once_is_enough():
    make_order("paid", **WHO)
    expire()
    before = Order.objects.values().get()
    assert expire(TERM + 60) == 0
    assert Order.objects.values().get() == before


def test_texts_go_with_their_own_term(settings):
    settings.ARCHIVE_KEEP_PERSONAL_DAYS = 0
    order = finished(**WHO)
    alert = alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    alert.detail = "慕容绝来电"
    alert.save()
    assert expire() == 1
    assert set(TrackingEvent.objects.values_list("text", flat=True)) == {""}
    assert set(order.alerts.values_list("detail", flat=True)) == {""}
    assert names() == {order.pk}
    assert expire(TERM + 60) == 0


@pytest.mark.parametrize("about", ["person", "order"])
def test_a_hold_keeps_it_until_it_is_released(about):
    order = make_order("paid", **WHO)
    other = make_order("paid")
    hold = holds.on_person(WHO["phone"], "案号", STAFF) if about == "person" else None
    hold = hold or holds.on_order(order.order_no, "案号", STAFF)
    expire()
    assert names() == {order.pk}
    assert other.pk not in names()
    holds.release(hold, "结案", STAFF)
    expire(TERM + 30)
    assert names() == set()


def test_what_was_touched_lately_waits():
    order = make_order("paid", **WHO)
    Order.objects.update(updated_at=clock.now() + dt.timedelta(days=TERM - 5))
    assert expire() == 0
    assert names() == {order.pk}


def test_a_box_keeps_its_texts_for_an_order_that_is_held():
    first, second = make_order("paid", **WHO), make_order("paid")
    box = make_shipment(first)
    shipping.join(box, second, actor=STAFF)
    report(box, "picked_up", "delivered")
    hold = holds.on_order(second.order_no, "案号", STAFF)
    expire()
    assert "" not in TrackingEvent.objects.values_list("text", flat=True)
    holds.release(hold, "结案", STAFF)
    expire(TERM + 30)
    assert set(TrackingEvent.objects.values_list("text", flat=True)) == {""}


def test_batches_follow_each_other_without_gap(monkeypatch):
    monkeypatch.setattr(overdue, "BATCH", 2)
    for _ in range(5):
        make_order("paid", **WHO)
    assert expire() == 5


def test_without_terms_nothing_goes(settings):
    settings.ARCHIVE_KEEP_PERSONAL_DAYS = settings.ARCHIVE_KEEP_TEXTS_DAYS = 0
    make_order("paid", **WHO)
    assert expire(9000) == 0


def test_the_nightly_job_does_it():
    make_order("paid", **WHO)
    with time_machine.travel(clock.now() + dt.timedelta(days=TERM + 1)):
        assert jobs.erase_for_a_while() is False
    assert names() == set()
