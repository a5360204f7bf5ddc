"""快递100 in every form that was documented or seen."""

import contextlib
import datetime as dt
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from logistics import callback_tokens
from logistics.models import Reason
from logistics.models import ShipmentStatus as S
from logistics.providers import kuaidi100, kuaidi100_codes
from logistics.providers.base import Candidate, Concerns, Forged, ProviderError, Question, Unreadable
from logistics.providers.kuaidi100_codes import CODES, NAMES
from logistics.tests.provider_suite import SCALAR, ProviderSuite, anything

FIXTURES = Path(__file__).parent / "fixtures"


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / f"kuaidi100_{name}.json").read_text())


VECTORS = fixture("signatures")
KEY, CUSTOMER, SALT = VECTORS["key"], VECTORS["customer"], VECTORS["salt"]
QUESTION = Question("yuantong", "YT0000000000001")
ADDRESS = "https://shop.example/callbacks/kuaidi100/1-x"


@pytest.fixture(autouse=True)
def _on(settings):
    settings.KUAIDI100_BASE_URL = "https://kuaidi100.invalid"
    settings.KUAIDI100_CUSTOMER, settings.KUAIDI100_KEY, settings.KUAIDI100_CALLBACK_SALT = CUSTOMER, KEY, SALT


def md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass")).hexdigest().upper()


def pushed(param: str, salt: str = SALT) -> bytes:
    return urlencode({"param": param, "sign": md5(param + salt)}, errors="surrogatepass").encode()


def result(*scans: dict, **fields) -> dict:
    known = {"message": "ok", "nu": "YT0000000000001", "ischeck": "0", "com": "yuantong", "status": "200", "state": "0"}
    return known | {"data": list(scans)} | fields


def scan(time: str = "2026-11-20 08:00:00", text: str = "x", code: str = "", **fields) -> dict:
    return {"time": time, "ftime": time, "context": text, "status": None, "statusCode": code or None, **fields}


def push_of(last: dict, **fields) -> bytes:
    return pushed(json.dumps({"status": "polling", "message": "", "lastResult": last, **fields}, ensure_ascii=False))


def report_of(*scans: dict, **fields):
    (report,) = kuaidi100.parse(push_of(result(*scans, **fields)))
    return report


def said_of(last: dict, **fields):
    (report,) = kuaidi100.parse(push_of(last, **fields))
    return report


def token_for(waybill_no: str) -> str:
    return callback_tokens.token(1, waybill_no, "kuaidi100")


class TestAsAProvider(ProviderSuite):
    name = "kuaidi100"
    secrets = (KEY, CUSTOMER, SALT)
    bad_key_answer = {"result": False, "returnCode": "503", "message": f"验证签名失败 {KEY} {CUSTOMER}"}

    @property
    def path_secret(self):
        return token_for(self.waybill_no)

    def _result(self, scans):
        return result(*(scan(*told) for told in scans), nu=self.waybill_no)

    def push(self, *scans):
        return push_of(self._result(scans))

    def signed(self, text):
        return pushed(text)

    def answered(self, *scans):
        return self._result(scans)

    def forged(self, body):
        return body.replace(b"2026", b"2027")


# --- signatures -----------------------------------------------------------------------------------


def test_a_query_is_signed_as_documented():
    assert kuaidi100.sign_query(VECTORS["query"]["param"], KEY, CUSTOMER) == VECTORS["query"]["sign"]


@pytest.mark.parametrize(("salt", "sign"), [(SALT, "sign_with_salt"), ("", "sign_with_empty_salt")])
def test_a_push_is_signed_as_documented_and_an_empty_salt_signs_too(settings, salt, sign):
    settings.KUAIDI100_CALLBACK_SALT = salt
    push = VECTORS["push"]
    assert kuaidi100.sign_push(push["param"], salt) == push[sign]
    body = urlencode({"param": push["param"], "sign": push[sign]}).encode()
    kuaidi100.authenticate(body, token_for("YT0000000000001"))


@pytest.mark.parametrize("case", fixture("push_abort_autocheck_shutdown")["cases"], ids=lambda case: case["case"])
def test_every_documented_push_is_authentic_at_its_parcels_own_address(case):
    body = urlencode(case["form"]).encode()
    kuaidi100.authenticate(body, token_for(kuaidi100.parse(body)[0].waybill_no))


@pytest.mark.parametrize("secret", ["", "1-", token_for("YT0000000000002"), "x" * 500])
def test_at_another_address_it_is_forged(secret):
    with pytest.raises(Forged):
        kuaidi100.authenticate(push_of(result()), secret)


def test_signed_by_nobody_it_is_forged():
    with pytest.raises(Forged):
        kuaidi100.authenticate(urlencode({"param": "{}"}).encode(), token_for("YT0000000000001"))


def test_the_older_of_two_salts_is_accepted_and_the_newer_is_given(settings, fake_http):
    settings.KUAIDI100_CALLBACK_SALT = f"a-newer-salt-0002,{SALT}"
    kuaidi100.authenticate(push_of(result()), token_for("YT0000000000001"))
    fake_http.will_answer(fixture("subscribe")["response_ok"])
    kuaidi100.subscribe(Question("yuantong", "YT1", callback_url=ADDRESS))
    assert json.loads(fake_http.calls[0]["data"]["param"])["parameters"]["salt"] == "a-newer-salt-0002"


# --- questions ------------------------------------------------------------------------------------


def test_a_query_is_sent_as_documented(fake_http):
    fake_http.will_answer(result(nu="SF1234567890123"))
    kuaidi100.query(Question("shunfeng", "SF1234567890123", "1234"))
    (call,) = fake_http.calls
    assert (call["method"], call["url"]) == ("POST", "https://kuaidi100.invalid/poll/query.do")
    assert call["data"] == {"customer": CUSTOMER, **VECTORS["query"]}


def test_the_arrival_is_asked_for_where_the_destination_is_known(fake_http):
    fake_http.will_answer(result())
    kuaidi100.query(Question("yuantong", "YT0000000000001", origin="山东青岛", destination="上海上海"))
    param = json.loads(fake_http.calls[0]["data"]["param"])
    assert (param["resultv2"], param["from"], param["to"]) == ("8", "山东青岛", "上海上海")


def test_a_subscription_carries_key_address_and_salt(fake_http):
    fake_http.will_answer(fixture("subscribe")["response_ok"])
    kuaidi100.subscribe(Question("shunfeng", "SF1", "1234", callback_url=ADDRESS))
    (call,) = fake_http.calls
    param = json.loads(call["data"]["param"])
    assert (call["url"], call["data"]["schema"]) == ("https://kuaidi100.invalid/poll", "json")
    assert (param["company"], param["number"], param["key"]) == ("shunfeng", "SF1", KEY)
    expected = {"callbackurl": ADDRESS, "salt": SALT, "resultv2": "4", "autoCom": "1", "interCom": "0", "phone": "1234"}
    assert param["parameters"] == expected


def test_a_repeated_subscription_is_one(fake_http):
    fake_http.will_answer(fixture("subscribe")["response_dup"])
    kuaidi100.subscribe(Question("yuantong", "YT1", callback_url=ADDRESS))


def test_without_an_address_nothing_is_subscribed(fake_http):
    with pytest.raises(ProviderError) as caught:
        kuaidi100.subscribe(QUESTION)
    assert caught.value.permanent
    assert fake_http.calls == []


def test_recognition_names_the_carriers(fake_http):
    fake_http.will_answer(fixture("autonumber")["response"])
    assert kuaidi100.recognise("906919164534") == (Candidate("yuantong", "圆通速递"),)
    (call,) = fake_http.calls
    assert (call["method"], call["url"]) == ("GET", "https://kuaidi100.invalid/autonumber/auto")
    assert call["params"] == {"num": "906919164534", "key": KEY}


def test_a_number_that_is_not_recognised_has_no_carriers(fake_http):
    fake_http.will_answer([])
    assert kuaidi100.recognise("ABCDEF") == ()


def test_an_expired_key_recognises_nothing(fake_http):
    fake_http.will_answer(fixture("autonumber")["error"])
    with pytest.raises(ProviderError) as caught:
        kuaidi100.recognise("906919164534")
    assert (caught.value.permanent, caught.value.concerns) == (True, Concerns.ACCOUNT)


# --- errors by class ------------------------------------------------------------------------------

ERRORS = fixture("query_errors")["responses"]
CLASSES = [
    (True, Concerns.CARRIER),
    (True, Concerns.CARRIER),
    (True, Concerns.WAYBILL),
    (False, Concerns.ACCOUNT),
    (False, Concerns.ACCOUNT),
    (True, Concerns.ACCOUNT),
    (True, Concerns.ACCOUNT),
]


def refusal(fake_http, answer, ask=kuaidi100.query, question=QUESTION):
    fake_http.will_answer(answer)
    with pytest.raises(ProviderError) as caught:
        ask(question)
    return caught.value.permanent, caught.value.concerns


def test_nothing_found_yet_is_no_error_and_no_status(fake_http):
    fake_http.will_answer(ERRORS[0])
    report = kuaidi100.query(QUESTION)
    assert (report.found, report.events, report.overall) == (False, (), None)
    assert report.reason == "查询无结果，请隔段时间再查"


@pytest.mark.parametrize(
    ("answer", "kind"), list(zip(ERRORS[1:], CLASSES, strict=True)), ids=lambda value: str(value)[:60]
)
def test_each_refusal_of_a_query_has_its_class(fake_http, answer, kind):
    assert refusal(fake_http, answer) == kind


@pytest.mark.parametrize(
    ("code", "kind"),
    {
        "500": (False, Concerns.ACCOUNT),
        "600": (True, Concerns.ACCOUNT),
        "601": (True, Concerns.ACCOUNT),
        "700": (True, Concerns.WAYBILL),
        "701": (True, Concerns.CARRIER),
        "702": (True, Concerns.CARRIER),
    }.items(),
)
def test_each_refusal_of_a_subscription_has_its_class(fake_http, code, kind):
    answer = {"result": False, "returnCode": code, "message": "x"}
    asked = Question("yuantong", "YT1", callback_url=ADDRESS)
    assert refusal(fake_http, answer, kuaidi100.subscribe, asked) == kind


@pytest.mark.parametrize("code", ["502", "601", "999"])
def test_a_locked_number_can_be_asked_about_later(fake_http, code):
    answer = {"result": False, "returnCode": code, "message": "该单号已被锁单"}
    assert refusal(fake_http, answer) == (False, Concerns.WAYBILL)


def test_a_wrong_customer_is_not_the_carriers_fault(fake_http):
    answer = {"result": False, "returnCode": "400", "message": "customer 不正确"}
    assert refusal(fake_http, answer) == (True, Concerns.ACCOUNT)


def test_any_other_refusal_can_be_tried_again(fake_http):
    assert refusal(fake_http, {"returnCode": 999, "message": None}) == (False, Concerns.WAYBILL)


def test_an_answer_about_another_waybill_is_not_taken(fake_http):
    fake_http.will_answer(result(nu="YT0000000000002"))
    with pytest.raises(ProviderError, match="不符"):
        kuaidi100.query(QUESTION)


# --- answers --------------------------------------------------------------------------------------


def answered(fake_http, name: str):
    content = fixture(name)["response"]
    fake_http.will_answer(content)
    return kuaidi100.query(Question(content["com"], content["nu"]))


def test_names_beside_the_scans_are_understood_as_their_codes(fake_http):
    report = answered(fake_http, "query_ok_shentong")
    told = [(event.status, event.code) for event in report.events]
    assert told == [(S.PICKED_UP, "1"), *[(S.IN_TRANSIT, "0")] * 3]
    assert report.events[0].location == "广东东莞市东城街道"
    assert (report.overall.status, report.overall.weak) == (S.IN_TRANSIT, True)
    assert report.overall.as_of == report.events[-1].occurred_at


def test_scans_without_code_are_unknown_and_the_state_is_a_weak_word(fake_http):
    report = answered(fake_http, "query_ok_shunfeng_no_resultv2")
    assert [(event.status, event.code) for event in report.events] == [(S.UNKNOWN, "")] * 4
    assert (report.overall.status, report.overall.weak, report.unknown_codes) == (S.IN_TRANSIT, True, ())
    assert report.events[0].text.endswith("顺丰速运 已收取快件")


# --- pushes ---------------------------------------------------------------------------------------


def test_a_push_full_of_nulls_is_read():
    body = urlencode({"param": fixture("push_polling_null_fields")["form"]["param"], "sign": "-"}).encode()
    (report,) = kuaidi100.parse(body)
    assert (report.waybill_no, report.carrier_code, report.overall.status) == (
        "YT6074326614455",
        "yuantong",
        S.PICKED_UP,
    )
    (event,) = report.events
    assert (event.status, event.code, event.location) == (S.UNKNOWN, "", "")
    assert (report.pushes_ended, report.corrected_carrier_code, report.arrival_at) == ("", "", None)


def test_every_field_but_the_number_may_be_null():
    last = dict.fromkeys([*result(), "routeInfo", "arrivalTime"]) | {"nu": "YT0000000000001"}
    report = said_of(last, autoCheck=None, comOld=None, comNew=None, status=None, destResult=None, message=None)
    assert (report.found, report.events, report.overall, report.carrier_code) == (False, (), None, "")
    assert report_of(dict.fromkeys(scan())).notes == ("time 无法识别：",)


def case(number: int):
    (report,) = kuaidi100.parse(urlencode(fixture("push_abort_autocheck_shutdown")["cases"][number]["form"]).encode())
    return report


def test_an_abort_ends_the_pushes_and_has_no_status():
    report = case(0)
    assert (report.found, report.overall, report.pushes_ended) == (False, None, "已中止推送：3天查询无记录")
    assert (report.carrier_code, report.corrected_carrier_code) == ("yuantong", "")


def test_an_abort_may_name_the_right_carrier():
    report = case(1)
    assert (report.carrier_code, report.corrected_carrier_code) == ("yuantong", "zhongtong")


def test_a_carrier_put_right_is_found_by_the_one_that_we_asked_for():
    report = case(2)
    assert (report.carrier_code, report.corrected_carrier_code) == ("yuantong", "zhongtong")
    assert (report.overall.status, report.events[0].code, report.pushes_ended) == (S.DELIVERED, "301", "已结束推送")
    assert report.events[0].location == "上海市浦东新区"


def test_all_may_be_pushed_anew():
    assert said_of(result(scan(code="5"), state="5"), status="updateall").overall.status == S.OUT_FOR_DELIVERY


def test_the_destination_countrys_carrier_is_heard_too():
    abroad = result(scan("2026-11-22 08:00:00", "abroad", "5"), com="usps")
    report = said_of(result(scan(code="12")), destResult=abroad)
    assert [event.code for event in report.events] == ["12", "5"]
    assert report.carrier_code == "yuantong"


@pytest.mark.parametrize("last", [None, [], {}, {"nu": None}, {"nu": "x" * 65}])
def test_a_push_about_no_waybill_is_unreadable(last):
    with pytest.raises(Unreadable):
        kuaidi100.parse(push_of(last))


def test_a_push_is_answered_exactly_as_documented():
    reply = kuaidi100.accepted(b"")
    assert reply.status == 200
    assert json.loads(reply.body) == fixture("push_polling_null_fields")["expected_response"]


def test_a_refusal_has_the_same_form():
    reply = kuaidi100.refused(b"", "签名不符", status=401)
    assert (reply.status, json.loads(reply.body)) == (
        401,
        {"result": False, "returnCode": "401", "message": "签名不符"},
    )


ANYTHING = anything(
    "nu", "com", "data", "state", "ischeck", "ftime", "statusCode", "areaName", "routeInfo", "cur", "arrivalTime"
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(last=ANYTHING, status=SCALAR, dest=ANYTHING)
def test_whatever_is_signed_is_read_or_unreadable(last, status, dest):
    last = {"nu": "YT1", **last} if isinstance(last, dict) else last
    body = push_of(last, status=status, destResult=dest, autoCheck=status, comNew=dest)
    with contextlib.suppress(Unreadable):
        kuaidi100.parse(body)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.text())
def test_whatever_is_not_signed_is_refused(body, secret):
    with pytest.raises((Forged, Unreadable)):
        kuaidi100.authenticate(body, secret)


# --- codes ----------------------------------------------------------------------------------------

DOCUMENTED = {
    S.NO_TRACE: "101 102",
    S.PICKED_UP: "1 103",
    S.IN_TRANSIT: "0 1001 1002 1003",
    S.OUT_FOR_DELIVERY: "5",
    S.AWAITING_PICKUP: "501",
    S.DELIVERED: "3 301 302 303 304",
    S.EXCEPTION: "2 201 202 204 205 206 207 208 209",
    S.RETURNING: "203 4 6 14",
    S.FORWARDED: "7",
    S.CUSTOMS: "8 10 11 12 13",
    S.CANCELLED: "210 401",
}


def test_every_documented_code_has_its_word():
    assert {code: status for status, codes in DOCUMENTED.items() for code in codes.split()} == CODES


def test_every_name_stands_for_a_known_code():
    assert set(NAMES.values()) == set(CODES)


def test_every_reason_belongs_to_a_known_code():
    assert set(kuaidi100_codes.REASONS) <= set(CODES)
    assert report_of(scan(code="206")).events[0].reason == Reason.UNREACHABLE


def test_the_same_number_means_another_thing_than_with_kdniao():
    from logistics.providers.kdniao_codes import CODES as KDNIAO

    assert (CODES["201"], KDNIAO["201"]) == (S.EXCEPTION, S.IN_TRANSIT)


@pytest.mark.parametrize(
    ("code", "status"), [("1009", S.IN_TRANSIT), ("299", S.EXCEPTION), ("599", S.OUT_FOR_DELIVERY)]
)
def test_an_unknown_code_under_a_known_state_is_read_as_that_and_noted(code, status):
    report = report_of(scan(code=code))
    assert (report.events[0].status, report.events[0].code, report.unknown_codes) == (status, code, ())
    assert code in report.notes[0]


@pytest.mark.parametrize("code", ["9", "99", "999", "1100", "10001", "２０１", "x"])
def test_a_code_without_a_known_state_is_unknown_and_counted(code):
    report = report_of(scan(code=code))
    assert (report.events[0].status, report.unknown_codes) == (S.UNKNOWN, ((code, "x"),))


def test_an_unknown_name_is_noted_and_the_words_decide():
    report = report_of(scan(status="新名字"))
    assert (report.events[0].code, report.unknown_codes) == ("", ())
    assert "新名字" in report.notes[0]


@pytest.mark.parametrize(("state", "weak"), [("3", True), ("301", False), (301, False)])
def test_the_state_may_be_the_advanced_code(state, weak):
    overall = report_of(scan(), state=state).overall
    assert (overall.status, overall.weak) == (S.DELIVERED, weak)


@pytest.mark.parametrize("state", ["4", "6"])
def test_back_with_the_sender_is_returned_and_never_a_delivery(state):
    checked = report_of(scan(code="6"), state=state, ischeck="1").overall
    assert (checked.status, checked.weak) == (S.RETURNED, False)
    assert report_of(scan(code="6"), state=state).overall.status == S.RETURNING


# --- times, places, arrival -----------------------------------------------------------------------


def test_scans_of_one_second_stay_in_the_order_in_which_they_happened():
    report = report_of(scan(text="second"), scan(text="first"))
    assert [event.text for event in report.events] == ["first", "second"]


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-22 18", "2026-11-22T10:00:00+00:00"),
        ("2026-11-22 18:30", "2026-11-22T10:30:00+00:00"),
        ("2026-11-22 18:30:00", "2026-11-22T10:30:00+00:00"),
    ],
)
def test_the_arrival_that_they_expect_is_kept(written, instant):
    assert report_of(scan(), arrivalTime=written).arrival_at == dt.datetime.fromisoformat(instant)


@pytest.mark.parametrize("changes", [{"arrivalTime": "soon"}, {"arrivalTime": None}, {"ischeck": "1"}])
def test_no_arrival_where_it_says_none_or_is_there(changes):
    assert report_of(scan(), **{"arrivalTime": "2026-11-22 18"} | changes).arrival_at is None


def test_the_parcel_is_where_the_route_says():
    route = {"from": None, "cur": {"number": "CN310115000000", "name": "上海,上海市,浦东新区"}, "to": None}
    assert report_of(scan(), routeInfo=route).overall.location == "上海市浦东新区"


def test_of_a_repeated_key_the_last_counts_and_it_is_noted():
    (report,) = kuaidi100.parse(pushed('{"lastResult":{"nu":"YT1","nu":"YT2","data":[]}}'))
    assert report.waybill_no == "YT2"
    assert "nu" in report.notes[0]


def test_a_form_may_hold_the_param_in_any_order_of_fields():
    body = push_of(result(scan()))
    assert set(parse_qs(body.decode())) == {"param", "sign"}
    turned = b"&".join(reversed(body.split(b"&")))
    assert kuaidi100.parse(turned) == kuaidi100.parse(body)
