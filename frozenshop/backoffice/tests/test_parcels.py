"""What staff do to one parcel: report what it does, give its driver a link, take it back; each on record."""

import re

import pytest
from django.urls import reverse

from frozenshop.kernel.clock import shanghai
from frozenshop.kernel.models import AuditEntry
from logistics import driver_links
from logistics.models import DriverLink, Shipment, TrackingEvent
from logistics.tests.factories import event, make_carrier, make_report, make_shipment
from logistics.tracking import record_events
from orders.models import Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def shipment() -> Shipment:
    return make_shipment(make_order("paid", order_no="FD1"), carrier=make_carrier("OWN_FLEET", kdniao_code=""))


def act(client, name, shipment, **data):
    url = reverse("admin:orders_order_act", args=[Order.objects.get(order_no="FD1").pk, name])
    return client.post(url, {"shipment": shipment.pk, **data}, follow=True)


def text(answer) -> str:
    return answer.content.decode()


def link_in(answer) -> str:
    return re.search(r'value="https://testserver/d/([0-9a-f]+)"', text(answer))[1]


def test_a_clerk_reports_a_step_once_per_page(service, shipment):
    for _ in range(2):
        answer = act(service, "report", shipment, status="out_for_delivery", told="m-1", description="三号车")
    assert "已经记录过" in text(answer)
    assert TrackingEvent.objects.get().text == "三号车"
    assert Shipment.objects.get().status == "out_for_delivery"
    entry = AuditEntry.objects.get(action="shipment.reported")
    assert (entry.subject, entry.actor.startswith("staff:")) == ("FD1", True)
    assert "报告物流进展" in text(answer)


@pytest.mark.parametrize(
    ("data", "said"),
    [({"status": "flying"}, "物流状态"), ({"status": "unknown"}, "物流状态"), ({}, "物流状态"),
     ({"status": "delivered", "told_at": "2099-01-01T00:00"}, "不能晚于现在"),
     ({"status": "delivered", "told_at": "2001-01-01T00:00"}, "72 小时"),
     ({"status": "delivered", "told_at": "soon"}, "发生时间"),
     ({"status": "delivered", "description": "x" * 201}, "说明")],
)  # fmt: skip
def test_a_report_that_can_not_be_is_refused_by_field(service, shipment, data, said):
    assert said in text(act(service, "report", shipment, **data))
    assert not TrackingEvent.objects.exists()


def test_a_link_is_shown_once_and_ended_on_demand(service, shipment):
    answer = act(service, "driver-link", shipment, days=1)
    secret = link_in(answer)
    assert "no-store" in answer["Cache-Control"]
    assert driver_links.find(secret)
    page = service.get(reverse("admin:orders_order_change", args=[Order.objects.get().pk]))
    assert secret not in text(page)
    assert "换一个链接" in text(page)
    assert "已作废" in text(act(service, "driver-link-end", shipment))
    assert driver_links.find(secret) is None
    assert "没有可作废" in text(act(service, "driver-link-end", shipment))
    made, ended = AuditEntry.objects.filter(action__startswith="driver_link").order_by("pk")
    assert (made.action, ended.action, made.subject) == ("driver_link.created", "driver_link.ended", "FD1")
    assert secret not in str(AuditEntry.objects.values())


@pytest.mark.parametrize("days", ["", "0", "15", "x", "-1"])
def test_a_link_lives_one_to_fourteen_days(service, shipment, days):
    assert "有效天数" in text(act(service, "driver-link", shipment, days=days))
    assert not DriverLink.objects.exists()


def test_a_parcel_that_is_over_gets_no_link(service, shipment):
    act(service, "report", shipment, status="delivered")
    assert "已结束" in text(act(service, "driver-link", shipment, days=1))
    assert not DriverLink.objects.exists()


@pytest.mark.parametrize("name", ["report", "driver-link", "driver-link-end"])
def test_a_viewer_may_not_and_anothers_parcel_is_out_of_reach(viewer, root, shipment, name):
    data = {"status": "delivered", "days": 1}
    assert act(viewer, name, shipment, **data).status_code == 403
    assert "不属于" in text(act(root, name, make_shipment(), **data))
    assert not TrackingEvent.objects.exists()
    assert not DriverLink.objects.exists()


def test_what_another_provider_told_again_is_marked_in_the_shipment_s_events(lead):
    shipment = make_shipment()
    for provider in ("kdniao", "sf"):
        record_events(shipment, make_report(event("in_transit", text="快件到达【上海浦东中心】")), provider=provider)
    page = text(lead.get(f"/admin/logistics/shipment/{shipment.pk}/change/"))
    assert "<td>快递鸟</td>" in page
    assert "<td>顺丰（重复，不展示）</td>" in page


def test_the_list_of_parcels_writes_instants_as_our_own_pages_do_and_says_what_is_void(service, shipment):
    shown = text(service.get("/admin/logistics/shipment/"))
    assert f'<td class="field-shipped_at nowrap">{shanghai(shipment.shipped_at):%Y-%m-%d %H:%M}</td>' in shown
    assert "icon-no" not in shown
    act(service, "void", shipment, reason="录错")
    assert '<td class="field-voided">已作废</td>' in text(service.get("/admin/logistics/shipment/"))
