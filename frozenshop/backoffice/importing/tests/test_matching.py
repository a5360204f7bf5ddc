"""Which column is what, in the exports of other shops."""

import pytest

from frozenshop.backoffice.importing.fields import LABELS, SYNONYMS, WHATS, names_of
from frozenshop.backoffice.importing.matching import check, look
from frozenshop.kernel.errors import Invalid
from logistics.carriers import BASE_DATA
from logistics.waybill_shapes import _SHAPES, carriers_of, fits
from orders.tests.test_importing import as_csv


@pytest.fixture
def guess(tmp_path):
    def guess(table, what="orders", carriers=("顺丰", "中通")):
        path = tmp_path / "file.csv"
        path.write_text(as_csv(table))
        return look(path, WHATS[what], carriers)

    return guess


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("收货人", "consignee_name"), ("收件人", "consignee_name"), ("联系电话", "consignee_phone"),
        ("收货人手机号", "consignee_phone"), ("快递单号", "waybill_no"), ("物流公司", "carrier_code"),
        ("订单编号", "order_no"), ("支付时间", "paid_at"), ("商家编码", "sku"), ("*数量", "quantity"),
        ("ORDER_NO", "order_no"), ("Tracking Number", "waybill_no"),
    ],
)  # fmt: skip
def test_headings_of_other_shops_are_known(guess, heading, field):
    found = guess([["别的", heading, "订单号" if field != "order_no" else "备注"], ["x", "y", "z"]])
    assert found.match[field] == 1


def test_no_heading_means_two_things():
    for what in WHATS.values():
        named = [name for field in what.columns for name in names_of(field)]
        assert sorted(named) == sorted(set(named))


def test_every_field_has_a_name():
    assert SYNONYMS.keys() <= LABELS.keys()
    assert {name for what in WHATS.values() for name in what.columns} == LABELS.keys()


def test_the_old_number_is_not_taken_for_the_new_one(guess):
    found = guess([["订单号", "原运单号", "运单号"], ["A1", "SF1", "SF2"]], "corrections")
    assert found.match == {"order_no": 0, "old_waybill_no": 1, "waybill_no": 2}


def test_a_header_below_a_title_is_found(guess):
    found = guess([["十一月发货表"], ["订单号", "快递单号"], ["A1", "SF0000000000001"]], "waybills")
    assert (found.header_row, found.match) == (2, {"order_no": 0, "waybill_no": 1})


def test_columns_without_a_header_are_told_by_what_stands_in_them(guess):
    rows = [[f"AB-{n}", "顺丰", f"SF00000000000{n:02}"] for n in range(9)]
    found = guess(rows, "waybills")
    assert (found.header_row, found.match) == (0, {"order_no": 0, "carrier_code": 1, "waybill_no": 2})
    assert found.by_content == {"order_no", "carrier_code", "waybill_no"}


def test_a_phone_is_no_waybill(guess):
    rows = [["订单号", ""], *[[f"A{n}", f"138000000{n:02}"] for n in range(9)]]
    assert guess(rows, "waybills").match == {"order_no": 0}


def test_the_fingerprint_is_of_the_header_alone(guess):
    one, other = (guess([["订单号", "快递单号"], [cell, cell]]).fingerprint for cell in ("A1", "B2"))
    assert one == other != guess([["订单号", "运单"], ["A1", "x"]]).fingerprint


def test_what_is_missing_or_used_twice_is_asked_for():
    with pytest.raises(Invalid, match="运单号"):
        check({"order_no": 0}, WHATS["waybills"], 3)
    with pytest.raises(Invalid, match="两次"):
        check({"order_no": 0, "waybill_no": 0}, WHATS["waybills"], 3)


def test_shapes_name_carriers_that_there_are():
    known = {line.split(",")[0] for line in BASE_DATA.read_text(encoding="utf-8").splitlines()}
    assert {code for codes in _SHAPES.values() for code in codes} <= known


def test_a_number_without_letters_may_be_anybodys():
    assert fits("773012345678901", "SF")
    assert not fits("YT1234567890123", "SF")
    assert carriers_of("sf1234567890123") >= {"SF"}
