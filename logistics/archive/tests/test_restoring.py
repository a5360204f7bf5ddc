"""Back out of the archive: exactly what was there, or nothing is changed."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command

from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible, Unavailable
from frozenshop.kernel.models import AuditEntry
from logistics import messages, shipping
from logistics.archive import moving, restoring
from logistics.archive.candidates import Rule
from logistics.archive.models import ArchivedOrder, ArchivedWaybill, ArchiveMonth, Restoration
from logistics.archive.tests.factories import archive, archived, finished, hot_rows
from logistics.models import Shipment
from logistics.providers.base import ProviderReport
from logistics.services import confirm_receipt, record_shop_fact, take_order
from logistics.tests.factories import STAFF, event, make_carrier, make_shipment, report
from orders import access, alerting
from orders.facts import Fact, FactType
from orders.intake import parse_order
from orders.models import AlertKind, Customer, Order, OrderAccess
from orders.tests.factories import SHOP, make_customer, make_order, order_payload

pytestmark = pytest.mark.django_db


def back(order_no):
    return restoring.restore(order_no, by=STAFF, reason="买家来电")


def test_what_comes_back_is_what_went():
    order = finished(note="放门口", buyer_openid="me")
    alert = alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    alerting.add_note(alert, "已联系", make_staff())
    alerting.resolve(alert, "好了", make_staff())
    before = hot_rows()
    archive()
    assert back(order.order_no) == [order.order_no]
    assert hot_rows() == before
    assert not ArchivedOrder.objects.exists()
    assert not ArchivedWaybill.objects.exists()


def make_staff():
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get_or_create(username="staff")[0]


def test_orders_of_one_box_come_back_together():
    first, second = make_order("paid"), make_order("paid")
    box = make_shipment(first)
    shipping.join(box, second, actor=STAFF)
    report(box, "picked_up", "delivered")
    before = hot_rows()
    archive()
    assert back(second.order_no) == [first.order_no, second.order_no]
    assert hot_rows() == before


def test_who_gave_it_back_and_why_is_on_record():
    order = archived()
    back(order.order_no)
    entry = AuditEntry.objects.get(action="order.restored")
    assert (entry.actor, entry.subject, entry.reason) == (STAFF.name, order.order_no, "买家来电")
    assert Restoration.objects.get().order_id == order.pk


def test_the_months_account_is_right_again():
    back(archived().order_no)
    month = ArchiveMonth.objects.get()
    assert (month.orders, month.rows, month.bytes) == (0, 0, 0)


def test_what_came_back_is_left_alone_for_a_while(settings):
    order = archived()
    back(order.order_no)
    quiet = clock.now() - dt.timedelta(days=1)
    later = Rule(clock.now() + dt.timedelta(days=1), quiet)
    Order.objects.update(updated_at=quiet - dt.timedelta(days=1))
    assert sum(moved.orders for moved in moving.archive(later)) == 0
    Restoration.objects.update(restored_at=quiet - dt.timedelta(days=1))
    assert sum(moved.orders for moved in moving.archive(later)) == 1


def test_the_owner_of_an_alert_may_have_left():
    order, user = finished(), make_staff()
    alert = alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    alerting.take(alert, user)
    alerting.resolve(alert, "好了", user)
    archive()
    user.delete()
    back(order.order_no)
    assert order.alerts.get(kind=AlertKind.MONEY_CONFLICT).owner_id is None


# --- nothing is changed where it can't come back --------------------------------------------------


def stays(order, problem=NotPossible):
    before = hot_rows()
    with pytest.raises(problem):
        back(order.order_no)
    assert (hot_rows(), ArchivedOrder.objects.filter(pk=order.pk).count()) == (before, 1)


def test_an_order_of_that_number_is_not_overwritten():
    order = archived()
    Order.objects.create(order_no=order.order_no, placed_at=clock.now())
    stays(order)


def test_a_parcel_of_that_number_is_not_overwritten():
    order = finished()
    number = order.shipments.get().waybill_no
    archive()
    Shipment.objects.create(carrier=make_carrier(), waybill_no=number, shipped_at=clock.now())
    stays(order)


def test_a_damaged_body_is_not_taken_for_the_order():
    order = archived()
    body = bytearray(ArchivedOrder.objects.get().body)
    body[-1] ^= 1
    ArchivedOrder.objects.update(body=bytes(body))
    stays(order)


def test_a_push_about_a_damaged_one_waits_and_says_why():
    order = archived()
    number = ArchivedWaybill.objects.get().waybill_no
    ArchivedOrder.objects.update(body=b"\x01damaged")
    with pytest.raises(NotPossible, match=order.order_no):
        messages.shipment_of("kdniao", ProviderReport(number, "SF", (), None))
    stays(order)


def test_a_body_that_cannot_be_reached_is_waited_for():
    order = archived()
    ArchivedOrder.objects.update(place="mongodb")
    stays(order, Unavailable)


def test_the_command_restores(capsys):
    order = archived()
    call_command("restore_order", order.order_no)
    assert f"已恢复：{order.order_no}" in capsys.readouterr().out
    call_command("restore_order", order.order_no)
    assert "不在归档中" in capsys.readouterr().out


def test_the_command_says_that_there_is_no_such_order():
    with pytest.raises(CommandError):
        call_command("restore_order", "NOPE-1")


# --- what happens to an archived order brings it back ---------------------------------------------


def test_a_late_push_finds_the_parcel_and_is_kept():
    order = finished()
    number = order.shipments.get().waybill_no
    archive()
    parcel = messages.shipment_of("kdniao", ProviderReport(number, "SF", (event("returned"),), None))
    assert parcel is not None
    report(parcel, "returned")
    assert Order.objects.get().pk == order.pk
    assert parcel.events.filter(status="returned").exists()


def test_a_push_about_nothing_that_we_know_changes_nothing():
    archived()
    assert messages.shipment_of("kdniao", ProviderReport("SF404", "SF", (), None)) is None
    assert ArchivedOrder.objects.count() == 1


def test_a_refund_after_archiving_is_recorded_whoever_read_the_order_before():
    order = archived()
    applied = record_shop_fact(order, Fact(FactType.REFUNDED, clock.now(), "r-1", 10_000), SHOP)
    assert applied.applied
    assert Order.objects.get().status == "refunded"


def test_a_buyer_confirms_what_was_archived_in_between():
    order = archived()
    assert confirm_receipt(order, SHOP).events.filter(kind="confirmed").exists()


def test_an_order_sent_again_is_not_made_twice():
    payload = order_payload()
    order = make_order("cancelled", **payload)
    archive()
    taken = take_order(parse_order(payload), SHOP)
    assert (taken.result, taken.order.pk) == ("unchanged", order.pk)
    assert (Order.objects.count(), ArchivedOrder.objects.count()) == (0, 1)


def test_an_order_sent_again_with_news_comes_back_for_it():
    payload = order_payload()
    order = make_order("cancelled", **payload)
    archive()
    taken = take_order(parse_order(payload | {"note": "改了备注"}), SHOP)
    assert (taken.result, Order.objects.get().pk, Order.objects.get().note) == ("updated", order.pk, "改了备注")


def test_a_number_used_again_by_the_carrier_is_the_next_generation():
    order = finished()
    number = order.shipments.get().waybill_no
    archive()
    later = clock.now() + dt.timedelta(days=60)
    new = make_order("paid")
    Order.objects.filter(pk=new.pk).update(placed_at=later)
    new.refresh_from_db()
    import time_machine

    with time_machine.travel(later):
        assert make_shipment(new, waybill_no=number).generation == 2


# --- who may see it -------------------------------------------------------------------------------


def test_who_may_see_it_goes_on_changing_while_it_is_away():
    order = archived(buyer_openid="me", phone="13812341234")
    holder = make_customer("other", phone="13812341234")
    access.grant_by_phone(Customer.objects.get(pk=holder.pk), among=ArchivedOrder)
    assert set(OrderAccess.objects.values_list("customer__openid", "order_id")) == {
        ("me", order.pk), ("other", order.pk),
    }  # fmt: skip
    back(order.order_no)
    assert order.accesses.count() == 2
