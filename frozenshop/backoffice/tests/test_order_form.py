import pytest

from frozenshop.backoffice.tests.pages import ORDERS, text
from frozenshop.kernel.models import AuditEntry
from orders.models import Order, OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
ADD = f"{ORDERS}add/"


def typed(**changes: str) -> dict[str, str]:
    form = {
        "order_no": "HAND-1", "placed_at": "2026-11-01T10:00", "paid_at": "", "name": "张三", "phone": "13812341234",
        "province": "上海市", "city": "上海市", "district": "浦东新区", "address": "世纪大道 1 号", "total": "100.50",
        "freight": "", "promised_by": "", "note": "电话下单",
        "lines-TOTAL_FORMS": "2", "lines-INITIAL_FORMS": "0",
        "lines-0-sku": "XR-1", "lines-0-name": "虾仁", "lines-0-quantity": "2", "lines-0-unit_price": "50.25",
    }  # fmt: skip
    return form | changes


def test_staff_take_an_order_by_hand(service):
    done = service.post(ADD, typed(), follow=True)
    order = Order.objects.get(order_no="HAND-1")
    assert "HAND-1" in text(done)
    assert (order.total_fen, order.lines.get().unit_price_fen, order.note) == (10_050, 5_025, "电话下单")
    assert order.events.get().source == "staff"
    assert order.open_consignee().phone == "13812341234"


def test_times_are_shanghais(service):
    service.post(ADD, typed(paid_at="2026-11-01T10:05"))
    order = Order.objects.get(order_no="HAND-1")
    assert order.placed_at.isoformat() == "2026-11-01T02:00:00+00:00"
    assert order.status == OrderStatus.PAID


def test_taking_an_order_is_recorded(service):
    service.post(ADD, typed())
    assert AuditEntry.objects.filter(action="order.added", subject="HAND-1").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"order_no": "有空格 的"}, {"order_no": "counts"}, {"order_no": ""}, {"order_no": "x" * 65}, {"phone": "12"},
        {"phone": "😀"}, {"placed_at": "不是时间"}, {"placed_at": "1900-01-01T00:00"}, {"total": "很多"},
        {"total": "-1"}, {"total": "99999999999999"}, {"name": "\u202e"}, {"name": "\x00"}, {"note": "x" * 501},
        {"paid_at": "2026-10-01T00:00"}, {"lines-0-quantity": "0"}, {"lines-0-quantity": "九"}, {"lines-0-sku": ""},
        {"lines-0-unit_price": ""}, {"lines-0-category": "没有"}, {"lines-TOTAL_FORMS": "abc"},
        {"lines-TOTAL_FORMS": "999999"},
    ],
)  # fmt: skip
def test_nonsense_is_refused_beside_its_field_and_nothing_is_taken(service, changes):
    shown = service.post(ADD, typed(**changes))
    assert "errorlist" in text(shown)
    assert not Order.objects.exists()


def test_a_number_that_is_taken_is_not_written_over(service):
    make_order(order_no="HAND-1", note="原来的")
    assert "已经登记过" in text(service.post(ADD, typed()))
    assert Order.objects.get().note == "原来的"
