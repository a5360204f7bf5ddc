"""What the order list says of a search, and what it costs."""

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.finding import changelist
from frozenshop.backoffice.tests.pages import ORDERS, listed, text
from logistics.archive.tests.factories import archived
from logistics.search import tables
from logistics.tests.factories import make_shipment
from logistics.tests.test_search import make_product
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db
FIND = f"{ORDERS}find/"
CEILING = 15


def near(response) -> list[str]:
    return [link["label"] for link in response.context["cl"].finding.links]


def test_a_near_miss_is_a_button_that_finds(lead):
    make_order(order_no="FD20261001", phone="13812349876")
    shown = lead.get(ORDERS, {"q": "1381239876"})
    (link,) = shown.context["cl"].finding.links
    assert link["label"] == "按 手机尾号 9876 查找，范围 最近 12 个月：1 笔"
    found = lead.post(FIND, {"q": link["text"], **dict(link["more"])}, follow=True)
    assert listed(found) == ["FD20261001"]
    assert "应有 11 位，这里是 10 位" in text(shown)


def test_another_reading_is_taken_when_it_is_asked_for(lead):
    make_order(order_no="777777-A")
    make_shipment(make_order("paid", order_no="B"), waybill_no="SF777777")
    shown = lead.get(ORDERS, {"q": "777777"})
    assert listed(shown) == ["777777-A"]
    (link,) = shown.context["cl"].finding.links
    assert listed(lead.post(FIND, {"q": "777777", **dict(link["more"])}, follow=True)) == ["B"]


def test_where_enough_is_found_nothing_else_is_asked(lead):
    for number in range(3):
        make_order(order_no=f"777777-{number}")
    make_shipment(make_order("paid"), waybill_no="SF777777")
    assert near(lead.get(ORDERS, {"q": "777777"})) == []


def test_what_a_filter_hides_is_offered_without_it(lead):
    make_order(order_no="A", name="张三")
    shown = lead.get(ORDERS, {"q": "张三", "status__exact": "paid"})
    assert (listed(shown), near(shown)) == ([], [])
    assert listed(lead.get(ORDERS + shown.context["cl"].unnarrowed_query)) == ["A"]


def test_what_is_cut_off_is_not_told_as_all_there_is(lead, monkeypatch):
    monkeypatch.setattr(changelist, "MAX_FOUND", 4)
    monkeypatch.setattr(tables, "MAX_FOUND", 4)
    for number in range(5):
        make_order(order_no=f"777777-{number}")
    assert "还有更多" in lead.get(ORDERS, {"q": "777777"}).context["cl"].counted
    assert lead.get(ORDERS, {"q": "777777", "placed_to": "2020-01-01"}).context["cl"].counted == "共 0 条"
    assert lead.get(ORDERS, {"placed_from": "2020-01-01"}).context["cl"].counted == "共 5 条"


def test_a_word_for_many_products_says_which_were_looked_for(lead):
    for number in range(4):
        make_product(f"N-{number}", f"{number} 号牛肉")
    shown = lead.get(ORDERS, {"q": "牛肉"}).context["cl"].finding
    assert not shown.products
    make_order(lines=[line(sku="N-1")])
    shown = lead.get(ORDERS, {"q": "牛肉"}).context["cl"].finding
    assert shown.products.startswith("0 号牛肉、1 号牛肉、2 号牛肉；还有别的商品")


@pytest.mark.parametrize(("typed", "dates"), [("A-1", "placed_to"), ("张三 2026-11-01", "placed_from")])
def test_dates_that_hide_what_was_typed_are_offered_to_be_dropped(lead, typed, dates):
    make_order(order_no="A-1", name="张三", placed_at="2026-11-01T12:00:00+08:00")
    day = {"placed_to": "2026-10-01", "placed_from": "2026-11-10"}[dates]
    shown = lead.get(ORDERS, {"q": typed, dates: day})
    assert (listed(shown), "去掉所有筛选再查" in text(shown)) == ([], True)
    assert listed(lead.get(ORDERS + shown.context["cl"].unnarrowed_query)) == ["A-1"]


def test_who_may_not_see_the_archive_is_not_told_that_it_has_something(login):
    archived(order_no="OLD-1")
    client = login()
    may_see = Permission.objects.get(codename="view_order")
    User.objects.get(username="nobody").user_permissions.add(may_see)
    shown = client.get(ORDERS, {"q": "OLD-1"})
    assert "没有找到" in text(shown)
    assert "/logistics/archivedorder/" not in text(shown)


@pytest.mark.parametrize(
    "typed", ["13812349876", "张三", "9876 张", "FD20261001", "fd2o261o01", "1381239876", "没有 此人"]
)
def test_a_search_with_all_around_it_asks_little(lead, typed):
    for number in range(60):
        make_order(order_no=f"FD2026{number:04}", phone="13812349876")
    lead.post(f"{ORDERS}views/", {"name": "待付款", "status__exact": "placed"})
    address = lead.post(FIND, {"q": typed})["Location"]
    with CaptureQueriesContext(connection) as asked:
        lead.get(address)
    assert len(asked) <= CEILING, "\n".join(one["sql"][:200] for one in asked.captured_queries)


def test_a_saved_view_with_its_count_asks_little(lead):
    for number in range(60):
        make_order(order_no=f"N{number}")
    lead.post(f"{ORDERS}columns/", {"shown": ["place"]})
    address = lead.post(f"{ORDERS}views/", {"name": "待付款", "status__exact": "placed"})["Location"]
    with CaptureQueriesContext(connection) as asked:
        assert lead.get(address).context["cl"].counted == "共 60 条"
    assert len(asked) <= CEILING
    assert sum("COUNT(" in one["sql"] for one in asked.captured_queries) == 1


@pytest.mark.parametrize("role", ["主管", "客服"])
@pytest.mark.parametrize("count", [1, 60])
@pytest.mark.parametrize("typed", ["牛肉", "N-1", "没有牛肉"])
def test_a_search_by_product_in_both_tables_asks_little(login, role, count, typed):
    """Of three products, with parcels and archive, in a saved view that looks rows up, with columns of one's own."""
    client = login(role)
    for number in range(3):
        make_product(f"N-{number}", f"{number} 号牛肉")
    for number in range(count):
        order = make_order("paid", order_no=f"FD2026{number:04}", lines=[line(sku="N-1")])
        make_shipment(order, lines={"N-1": 1})
    archived(order_no="OLD-1", lines=[line(sku="N-1")])
    client.post(f"{ORDERS}columns/", {"shown": ["place"]})
    view = client.post(f"{ORDERS}views/", {"name": "顺丰", "carrier": "SF", "placed_within": "7"})["Location"]
    address = client.post(FIND, {"q": typed})["Location"]
    for filters in ("", view.replace(f"{ORDERS}?", "&"), "&carrier=SF"):
        with CaptureQueriesContext(connection) as asked:
            shown = client.get(address + filters)
        assert len(asked) <= CEILING, "\n".join(one["sql"][:200] for one in asked.captured_queries)
        assert len(listed(shown)) == (0 if typed == "没有牛肉" else min(count, 50))
        assert len(shown.context["cl"].finding.archived) == (0 if typed == "没有牛肉" else 1)


def test_what_is_a_persons_own_stands_in_its_order(lead, service):
    for name in ("b", "a"):
        lead.post(f"{ORDERS}views/", {"name": name, "todo": "late", **({"shared": "1"} if name == "b" else {})})
    lead.post(f"{ORDERS}columns/", {"shown": ["place"]})
    with time_machine.travel("2026-11-23T12:00:00+08:00", tick=False) as clock:
        for text in ("first", "second", "第三"):
            lead.post(FIND, {"q": text})
            clock.shift(1)
        mine, theirs = lead.get(ORDERS).context["cl"], service.get(ORDERS).context["cl"]
    assert [view.name for view in mine.own.saved] == ["a", "b"]
    assert [one.text for one in mine.recents] == ["第三", "second", "first"]
    assert "place" in mine.list_display
    assert [view.name for view in theirs.own.saved] == ["b"]
    assert not theirs.recents
    assert "place" not in theirs.list_display
