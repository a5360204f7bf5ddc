"""The payments of WeChat's stand-in: what it takes, what it refuses with which code, and when the money comes."""

import json
from pathlib import Path

import pytest

from sandbox.payments import Payment, PaymentBook
from sandbox.tests.conftest import CONFIG, START
from sandbox.wechat_payment_controls import CONTROLS

COMBINED, SPECIAL = "/wxa/sec/order/upload_combined_shipping_info", "/wxa/sec/order/opspecialorder"
UPLOAD, GET = "/wxa/sec/order/upload_shipping_info", "/wxa/sec/order/get_order"
LIST, NUDGE = "/wxa/sec/order/get_order_list", "/wxa/sec/order/notify_confirm_receive"
EXPRESS = "/cgi-bin/express/delivery/open_msg/"
SAMPLES = json.loads((Path(__file__).parent / "fixtures/wechat_order_shipping.json").read_text())
OPENID, TX = "oTestOpenid0000000000000001", "4200001234202601011234567890"
DAY = 86_400


@pytest.fixture
def wechat(sandbox):
    return sandbox.world.wechat


@pytest.fixture
def call(wechat):
    def ask(path, body):
        token = wechat.mini.stable_token(wechat.clock(), force=False).value
        return wechat.answer("POST", path, {"access_token": token}, body)

    return ask


@pytest.fixture
def control(sandbox):
    def act(method, path, **asked):
        return CONTROLS[method, f"/wechat/{path}"](sandbox.world, asked)

    return act


@pytest.fixture
def paid(control):
    def pay(**changes):
        one = {"transaction_id": TX, "out_trade_no": "20260101A0001", "openid": OPENID, "paid_fen": 12850}
        return control("POST", "payments", **one | changes)

    return pay


@pytest.fixture
def upload(call):
    """The sample's body, with what differs; `parcels` replaces its list."""

    def tell(*parcels, at="2026-01-01T15:01:35.120+08:00", **changes):
        body = SAMPLES["upload_shipping_info"]["body"] | {"upload_time": at} | changes
        return call(UPLOAD, body | ({"shipping_list": list(parcels)} if parcels else {}))["errcode"]

    return tell


def parcel(number="SF1", **changes):
    contact = {"receiver_contact": "138****1234"}
    return {"tracking_no": number, "express_company": "SF", "item_desc": "鱼丸*1", "contact": contact, **changes}


def events(wechat):
    return [dict(event.fields) for event in wechat.events]


def test_the_official_samples_are_taken_and_answered(paid, call, wechat):
    paid()
    sample = SAMPLES["get_order"]
    assert set(call(GET, sample["body"])["order"]) == set(sample["ok_unshipped"]["order"])
    assert call(UPLOAD, SAMPLES["upload_shipping_info"]["body"]) == SAMPLES["upload_shipping_info"]["ok"]
    shown = call(GET, sample["body"])["order"]
    assert set(shown["shipping"]) == set(sample["ok_shipped"]["order"]["shipping"])
    assert (shown["order_state"], shown["shipping"]["finish_shipping_count"]) == (2, 1)


def test_a_split_payment_waits_until_all_is_told(paid, call, upload):
    paid()
    split = {"delivery_mode": 2, "is_all_delivered": False}
    assert upload(parcel("SF1"), **split) == 0
    assert call(GET, {"transaction_id": TX})["order"]["order_state"] == 1
    assert (
        upload(parcel("SF1"), parcel("SF2"), at="2026-01-01T16:00:00+08:00", **split | {"is_all_delivered": True}) == 0
    )
    order = call(GET, {"merchant_id": CONFIG.wechat_mchid, "merchant_trade_no": "20260101A0001"})["order"]
    assert (order["order_state"], order["shipping"]["finish_shipping_count"]) == (2, 1)


def test_the_same_again_changes_nothing_and_one_correction_is_taken(paid, upload, wechat):
    paid()
    assert [upload(), upload(at="2026-01-01T15:02:00+08:00")] == [0, 10060023]
    assert upload(parcel("SF9"), at="2026-01-01T15:03:00+08:00") == 0
    assert upload(parcel("SF10"), at="2026-01-01T15:04:00+08:00") == 10060003
    payment = wechat.shipping.book.find(transaction_id=TX)
    assert (payment.uploads, payment.unchanged, payment.refused, payment.finished) == (2, 1, 1, 2)


def test_the_time_of_an_upload_must_grow(paid, upload):
    paid()
    assert upload(parcel("SF1"), delivery_mode=2, is_all_delivered=False) == 0
    assert upload(parcel("SF2"), at="2026-01-01T15:01:35.119+08:00") == 268485216


def test_a_payment_is_found_only_some_seconds_after_it_was_made(paid, upload, clock):
    paid(visible_after=30)
    assert upload() == 10060001
    clock.forward(30)
    assert upload() == 0


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"order_key": {"order_number_type": 3}}, 268485194),
        ({"order_key": {"order_number_type": 2}}, 268485195),
        ({"order_key": {"order_number_type": 1, "out_trade_no": "A"}}, 268485196),
        ({"order_key": {"order_number_type": 1, "mchid": "1"}}, 268485197),
        ({"order_key": {"order_number_type": 2, "transaction_id": "0"}}, 10060001),
        ({"payer": {"openid": "oOther"}}, 10060031),
        ({"logistics_type": 0}, 10060005),
        ({"logistics_type": 5}, 47001),
        ({"delivery_mode": 3}, 268485224),
        ({"shipping_list": {}}, 47001),
        ({"shipping_list": [parcel(), parcel()]}, 268485228),
        ({"logistics_type": 2, "delivery_mode": 2}, 10060006),
        ({"delivery_mode": 2}, 10060007),
        ({"delivery_mode": 2, "is_all_delivered": True, "shipping_list": [parcel()] * 16}, 10060024),
        ({"shipping_list": [parcel(tracking_no="")]}, 268485226),
        ({"shipping_list": [parcel(express_company="")]}, 268485227),
        ({"shipping_list": [parcel(tracking_no="1" * 129)]}, 10060026),
        ({"shipping_list": [parcel(express_company="1" * 129)]}, 10060025),
        ({"shipping_list": [parcel(item_desc="")]}, 10060008),
        ({"shipping_list": [parcel(item_desc="鱼" * 121)]}, 10060009),
        ({"shipping_list": [parcel(contact={})]}, 10060014),
        ({"shipping_list": [parcel(contact={"receiver_contact": "13800138000"})]}, 10060014),
        ({"upload_time": "2026-01-01 15:01:35"}, 268485216),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(paid, upload, changes, errcode):
    paid()
    at = changes.pop("upload_time", "2026-01-01T15:01:35.120+08:00")
    assert upload(at=at, **changes) == errcode


def test_settlement_is_told_twice_at_shipping_and_when_the_buyer_confirms(paid, upload, wechat, control):
    paid()
    upload()
    control("POST", "payments/act", act="confirm", transaction_id=TX)
    first, second = events(wechat)
    assert set(first) >= set(SAMPLES["events"]["settlement_at_shipping"]) - {"ToUserName", "CreateTime", "MsgType"}
    assert set(second) >= set(SAMPLES["events"]["settlement_done"]) - {"ToUserName", "CreateTime", "MsgType"}
    assert first["estimated_settlement_time"] == START + 10 * DAY
    assert (second["confirm_receive_method"], wechat.shipping.book.find(transaction_id=TX).state) == (2, 4)


def test_who_says_nothing_is_settled_after_ten_days(paid, upload, wechat, clock):
    paid()
    upload()
    clock.forward(10 * DAY + 1)
    wechat.shipping.tick()
    assert [event.get("confirm_receive_method") for event in events(wechat)] == [None, 1]


def test_what_is_not_shipped_within_48_hours_is_reminded_once(paid, wechat, clock):
    paid()
    for _ in range(3):
        clock.forward(2 * DAY)
        wechat.shipping.tick()
    (event,) = events(wechat)
    assert set(event) == set(SAMPLES["events"]["remind_shipping"]) - {"ToUserName", "CreateTime", "MsgType"}


def test_a_refunded_payment_takes_no_shipping(paid, upload, control):
    paid()
    control("POST", "payments/act", act="refund", transaction_id=TX)
    assert upload() == 10060004


def test_a_buyer_is_reminded_to_confirm_once(paid, upload, call):
    paid()
    asked = {"transaction_id": TX, "received_time": int(START) + 60}
    assert call(NUDGE, asked)["errcode"] == 10060028
    upload()
    assert call(NUDGE, asked | {"received_time": 1})["errcode"] == 10060029
    assert [call(NUDGE, asked)["errcode"] for _ in range(2)] == [0, 10060030]


def test_a_list_goes_page_by_page(paid, call):
    for number in range(5):
        paid(transaction_id=f"42000{number}", out_trade_no=f"A{number}")
    body = SAMPLES["get_order_list"]["body"]
    first = call(LIST, body)
    rest = call(LIST, body | {"last_index": first["last_index"], "page_size": 10})
    numbers = [order["transaction_id"] for order in first["order_list"] + rest["order_list"]]
    assert (numbers, first["has_more"], rest["has_more"]) == ([f"42000{n}" for n in range(5)], True, False)
    assert call(LIST, body | {"last_index": "nonsense"})["errcode"] == 10060011


def test_a_program_that_is_taken_in_is_told(control, call, wechat):
    control("PUT", "settlement", managed=False)
    asked = SAMPLES["is_trade_managed"]["body"] | {"appid": CONFIG.wechat_appid}
    assert call("/wxa/sec/order/is_trade_managed", asked)["is_trade_managed"] is False
    control("PUT", "settlement", managed=True)
    assert [event["Event"] for event in events(wechat)] == ["trade_manage_remind_access_api"]


def test_a_killed_sandbox_remembers_every_payment(tmp_path):
    PaymentBook(tmp_path).save(Payment(TX, "1900000109", "A1", OPENID, START, START, uploads=1))
    assert PaymentBook(tmp_path).find(trade="1900000109/A1").uploads == 1


def test_a_token_shows_its_parcel_to_its_buyer_only(put, call):
    put("SF1234567890123", carrier_code="SF")
    asked = {
        "openid": OPENID, "receiver_phone": "13800000101", "waybill_id": "SF1234567890123", "delivery_id": "SF",
        "goods_info": {"detail_list": [{"goods_name": "鱼丸", "goods_img_url": "https://img.invalid/1.png"}]},
    }  # fmt: skip
    token = call(f"{EXPRESS}trace_waybill", asked)["waybill_token"]
    shown = call(f"{EXPRESS}query_trace", {"waybill_token": token, "openid": OPENID})
    assert (shown["waybill_info"]["waybill_id"], shown["delivery_info"]["delivery_name"]) == (
        "SF1234567890123",
        "顺丰速运",
    )
    assert call(f"{EXPRESS}query_trace", {"waybill_token": token, "openid": "oOther"})["errcode"] == 9300534
    assert call(f"{EXPRESS}query_trace", {"waybill_token": "x"})["errcode"] == 9300507
    assert call(f"{EXPRESS}trace_waybill", asked | {"waybill_id": "SF0"})["errcode"] == 931023
    assert call(f"{EXPRESS}trace_waybill", asked | {"openid": ""})["errcode"] == 40003


def test_the_list_of_companies_has_the_form_of_the_sample(call):
    listed = call(f"{EXPRESS}get_delivery_list", {})
    assert {"delivery_id": "SF", "delivery_name": "顺丰速运"} in listed["delivery_list"]
    assert listed["count"] == len(listed["delivery_list"])


def test_payments_are_steered_over_the_wire(http):
    made = http("POST", "/_sim/wechat/payments", json={"payments": [{"openid": "oA"}, {"openid": "oB"}]}).json()
    assert len(made["payments"]) == 2
    shown = http("GET", "/_sim/wechat/payments").json()
    assert (shown["states"], shown["uploads"]) == ({"1": 2}, {"0": 2})
    assert http("POST", "/_sim/wechat/payments", json={"openid": ""}).status_code == 400
    assert http("POST", "/_sim/wechat/payments/act", json={"act": "confirm", "transaction_id": "0"}).status_code == 400


# --- payments below a combined one ----------------------------------------------------------------


def below(number, **changes):
    key = {"order_number_type": 1, "mchid": CONFIG.wechat_mchid, "out_trade_no": f"A{number}"}
    return {
        "order_key": key,
        "logistics_type": 1,
        "delivery_mode": 1,
        "shipping_list": [parcel(f"SF{number}")],
        **changes,
    }


@pytest.fixture
def several(paid, call):
    """Two payments below C1, and the call that tells of them."""
    for number in (1, 2):
        paid(transaction_id=f"42{number}", out_trade_no=f"A{number}", combine_out_trade_no="C1")

    def tell(*parts, at="2026-01-01T15:01:35.120+08:00", kind=1, above="C1"):
        key = {"order_number_type": kind, "mchid": CONFIG.wechat_mchid, "out_trade_no": above}
        body = {"order_key": key, "sub_orders": list(parts), "upload_time": at, "payer": {"openid": OPENID}}
        return call(COMBINED, body)["errcode"]

    return tell


def test_payments_below_a_combined_one_are_told_in_one_call(several, wechat):
    assert several(below(1), below(2)) == 0
    assert [one.finished for one in wechat.shipping.book.newest(2)] == [1, 1]
    assert several(below(1), below(2), at="2026-01-01T15:02:00+08:00") == 10060023


def test_naming_again_what_has_all_uses_up_its_correction(several, wechat):
    assert several(below(1)) == 0
    assert several(below(1), below(2), at="2026-01-01T15:02:00+08:00") == 0
    assert [wechat.shipping.book.find(transaction_id=f"42{n}").finished for n in (1, 2)] == [2, 1]


@pytest.mark.parametrize(
    ("parts", "more", "errcode"),
    [
        ([below(1), below(1)], {}, 10060013),
        ([below(1)], {"kind": 2}, 268485253),
        ([below(1)], {"above": "C2"}, 10060001),
        ([below(9)], {}, 10060001),
        ([below(1), below(2, shipping_list=[parcel(item_desc="")])], {}, 10060008),
        ([], {}, 10060014),
    ],
)
def test_a_combined_call_is_taken_as_a_whole_or_not_at_all(several, wechat, parts, more, errcode):
    assert several(*parts, **more) == errcode
    assert [one.uploads for one in wechat.shipping.book.newest(2)] == [0, 0]


def test_a_payment_below_a_combined_one_is_not_told_by_itself(several, upload):
    key = {"order_number_type": 1, "mchid": CONFIG.wechat_mchid, "out_trade_no": "A1"}
    assert upload(order_key=key) == 10060014


# --- special orders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"delay_to": 20 * DAY}, 0),
        ({"delay_to": 14 * DAY}, 268546001),
        ({"delay_to": 331 * DAY}, 268546001),
        ({"delay_to": None}, 268546001),
        ({"type": 2}, 0),
        ({"type": 3}, 268546000),
        ({"order_id": "unknown", "type": 2}, 268546002),
        ({"order_id": "20260101A0001", "type": 2}, 0),
    ],
)
def test_a_presale_is_late_by_fifteen_days_at_least(paid, call, wechat, changes, errcode):
    paid()
    given = {"order_id": TX, "type": 1, **changes}
    if given.get("delay_to"):
        given["delay_to"] += int(wechat.shipping.book.find(transaction_id=TX).pay_time)
    assert call(SPECIAL, given)["errcode"] == errcode


def test_what_was_shipped_is_no_presale(paid, call, upload):
    paid()
    upload()
    assert call(SPECIAL, {"order_id": TX, "type": 2})["errcode"] == 268546002
