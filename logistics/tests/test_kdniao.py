"""快递鸟 in every form that was documented or seen."""

import contextlib
import datetime as dt
import json
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus, urlencode

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from logistics.models import ShipmentStatus as S
from logistics.providers import kdniao
from logistics.providers.base import Candidate, Concerns, Forged, ProviderError, Question, Unreadable
from logistics.providers.kdniao_codes import CODES
from logistics.tests.provider_suite import SCALAR, ProviderSuite, Scan, anything

KEY = "test-api-key-0000-0001"
FIXTURES = Path(__file__).parent / "fixtures"


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / f"kdniao_{name}.json").read_text())


def pushed(data: str, *, request_type: str = "102", key: str = KEY) -> bytes:
    return urlencode({"RequestData": data, "RequestType": request_type, "DataSign": kdniao.sign(data, key)}).encode()


def parcel(*traces: dict, **fields) -> dict:
    return {"ShipperCode": "SF", "LogisticCode": "SF1", "Success": True, "Traces": list(traces), **fields}


def trace(time: str = "2026-11-20 08:00:00", text: str = "x", code: str = "") -> dict:
    return {"AcceptTime": time, "AcceptStation": text, "Action": code}


def push_of(*parcels: dict) -> bytes:
    return pushed(json.dumps({"PushTime": "2026-11-22 12:00:00", "Count": str(len(parcels)), "Data": list(parcels)}))


def report_of(*traces: dict, **fields):
    (report,) = kdniao.parse(push_of(parcel(*traces, **fields)))
    return report


class TestAsAProvider(ProviderSuite):
    name = "kdniao"
    secrets = (KEY,)
    bad_key_answer = {"EBusinessID": "1237100", "Success": False, "Reason": f"非法参数[请核实ID和key是否正确 {KEY}]"}

    def _parcel(self, scans: tuple[Scan, ...]) -> dict:
        return parcel(*(trace(*scan) for scan in scans), LogisticCode=self.waybill_no, State="2")

    def push(self, *scans):
        return push_of(self._parcel(scans))

    def signed(self, text):
        return pushed(text)

    def answered(self, *scans):
        return self._parcel(scans)

    def forged(self, body):
        return body.replace(b"SF", b"ST")


# --- signature ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", fixture("signatures")["cases"], ids=lambda case: case["name"])
def test_the_signature_is_the_documented_one(case):
    assert kdniao.sign(case["RequestData"], KEY) == case["DataSign_before_urlencode"]


@pytest.mark.parametrize("wrong", fixture("signatures")["wrong_variants_for_negative_tests"].values())
def test_a_digest_in_another_form_is_forged(wrong):
    data = fixture("signatures")["cases"][0]["RequestData"]
    with pytest.raises(Forged):
        kdniao.authenticate(urlencode({"RequestData": data, "DataSign": wrong}).encode())


def test_a_query_is_sent_as_documented(fake_http):
    fake_http.will_answer(parcel(LogisticCode="SF1234567890123"))
    kdniao.query(Question("SF", "SF1234567890123", "1234"))
    (call,) = fake_http.calls
    assert (call["method"], call["url"]) == ("POST", "https://kdniao.invalid/Ebusiness/EbusinessOrderHandle.aspx")
    assert parse_qs(urlencode(call["data"])) == parse_qs(fixture("signatures")["cases"][0]["form_body"])


@pytest.mark.parametrize(("query_type", "subscribe_type"), [("1002", "1008"), ("8001", "8008"), ("8002", "8008")])
def test_a_subscription_follows_the_query_type(fake_http, settings, query_type, subscribe_type):
    settings.KDNIAO_QUERY_TYPE = query_type
    fake_http.will_answer(fixture("subscribe_1008_8008")["response_ok_SYNTHETIC"])
    kdniao.subscribe(Question("YTO", "884035189978988945"))
    (call,) = fake_http.calls
    assert (call["url"], call["data"]["RequestType"]) == ("https://kdniao.invalid/api/dist", subscribe_type)


def test_a_refused_subscription_says_why(fake_http):
    fake_http.will_answer(fixture("subscribe_1008_8008")["response_fail_SYNTHETIC"])
    with pytest.raises(ProviderError) as caught:
        kdniao.subscribe(Question("??", "1"))
    assert (caught.value.permanent, caught.value.concerns) == (True, Concerns.CARRIER)


def test_the_first_of_two_keys_signs_and_both_are_accepted(settings, fake_http):
    settings.KDNIAO_API_KEY = f"a-newer-key-0002,{KEY}"
    fake_http.will_answer(parcel())
    kdniao.query(Question("SF", "SF1"))
    data = fake_http.calls[0]["data"]
    assert data["DataSign"] == kdniao.sign(data["RequestData"], "a-newer-key-0002")
    kdniao.authenticate(push_of(parcel()))


# --- recognition ----------------------------------------------------------------------------------


def test_recognition_names_the_carriers(fake_http):
    fake_http.will_answer(fixture("recognise_2002")["response"])
    assert kdniao.recognise("3967950525457") == (Candidate("YD", "韵达快递"),)
    assert fake_http.calls[0]["data"]["RequestType"] == "2002"


def test_a_number_that_is_not_recognised_has_no_carriers(fake_http):
    fake_http.will_answer(fixture("recognise_2002")["response_not_recognised_SYNTHETIC"])
    assert kdniao.recognise("ABCDEF") == ()


def test_an_expired_recognition_plan_is_an_error(fake_http):
    fake_http.will_answer(fixture("error_reasons")["responses"][4])
    with pytest.raises(ProviderError) as caught:
        kdniao.recognise("ABCDEF")
    assert caught.value.concerns == Concerns.PLAN


# --- errors by class ------------------------------------------------------------------------------

CLASSES = [Concerns.ACCOUNT, Concerns.PLAN, Concerns.CARRIER, Concerns.WAYBILL, Concerns.PLAN]


@pytest.mark.parametrize(
    ("content", "concerns"), list(zip(fixture("error_reasons")["responses"], CLASSES, strict=True)), ids=range(5)
)
def test_a_refusal_that_a_person_must_mend_is_permanent(fake_http, content, concerns):
    fake_http.will_answer(content)
    with pytest.raises(ProviderError) as caught:
        kdniao.query(Question("SF", "SF1"))
    assert (caught.value.permanent, caught.value.concerns) == (True, concerns)


@pytest.mark.parametrize("reason", ["系统繁忙，请稍后再试", "超出查询次数限制(日查询次数<=3万)", "未知错误"])
def test_any_other_refusal_can_be_tried_again(fake_http, reason):
    fake_http.will_answer({"Success": False, "Reason": reason})
    with pytest.raises(ProviderError) as caught:
        kdniao.query(Question("SF", "SF1"))
    assert not caught.value.permanent


def test_an_answer_about_another_waybill_is_not_taken(fake_http):
    fake_http.will_answer(parcel(LogisticCode="SF2"))
    with pytest.raises(ProviderError, match="不符"):
        kdniao.query(Question("SF", "SF1"))


# --- answers --------------------------------------------------------------------------------------


def answered(fake_http, name: str):
    content = fixture(name)["response"]
    fake_http.will_answer(content)
    return kdniao.query(Question(content["ShipperCode"], content["LogisticCode"]))


@pytest.mark.parametrize(
    "name", ["query_no_trace_success_true_state0", "query_no_trace_success_false_reason_null"], ids=["new", "old"]
)
def test_no_scans_yet_is_no_error_and_no_status(fake_http, name):
    report = answered(fake_http, name)
    assert (report.found, report.events, report.overall) == (False, (), None)


def test_an_old_answer_is_sorted_and_its_state_is_weak(fake_http):
    report = answered(fake_http, "query_out_of_order_slash_dates_state_int")
    times = [event.occurred_at for event in report.events]
    assert times == sorted(times)
    assert len(times) == 7
    assert (report.overall.status, report.overall.weak) == (S.DELIVERED, True)
    assert report.overall.as_of == dt.datetime(2019, 6, 25, 2, 23, 3, tzinfo=dt.UTC)


def test_a_scan_without_code_is_unknown_and_not_counted_as_an_unknown_code(fake_http):
    report = answered(fake_http, "query_out_of_order_slash_dates_state_int")
    assert {event.status for event in report.events} == {S.UNKNOWN}
    assert report.unknown_codes == ()


def test_the_couriers_number_stays_in_the_text(fake_http):
    report = answered(fake_http, "query_many_cities_same_waybill")
    assert "13800000000" in report.events[0].text
    assert (report.overall.status, len(report.events)) == (S.IN_TRANSIT, 5)


def test_the_map_answer_is_a_delivery_at_its_own_place(fake_http):
    report = answered(fake_http, "map_8003_stateex_304")
    assert (report.overall.status, report.overall.code, report.overall.weak) == (S.DELIVERED, "304", False)
    assert (report.overall.location, report.events[0].location) == ("威海市", "北京市")


# --- pushes ---------------------------------------------------------------------------------------

PUSHES = {
    "push_101_basic": (S.IN_TRANSIT, "2", True),
    "push_102_multi_package": (S.OUT_FOR_DELIVERY, "202", False),
    "push_102_returned_to_sender": (S.RETURNED, "406", False),
    "push_102_problem_then_signed": (S.DELIVERED, "302", False),
    "push_102_failed_query": (S.EXCEPTION, "401", False),
}


@pytest.mark.parametrize("name", PUSHES)
def test_a_documented_push_says_what_it_says(name):
    body = fixture(name)["push"]["raw_body"].encode()
    kdniao.authenticate(body)
    overall = kdniao.parse(body)[0].overall
    assert (overall.status, overall.code, overall.weak) == PUSHES[name]


def encodings(name: str) -> dict[str, bytes]:
    form = fixture(name)["push"]["form_fields_after_decoding"]
    data, sign = form["RequestData"], form["DataSign"]
    return {
        "form": urlencode(form).encode(),
        "sign twice encoded": urlencode(form | {"DataSign": quote(sign)}).encode(),
        "all twice encoded": urlencode(form | {"RequestData": quote_plus(data), "DataSign": quote(sign)}).encode(),
        "twice encoded, blanks as %20": urlencode(form | {"RequestData": quote(data)}).encode(),
        "signed over the encoded": urlencode(
            form | {"RequestData": quote_plus(data), "DataSign": kdniao.sign(quote_plus(data), KEY)}
        ).encode(),
        "raw JSON body": json.dumps(form, ensure_ascii=False).encode(),
        "raw JSON body, encoded inside": json.dumps(form | {"RequestData": quote_plus(data)}).encode(),
    }


@pytest.mark.parametrize("encoding", encodings("push_101_basic"))
@pytest.mark.parametrize("name", PUSHES)
def test_a_push_is_understood_in_every_encoding(name, encoding):
    body = encodings(name)[encoding]
    kdniao.authenticate(body)
    assert kdniao.parse(body) == kdniao.parse(encodings(name)["form"])


def test_two_parcels_of_one_push_are_two_reports():
    first, second = kdniao.parse(encodings("push_102_multi_package")["form"])
    assert (first.waybill_no, second.waybill_no) == ("SF0000000000001", "SF0000000000002")
    assert [event.status for event in second.events] == [S.PICKED_UP, S.IN_TRANSIT]
    assert second.events[1].occurred_at == dt.datetime(2026, 11, 21, 22, 10, tzinfo=dt.UTC)


def test_a_push_of_another_kind_is_taken_and_ignored():
    body = pushed('{"anything": 1}', request_type="107")
    kdniao.authenticate(body)
    assert kdniao.parse(body) == ()


def test_a_push_without_signature_is_forged():
    with pytest.raises(Forged):
        kdniao.authenticate(urlencode({"RequestData": "{}"}).encode())


def test_an_unreadable_parcel_does_not_hold_up_the_others():
    body = push_of({"LogisticCode": None}, parcel(), {"LogisticCode": "x" * 65})
    assert [report.waybill_no for report in kdniao.parse(body)] == ["SF1"]


def test_of_a_repeated_key_the_last_counts_and_it_is_noted():
    text = '{"Data":[{"LogisticCode":"SF1","LogisticCode":"SF2","Traces":[]}]}'
    (report,) = kdniao.parse(pushed(text))
    assert report.waybill_no == "SF2"
    assert "LogisticCode" in report.notes[0]


def test_nesting_of_a_hundred_is_read_and_one_more_is_not():
    def nested(depth: int) -> bytes:
        return pushed(
            '{"Data":[{"LogisticCode":"SF1"}],"x":' + "[" * depth + "]" * depth + ',"y":[' + "[]," * 99 + "1]}"
        )

    assert kdniao.parse(nested(99))
    with pytest.raises(Unreadable):
        kdniao.parse(nested(100))


def test_brackets_in_texts_are_not_nesting():
    assert report_of(trace(text="【[{" * 300)).events


def test_what_no_database_can_store_is_cleaned():
    assert report_of(trace(text="a\x00b\ud83dc\n")).events[0].text == "a b c"


@time_machine.travel("2026-11-22T12:00:01+08:00", tick=False)
def test_a_push_is_answered_exactly_as_documented():
    reply = kdniao.accepted(b"")
    assert (reply.status, json.loads(reply.body)) == (200, fixture("push_101_basic")["expected_response"])


@time_machine.travel("2026-11-22T12:00:01+08:00", tick=False)
def test_a_refusal_has_the_documented_form():
    reply = kdniao.refused(b"", "db busy", status=503)
    expected = fixture("push_102_failed_query")["merchant_error_response"]
    assert (reply.status, json.loads(reply.body)) == (503, expected)


ANYTHING = anything("LogisticCode", "Success", "State", "StateEx", "Traces", "AcceptTime", "Action", "Reason")


@given(items=ANYTHING, pushed_at=SCALAR)
def test_whatever_is_signed_is_read_or_unreadable(items, pushed_at):
    body = pushed(json.dumps({"Data": items, "PushTime": pushed_at}))
    kdniao.authenticate(body)
    with contextlib.suppress(Unreadable):
        kdniao.parse(body)


@given(st.binary(max_size=300))
def test_whatever_is_not_signed_is_refused(body):
    with pytest.raises((Forged, Unreadable)):
        kdniao.authenticate(body)


# --- codes and times ------------------------------------------------------------------------------

DOCUMENTED = {
    S.NO_TRACE: "0 10",
    S.PICKED_UP: "1",
    S.IN_TRANSIT: "2 201 204 205 206",
    S.OUT_FOR_DELIVERY: "202 419",
    S.AWAITING_PICKUP: "211 418",
    S.DELIVERED: "3 301 302 304 311",
    S.EXCEPTION: "4 401 402 403 405 412 414 416 417 420 421 422 423",
    S.RETURNING: "404 407",
    S.RETURNED: "406",
    S.FORWARDED: "5",
    S.CUSTOMS: "6 601 602 603 604",
    S.CANCELLED: "413 415",
}


def test_every_documented_code_has_its_word():
    assert {code: status for status, codes in DOCUMENTED.items() for code in codes.split()} == CODES


def test_a_code_may_be_a_number():
    report = report_of(trace() | {"Action": 202}, State=2)
    assert (report.events[0].code, report.overall.code) == ("202", "2")


def test_the_exact_state_beats_the_coarse_one_even_if_it_is_unknown():
    report = report_of(trace(), State="2", StateEx="999")
    assert (report.overall.status, report.unknown_codes) == (S.UNKNOWN, (("999", ""),))


def test_a_problem_in_the_coarse_state_is_weak():
    assert report_of(trace(code="301"), State="4").overall.weak


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-22 06:10:05", "2026-11-21T22:10:05+00:00"),
        ("2026/11/22 06:10:05", "2026-11-21T22:10:05+00:00"),
        ("2018-03-0420:47:15", "2018-03-04T12:47:15+00:00"),
        ("2026-11-22 06:10", "2026-11-21T22:10:00+00:00"),
        ("2019/6/5 8:05:37", "2019-06-05T00:05:37+00:00"),
        ("2026-11-22T06:10:05.123", "2026-11-21T22:10:05+00:00"),
    ],
)
def test_every_form_of_time_that_was_seen_is_read(written, instant):
    assert report_of(trace(time=written)).events[0].occurred_at.isoformat() == instant


@pytest.mark.parametrize("written", ["", "昨天", "2026-02-30 08:00:00", "0000-00-00 00:00:00", "1700000000", None, []])
def test_a_scan_without_readable_time_is_noted_and_the_others_count(written):
    report = report_of(trace(time=written), trace())
    assert len(report.events) == 1
    assert "AcceptTime" in report.notes[0]


@time_machine.travel("2026-11-22T04:00:00Z", tick=False)
def test_without_scans_the_overall_state_is_as_of_the_push_but_never_of_the_future():
    data = {"PushTime": "2027-01-01 00:00:00", "Data": [parcel(StateEx="401")]}
    (report,) = kdniao.parse(pushed(json.dumps(data)))
    assert report.overall.as_of == dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.UTC)
