"""Whatever staff type finds the order by one index."""

import base64
import dataclasses
import datetime as dt

import pytest
import time_machine
from django.db import connection

from frozenshop.kernel import clock
from logistics.models import Shipment, ShipmentOrder
from logistics.search import ORDERS, Kind, Period, Table, search, search_orders, tables
from logistics.search.reading import day_of, fixed
from logistics.tests.factories import make_shipment
from orders.models import Order, OrderLine, Product, ProductCategory
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db


def make_product(sku: str, name: str) -> Product:
    category, _ = ProductCategory.objects.get_or_create(code="fish", defaults={"name": "鱼"})
    return Product.objects.create(sku=sku, name=name, category=category, temperature_class="frozen")


BIG_TABLES = {model._meta.db_table for model in (Order, OrderLine, Shipment, ShipmentOrder)}


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
        ("欧阳明月 9876", "手机尾号和收件人姓名"),
        ("9876 浦东", "手机尾号和其他信息"),
        ("9876 2026-11-20", "手机尾号"),
        ("欧阳明月", "收件人姓名"),
        ("欧阳明月 2026-11-20", "收件人姓名"),
        ("2026-11-20", "下单日期"),
        ("20261120", "下单日期"),
        ("2026/11/20", "下单日期"),
        ("2026年11月20日", "下单日期"),
        ("11月20日", "下单日期"),
        ("11-20", "下单日期"),
        ("前天", "下单日期"),
        ("9876欧阳", "手机尾号和其他信息"),
        ("欧阳先生 9876", "手机尾号和其他信息"),
        ("9876 前天 欧", "手机尾号和其他信息"),
        ("９８７６ 欧阳", "手机尾号和其他信息"),
        ("9876 欧阳明月", "手机尾号和收件人姓名"),
        ("欧阳明月先生9876", "手机尾号和收件人姓名"),
        ("欧阳明月 浦东", "收件人姓名"),
        ("13812349876 2026-11-20", "手机号"),
        ("13812349876 欧阳明月", "手机号"),
        ("欧阳明月 13812349876 浦东新区", "手机号"),
        ("9876 世纪大道1号", "手机尾号和其他信息"),
        ("9876 xue卷", "手机尾号和其他信息"),
        ("2026-11-20 2026-11-19", "下单日期"),
        ("9876 11-18 前天", "手机尾号"),
        ("777777", "运单号末尾"),
        ("77777777", "运单号末尾"),
        ("杭州", "城市"),
        ("杭州市", "城市"),
        ("鳕鱼", "商品"),
        ("XUE-9", "商品"),
    ],
)
@time_machine.travel("2026-11-22T04:00:00Z", tick=False)
def test_each_form_of_text_finds_the_order(text, label):
    order = make_order(
        "paid",
        order_no="ZX-2026-0001",
        name="欧阳明月",
        phone="13812349876",
        province="浙江省",
        city="杭州市",
        placed_at="2026-11-20T10:00:00+08:00",
        lines=[line(sku="XUE-9", name="深海鳕鱼块"), line(sku="B"), line(sku="C", name="ＸＵＥ卷")],
    )
    make_product("XUE-9", "深海鳕鱼块")
    make_order("paid", placed_at="2026-11-21T10:00:00+08:00")
    make_shipment(order, waybill_no="SF7777777777777")
    assert (search_orders(text).label, found(text)) == (label, ["ZX-2026-0001"])


def test_an_order_whose_key_is_lost_fits_no_further_words(settings):
    make_order("paid", name="欧阳明月", phone="13812349876")
    settings.FIELD_ENCRYPTION_KEYS = "t2:" + base64.b64encode(b"another key of thirty-two bytes!").decode()
    assert (len(found("9876")), found("9876 明月")) == (1, [])


def test_a_whole_name_beside_four_digits_is_asked_of_an_index(monkeypatch):
    order = make_order("paid", name="欧阳明月", phone="13812349876")
    make_order("paid", name="欧阳", phone="13712349876")
    monkeypatch.setattr(tables, "mentions", lambda *_: pytest.fail("a consignee was opened"))
    assert found("9876 欧阳明月") == [order.order_no]


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


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("1234 张", "按 手机尾号 1234 + 含“张” 查找，范围 最近 12 个月"),
        ("1234 11-20", "按 手机尾号 1234 查找，范围 2026-11-20"),
        ("11-18 11-20", "按 下单日期 查找，范围 2026-11-18 至 2026-11-20"),
        ("13812341234 张女士", "按 手机号 13812341234 + 含“张” 查找"),
        ("前天", "按 下单日期 查找，范围 2026-11-20"),
        ("张三", "按 收件人姓名 张三 查找"),
        ("ZX-1", "按 订单号、运单号、商品编码 ZX-1 查找"),
        ("Zhang", "按 收件人姓名 Zhang 查找"),
        ("", "没有输入"),
        ("x" * 201, "输入太长，没有查找"),
    ],
)
@time_machine.travel("2026-11-22T04:00:00Z", tick=False)
def test_a_search_says_what_it_understood(text, explanation):
    assert search_orders(text).meaning.explanation == explanation


def test_a_period_is_told_with_what_was_understood():
    since = dt.datetime(2026, 11, 1, tzinfo=clock.SHANGHAI)
    meaning = search_orders("张三", since=since, until=since + dt.timedelta(days=20)).meaning
    assert meaning.explanation == "按 收件人姓名 张三 查找，范围 2026-11-01 至 2026-11-20"


@pytest.mark.parametrize("text", ["02-30", "13-45", "2026-02-30", "0-0"])
def test_what_is_no_day_is_no_date(text):
    assert search_orders(text).label != "下单日期"


def test_a_day_without_a_year_is_the_last_one_there_was():
    with time_machine.travel("2026-03-01T04:00:00Z", tick=False):
        assert day_of("12-31") == dt.date(2025, 12, 31)


def test_a_product_finds_its_newest_orders_and_each_of_a_few_products():
    for number, sku in enumerate(("A-1", "A-2", "B-1")):
        make_product(sku, f"大虾 {sku}")
        make_order(order_no=f"N{number}", lines=[line(sku=sku)])
    assert sorted(found("大虾")) == ["N0", "N1", "N2"]
    assert found("A-1") == ["N0"]


def test_a_meaning_can_be_named():
    make_order(order_no="ABCDEF1")
    make_shipment(make_order("paid", order_no="B"), waybill_no="XXABCDEF1")
    assert search_orders("ABCDEF1").label == "订单号"
    assert [order.order_no for order in search_orders("ABCDEF1", kind=Kind.WAYBILL_SUFFIX).orders] == ["B"]


def test_another_table_with_the_same_columns_answers_the_same_meaning():
    """As the archive does: it takes part where the first table knows nothing."""
    make_order(order_no="HOT", name="张三")
    cold: Table = dataclasses.replace(ORDERS, name="cold", all=lambda: Order.objects.filter(order_no="HOT"))
    empty: Table = dataclasses.replace(ORDERS, all=Order.objects.none)
    meaning, (hot_rows, cold_rows) = search("张三", [empty, cold], Period())
    assert (meaning.kind, list(hot_rows), [row.order_no for row in cold_rows]) == (Kind.NAME, [], ["HOT"])


def test_a_period_narrows_every_search():
    old = (clock.now() - dt.timedelta(days=40)).isoformat()
    make_order("paid", placed_at=old, phone="13812349876")
    assert found("13812349876", since=clock.now() - dt.timedelta(days=9)) == []


def test_a_tail_older_than_a_year_needs_a_period():
    placed_at = clock.now() - dt.timedelta(days=400)
    order = make_order("paid", placed_at=placed_at.isoformat(), phone="13812349876")
    assert found("9876") == []
    assert found("9876", since=placed_at - dt.timedelta(days=1)) == [order.order_no]


def test_a_tail_up_to_a_day_says_how_far_back_it_looks():
    until = dt.datetime(2026, 11, 21, tzinfo=clock.SHANGHAI)
    explanation = search_orders("9876", until=until).meaning.explanation
    assert explanation == "按 手机尾号 9876 查找，范围 截至 2026-11-20 的 12 个月"


def test_a_number_of_another_persons_is_not_found_by_a_phone_beside_it():
    make_order("paid", name="欧阳明月", phone="13812349876")
    assert (found("13812349876 李"), found("13812349876 2020-01-01")) == ([], [])


@pytest.mark.parametrize("written", ["杭州市", "杭州"])
def test_a_city_is_found_with_its_ending_and_without(written):
    Order.objects.filter(pk=make_order("paid").pk).update(city="")
    order = make_order("paid", city=written)
    assert found("杭州") == found("杭州市") == [order.order_no]
    assert found("市") == []


@time_machine.travel("2026-01-15T04:00:00Z", tick=False)
def test_a_day_that_moves_is_written_out():
    assert [fixed(text) for text in ("昨天", "张三 今天 1234", "11-20", " 张  三 ", "今天" * 101)] == [
        *("2026-01-14", "张三 2026-01-15 1234", "11-20", " 张  三 ", "今天" * 101),
    ]


@time_machine.travel("2026-01-15T04:00:00Z", tick=False)
def test_months_are_counted_in_shanghai_newest_first():
    since = dt.datetime(2025, 11, 30, 16, 30, tzinfo=dt.UTC)  # 1 December in Shanghai
    assert list(Period(since).months()) == ["2026-01", "2025-12"]
    assert len(list(Period().months())) == 12


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("ZX-2026-0001", 2),
        ("SF7777777777777", 3),
        ("13812349876", 2),
        ("9876", 1),
        ("9876 张", 2),
        ("张三", 2),
        ("2026-11-20", 2),
        ("ZX-2026", 3),
        ("777777", 3),
        ("上海", 2),
        ("虾仁", 4),
        ("XR-1", 4),
        ("nothing-at-all", 3),
        ("没有此人", 3),
    ],
)
def test_no_search_scans_the_table(text, most, django_assert_max_num_queries):
    make_shipment(make_order("paid", order_no="ZX-2026-0001"), waybill_no="SF7777777777777")
    make_product("XR-1", "虾仁")
    with django_assert_max_num_queries(most) as asked:
        list(search_orders(text).orders)
    for query in asked.captured_queries:
        assert "%" not in query["sql"].replace("%s", "")
        with connection.cursor() as cursor:
            explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
            cursor.execute(explain + query["sql"])
            plan = [" ".join(map(str, row)) for row in cursor.fetchall()]
        if connection.vendor == "sqlite":
            steps = [step.split(" ", 3)[3] for step in plan]
            scanned = [step for step in steps if step.startswith("SCAN") and "USING" not in step]
            assert not [step for step in scanned if step.split()[1] in BIG_TABLES], plan
