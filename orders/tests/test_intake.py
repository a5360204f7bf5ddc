import dataclasses
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenshop.kernel.errors import Invalid
from orders.intake import OrderInput, is_order_no, parse_order, parse_status
from orders.reading import MAX_ERRORS
from orders.tests.factories import line, order_payload


def errors(**changes) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        parse_order(order_payload(**changes))
    return refused.value.fields


def test_a_whole_order_is_understood():
    order = parse_order(
        order_payload(
            placed_at="2026-01-01T08:00:00+08:00",
            paid_at="2026-01-01 08:05",
            buyer_openid="o-1",
            payment={"transaction_id": "42", "mchid": "16", "out_trade_no": "x", "combine_out_trade_no": "C"},
            promised_by="2026-01-05T00:00:00Z",
            note="  两行\n备注 ",
            lines=[line(category="fish", temperature_class="chilled")],
        )
    )
    assert order.placed_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert order.paid_at == dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)  # without a zone it is Shanghai's
    assert (order.transaction_id, order.mchid, order.out_trade_no) == ("42", "16", "x")
    assert order.combine_out_trade_no == "C"
    assert (order.note, order.lines[0].category, order.lines[0].temperature_class) == ("两行\n备注", "fish", "chilled")


def test_null_is_the_same_as_absent():
    optional = [field.name for field in dataclasses.fields(OrderInput) if field.default is None]
    said = parse_order(order_payload(order_no="A", placed_at="2026-01-01T00:00:00Z"))
    of_payment = {"transaction_id", "mchid", "out_trade_no", "combine_mchid", "combine_out_trade_no"}
    names = set(optional) - of_payment - {"total_fen"} | {"payment"}
    payload = order_payload(order_no="A", placed_at="2026-01-01T00:00:00Z", **dict.fromkeys(names))
    assert parse_order(payload) == said


def test_an_order_that_was_paid_together_with_others_has_a_number_of_its_own():
    assert list(errors(payment={"transaction_id": "42", "combine_out_trade_no": "C"})) == ["payment.out_trade_no"]


@pytest.mark.parametrize("name", ["order_no", "placed_at", "consignee", "lines"])
def test_what_is_required_is_missed_by_name(name):
    payload = order_payload()
    del payload[name]
    with pytest.raises(Invalid) as refused:
        parse_order(payload)
    assert any(path.startswith(name) for path in refused.value.fields)


@pytest.mark.parametrize("name", ["name", "phone", "province", "city", "district", "address"])
def test_all_six_fields_of_the_consignee_are_required(name):
    payload = order_payload()
    del payload["consignee"][name]
    with pytest.raises(Invalid) as refused:
        parse_order(payload)
    assert refused.value.fields == {f"consignee.{name}": "必填"}


def test_a_city_may_have_no_districts():
    assert parse_order(order_payload(city="东莞市", district="")).consignee.district == ""


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"colour": "red"}, "colour"),
        ({"payment": {"iban": "1"}}, "payment.iban"),
        ({"consignee": {"email": "a"}}, "consignee.email"),
        ({"lines": [line(weight=1)]}, "lines.0.weight"),
        ({"payment": "42"}, "payment"),
        ({"consignee": {"name": "a\x00b"}}, "consignee.name"),
        ({"consignee": {"name": "\ud800"}}, "consignee.name"),
        ({"consignee": {"name": "a\u202eb"}}, "consignee.name"),
        ({"consignee": {"name": "   "}}, "consignee.name"),
        ({"consignee": {"name": 5}}, "consignee.name"),
        ({"consignee": {"name": "长" * 51}}, "consignee.name"),
        ({"consignee": {"phone": "12345"}}, "consignee.phone"),
        ({"consignee": {"address": "a\nb"}}, "consignee.address"),
        ({"total_fen": -1}, "total_fen"),
        ({"total_fen": 1.5}, "total_fen"),
        ({"total_fen": "100"}, "total_fen"),
        ({"total_fen": True}, "total_fen"),
        ({"total_fen": 10**12 + 1}, "total_fen"),
        ({"lines": []}, "lines"),
        ({"lines": {}}, "lines"),
        ({"lines": [line()] * 201}, "lines"),
        ({"lines": ["x"]}, "lines.0"),
        ({"lines": [line(), line(quantity=0)]}, "lines.1.quantity"),
        ({"lines": [line(quantity=100_001)]}, "lines.0.quantity"),
        ({"lines": [line(quantity=True)]}, "lines.0.quantity"),
        ({"lines": [line(unit_price_fen=None)]}, "lines.0.unit_price_fen"),
        ({"lines": [line(sku="")]}, "lines.0.sku"),
        ({"lines": [line(temperature_class="hot")]}, "lines.0.temperature_class"),
        ({"lines": [line(temperature_class=[])]}, "lines.0.temperature_class"),
        ({"placed_at": "yesterday"}, "placed_at"),
        ({"placed_at": "2026-01-01"}, "placed_at"),
        ({"placed_at": "2026-02-30T00:00:00"}, "placed_at"),
        ({"placed_at": "1999-01-01T00:00:00Z"}, "placed_at"),
        ({"placed_at": "2101-06-01T00:00:00Z"}, "placed_at"),
        ({"placed_at": 1700000000}, "placed_at"),
        ({"placed_at": "2026-01-01T00:00:00+99:00"}, "placed_at"),
        ({"placed_at": "2026-01-03T00:00:00Z", "paid_at": "2026-01-01T00:00:00Z"}, "paid_at"),
        ({"buyer_openid": "a b"}, "buyer_openid"),
        ({"buyer_openid": "o" * 65}, "buyer_openid"),
        ({"note": "n" * 501}, "note"),
        ({"note": 7}, "note"),
    ],
)
def test_each_fault_is_named_by_its_path(changes, path):
    assert list(errors(**changes)) == [path]


def test_every_fault_is_named_at_once():
    assert set(errors(total_fen=-1, note=1, lines=[line(quantity=0)])) == {"total_fen", "note", "lines.0.quantity"}


def test_the_list_of_faults_is_bounded():
    assert len(errors(lines=[line(quantity=0, sku="", name="")] * 200)) == MAX_ERRORS


@pytest.mark.parametrize("order_no", ["0", "A", "a" * 64, "A-1_2.3", "Counts", "count"])
def test_an_order_number_within_the_rule_is_taken_as_it_is(order_no):
    assert parse_order(order_payload(order_no=order_no)).order_no == order_no


@pytest.mark.parametrize(
    "order_no",
    [
        "", "a" * 65, "a" * 10_000, "counts", "statuses", "-a", ".a", "_a", "a b", " a", "a\n", "a\x00", "é", "１２３",
        "订单", "😀", "𠮷", "a'b", 'a"b', "a/b", 5, None, True, ["a"],
    ],
)  # fmt: skip
def test_an_order_number_outside_the_rule_is_refused(order_no):
    assert not is_order_no(order_no)
    assert list(errors(order_no=order_no)) == ["order_no"]


@pytest.mark.parametrize("payload", [None, [], "x", 5, True])
def test_an_order_is_an_object(payload):
    with pytest.raises(Invalid):
        parse_order(payload)


def test_a_name_that_cannot_be_encoded_goes_back_in_a_form_that_can():
    json.dumps(errors(**{"\ud800" * 100: 1}), ensure_ascii=False).encode()


def test_a_status_is_one_of_the_closed_list():
    assert parse_status("paid") == "paid"
    with pytest.raises(Invalid):
        parse_status("PAID")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
FIELD = st.sampled_from([*order_payload(), "paid_at", "payment", "buyer_openid", "note", "updated_at", "promised_by"])


@given(JSON | st.dictionaries(FIELD, JSON))
def test_arbitrary_json_never_raises_anything_but_invalid(payload):
    try:
        parse_order(payload)
    except Invalid as problem:
        json.dumps(problem.fields, ensure_ascii=False).encode()


def faults(payload) -> list[str]:
    try:
        parse_order(payload)
    except Invalid as problem:
        return list(problem.fields)
    return []


@given(FIELD, JSON)
def test_one_arbitrary_field_in_a_good_order_is_taken_or_named(name, value):
    assert all(path.startswith((name, "paid_at")) for path in faults(order_payload() | {name: value}))


@given(st.sampled_from(["name", "phone", "province", "city", "district", "address"]), JSON)
def test_an_arbitrary_field_of_the_consignee_is_taken_or_named(name, value):
    assert faults(order_payload(consignee={name: value})) in ([], [f"consignee.{name}"])
