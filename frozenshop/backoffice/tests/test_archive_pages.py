"""What staff see of the archive, and who may do what there."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frozenshop.kernel.models import AuditEntry
from logistics.archive import restoring
from logistics.archive.models import ArchivedOrder, ArchivedProduct
from logistics.archive.tests.factories import archive, archived, finished
from logistics.models import TrackingEvent
from logistics.tests.factories import STAFF
from orders import holds
from orders.models import LegalHold, Order, Product, ProductCategory
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
ORDERS, FIND = "/admin/orders/order/", "/admin/orders/order/find/"
LIST, REPORT, HOLDS = "/admin/logistics/archivedorder/", "/admin/archive/", "/admin/orders/legalhold/"


def page(order):
    return reverse("admin:logistics_archivedorder_change", args=[order.pk])


def act(order, name):
    return reverse("admin:logistics_archivedorder_act", args=[order.pk, name])


def found(client, text):
    """Search as the one search box does."""
    return client.post(FIND, {"q": text}, follow=True).content.decode()


@pytest.mark.parametrize(
    "typed", ["order_no", "waybill_no", "13812341234", "张三", "1234", "1234 张", "suffix", "prefix"]
)
def test_the_one_search_box_finds_it_marked(service, typed):
    order = finished(order_no="FD20260101000077")
    number = order.shipments.get().waybill_no
    archive()
    text = {"order_no": order.order_no, "waybill_no": number, "suffix": number[-7:], "prefix": "FD2026010100"}.get(
        typed, typed
    )
    shown = found(service, text)
    assert "归档中找到" in shown
    assert page(order) in shown
    assert "已归档" in shown


def test_a_product_finds_what_is_archived_as_long_as_it_lies_there(service):
    order = finished()
    line = order.lines.get()
    category = ProductCategory.objects.get_or_create(code="shrimp", defaults={"name": "虾"})[0]
    product, _ = Product.objects.get_or_create(sku=line.sku, defaults={"name": line.name, "category": category})
    archive()
    for text in (product.sku, product.name):
        assert page(order) in found(service, text)
    restoring.restore(order.order_no, by=STAFF, reason="查账")
    assert not ArchivedProduct.objects.exists()


def test_what_is_here_and_what_is_archived_stand_on_one_page(service):
    away, here = archived(), make_order("paid")
    shown = found(service, "13812341234")
    assert away.order_no in shown
    assert here.order_no in shown


def test_hits_say_nothing_unmasked(service):
    archived(name="慕容绝", phone="15566667777")
    shown = found(service, "15566667777").replace('value="15566667777"', "")
    assert "慕容绝" not in shown


def test_its_page_reads_the_body_and_offers_to_restore(lead):
    order = finished()
    text = TrackingEvent.objects.first().text
    archive()
    shown = lead.get(page(order)).content.decode()
    assert all(word in shown for word in ("已归档", text, "虾仁", "张*", "138****1234", "恢复这个订单"))
    assert "张三" not in shown


def test_a_page_takes_no_more_than_fifteen_queries(lead):
    order = archived()
    with CaptureQueriesContext(connection) as taken:
        assert lead.get(page(order)).status_code == 200
    assert len(taken) <= 15


def test_a_page_whose_body_is_away_says_so_and_shows_what_the_row_knows(lead):
    order = archived()
    ArchivedOrder.objects.update(place="mongodb")
    shown = lead.get(page(order)).content.decode()
    assert "归档库暂时无法读取" in shown
    assert order.order_no in shown


def test_one_click_restores_and_says_why(lead):
    order = archived()
    answer = lead.post(act(order, "restore"), {"reason": "买家来电"})
    assert answer.url == reverse("admin:orders_order_change", args=[order.pk])
    assert Order.objects.get().order_no == order.order_no
    assert AuditEntry.objects.get(action="order.restored").reason == "买家来电"


def test_without_a_reason_nothing_is_restored(lead):
    lead.post(act(archived(), "restore"), {})
    assert not Order.objects.exists()


@pytest.mark.parametrize("name", ["restore", "unmask"])
def test_who_only_looks_may_do_nothing(viewer, name):
    order = archived()
    assert viewer.get(page(order)).status_code == 200
    assert viewer.post(act(order, name), {"reason": "好奇"}).status_code == 403


def test_unmasking_is_for_this_answer_and_on_record(service):
    order = archived(note="放门口")
    shown = service.post(act(order, "unmask"), {"reason": "核对地址"}).content.decode()
    assert all(word in shown for word in ("张三", "13812341234", "放门口"))
    assert AuditEntry.objects.get(action="order.unmasked").subject == order.order_no


def test_the_list_reads_no_bodies(viewer):
    archived()
    with CaptureQueriesContext(connection) as taken:
        assert viewer.get(LIST).status_code == 200
    assert not [one["sql"] for one in taken if '"body"' in one["sql"] or "`body`" in one["sql"]]


def test_the_accounts_show_months_terms_and_what_came_back(lead):
    order, _other = archived(), archived()
    lead.post(act(order, "restore"), {"reason": "买家来电"})
    shown = lead.get(REPORT).content.decode()
    assert all(word in shown for word in (ArchivedOrder.objects.get().month, "1095 天", "买家来电"))


# --- legal holds ----------------------------------------------------------------------------------


def test_a_hold_is_placed_on_an_archived_order_and_listed(lead):
    order = archived()
    lead.post(f"{HOLDS}add/", {"order_no": order.order_no, "reason": "案号 1"})
    assert order.order_no in lead.get(HOLDS).content.decode()
    assert "法律保留" in lead.get(page(order)).content.decode()
    assert AuditEntry.objects.get(action="hold.placed").reason == "案号 1"


def test_a_hold_on_a_person_names_nobody(lead):
    lead.post(f"{HOLDS}add/", {"phone": "138 1234 1234", "reason": "案号 1"})
    hold = LegalHold.objects.get()
    assert "13812341234" not in lead.get(HOLDS).content.decode() + str(LegalHold.objects.values().get())
    assert holds.standing().phone_indexes == {hold.phone_index}


@pytest.mark.parametrize(
    "given", [{}, {"order_no": "NOPE"}, {"phone": "12"}, {"order_no": "NOPE", "phone": "13812341234"}]
)
def test_what_names_nothing_is_not_held(lead, given):
    lead.post(f"{HOLDS}add/", {**given, "reason": "案号 1"})
    assert not LegalHold.objects.exists()


def test_a_hold_is_released_once_with_a_reason(lead):
    lead.post(f"{HOLDS}add/", {"order_no": archived().order_no, "reason": "案号 1"})
    release = reverse("admin:orders_legalhold_release", args=[LegalHold.objects.get().pk])
    lead.post(release, {})
    assert holds.placed().exists()
    lead.post(release, {"reason": "结案"})
    lead.post(release, {"reason": "又结案"})
    assert LegalHold.objects.get().release_reason == "结案"


def test_who_may_not_hold_may_not_release(service):
    service.post(f"{HOLDS}add/", {"order_no": archived().order_no, "reason": "案号 1"})
    assert not LegalHold.objects.exists()
