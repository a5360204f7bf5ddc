"""What goes into the archive, what stays, and that nothing is lost or doubled on the way."""

import datetime as dt
import json
from types import SimpleNamespace

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.kernel import clock, redis_store
from frozenshop.kernel.tests.stores import take_cache_away
from logistics.archive import bodies, moving, places, retention
from logistics.archive.candidates import Rule
from logistics.archive.models import ArchivedOrder, ArchivedWaybill, ArchiveMonth
from logistics.archive.snapshots import RowsMoved
from logistics.archive.tests.factories import anything, archive, archived, finished, hot_rows
from logistics.models import DriverLink, Shipment, Subscription
from logistics.shipping import join
from logistics.tests.factories import STAFF, make_shipment, report
from orders import alerting, holds
from orders.models import Alert, AlertKind, AlertNote, Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def test_a_finished_order_goes_with_every_row_of_its_own():
    order = archived()
    row = ArchivedOrder.objects.get()
    assert (row.pk, row.order_no, row.status) == (order.pk, order.order_no, "delivered")
    assert {name: len(rows) for name, rows in hot_rows().items()} == dict.fromkeys(hot_rows(), 0)


def test_its_keys_stand_under_the_names_that_they_had():
    order = archived(buyer_openid="me", city="杭州市")
    row = ArchivedOrder.objects.get()
    same = [name for name in moving.BESIDE if hasattr(order, name)]
    assert [getattr(row, name) for name in same] == [getattr(order, name) for name in same]
    assert row.month == f"{clock.shanghai(order.placed_at):%Y-%m}"


def test_its_waybills_are_kept_for_searching():
    order = finished()
    shipment = order.shipments.get()
    archive()
    kept = ArchivedWaybill.objects.get()
    assert (kept.order_id, kept.waybill_no, kept.waybill_reversed) == (
        order.pk, shipment.waybill_no, shipment.waybill_no[::-1],
    )  # fmt: skip


def test_what_was_moved_is_counted():
    finished()
    rows = sum(map(len, hot_rows().values()))
    moved = archive()
    row, month = ArchivedOrder.objects.get(), ArchiveMonth.objects.get()
    assert (moved.orders, moved.rows, row.rows) == (1, rows, rows)
    assert (month.month, month.orders, month.rows, month.bytes) == (row.month, 1, rows, len(row.body))


@pytest.mark.parametrize("status", ["placed", "paid"])
def test_what_is_under_way_stays(status):
    make_order(status)
    assert archive().orders == 0


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_ways_out_are_ends_too(status):
    make_order(status)
    assert archive().orders == 1


def test_a_refunded_order_stays_while_its_parcel_is_on_the_road():
    order = make_order("paid")
    report(make_shipment(order), "in_transit")
    Order.objects.update(status="refunded")
    assert archive().orders == 0


def test_an_open_alert_keeps_an_order():
    order = finished()
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    assert archive().orders == 0
    alerting.resolve_alerts(order.order_no, [AlertKind.MONEY_CONFLICT], resolution="好了")
    assert archive().orders == 1


def test_an_alert_goes_with_its_notes():
    order = finished()
    alert = alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    AlertNote.objects.create(alert=alert, author="staff:1", text="已联系")
    alerting.resolve_alerts(order.order_no, [AlertKind.MONEY_CONFLICT], resolution="好了")
    archive()
    body = bodies.unpack(places.read(row := ArchivedOrder.objects.get()), row.checksum)
    assert [note.text for note in body.of(AlertNote)] == ["已联系"]
    assert not Alert.objects.exists()


def test_promises_of_pushes_and_drivers_links_go_too():
    shipment = finished().shipments.get()
    Subscription.objects.create(shipment=shipment, provider="kdniao")
    DriverLink.objects.create(shipment=shipment, digest="d", created_by="staff:1", expires_at=clock.now())
    assert archive().orders == 1
    assert not Subscription.objects.exists()


def test_a_held_order_stays():
    order = finished()
    hold = holds.on_order(order.order_no, "诉讼", STAFF)
    assert archive().orders == 0
    holds.release(hold, "结案", STAFF)
    assert archive().orders == 1


@pytest.mark.parametrize("phone", ["13812341234", "139 0000 0000"])
def test_all_of_a_held_person_stays(phone):
    finished(buyer_openid="me", phone="13812341234")
    finished(buyer_openid="me", phone="13900000000")
    holds.on_person(phone, "诉讼", STAFF)
    assert archive().orders == 1


def test_a_hold_that_is_set_while_a_batch_runs_holds_what_is_archived_then(monkeypatch, settings):
    order, later = finished(), finished()
    real = moving.free

    def held_after_looking(*arguments):
        found = real(*arguments)
        for one in (order, later):
            if not holds.placed().filter(order_no=one.order_no).exists():
                holds.on_order(one.order_no, "案号", STAFF)
        return found

    monkeypatch.setattr(moving, "free", held_after_looking)
    assert archive(size=1).orders == 1
    assert ArchivedOrder.objects.get().pk == order.pk
    with time_machine.travel(clock.now() + dt.timedelta(days=2000)):
        list(retention.erase_expired())
    assert ArchivedOrder.objects.get().consignee_sealed
    assert Order.objects.get().pk == later.pk


def test_the_schedule_asks_for_age_and_for_quiet(settings):
    with time_machine.travel(clock.now() - 200 * DAY):
        finished()
        touched = finished()
    finished()
    Order.objects.filter(pk=touched.pk).update(updated_at=clock.now() - 3 * DAY)
    assert sum(moved.orders for moved in moving.archive(Rule.scheduled())) == 1
    assert Order.objects.filter(pk=touched.pk).exists()


def test_what_somebody_above_needs_stays(settings):
    order, other = finished(), finished()
    settings.ARCHIVE_KEPT_BY = (f"{__name__}.needs_the_first",)
    assert archive().orders == 1
    assert Order.objects.get().pk == min(order.pk, other.pk)


def needs_the_first(orders):
    return [min(Order.objects.values_list("pk", flat=True))]


# --- boxes of several orders ----------------------------------------------------------------------


@pytest.fixture
def together():
    first, second = make_order("paid"), make_order("paid")
    box = make_shipment(first)
    join(box, second, actor=STAFF)
    return first, second, box


def test_orders_in_one_box_go_together_even_if_the_batch_ends_between_them(together):
    report(together[2], "picked_up", "delivered")
    archive(size=1)
    assert [row.bundle for row in ArchivedOrder.objects.all()] == [together[0].pk] * 2
    assert not Shipment.objects.exists()


def test_orders_in_one_box_stay_together_if_one_is_needed(together):
    report(together[2], "picked_up", "delivered")
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=together[1].order_no, order=together[1])
    assert archive().orders == 0


# --- counted, checked, whole ----------------------------------------------------------------------


def test_a_body_that_did_not_arrive_stops_the_batch(monkeypatch):
    finished()
    before = hot_rows()
    monkeypatch.setattr(moving, "_arrived", lambda ids: 0)
    with pytest.raises(bodies.BodyBroken):
        archive()
    assert (hot_rows(), ArchivedOrder.objects.count()) == (before, 0)


def test_a_row_more_than_was_read_stops_the_batch(monkeypatch):
    order = finished()
    before = len(hot_rows()["orders_orderevent"])
    real = moving.insert

    def late_row(rows):
        real(rows)
        order.events.create(kind="late", from_status="delivered", to_status="delivered", occurred_at=clock.now())

    monkeypatch.setattr(moving, "insert", late_row)
    with pytest.raises(RowsMoved):
        archive()
    assert (len(hot_rows()["orders_orderevent"]), ArchivedOrder.objects.count()) == (before, 0)


def test_what_was_moved_is_not_moved_again():
    archived()
    before = ArchivedOrder.objects.values().get()
    assert archive().orders == 0
    assert ArchivedOrder.objects.values().get() == before


def test_a_body_says_nothing_of_the_consignee_in_the_clear():
    order = archived(name="慕容绝", phone="15566667777", address="静安寺路 8 号", note="放门口，15566667777")
    row = ArchivedOrder.objects.get()
    told = json.dumps(bodies.inflate(bytes(row.body)), ensure_ascii=False) + str(ArchivedOrder.objects.values())
    assert not [word for word in ("慕容绝", "15566667777", "静安寺路", "放门口") if word in told]
    assert (row.open_consignee().name, row.open_note()) == ("慕容绝", order.note)


def test_a_batch_of_many_takes_no_more_queries_than_one_of_few():
    def queries(count):
        for _ in range(count):
            finished()
        with CaptureQueriesContext(
            connection,
        ) as taken:
            assert archive().orders == count
        return len(taken)

    queries(1)
    assert queries(12) == queries(2)


def test_a_batch_asks_redis_once_for_all_its_orders(django_capture_on_commit_callbacks, monkeypatch):
    asked = []
    store = SimpleNamespace(run=lambda script, keys, args: asked.append(keys))
    for _ in range(5):
        finished()
    monkeypatch.setattr(redis_store, "current", lambda: store)
    with django_capture_on_commit_callbacks(execute=True):
        assert archive(size=3).orders == 5
    assert [len(keys) for keys in asked] == [3, 2]


def test_a_redis_that_is_away_keeps_no_order_from_the_archive(django_capture_on_commit_callbacks, monkeypatch):
    finished()
    take_cache_away(monkeypatch)
    with django_capture_on_commit_callbacks(execute=True):
        assert archive().orders == 1


def test_every_column_is_of_a_kind_that_a_body_can_hold():
    from logistics.archive.tables import TABLES

    kinds = {type(field).__name__ for table in TABLES for field in table.fields}
    assert kinds <= {
        "BigAutoField", "ForeignKey", "CharField", "KeyField", "ReversedField", "TextField", "DateTimeField",
        "BooleanField", "FloatField", "BigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField",
    }  # fmt: skip


# --- the command ----------------------------------------------------------------------------------


def test_the_command_moves_what_was_placed_before_a_day(capsys):
    finished()
    call_command("archive_orders", "--before", f"{clock.shanghai(anything().before):%Y-%m-%d}")
    assert "已归档 1 个订单" in capsys.readouterr().out


def test_the_command_leaves_what_was_placed_on_that_day(capsys):
    order = finished()
    call_command("archive_orders", "--before", f"{clock.shanghai(order.placed_at):%Y-%m-%d}")
    assert "已归档 0 个订单" in capsys.readouterr().out


def test_the_command_refuses_what_is_no_date():
    with pytest.raises(CommandError):
        call_command("archive_orders", "--before", "昨天")
