import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.errors import Invalid, NotPossible
from orders.consignee import name_key, tail_key
from orders.intake import parse_order
from orders.models import Alert, Customer, Order, OrderStatus, Product, ProductCategory
from orders.services import Taken, take_order
from orders.tests.factories import SHOP, line, make_order, order_payload

pytestmark = pytest.mark.django_db


def take(payload) -> Taken:
    return take_order(parse_order(payload), SHOP)


@pytest.fixture
def payload():
    return order_payload()


def test_an_unknown_order_is_created(payload):
    taken = take(payload)
    order = Order.objects.get()
    assert (taken.result, taken.order, order.status) == ("created", order, OrderStatus.PLACED)
    assert order.lines_summary == "虾仁×2"


def test_the_same_order_again_is_unchanged_and_keeps_its_version(payload):
    version = take(payload).order.version
    taken = take(payload)
    assert (taken.result, taken.order.version) == ("unchanged", version)


def test_a_change_is_an_update_with_the_next_version_and_a_history_row(payload):
    version = take(payload).order.version
    taken = take({**payload, "note": "门口放"})
    assert (taken.result, taken.order.note, taken.order.version) == ("updated", "门口放", version + 1)
    assert taken.order.events.latest("id").reason == "修改：备注"


def test_what_the_shop_does_not_say_stays(payload):
    take({**payload, "note": "门口放", "freight_fen": 300})
    taken = take(payload)
    assert (taken.result, taken.order.note, taken.order.freight_fen) == ("unchanged", "门口放", 300)


def test_an_empty_note_clears_it(payload):
    take({**payload, "note": "门口放"})
    assert take({**payload, "note": ""}).order.note == ""


def test_news_older_than_known_is_stale_and_changes_nothing(payload):
    take({**payload, "updated_at": "2026-01-02T00:00:00Z"})
    taken = take({**payload, "updated_at": "2026-01-01T00:00:00Z", "note": "旧"})
    assert (taken.result, Order.objects.get().note) == ("stale", "")


def test_newer_news_without_a_change_is_unchanged_but_dates_what_is_known(payload):
    take({**payload, "updated_at": "2026-01-01T00:00:00Z"})
    assert take({**payload, "updated_at": "2026-01-03T00:00:00Z"}).result == "unchanged"
    assert take({**payload, "updated_at": "2026-01-02T00:00:00Z", "note": "旧"}).result == "stale"


def test_lines_are_rewritten_only_when_they_differ(payload):
    before = [line.pk for line in take(payload).order.lines.all()]
    assert [line.pk for line in take({**payload, "note": "a"}).order.lines.all()] == before
    taken = take({**payload, "lines": [line(quantity=3), line(sku="XY-2", name="鳕鱼")]})
    assert taken.result == "updated"
    assert [(row.position, row.quantity) for row in taken.order.lines.order_by("position")] == [(1, 3), (2, 2)]


def test_the_summary_names_two_lines_and_counts_the_rest(payload):
    lines = [line(name="虾仁"), line(name="鳕鱼"), line(name="扇贝")]
    assert take({**payload, "lines": lines}).order.lines_summary == "虾仁×2、鳕鱼×2 等 3 种"


def test_a_summary_of_long_names_fits_its_column(payload):
    lines = [line(name="长" * 120), line(name="长" * 120), line()]
    assert len(take({**payload, "lines": lines}).order.lines_summary) <= 200


def test_the_consignee_lies_sealed_and_opens_for_its_order():
    order = make_order(name="李四", phone="139 1234 5678")
    assert "李四" not in order.consignee_sealed
    assert (order.open_consignee().name, order.open_consignee().phone) == ("李四", "13912345678")


def test_an_order_is_found_by_the_indexes_of_phone_name_and_tail():
    order = make_order(name="ＡＢ", phone="13812349999", placed_at="2026-01-31T17:00:00Z")
    assert order.phone_index == crypto.blind_index("13812349999", purpose="phone")
    assert order.name_index == crypto.blind_index(name_key("AB"), purpose="name")
    assert order.tail_index == crypto.blind_index("2026-02|9999", purpose="tail")  # 1 February in Shanghai


def test_the_tail_index_follows_the_month_of_a_corrected_order_time():
    order = make_order(placed_at="2026-01-10T00:00:00Z")
    payload = order_payload(order_no=order.order_no, placed_at="2026-03-10T00:00:00Z")
    tail = tail_key(dt.datetime(2026, 3, 10, tzinfo=dt.UTC), "1234")
    assert take(payload).order.tail_index == crypto.blind_index(tail, purpose="tail")


def test_a_changed_consignee_is_sealed_and_indexed_anew(payload):
    before = take(payload).order
    payload["consignee"]["phone"] = "13900000000"
    after = take(payload).order
    assert after.open_consignee().phone == "13900000000"
    assert before.phone_index != after.phone_index


def test_paid_at_in_the_order_is_a_payment(payload):
    taken = take({**payload, "paid_at": payload["placed_at"]})
    assert (taken.result, taken.paid, taken.order.status) == ("created", True, OrderStatus.PAID)


def test_paid_at_of_a_paid_order_changes_nothing(payload):
    take({**payload, "paid_at": payload["placed_at"]})
    taken = take({**payload, "paid_at": clock.now().isoformat()})
    assert (taken.result, taken.paid) == ("unchanged", False)
    assert taken.order.paid_at.isoformat() == payload["placed_at"]


def test_paid_at_of_a_placed_order_makes_it_paid(payload):
    take(payload)
    taken = take({**payload, "paid_at": payload["placed_at"]})
    assert (taken.result, taken.paid) == ("updated", True)


def test_paid_at_of_a_cancelled_order_is_recorded_once_with_an_alert(payload):
    order = make_order(OrderStatus.CANCELLED, **payload)
    for _ in range(2):
        take({**payload, "paid_at": payload["placed_at"]})
    assert order.events.filter(kind="paid").count() == 1
    assert Alert.objects.get().kind == "paid_after_cancelled"


def test_paid_at_in_the_future_leaves_nothing_behind(payload):
    ahead = (clock.now() + dt.timedelta(hours=2)).isoformat()
    with pytest.raises(Invalid) as refused:
        take({**payload, "paid_at": ahead})
    assert "paid_at" in refused.value.fields
    assert not Order.objects.exists()


@pytest.mark.parametrize("status", sorted(set(OrderStatus) - {"placed", "paid"}))
def test_after_shipping_note_and_promise_may_change(status, payload):
    make_order(status, **payload)
    changed = order_payload(**payload, note="晚点送", promised_by="2027-01-01T00:00:00Z")
    taken = take(changed)
    assert (taken.result, taken.order.note) == ("updated", "晚点送")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("lines", {"lines": [line(quantity=9)]}),
        ("consignee", {"phone": "13900000000"}),
        ("total_fen", {"total_fen": 1}),
        ("placed_at", {"placed_at": "2026-01-01T00:00:00Z"}),
        ("customer", {"buyer_openid": "somebody-else"}),
    ],
)
def test_after_shipping_nothing_else_may_change_and_staff_are_told(field, change, payload):
    order = make_order(OrderStatus.SHIPPED, **payload)
    version = order.version
    with pytest.raises(NotPossible) as refused:
        take(order_payload(**{**payload, "note": "也不改", **change}))
    assert list(refused.value.fields) == [field]
    alert = Alert.objects.get()
    order.refresh_from_db()
    assert (alert.kind, order.note, order.version) == ("order_changed_after_shipping", "", version + 1)


def test_an_order_shipped_before_payment_is_as_fixed_as_a_paid_one(payload):
    take(payload)
    Order.objects.update(shipped_at=clock.now())
    with pytest.raises(NotPossible):
        take({**payload, "total_fen": 1})


def test_a_shipped_order_sent_again_as_it_was_is_unchanged(payload):
    make_order(OrderStatus.SHIPPED, **payload)
    assert take(order_payload(**payload)).result == "unchanged"


def test_temperature_is_what_the_line_says_then_the_product_then_the_category_then_frozen():
    category = ProductCategory.objects.create(code="fruit", name="水果", temperature_class="ambient")
    Product.objects.create(sku="MILK", name="鲜奶", category=category, temperature_class="chilled")
    lines = [
        line(sku="MILK", temperature_class="frozen"),
        line(sku="MILK", category="fruit"),
        line(category="fruit"),
        line(),
    ]
    rows = take(order_payload(lines=lines)).order.lines.order_by("position")
    assert [row.temperature_class for row in rows] == ["frozen", "chilled", "ambient", "frozen"]


def test_a_buyer_is_made_once_per_openid():
    orders = [make_order(buyer_openid="o-1"), make_order(buyer_openid="o-1"), make_order(buyer_openid="O-1")]
    assert orders[0].customer == orders[1].customer != orders[2].customer
    assert Customer.objects.count() == 2


def test_the_history_begins_with_who_brought_the_order():
    event = make_order().events.get()
    assert (event.kind, event.from_status, event.to_status, event.source) == ("placed", "placed", "placed", "shop")


def test_an_update_is_recorded_at_the_shops_time(payload):
    take(payload)
    with time_machine.travel(clock.now() + dt.timedelta(hours=1), tick=False):
        order = take({**payload, "note": "a", "updated_at": "2026-01-03T00:00:00Z"}).order
        assert order.updated_at == clock.now()
    assert order.events.latest("id").occurred_at == dt.datetime(2026, 1, 3, tzinfo=dt.UTC)


def test_a_failure_halfway_leaves_nothing(payload, monkeypatch):
    monkeypatch.setattr("orders.access.grant", lambda order: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take({**payload, "buyer_openid": "o-1"})
    assert not Order.objects.exists()
    assert not Customer.objects.exists()
