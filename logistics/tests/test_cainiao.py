"""菜鸟 in every form that was documented or seen."""

import contextlib
import datetime as dt
import json
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from logistics.checks import check_cainiao
from logistics.models import Reason
from logistics.models import ShipmentStatus as S
from logistics.providers import cainiao
from logistics.providers.base import (
    MAX_PUSH_BYTES,
    Concerns,
    Forged,
    ProviderError,
    Question,
    Unreadable,
    configured_providers,
)
from logistics.providers.cainiao_codes import CODES, status_of
from logistics.tests.provider_suite import ProviderSuite, Scan, anything

SECRET = "demo-secret-0001"
PATH_SECRET = "test-only-path-Secret-0001"
FIXTURES = Path(__file__).parent / "fixtures"
ZTO = Question("ZTO", "73100000000001")


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.CAINIAO_BASE_URL = "https://cainiao.invalid"
    settings.CAINIAO_PROVIDER_ID, settings.CAINIAO_APP_CODE = "0123456789abcdef0123456789abcdef", "demo-app"
    settings.CAINIAO_SECRET, settings.CAINIAO_CALLBACK_SECRETS = SECRET, PATH_SECRET


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / f"cainiao_{name}.json").read_text())


def signed(text: str, *, digest: str = "base64-raw", secret: str = SECRET) -> bytes:
    fields = {"msg_type": "x", "msg_id": "1", "logistics_interface": text}
    return urlencode(fields | {"data_digest": cainiao.sign(text, secret, digest)}).encode()


def node(time="2026-11-20 08:00:00", text="x", code="", **more) -> dict:
    told = {"cpCode": "ZTO", "mailNo": ZTO.waybill_no, "lastLogisticDetail": text}
    return told | {"logisticsGmtModified": time, "logisticsStatus": code} | more


def pushed(*nodes: dict) -> bytes:
    return signed(json.dumps(nodes if len(nodes) != 1 else nodes[0], ensure_ascii=False))


def report_of(*nodes: dict):
    (report,) = cainiao.parse(pushed(*nodes))
    return report


def asked(fake_http, content, question=ZTO):
    fake_http.will_answer(content)
    return cainiao.query(question)


class TestAsAProvider(ProviderSuite):
    name = "cainiao"
    secrets = (SECRET,)
    bad_key_answer = {"success": False, "errorCode": "S02", "errorMsg": f"非法的数字签名 {SECRET}"}

    def push(self, *scans: Scan):
        return pushed(*(node(*scan, mailNo=self.waybill_no, cpCode="SF") for scan in scans))

    def signed(self, text):
        return signed(text)

    def answered(self, *scans):
        details = [{"time": scan.time, "desc": scan.text} for scan in scans]
        return {"success": True, "mailNo": self.waybill_no, "cpCode": "SF", "fullTraceDetail": details}

    def forged(self, body):
        return body.replace(b"SF", b"ST")


class TestNestedAnswers(TestAsAProvider):
    def answered(self, *scans):
        details = [{"opTime": scan.time, "opMessage": scan.text, "opDesc": "运输中"} for scan in scans]
        return {"success": True, "result": {"data": json.dumps({"detail": details}, ensure_ascii=False)}}


def test_without_any_of_its_keys_it_is_off(settings):
    settings.CAINIAO_APP_CODE = ""
    assert "cainiao" not in configured_providers()


# --- digest and questions -------------------------------------------------------------------------


@pytest.mark.parametrize("case", fixture("digests")["cases"], ids=["detail", "sign"])
def test_the_digest_is_the_base64_of_the_raw_md5(case):
    assert cainiao.sign(case["logistics_interface"], SECRET) == case["data_digest"]


def test_a_question_is_sent_as_it_was_seen(fake_http, settings):
    settings.CAINIAO_PROVIDER_ID = "<resource code, 32 hex>"
    asked(fake_http, fixture("link_detail_get_request")["response_shape_A_flat"])
    (call,) = fake_http.calls
    assert (call["method"], call["url"]) == ("POST", "https://cainiao.invalid/gateway/link.do")
    assert call["data"] == fixture("link_detail_get_request")["form"]


def test_a_phone_tail_is_sent_where_the_carrier_wants_one(fake_http):
    asked(fake_http, {"success": True, "fullTraceDetail": []}, Question("SF", "SF1", "1234"))
    assert json.loads(fake_http.calls[0]["data"]["logistics_interface"])["arg0"]["receiverPhone"] == "1234"


def test_the_older_query_has_its_own_form(fake_http, settings):
    settings.CAINIAO_QUERY_TYPE = cainiao.PACK_QUERY
    report = asked(fake_http, {"success": True, "fullTraceDetail": [{"time": "2026-11-21 09:00:00", "desc": "已揽收"}]})
    data = fake_http.calls[0]["data"]
    assert (data["msg_type"], data["to_code"]) == ("LPC_PACK_PUB_QUERY", "LD-PACKPUSH")
    assert json.loads(data["logistics_interface"]) == {
        "appName": "demo-app",
        "cpCode": "ZTO",
        "mailNo": ZTO.waybill_no,
    }
    assert report.events[0].text == "已揽收"


def test_the_first_of_two_secrets_signs_and_both_are_accepted(settings, fake_http):
    settings.CAINIAO_SECRET = f"a-newer-secret-0002,{SECRET}"
    asked(fake_http, {"success": True, "fullTraceDetail": []})
    data = fake_http.calls[0]["data"]
    assert data["data_digest"] == cainiao.sign(data["logistics_interface"], "a-newer-secret-0002")
    cainiao.authenticate(pushed(node()))


def test_a_subscription_asks_in_the_same_form(fake_http):
    fake_http.will_answer({"success": True})
    cainiao.subscribe(ZTO)
    data = fake_http.calls[0]["data"]
    assert (data["msg_type"], data["to_code"]) == ("CNTECH_LV_LOGISTICS_DETAIL_SUBSCRIBE", "CNTECH_LV")
    assert data["logistics_interface"] == fixture("link_detail_get_request")["form"]["logistics_interface"]


@pytest.mark.parametrize("reason", ["请勿重复订阅", "该运单已订阅", "暂无物流信息"])
def test_what_is_subscribed_already_is_subscribed(fake_http, reason):
    fake_http.will_answer({"success": False, "errorCode": "B01", "errorMsg": reason})
    cainiao.subscribe(ZTO)


# --- answers --------------------------------------------------------------------------------------

PICKED_UP_AT = dt.datetime(2026, 11, 21, 1, 0, tzinfo=dt.UTC)


def test_the_flat_answer_is_in_transit_with_codeless_scans(fake_http):
    report = asked(fake_http, fixture("link_detail_get_request")["response_shape_A_flat"])
    (event,) = report.events
    assert (event.status, event.code, event.text, event.occurred_at) == (S.UNKNOWN, "", "快件已揽收", PICKED_UP_AT)
    assert (report.overall.status, report.overall.code, report.overall.weak) == (S.IN_TRANSIT, "TRANSPORT", True)
    assert (report.overall.location, report.overall.as_of) == ("杭州市", PICKED_UP_AT)
    assert report.unknown_codes == ()


@pytest.mark.parametrize("times", [0, 1, 2], ids=["object", "data as text", "all as text"])
def test_the_nested_answer_is_read_even_where_it_is_text(fake_http, times):
    content = fixture("link_detail_get_request")["response_shape_B_nested"]
    if times:
        content["result"]["data"] = json.dumps(content["result"]["data"])
    if times == 2:
        content["result"] = json.dumps(content["result"])
    report = asked(fake_http, content)
    assert [(event.text, event.code) for event in report.events] == [("快件已揽收", "")]
    assert (report.waybill_no, report.carrier_code, report.overall) == (ZTO.waybill_no, "ZTO", None)


def test_the_answer_of_the_pickup_service_has_numbers_of_nodes(fake_http):
    report = asked(fake_http, fixture("pickup_query_logistics_detail")["response"])
    (event,) = report.events
    assert (event.status, event.code, event.location) == (S.NO_TRACE, "100", "北京市朝阳区")
    assert event.occurred_at == dt.datetime(2023, 8, 1, 2, 0, tzinfo=dt.UTC)


def test_a_refusal_with_the_documented_error_says_so(fake_http):
    with pytest.raises(ProviderError, match="S01 参数错误") as caught:
        asked(fake_http, fixture("link_detail_get_request")["response_error"])
    assert (caught.value.permanent, caught.value.concerns) == (True, Concerns.WAYBILL)


@pytest.mark.parametrize(
    "content",
    [
        {"success": True, "logisticsStatus": "WAIT_ACCEPT", "fullTraceDetail": []},
        {"success": True, "result": {"data": {"detail": []}}},
        {"success": False, "errorCode": "B01", "errorMsg": "暂无物流信息"},
        {"success": "false", "errorMsg": "查询无结果", "fullTraceDetail": None},
    ],
    ids=["flat", "nested", "refused", "refused, null"],
)
def test_no_scans_yet_is_no_error_and_no_status(fake_http, content):
    if content.get("success") is not True:
        content = content | {"logisticsStatus": ""}
    report = asked(fake_http, content)
    assert (report.found, report.events, report.overall) == (False, (), None)


@pytest.mark.parametrize(
    ("refusal", "permanent", "concerns"),
    [
        ({"errorCode": "S02", "errorMsg": "非法的数字签名"}, True, Concerns.ACCOUNT),
        ({"errorCode": "S04", "errorMsg": "非法的通知类型"}, True, Concerns.ACCOUNT),
        ({"errorCode": "S07", "errorMsg": "系统异常，请重试"}, False, Concerns.ACCOUNT),
        ({"errorCode": "S14", "errorMsg": "系统流控"}, False, Concerns.ACCOUNT),
        ({"errorCode": "B9", "errorMsg": "没有权限调用"}, True, Concerns.ACCOUNT),
        ({"errorMsg": "cpCode 不存在"}, True, Concerns.CARRIER),
        ({"errorMsg": "手机号不匹配"}, True, Concerns.WAYBILL),
        ({"errorMsg": "未知错误"}, False, Concerns.WAYBILL),
    ],
    ids=lambda value: value.get("errorMsg") if isinstance(value, dict) else "",
)
def test_a_refusal_says_how_far_it_reaches(fake_http, refusal, permanent, concerns):
    with pytest.raises(ProviderError) as caught:
        asked(fake_http, {"success": False} | refusal)
    assert (caught.value.permanent, caught.value.concerns) == (permanent, concerns)


def test_an_answer_of_unknown_shape_points_to_the_self_check(fake_http):
    with pytest.raises(ProviderError, match="check_cainiao"):
        asked(fake_http, {"success": True, "payload": []})


def test_an_answer_about_another_waybill_is_not_taken(fake_http):
    with pytest.raises(ProviderError, match="不符"):
        asked(fake_http, fixture("link_detail_get_request")["response_shape_A_flat"], Question("ZTO", "731"))


def test_of_a_repeated_key_in_an_answer_the_last_counts_and_it_is_noted(fake_http):
    inner = json.dumps('{"detail":[],"detail":[{"opTime":"2026-11-21 09:00:00","opMessage":"a"}]}')
    report = asked(fake_http, f'{{"success":false,"success":true,"result":{{"data":{inner}}}}}')
    assert [event.text for event in report.events] == ["a"]
    assert report.notes == ("键 success 重复，取最后一个", "键 detail 重复，取最后一个")


def test_an_end_told_by_the_main_status_is_not_weak(fake_http):
    scans = [{"time": "2026-11-21 09:00:00", "desc": "已签收"}]
    report = asked(fake_http, {"success": True, "logisticsStatus": "SIGN", "fullTraceDetail": scans})
    assert (report.overall.status, report.overall.weak) == (S.DELIVERED, False)


# --- pushes ---------------------------------------------------------------------------------------


def link_push() -> bytes:
    return urlencode(fixture("link_push_callback")["form"]).encode()


def array_push() -> bytes:
    return json.dumps(fixture("push_smart_logistics_report")["request_body"], ensure_ascii=False).encode()


def test_the_link_push_is_one_node_out_for_delivery():
    cainiao.authenticate(link_push())
    (report,) = cainiao.parse(link_push())
    (event,) = report.events
    assert (report.waybill_no, report.carrier_code, report.overall) == (ZTO.waybill_no, "ZTO", None)
    assert (event.status, event.code, event.text) == (S.OUT_FOR_DELIVERY, "DELIVERING", "快件正在派送")
    assert (event.location, event.occurred_at) == ("上海市", dt.datetime(2026, 11, 22, 0, 0, tzinfo=dt.UTC))


def test_the_array_push_is_a_delivery():
    cainiao.authenticate(array_push(), PATH_SECRET)
    (report,) = cainiao.parse(array_push())
    (event,) = report.events
    assert (report.waybill_no, report.carrier_code) == ("YTO3243643****", "YTO")
    assert (event.status, event.code, event.text, event.location) == (S.DELIVERED, "SIGN", "包裹已签收", "成都")


@pytest.mark.parametrize("secret", ["", "wrong", "密钥", PATH_SECRET[:-1], "\udcff"])
def test_the_array_form_is_refused_at_any_other_address(secret):
    with pytest.raises(Forged):
        cainiao.authenticate(array_push(), secret)


def test_without_path_secrets_no_array_is_taken(settings):
    settings.CAINIAO_CALLBACK_SECRETS = ""
    with pytest.raises(Forged):
        cainiao.authenticate(array_push(), "")


def test_the_path_secret_does_not_stand_in_for_a_digest():
    with pytest.raises(Forged):
        cainiao.authenticate(signed("{}", secret="other"), PATH_SECRET)


def test_an_array_over_the_limit_is_unreadable():
    with pytest.raises(Unreadable):
        cainiao.authenticate(b"[" + b" " * MAX_PUSH_BYTES + b"]", PATH_SECRET)


@pytest.mark.parametrize("digest", cainiao.DIGESTS)
def test_the_digest_of_pushes_is_a_setting(settings, digest):
    settings.CAINIAO_PUSH_DIGEST = digest
    cainiao.authenticate(signed("{}", digest=digest))
    for other in set(cainiao.DIGESTS) - {digest}:
        with pytest.raises(Forged):
            cainiao.authenticate(signed("{}", digest=other))


def encodings() -> dict[str, bytes]:
    form = fixture("link_push_callback")["form"]
    text, digest = form["logistics_interface"], form["data_digest"]
    return {
        "JSON envelope": json.dumps(form).encode(),
        "digest with its plus signs unencoded": urlencode(form, safe="+").encode(),
        "all twice encoded": urlencode({name: quote(value) for name, value in form.items()}).encode(),
        "twice encoded": urlencode(form | {"logistics_interface": quote_plus(text)}).encode(),
        "signed over the encoded": urlencode(
            form | {"logistics_interface": quote_plus(text), "data_digest": cainiao.sign(quote_plus(text), SECRET)}
        ).encode(),
        "JSON envelope, array inside": signed(f"[{text}]"),
        "blank before": b"  " + json.dumps(form | {"data_digest": digest}).encode(),
    }


@pytest.mark.parametrize("encoding", encodings())
def test_a_push_is_understood_in_every_encoding(encoding):
    body = encodings()[encoding]
    cainiao.authenticate(body)
    assert cainiao.parse(body) == cainiao.parse(link_push())


def test_an_array_tells_of_several_parcels_and_of_several_nodes_of_one():
    body = json.dumps([node("2026-11-21 08:00:00"), node(mailNo="2"), {"mailNo": None}, 7, node()]).encode()
    first, second = cainiao.parse(body)
    assert (first.waybill_no, len(first.events), second.waybill_no) == (ZTO.waybill_no, 2, "2")
    assert first.events[0].occurred_at < first.events[1].occurred_at


def test_a_push_without_digest_is_forged():
    with pytest.raises(Forged):
        cainiao.authenticate(urlencode({"logistics_interface": "{}"}).encode())


def test_of_a_repeated_key_the_last_counts_and_it_is_noted():
    (report,) = cainiao.parse(signed('{"mailNo":"1","mailNo":"2"}'))
    assert report.waybill_no == "2"
    assert "mailNo" in report.notes[0]


def test_a_nested_array_of_a_hundred_is_read_and_one_more_is_not():
    assert cainiao.parse(signed('{"mailNo":"1","x":' + "[" * 99 + "]" * 99 + "}"))
    with pytest.raises(Unreadable):
        cainiao.parse(signed('{"mailNo":"1","x":' + "[" * 100 + "]" * 100 + "}"))


@pytest.mark.parametrize("written", ["", "昨天", None, [], "2026-02-30 08:00:00"])
def test_a_node_without_readable_time_holds_since_it_came(written):
    came = dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.UTC)
    (report,) = cainiao.parse(pushed(node(written, code="SIGN")), came)
    assert (report.events, report.overall.status, report.overall.as_of) == ((), S.DELIVERED, came)
    assert "时间" in report.notes[0]


@pytest.mark.parametrize("form", ["link_push_callback", "push_smart_logistics_report"])
def test_a_push_is_answered_in_the_form_that_it_came_in(form):
    body = link_push() if form == "link_push_callback" else array_push()
    reply = cainiao.accepted(body)
    assert (reply.status, json.loads(reply.body)) == (200, fixture(form)["expected_response"])


@pytest.mark.parametrize(("status", "code"), [(401, "S02"), (400, "S05"), (503, "S07")])
def test_a_refusal_has_the_form_of_its_push(status, code):
    link, array = (cainiao.refused(body, "为什么", status=status) for body in (b"", array_push()))
    assert (link.status, json.loads(link.body)) == (
        status,
        {"success": False, "errorCode": code, "errorMsg": "为什么"},
    )
    assert (array.status, json.loads(array.body)) == (status, {"code": status, "msg": "为什么"})


ANYTHING = anything("mailNo", "cpCode", "logisticsStatus", "logisticsStatusEx", "logisticsGmtModified", "city")


@given(ANYTHING)
def test_whatever_is_signed_is_read_or_unreadable(content):
    body = signed(json.dumps(content))
    cainiao.authenticate(body)
    with contextlib.suppress(Unreadable):
        cainiao.parse(body)


@given(st.binary(max_size=300))
def test_whatever_is_not_signed_is_refused(body):
    with pytest.raises((Forged, Unreadable)):
        cainiao.authenticate(body)


# --- statuses and times ---------------------------------------------------------------------------

DOCUMENTED = {
    S.NO_TRACE: "CREATE CONSIGN WAIT WAIT_ACCEPT 0 100 150 200 300 WAREHOUSE_ACCEPT WAREHOUSE_PROCESS"
    " WAREHOUSE_CONFIRMED",
    S.PICKED_UP: "ACCEPT GOT RECEIVE MODIFY_WEIGHT 400",
    S.IN_TRANSIT: "TRANSPORT SEND_ON ARRIVE_CITY ON_THE_WAY LH_HO 430 500",
    S.OUT_FOR_DELIVERY: "DELIVERING STA_DELIVERING 600 901",
    S.AWAITING_PICKUP: "AGENT_SIGN STA_INBOUND 900",
    S.DELIVERED: "SIGN OTHER_SIGN STA_SIGN 950 1000",
    S.EXCEPTION: "FAILED DELIVER_ABNORMAL RETENTION ISSUE DAMAGE 700",
    S.RETURNING: "REJECT REFUSE_SIGN RETURN 800",
    S.RETURNED: "REVERSE_RETURN RETURN_SIGN 1200",
    S.FORWARDED: "ORDER_TRANSER 1100",
    S.CUSTOMS: "CC_HO 470 471 472 473 474 475",
    S.CANCELLED: "CANCEL_ORDER",
}


def test_every_documented_code_has_its_word():
    assert {code: status for status, codes in DOCUMENTED.items() for code in codes.split()} == CODES


def test_import_nodes_are_known_by_their_prefix():
    assert report_of(node(code="JK_ANY")).events[0].status == S.CUSTOMS
    assert report_of(node(code="JK_ANY")).unknown_codes == ()


@pytest.mark.parametrize(
    ("exact", "coarse", "status"),
    [
        ("STA_INBOUND", "DELIVERING", S.AWAITING_PICKUP),
        ("RETURN_SIGN", "SIGN", S.RETURNED),
        ("SOMETHING", "TRANSPORT", S.IN_TRANSIT),
        ("SOMETHING", "FAILED", S.EXCEPTION),
        ("SOMETHING", "SIGN", S.UNKNOWN),
        ("", "SIGN", S.DELIVERED),
        ("SOMETHING", "ELSE", S.UNKNOWN),
        ("", "", S.UNKNOWN),
    ],
)
def test_the_sub_status_beats_the_main_one_and_an_unknown_one_proves_no_end(exact, coarse, status):
    assert status_of(exact, coarse) == status


def test_an_unknown_sub_status_is_counted_though_the_main_one_speaks():
    report = report_of(node(code="TRANSPORT", logisticsStatusEx="SOMETHING"))
    assert (report.events[0].status, report.unknown_codes) == (S.IN_TRANSIT, (("SOMETHING", "x"),))


@pytest.mark.parametrize(
    ("code", "reason"),
    [("AGENT_SIGN", Reason.LOCKER), ("REFUSE_SIGN", Reason.REFUSED), ("DAMAGE", Reason.DAMAGED), ("SIGN", "")],
)
def test_a_code_may_say_why(code, reason):
    assert report_of(node(code=code)).events[0].reason == reason


@pytest.mark.parametrize("code", ["sign", " SIGN ", 1000, "1000"])
def test_a_code_is_read_however_it_is_written(code):
    assert report_of(node(code=code)).events[0].status == S.DELIVERED


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-22 06:10:05", "2026-11-21T22:10:05+00:00"),
        (1795299005000, "2026-11-21T22:10:05+00:00"),
        ("1795299005000", "2026-11-21T22:10:05+00:00"),
        ("2026/11/22 06:10", "2026-11-21T22:10:00+00:00"),
    ],
)
def test_a_time_is_a_wall_clock_of_shanghai_or_epoch_milliseconds(written, instant):
    assert report_of(node(written)).events[0].occurred_at.isoformat() == instant


def test_a_node_without_status_is_left_to_the_text():
    (event,) = report_of(node(text="【上海市】快件已签收")).events
    assert (event.status, event.code, event.text) == (S.UNKNOWN, "", "【上海市】快件已签收")


def test_without_a_sentence_the_name_of_the_status_stands_for_it():
    assert report_of(node(text="", logisticsStatusDesc="已签收")).events[0].text == "已签收"


@time_machine.travel("2026-11-22T04:00:00Z", tick=False)
def test_without_scans_the_overall_state_is_as_of_the_day(fake_http):
    report = asked(fake_http, {"success": True, "logisticsStatus": "FAILED", "fullTraceDetail": []})
    assert (report.overall.status, report.overall.as_of) == (
        S.EXCEPTION,
        dt.datetime(2026, 11, 21, 16, 0, tzinfo=dt.UTC),
    )


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"CAINIAO_APP_CODE": ""}, ["cainiao.E001"]),
        ({"CAINIAO_APP_CODE": "", "CAINIAO_PROVIDER_ID": "", "CAINIAO_SECRET": ""}, ["cainiao.I001"]),
        ({"CAINIAO_BASE_URL": "http://link.cainiao.com"}, ["cainiao.E002"]),
        ({"CAINIAO_PUSH_DIGEST": "md5"}, ["cainiao.E005"]),
        ({"CAINIAO_DIGEST": ""}, ["cainiao.E005"]),
        ({"CAINIAO_QUERY_TYPE": "GUOGUO_QUERY_LOGISTICS_DETAIL"}, ["cainiao.E005"]),
        ({"CAINIAO_CALLBACK_SECRETS": "short"}, ["cainiao.E003"]),
    ],
)
def test_the_settings_are_whole_or_it_says_what_is_missing(settings, changes, found):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [message.id for message in check_cainiao(None)] == found
