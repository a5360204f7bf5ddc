import datetime as dt

import pytest

from frozenshop.backoffice.tests.pages import listed
from frozenshop.backoffice.worklists import WORKLISTS
from frozenshop.kernel.clock import now, shanghai, start_of_day
from frozenshop.kernel.models import OutboxMessage
from logistics.models import Shipment
from logistics.problems import subject
from logistics.tests.factories import make_shipment, report
from orders import alerting
from orders.models import Alert, AlertKind, Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def tile(client, name: str):
    return next(one for one in client.get("/admin/").context["tiles"] if one.label == name)


def test_each_number_is_the_length_of_the_list_it_opens(lead):
    make_order("paid", order_no="SHIP", placed_at=(now() - dt.timedelta(days=6)).isoformat())
    report(make_shipment(make_order("paid", order_no="LOCKER")), "awaiting_pickup")
    make_shipment(make_order("paid", order_no="UNCOLLECTED"))
    due = report(make_shipment(make_order("paid", order_no="DUE")), "in_transit")
    Shipment.objects.filter(pk=due.pk).update(eta_latest=start_of_day(shanghai(now()).date()))
    make_order("paid", order_no="LATE", promised_by=(now() - dt.timedelta(minutes=1)).isoformat())
    for kind in (AlertKind.STALE, AlertKind.EXCEPTION, AlertKind.RETURNED):
        order = make_order("paid", order_no=kind.name)
        alerting.open_alert(kind, subject=subject(make_shipment(order)), order=order)
    for work in WORKLISTS.values():
        shown = tile(lead, work.label)
        assert shown.shown == str(len(listed(lead.get(shown.url)))) != "0", work.key


def test_counting_stops_at_a_hundred(lead, django_assert_max_num_queries):
    order = make_order("paid")
    Order.objects.bulk_create(
        Order(order_no=f"X{n}", status="paid", placed_at=now(), not_shipped_after=now()) for n in range(150)
    )
    assert order
    with django_assert_max_num_queries(20):
        assert tile(lead, "今日待发货").shown == "99+"


def test_dead_messages_are_counted_for_those_who_may_replay_them(lead, service):
    OutboxMessage.objects.create(topic="t", status="dead")
    assert tile(lead, "失败的后台任务").count == 1
    assert not any("失败" in one.label for one in service.get("/admin/").context["tiles"])


def test_provider_trouble_is_counted(service):
    alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject="kdniao")
    snoozed = alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject="sf")
    Alert.objects.filter(pk=snoozed.pk).update(snoozed_until=now() + dt.timedelta(hours=1))
    shown = tile(service, "服务商故障")
    assert len(listed(service.get(shown.url))) == shown.count == 1
