"""Where a text finds little, other ways to take it are offered, each with its hits."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from logistics.search import ORDERS, Kind, Period, search
from logistics.search.near import COUNTED_TO, Near, near_misses, sentences
from logistics.tests.factories import make_shipment
from logistics.tests.test_search import make_product
from orders.models import Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def near(text: str, period: Period = Period()) -> list[Near]:  # noqa: B008 (frozen)
    meaning, (rows,) = search(text, [ORDERS], period)
    return near_misses(text, meaning, ORDERS, period, nothing=not rows.exists())


def offered(text: str) -> list[tuple[str, str, int]]:
    return [(one.meaning.label, one.text, one.hits) for one in near(text)]


@pytest.fixture
def order() -> Order:
    placed_at = (clock.now() - dt.timedelta(days=1)).isoformat()
    order = make_order("paid", order_no="FD20261001", name="欧阳明月", phone="13812349876", placed_at=placed_at)
    make_shipment(order, waybill_no="SF1010123456789")
    return order


@pytest.mark.parametrize(
    ("typed", "label", "text"),
    [
        ("1381239876", "手机尾号", "9876"),
        ("138112349876", "手机尾号", "9876"),
        ("138 1239 876", "手机尾号", "9876"),
        ("FD2O261OO1", "订单号", "FD20261001"),
        ("fd20261001", "订单号", "FD20261001"),
        ("FD 2026-1001", "订单号", "FD20261001"),
        ("FD2026-1001", "订单号", "FD20261001"),
        ("SF 1010 1234 56789", "运单号", "SF1010123456789"),
        ("SFIOIO123456789", "运单号", "SF1010123456789"),
        ("5F1010123456789", "运单号末尾", "010123456789"),
        ("SF1010123456700", "运单号开头", "SF1010123456"),
        ("SF1010123456788", "运单号开头", "SF1010123456"),
        ("FD20261999", "订单号开头", "FD20261"),
        ("欧阳明月女士", "收件人姓名", "欧阳明月"),
        ("欧阳 明月", "收件人姓名", "欧阳明月"),
        ("9876 李", "手机尾号", "9876"),
        ("13812349876 李", "手机号", "13812349876"),
    ],
)
def test_a_slip_leads_to_what_was_meant(order, typed, label, text):
    assert (label, text, 1) in offered(typed)


def test_a_waybill_that_ends_like_an_order_is_offered_beside_it():
    make_order(order_no="777777-A")
    make_shipment(make_order("paid"), waybill_no="SF777777")
    assert offered("777777") == [("运单号末尾", "777777", 1)]


def test_a_name_that_is_a_city_too_is_offered_as_both():
    make_order(name="杭州", city="上海市")
    make_order(city="杭州市")
    assert offered("杭州") == [("城市", "杭州", 1)]


def test_a_name_within_a_products_is_offered_as_both():
    make_product("XR-1", "虾仁")
    make_order(name="虾仁")
    assert ("商品", "虾仁", 1) in offered("虾仁")


def test_an_older_tail_is_found_over_more_months():
    make_order(placed_at=(clock.now() - dt.timedelta(days=500)).isoformat(), phone="13812349876")
    (wider,) = near("9876")
    assert (wider.text, wider.meaning.kind, wider.hits) == ("9876", Kind.TAIL, 1)
    assert wider.since == clock.shanghai(clock.now()).date() - dt.timedelta(days=1080)


def test_what_a_period_hides_is_offered_without_it(order):
    period = Period(clock.now() + dt.timedelta(days=1))
    assert [(one.meaning.label, one.unbounded) for one in near("欧阳明月", period)] == [("收件人姓名", True)]


def test_hits_are_counted_no_further_than_a_bound(order, monkeypatch):
    monkeypatch.setattr("logistics.search.near.COUNTED_TO", 2)
    for number in range(3):
        make_order(order_no=f"FD2026100{number + 5}")
    assert next(one.shown for one in near("fd20261001")) == "1 笔"
    assert "1+ 笔" in [one.shown for one in near("FD20261999")]
    assert COUNTED_TO == 100


def test_nothing_is_offered_that_finds_nothing():
    assert near("SF1010123456789") == near("没有此人") == near("0000") == near("😀") == []


@pytest.mark.parametrize(
    "typed", ["x" * 64, "O" * 64, "SF 1-2 3-4 5-6 7-8 9", "13800000000", "1234 张 李 王", "%%%%%%"]
)
def test_the_questions_are_bounded(typed, django_assert_max_num_queries):
    meaning, _ = search(typed, [ORDERS], Period())
    with django_assert_max_num_queries(9):
        near_misses(typed, meaning, ORDERS, Period(), nothing=True)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("1381239876", "11 位，这里是 10 位"),
        ("138112349876", "11 位，这里是 12 位"),
        ("没有此人", "全名"),
        ("0000", "少填一个词"),
        ("13800000000", "一位出入"),
        ("SF0000", "6 位以上"),
        ("x" * 500, "可以输入"),
    ],
)
def test_nothing_found_is_told_with_a_way_on(typed, told):
    meaning, _ = search(typed, [ORDERS], Period())
    assert told in "".join(sentences(typed, meaning))
