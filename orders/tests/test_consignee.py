import dataclasses
import datetime as dt

import pytest

from frozenshop.kernel.crypto import SealBroken
from orders.consignee import Consignee, indexes, mask_address, mask_name, mask_phone, tail_key

ZHANG = Consignee("张三", "13812341234", "上海市", "上海市", "浦东新区", "世纪大道 1 号")


def test_what_was_sealed_for_an_order_opens_for_that_order_only():
    sealed = ZHANG.seal("A1")
    assert Consignee.open(sealed, "A1") == ZHANG
    with pytest.raises(SealBroken):
        Consignee.open(sealed, "A2")


@pytest.mark.parametrize(("name", "masked"), [("张三", "张*"), ("欧阳修文", "欧*"), ("张", "*"), ("𠮷田", "𠮷*")])
def test_a_name_shows_its_first_character(name, masked):
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812341234", "138****1234"),
        ("13812341234-5678", "138****1234"),
        ("021-12345678", "021****5678"),
        ("0769-1234567-1", "076****4567"),
        ("+85291234567", "+852****4567"),
    ],
)
def test_a_phone_shows_its_head_and_its_last_four(phone, masked):
    assert mask_phone(phone) == masked


def test_an_address_shows_the_region_and_a_municipality_once():
    assert mask_address(ZHANG) == "上海市浦东新区****"
    assert mask_address(dataclasses.replace(ZHANG, province="上海")) == "上海市浦东新区****"
    assert mask_address(dataclasses.replace(ZHANG, province="广东省", city="东莞市", district="")) == "广东省东莞市****"


def test_the_same_person_has_the_same_indexes_whatever_the_width_of_the_name():
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    wide = dataclasses.replace(ZHANG, name="ＺＨＡＮＧ ")
    assert indexes(wide, at).name_index == indexes(dataclasses.replace(ZHANG, name="ZHANG"), at).name_index


def test_an_extension_makes_another_phone_with_the_same_tail():
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    private = indexes(dataclasses.replace(ZHANG, phone="13812341234-1"), at)
    assert private.phone_index != indexes(ZHANG, at).phone_index
    assert private.tail_index == indexes(ZHANG, at).tail_index


def test_the_month_of_a_tail_is_shanghais():
    assert tail_key(dt.datetime(2025, 12, 31, 16, tzinfo=dt.UTC), "1234") == "2026-01|1234"
