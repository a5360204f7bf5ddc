import base64
import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice import filters
from frozenshop.backoffice.orders import OrderAdmin
from frozenshop.backoffice.tests.pages import ORDERS, listed, page, text
from frozenshop.kernel import changelist
from frozenshop.kernel.clock import now
from logistics import shipping
from logistics.problems import subject
from logistics.tests.factories import STAFF, make_carrier, make_shipment, report
from orders import alerting
from orders.models import AlertKind, Order, OrderLine, OrderStatus, ProductCategory
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db


def make_many(count: int) -> list[str]:
    start = now() - dt.timedelta(days=2)
    # Two orders share each instant, so that the second key decides.
    return [
        make_order(order_no=f"N{n:03}", placed_at=(start + dt.timedelta(minutes=n // 2)).isoformat()).order_no
        for n in range(count)
    ]


def test_pages_follow_each_other_without_gap_or_overlap(lead):
    numbers = make_many(120)
    seen, url = [], ORDERS
    while url:
        shown = lead.get(url)
        seen += listed(shown)
        url = shown.context["cl"].older_query and ORDERS + shown.context["cl"].older_query
    assert seen == numbers[::-1]


def test_the_way_back_shows_the_page_before(lead):
    make_many(110)
    first = lead.get(ORDERS)
    second = lead.get(ORDERS + first.context["cl"].older_query)
    back = lead.get(ORDERS + second.context["cl"].newer_query)
    assert listed(back) == listed(first)
    assert back.context["cl"].newer_query is None


def test_a_made_up_cursor_leads_back_to_the_list(lead):
    assert lead.get(ORDERS + "?after=nonsense").status_code == 302


@pytest.mark.parametrize(
    "told",
    [
        *(
            "[" * 5000,
            "[" * 5000 + "]" * 5000,
            '["2026-01-01T00:00:00+00:00"]',
            '{"a": 1}',
            "1",
            '"ab"',
            "[null, null]",
        ),
        *('["2026-01-01", "1"]', '["2026-01-01T00:00:00", "1"]', '["0001-01-01T00:00:00+14:00", "1"]'),
        *('["9999-12-31T23:59:59-14:00", "1"]', '["2026-01-01T00:00:00+00:00", "1e9"]', r'["\ud800", "\ud800"]'),
    ],
    ids=lambda told: told[:40],
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_place_that_no_row_can_have_leads_back_to_the_list(lead, name, told):
    cursor = base64.urlsafe_b64encode(told.encode()).decode()
    assert lead.get(ORDERS, {name: cursor}).status_code == 302


def test_a_place_that_no_number_reaches_is_the_end_of_the_list(lead):
    make_order()
    cursor = base64.urlsafe_b64encode(f'["2000-01-01T00:00:00+00:00", "{10**30}"]'.encode()).decode()
    assert listed(lead.get(ORDERS, {"after": cursor})) == []


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("FD-77", "订单号"),
        ("SF0000000777", "运单号"),
        ("13812347788", "手机号"),
        ("欧阳雪", "姓名"),
        ("7788 欧阳", "手机尾号"),
    ],
)
def test_one_box_understands_what_was_typed_and_says_so(lead, typed, understood):
    order = make_order("paid", order_no="FD-77", name="欧阳雪", phone="13812347788")
    make_order(phone="13900000000")
    make_shipment(order, waybill_no="SF0000000777")
    found = lead.get(ORDERS, {"q": typed})
    assert listed(found) == ["FD-77"]
    assert understood in found.context["cl"].note


def test_the_list_shows_nobodys_name_phone_or_address(lead):
    make_order(name="欧阳雪", phone="13812347788", address="世纪大道 1 号")
    shown = text(lead.get(ORDERS))
    assert "欧*" in shown
    assert "138****7788" in shown
    assert "欧阳雪" not in shown
    assert "13812347788" not in shown
    assert "世纪大道" not in shown


def test_status_filters(lead):
    make_order(order_no="A")
    make_order("paid", order_no="B")
    assert listed(lead.get(ORDERS, {"status__exact": "paid"})) == ["B"]


def test_dates_are_shanghais_and_inclusive(lead):
    make_order(order_no="A", placed_at="2026-11-01T23:59:00+08:00")
    make_order(order_no="B", placed_at="2026-11-02T00:00:00+08:00")
    make_order(order_no="C", placed_at="2026-11-03T00:00:00+08:00")
    assert listed(lead.get(ORDERS, {"placed_from": "2026-11-02", "placed_to": "2026-11-02"})) == ["B"]


@pytest.mark.parametrize("typed", ["2026-13-45", "yesterday", "9999-12-31", "0001-01-01", "\x00", "２０２６"])
def test_what_is_no_date_filters_nothing(lead, typed):
    make_order()
    assert lead.get(ORDERS, {"placed_from": typed, "placed_to": typed}).status_code == 200


def test_the_carrier_filter_counts_live_parcels(lead):
    make_shipment(make_order("paid", order_no="A"), carrier=make_carrier("YTO"))
    make_shipment(make_order("paid", order_no="B"), carrier=make_carrier("SF"))
    assert listed(lead.get(ORDERS, {"carrier": "YTO"})) == ["A"]


def test_the_alert_filter_takes_open_alerts(lead):
    order, other = make_order("paid", order_no="A"), make_order("paid", order_no="B")
    for one in (order, other):
        alerting.open_alert(AlertKind.STALE, subject=subject(make_shipment(one)), order=one)
    alerting.resolve_alerts(subject(other.shipments.get()), [AlertKind.STALE], by="system", resolution="有新轨迹")
    assert listed(lead.get(ORDERS, {"alert": "stale"})) == ["A"]


def test_a_shared_boxs_alert_shows_on_each_of_its_orders_and_on_no_other(lead):
    first, second = make_order("paid", order_no="A"), make_order("paid", order_no="B")
    third = make_order("paid", order_no="C", lines=[line(sku="A"), line(sku="B")])
    box = make_shipment(first)
    shipping.join(box, second, actor=STAFF)
    apart = make_shipment(third, lines={"A": 2})
    make_shipment(third, lines={"B": 2})
    for shipment, order in ((box, first), (apart, third)):
        alerting.open_alert(AlertKind.STALE, subject=subject(shipment), order=order)
    assert sorted(listed(lead.get(ORDERS, {"alert": "stale"}))) == ["A", "B", "C"]
    assert text(lead.get(ORDERS, {"q": "B"})).count("物流停滞</span>") == 1
    assert "物流停滞" in text(lead.get(page(second)))


def test_an_alert_of_an_order_without_a_parcel_is_found_too(lead):
    alerting.open_alert(AlertKind.NOT_SHIPPED, subject="A", order=make_order("paid", order_no="A"))
    assert listed(lead.get(ORDERS, {"alert": "not_shipped"})) == ["A"]


def test_the_category_filter_looks_at_lines(lead):
    order = make_order(order_no="A", lines=[line(category="seafood")])
    make_order(order_no="B")
    OrderLine.objects.filter(order=order).update(category="seafood")
    ProductCategory.objects.get_or_create(code="seafood", defaults={"name": "海鲜"})
    assert listed(lead.get(ORDERS, {"category": "seafood"})) == ["A"]


def test_lookups_that_nobody_declared_are_ignored(lead):
    make_order(order_no="A")
    assert listed(lead.get(ORDERS, {"note__contains": "x", "lines_summary__regex": "("})) == ["A"]


def test_sorting_by_another_column_is_not_offered(lead):
    numbers = make_many(3)
    assert listed(lead.get(ORDERS, {"o": "1.-3"})) == numbers[::-1]


def test_the_row_tells_the_parcels_silence_and_alerts(lead):
    order = make_order("paid", order_no="A")
    shipment = make_shipment(order, waybill_no="SF0000000123")
    report(shipment, "in_transit")
    alerting.open_alert(AlertKind.STALE, subject="A", order=order)
    shown = text(lead.get(ORDERS))
    assert "SF0000000123" in shown
    assert OrderStatus.IN_TRANSIT.label in shown
    assert "物流停滞" in shown


def test_a_list_begins_at_the_day_that_is_jumped_to(lead):
    for order_no, day in (("A", "2026-11-01"), ("B", "2026-11-02"), ("C", "2026-11-03")):
        make_order(order_no=order_no, placed_at=f"{day}T23:59:00+08:00")
    jumped = lead.get(ORDERS, {"at": "2026-11-02"})
    assert listed(jumped) == ["B", "A"]
    assert listed(lead.get(ORDERS + jumped.context["cl"].newer_query)) == ["C"]
    assert listed(lead.get(ORDERS + jumped.context["cl"].first_query)) == ["C", "B", "A"]


@pytest.mark.parametrize("typed", ["2026-13-45", "9999-12-31", "0001-01-01", "\x00", "昨天"])
def test_a_jump_to_no_day_shows_the_first_page(lead, typed):
    make_order(order_no="A")
    assert listed(lead.get(ORDERS, {"at": typed})) == ["A"]


def test_the_last_page_is_the_oldest_and_leads_back(lead):
    numbers = make_many(120)[::-1]
    first = lead.get(ORDERS)
    last = lead.get(ORDERS + first.context["cl"].last_query)
    assert listed(last) == numbers[70:]
    assert last.context["cl"].older_query is None
    assert listed(lead.get(ORDERS + last.context["cl"].newer_query)) == numbers[20:70]


def test_a_list_that_fits_one_page_is_counted_without_asking(lead, monkeypatch):
    make_many(2)
    monkeypatch.setattr(OrderAdmin, "counted", False)
    assert lead.get(ORDERS).context["cl"].counted == "共 2 条"


def test_a_list_is_counted_no_further_than_a_bound(lead, monkeypatch):
    make_many(60)
    assert lead.get(ORDERS).context["cl"].counted == "共 60 条"
    monkeypatch.setattr(changelist, "COUNTED_TO", 50)
    assert lead.get(ORDERS).context["cl"].counted == "共 50+ 条"


@pytest.fixture
def many_of_a_kind(monkeypatch):
    """So few orders are many."""
    monkeypatch.setattr(filters, "FEW", 0)


def test_what_is_looked_up_order_by_order_is_not_counted(lead, many_of_a_kind):
    make_many(60)
    OrderLine.objects.update(category="seafood")
    ProductCategory.objects.get_or_create(code="seafood", defaults={"name": "海鲜"})
    assert lead.get(ORDERS, {"category": "seafood"}).context["cl"].counted == ""


def test_a_list_of_work_is_gathered_once_for_its_page_and_its_number(lead, monkeypatch):
    numbers = make_many(70)
    Order.objects.filter(order_no__in=numbers[5:]).update(status="paid", promised_by=now() - dt.timedelta(hours=1))
    monkeypatch.setattr(changelist, "COUNTED_TO", 60)
    with CaptureQueriesContext(connection) as asked:
        first = lead.get(ORDERS, {"todo": "late"}).context["cl"]
    assert sum("promised_by" in query["sql"].partition("WHERE")[2] for query in asked) == 1
    assert first.counted == "共 60+ 条"
    pages, _ = walk(lead, "?todo=late", "older_query")
    assert [len(page) for page in pages] == [50, 15]
    assert [one for page in pages for one in page] == numbers[:4:-1]
    back, _ = walk(lead, "?todo=late&end=1", "newer_query")
    assert [one for page in back[::-1] for one in page] == numbers[:4:-1]


def seafood(*order_numbers: str) -> None:
    OrderLine.objects.filter(order__order_no__in=order_numbers).update(category="seafood")
    ProductCategory.objects.get_or_create(code="seafood", defaults={"name": "海鲜"})


def walk(client, query: str, way: str) -> tuple[list[list[str]], list[str]]:
    """Follow a list one way; return what each page showed, and what it said of how far it looked."""
    pages, looked = [], []
    while query:
        shown = client.get(ORDERS + query)
        pages.append(listed(shown))
        looked.append(shown.context["cl"].looked)
        query = getattr(shown.context["cl"], way)
    return pages, looked


def test_a_page_looks_at_so_many_orders_and_the_next_goes_on_from_there(lead, many_of_a_kind, monkeypatch):
    monkeypatch.setattr(changelist, "LOOKED_AT", 20)
    numbers = make_many(90)
    seafood(numbers[1], numbers[2], numbers[85])
    pages, looked = walk(lead, "?category=seafood", "older_query")
    assert [one for page in pages for one in page] == [numbers[85], numbers[2], numbers[1]]
    assert len(pages) == 5
    assert all("20 条" in said and "下一页" in said for said in looked[:-1])
    assert looked[-1] == ""
    back, looked = walk(lead, "?category=seafood&end=1", "newer_query")
    assert [one for page in back[::-1] for one in page] == [numbers[85], numbers[2], numbers[1]]
    assert "上一页" in looked[0]
    assert "20 条" in text(lead.get(ORDERS, {"category": "seafood"}))


def test_few_orders_are_found_however_old(lead):
    make_order(order_no="A", placed_at=(now() - dt.timedelta(days=400)).isoformat())
    make_order(order_no="B")
    seafood("A")
    shown = lead.get(ORDERS, {"category": "seafood"})
    assert (listed(shown), shown.context["cl"].counted) == (["A"], "共 1 条")


def test_many_orders_are_looked_up_in_the_last_months_or_in_the_days_that_are_chosen(lead, many_of_a_kind):
    placed = now() - dt.timedelta(days=400)
    make_order(order_no="A", placed_at=placed.isoformat())
    make_order(order_no="B")
    seafood("A", "B")
    assert listed(lead.get(ORDERS, {"category": "seafood"})) == ["B"]
    assert listed(lead.get(ORDERS, {"category": "seafood", "placed_from": f"{placed:%Y-%m-%d}"})) == ["B", "A"]


def test_a_carrier_and_a_category_are_looked_up_together(lead, many_of_a_kind):
    for number, carrier in (("A", "YTO"), ("B", "YTO"), ("C", "SF")):
        make_shipment(make_order("paid", order_no=number), carrier=make_carrier(carrier))
    seafood("A", "C")
    assert listed(lead.get(ORDERS, {"carrier": "YTO", "category": "seafood"})) == ["A"]


def test_orders_past_their_promise_are_a_list_of_work(lead):
    late, kept = make_order("paid", order_no="A"), make_order("paid", order_no="B")
    Order.objects.filter(pk=late.pk).update(status="paid", promised_by=now() - dt.timedelta(hours=1))
    Order.objects.filter(pk=kept.pk).update(promised_by=now() + dt.timedelta(hours=1))
    assert listed(lead.get(ORDERS, {"todo": "late"})) == ["A"]
