"""Whatever staff type finds the order by one index."""

import base64
import datetime as dt

import pytest
import time_machine
from django.db import connection

from frozenshop.kernel import clock
from logistics.search import Period, search_orders
from logistics.tests.factories import make_shipment
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def found(text: str, **period) -> list[str]:
    return [order.order_no for order in search_orders(text, **period).orders]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ZX-2026-0001", "订单号"),
        ("ZX-2026", "订单号开头"),
        (" ZX-2026-0001 ", "订单号"),
        ("SF7777777777777", "运单号"),
        ("13812349876", "手机号"),
        ("138 1234 9876", "手机号"),
        ("+86 138-1234-9876", "手机号"),
        ("9876", "手机尾号"),
        ("9876 明月", "手机尾号和其他信息"),
        ("欧阳明月 9876", "手机尾号和其他信息"),
        ("9876 浦东", "手机尾号和其他信息"),
        ("9876 2026-11-20", "手机尾号"),
        ("欧阳明月", "收件人姓名"),
        ("欧阳明月 2026-11-20", "收件人姓名"),
        ("2026-11-20", "下单日期"),
        ("20261120", "下单日期"),
    ],
)
@time_machine.travel("2026-11-22T04:00:00Z", tick=False)
def test_each_form_of_text_finds_the_order(text, label):
    order = make_order(
        "paid", order_no="ZX-2026-0001", name="欧阳明月", phone="13812349876", placed_at="2026-11-20T10:00:00+08:00"
    )
    make_order("paid", placed_at="2026-11-21T10:00:00+08:00")
    make_shipment(order, waybill_no="SF7777777777777")
    assert (search_orders(text).label, found(text)) == (label, ["ZX-2026-0001"])


def test_an_order_whose_key_is_lost_fits_no_further_words(settings):
    make_order("paid", name="欧阳明月", phone="13812349876")
    settings.FIELD_ENCRYPTION_KEYS = "t2:" + base64.b64encode(b"another key of thirty-two bytes!").decode()
    assert (len(found("9876")), found("9876 明月")) == (1, [])


def test_a_landline_with_an_extension_is_a_phone():
    order = make_order("paid", phone="021-12345678转12")
    assert found("021-12345678-12") == [order.order_no]


def test_digits_that_are_an_order_number_are_not_taken_for_a_phone():
    order = make_order("paid", order_no="13812340001")
    assert found("13812340001") == [order.order_no]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "%",
        "_",
        "ZX",
        "zx-2026-0001",
        "0000",
        "9876 没有",
        "'; --",
        "\0",
        "😀",
        "x" * 10_000,
        "13800000000",
        "2026-13-45",
    ],
)
def test_what_fits_nothing_finds_nothing(text):
    make_order("paid", order_no="ZX-2026-0001", phone="13812349876")
    assert found(text) == []


def test_newest_orders_come_first():
    for order_no, day in (("AAAAAA1", 3), ("AAAAAA2", 1), ("AAAAAA3", 2)):
        make_order("paid", order_no=order_no, placed_at=(clock.now() - dt.timedelta(days=day)).isoformat())
    assert found("AAAAAA") == ["AAAAAA2", "AAAAAA3", "AAAAAA1"]


def test_a_box_of_two_orders_finds_both():
    shipment = make_shipment()
    make_shipment(make_order("paid"), waybill_no=shipment.waybill_no)
    assert len(found(shipment.waybill_no)) == 2


def test_a_period_narrows_every_search():
    old = (clock.now() - dt.timedelta(days=40)).isoformat()
    make_order("paid", placed_at=old, phone="13812349876")
    assert found("13812349876", since=clock.now() - dt.timedelta(days=9)) == []


def test_a_tail_older_than_a_year_needs_a_period():
    placed_at = clock.now() - dt.timedelta(days=400)
    order = make_order("paid", placed_at=placed_at.isoformat(), phone="13812349876")
    assert found("9876") == []
    assert found("9876", since=placed_at - dt.timedelta(days=1)) == [order.order_no]


@time_machine.travel("2026-01-15T04:00:00Z", tick=False)
def test_months_are_counted_in_shanghai_newest_first():
    since = dt.datetime(2025, 11, 30, 16, 30, tzinfo=dt.UTC)  # 1 December in Shanghai
    assert list(Period(since).months()) == ["2026-01", "2025-12"]
    assert len(list(Period().months())) == 12


@pytest.mark.parametrize(
    "text", ["ZX-2026-0001", "ZX-2026", "SF7777777777777", "13812349876", "9876", "欧阳明月", "2026-11-20"]
)
def test_no_search_scans_the_table(text, django_assert_max_num_queries):
    make_shipment(make_order("paid", order_no="ZX-2026-0001"), waybill_no="SF7777777777777")
    with django_assert_max_num_queries(4) as asked:
        list(search_orders(text).orders)
    for query in asked.captured_queries:
        assert "%" not in query["sql"].replace("%s", "")
        with connection.cursor() as cursor:
            explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
            cursor.execute(explain + query["sql"])
            plan = [" ".join(map(str, row)) for row in cursor.fetchall()]
        if connection.vendor == "sqlite":
            assert not [step for step in plan if step.split(" ", 3)[3].startswith("SCAN") and "USING" not in step], plan
