"""顺丰丰桥 in every form that was documented or seen."""

import contextlib
import datetime as dt
import itertools
import json
from pathlib import Path
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import quoteattr

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from logistics import checks, messages
from logistics.derivation import derive
from logistics.models import ProviderMessage, Reason, Shipment, TrackingEvent
from logistics.models import ShipmentStatus as S
from logistics.providers import sf
from logistics.providers.base import MAX_PUSH_BYTES, Concerns, Forged, ProviderError, Question, Unreadable
from logistics.providers.sf_codes import COMBINATIONS, FIRST_STATUSES, OP_CODES, reading_of
from logistics.tests.factories import make_carrier, make_shipment
from logistics.tests.provider_suite import FIRST, NOISE, ProviderSuite, Scan, anything
from logistics.tracking import event_key

CHECKWORD = "demoCheckWord0001"
SECRET, FORMER = "0f1e2d3c4b5a69788796a5b4c3d2e19a", "Vb3kQ9-xT7_pLm2RzW8cYd"
FIXTURES = Path(__file__).parent / "fixtures"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


@pytest.fixture(autouse=True)
def _on(settings):
    settings.SF_BASE_URL, settings.SF_PARTNER_ID = "https://sf.invalid", "DEMO"
    settings.SF_CHECKWORD, settings.SF_CALLBACK_SECRETS = CHECKWORD, f"{SECRET},{FORMER}"


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / f"sf_{name}.json").read_text())


def route(time: str = "2026-11-20 08:00:00", text: str = "x", code: str = "", **more) -> dict:
    return {"mailno": "SF1", "acceptTime": time, "remark": text, "opCode": code, **more}


def push_of(*routes: dict) -> bytes:
    return json.dumps({"Body": {"WaybillRoute": list(routes)}}, ensure_ascii=False).encode()


def xml_of(*routes: dict) -> str:
    rows = ("".join(f" {name}={quoteattr(value)}" for name, value in route.items()) for route in routes)
    body = "".join(f"<WaybillRoute{row}/>" for row in rows)
    return f"<?xml version='1.0' encoding='UTF-8'?><Request service=\"RoutePushService\"><Body>{body}</Body></Request>"


def form_of(xml: str) -> bytes:
    return urlencode({"content": xml}).encode()


def answer_of(msg_data: object, *, success: object = True, code: str = "S0000", message: str | None = None) -> dict:
    inner = {"success": success, "errorCode": code, "errorMsg": message, "msgData": msg_data}
    return {"apiErrorMsg": "", "apiResponseID": "0", "apiResultCode": "A1000", "apiResultData": json.dumps(inner)}


def routes_of(**parcels: list) -> dict:
    return {"routeResps": [{"mailNo": mail_no, "routes": routes} for mail_no, routes in parcels.items()]}


def report_of(*routes: dict):
    (report,) = sf.parse(push_of(*routes))
    return report


def status_of(report) -> S:
    """What the scans amount to, as the parcel's status."""
    rows = [
        TrackingEvent(provider="sf", status=e.status, code=e.code, text=e.text, occurred_at=e.occurred_at)
        for e in report.events
    ]
    for row in rows:
        row.key = event_key(row)
    shipped_at = min(row.occurred_at for row in rows)
    return derive(rows, shipped_at=shipped_at, now=dt.datetime(2026, 12, 31, tzinfo=dt.UTC)).status


class TestAsAProvider(ProviderSuite):
    name = "sf"
    secrets = (CHECKWORD, SECRET, FORMER)
    bad_key_answer = {
        "apiErrorMsg": f"数字签名无效 {CHECKWORD} {SECRET}",
        "apiResultCode": "A1006",
        "apiResultData": None,
    }

    def push(self, *scans: Scan):
        return push_of(*(route(*scan) | {"mailno": self.waybill_no} for scan in scans))

    def signed(self, text):
        return text.encode()

    def answered(self, *scans: Scan):
        return answer_of(routes_of(**{self.waybill_no: [route(*scan) for scan in scans]}))

    def test_an_authentic_push_passes(self):
        for secret in (SECRET, FORMER):
            self.provider.authenticate(self.push(FIRST), secret)

    @pytest.mark.parametrize("secret", ["", SECRET[:-1], SECRET.upper(), f"{SECRET},{FORMER}", "密"])
    def test_a_forged_push_is_refused(self, secret):
        with pytest.raises(Forged):
            self.provider.authenticate(self.push(FIRST), secret)

    @pytest.mark.parametrize("body", NOISE, ids=range(len(NOISE)))
    def test_noise_at_the_right_address_is_unreadable(self, body):
        with pytest.raises(Unreadable):
            self.provider.parse(body)

    def test_a_push_over_the_limit_is_unreadable(self):
        with pytest.raises(Unreadable):
            self.provider.authenticate(self.signed("x" * (MAX_PUSH_BYTES + 1)), SECRET)


# --- the digest, and what is sent -----------------------------------------------------------------


@pytest.mark.parametrize("case", fixture("digests")["cases"], ids=["published", "plain", "special letters"])
def test_the_digest_follows_javas_encoding(case):
    assert sf.sign(case["msgData"], case["timestamp"], case["checkWord"]) == case["msgDigest"]


def test_a_query_is_sent_as_documented(fake_http, frozen):
    fake_http.will_answer(fixture("search_routes")["response"])
    sf.query(Question("SF", "SF1234567890123", "1234"))
    (call,) = fake_http.calls
    sent, documented = call["data"], fixture("search_routes")["request_form"]
    assert (call["method"], call["url"], set(sent)) == ("POST", "https://sf.invalid/std/service", set(documented))
    assert sent["timestamp"] == "1795320000000"
    assert sent["msgDigest"] == sf.sign(sent["msgData"], sent["timestamp"], CHECKWORD)
    assert json.loads(sent["msgData"]) == json.loads(documented["msgData"]) | {"language": "zh-CN"}


def test_a_waybill_is_registered_for_the_push(fake_http):
    fake_http.will_answer(answer_of(None))
    sf.subscribe(Question("SF", "SF1", "1234"))
    sent = fake_http.calls[0]["data"]
    assert sent["serviceCode"] == "EXP_RECE_REGISTER_ROUTE"
    assert json.loads(sent["msgData"]) == {
        "type": "2", "attributeNo": "SF1", "checkPhoneNo": "1234", "language": "zh-CN", "country": "CN",
    }  # fmt: skip


# --- answers --------------------------------------------------------------------------------------


def test_the_documented_answer_is_a_delivery(fake_http):
    fake_http.will_answer(fixture("search_routes")["response"])
    report = sf.query(Question("SF", "SF1234567890123"))
    assert [(event.status, event.code) for event in report.events] == [(S.PICKED_UP, "50"), (S.DELIVERED, "80")]
    assert (status_of(report), report.carrier_code, report.events[1].location) == (S.DELIVERED, "SF", "北京市")


def test_no_routes_is_no_error_and_no_status(fake_http):
    fake_http.will_answer(fixture("search_routes")["response_empty"])
    report = sf.query(Question("SF", "SF1234567890123"))
    assert (report.found, report.events) == (False, ())


def test_the_inner_answer_may_come_unwrapped_and_success_as_a_text(fake_http):
    answer = answer_of(routes_of(SF1=[route(code="50")]), success="true")
    answer["apiResultData"] = json.loads(answer["apiResultData"])
    fake_http.will_answer(answer)
    assert sf.query(Question("SF", "SF1")).found


def test_ten_waybills_are_one_question_with_their_tails_in_order(fake_http):
    numbers = [f"SF{n}" for n in range(sf.BATCH)]
    fake_http.will_answer(answer_of(routes_of(**{number: [route(code="50", text=number)] for number in numbers})))
    found = sf.query_many([Question("SF", number, f"000{n}") for n, number in enumerate(numbers)])
    asked = json.loads(fake_http.calls[0]["data"]["msgData"])
    assert (len(fake_http.calls), asked["trackingNumber"]) == (1, numbers)
    assert asked["checkPhoneNo"] == "0000,0001,0002,0003,0004,0005,0006,0007,0008,0009"
    assert {number: report.events[0].text for number, report in found.items()} == {n: n for n in numbers}


def test_what_is_kept_of_a_common_answer_is_each_waybills_own(fake_http):
    fake_http.will_answer(answer_of(routes_of(SF1=[route(text="甲")], SF2=[route(text="乙")])))
    found = sf.query_many([Question("SF", "SF1"), Question("SF", "SF2")])
    assert "甲" in found["SF1"].raw.decode()
    assert "乙" not in found["SF1"].raw.decode()


def test_a_waybill_that_the_answer_leaves_out_has_its_own_error(fake_http):
    fake_http.will_answer(answer_of(routes_of(SF1=[], SF3=[route()])))
    found = sf.query_many([Question("SF", "SF1"), Question("SF", "SF2")])
    assert not found["SF1"].found
    assert isinstance(found["SF2"], ProviderError)
    assert not found["SF2"].permanent
    with pytest.raises(ProviderError, match="没有所问"):
        sf.query(Question("SF", "SF2"))


# --- errors by class ------------------------------------------------------------------------------

PLATFORM = {
    "A1001": (True, Concerns.ACCOUNT), "A1002": (False, Concerns.ACCOUNT), "A1003": (True, Concerns.ACCOUNT),
    "A1004": (True, Concerns.PLAN), "A1005": (False, Concerns.ACCOUNT), "A1006": (True, Concerns.ACCOUNT),
    "A1007": (False, Concerns.WAYBILL), "A1008": (True, Concerns.ACCOUNT), "A1009": (False, Concerns.ACCOUNT),
    "A1010": (True, Concerns.ACCOUNT), "A1011": (True, Concerns.ACCOUNT), "A1099": (False, Concerns.ACCOUNT),
    "": (False, Concerns.ACCOUNT),
}  # fmt: skip
BUSINESS = {
    "S0001": (True, Concerns.ACCOUNT), "S0002": (True, Concerns.WAYBILL), "S0003": (False, Concerns.ACCOUNT),
    "8003": (False, Concerns.ACCOUNT), "8016": (False, Concerns.WAYBILL), "8247": (False, Concerns.WAYBILL),
}  # fmt: skip


def refusal_of(fake_http, answer, *numbers: str) -> ProviderError:
    fake_http.will_answer(answer)
    with pytest.raises(ProviderError) as caught:
        sf.query_many([Question("SF", number) for number in numbers or ("SF1",)])
    return caught.value


@pytest.mark.parametrize("code", PLATFORM)
def test_a_refusal_of_the_platform_is_of_its_class(fake_http, code):
    error = refusal_of(fake_http, {"apiResultCode": code, "apiErrorMsg": "x", "apiResultData": None})
    assert (error.permanent, error.concerns) == PLATFORM[code]


@pytest.mark.parametrize("code", BUSINESS)
def test_a_refusal_of_the_service_is_of_its_class(fake_http, code):
    error = refusal_of(fake_http, answer_of(None, success=False, code=code, message="x"))
    assert (error.permanent, error.concerns, error.reason) == (*BUSINESS[code], f"{code} x")


def test_one_bad_waybill_does_not_end_the_questions_about_nine_others(fake_http):
    error = refusal_of(fake_http, answer_of(None, success=False, code="S0002"), "SF1", "SF2")
    assert not error.permanent


def test_the_documented_refusals_are_read(fake_http):
    assert refusal_of(fake_http, fixture("search_routes")["response_business_error"]).reason == "8016 重复下单"
    assert refusal_of(fake_http, fixture("search_routes")["response_platform_error"]).reason == "A1006 数字签名无效"


# --- pushes ---------------------------------------------------------------------------------------


def test_the_documented_json_push_is_in_transit():
    (report,) = sf.parse(json.dumps(fixture("route_push_json")["request_body"]).encode())
    assert [(event.status, event.location) for event in report.events] == [
        (S.PICKED_UP, "深圳市"),
        (S.IN_TRANSIT, "郑州市"),
    ]
    assert (report.waybill_no, status_of(report)) == ("SF7444400031887", S.IN_TRANSIT)


def encodings(xml: str) -> dict[str, bytes]:
    return {
        "form": form_of(xml),
        "twice encoded": form_of(quote_plus(xml)),
        "bare": xml.encode(),
        "among others": b"a=1&" + form_of(xml),
    }


@pytest.mark.parametrize("form", encodings("x"))
def test_the_documented_xml_push_is_a_pick_up(form):
    body = encodings(fixture("route_push_xml_form")["content_xml"])[form]
    (report,) = sf.parse(body)
    assert (report.waybill_no, status_of(report)) == ("SF7444400031887", S.PICKED_UP)
    assert sf.accepted(body).body == fixture("route_push_xml_form")["response_ok_xml"]


def test_both_forms_of_a_push_say_the_same():
    routes = [route(text="<\"&'>中", code="30"), route("2026-11-21 09:00:00", "y", "31")]
    assert sf.parse(form_of(xml_of(*routes))) == sf.parse(push_of(*routes))


def test_a_delivery_after_a_failure_and_a_locker_however_it_is_repeated():
    body = fixture("push_duplicates_exception_recover")["request_body"]
    (report,) = sf.parse(json.dumps(body).encode())
    statuses = [(event.code, event.status) for event in report.events]
    assert statuses == [
        ("50", S.PICKED_UP),
        ("70", S.EXCEPTION),
        ("125", S.AWAITING_PICKUP),
        ("8000", S.DELIVERED),
        ("80", S.DELIVERED),
    ]
    assert status_of(report) == S.DELIVERED


def test_the_status_follows_a_real_sequence_of_codes():
    told = [route(row["scanDateTime"], row["remark"], row["opCode"]) for row in fixture("opcode_sequence")["routes"]]
    stages = [status_of(report_of(*told[: n + 1])) for n in range(len(told))]
    assert [stage for stage, _ in itertools.groupby(stages)] == [
        S.PICKED_UP,
        S.IN_TRANSIT,
        S.OUT_FOR_DELIVERY,
        S.DELIVERED,
    ]
    assert report_of(*told).unknown_codes == ()


def test_two_parcels_of_one_push_are_two_reports():
    first, second = sf.parse(push_of(route(), route() | {"mailno": "SF2"}, route(text="y")))
    assert (first.waybill_no, len(first.events), second.waybill_no) == ("SF1", 2, "SF2")


def test_an_unreadable_parcel_does_not_hold_up_the_others():
    assert [r.waybill_no for r in sf.parse(push_of({"mailno": None}, route(), {"mailno": "x" * 65}))] == ["SF1"]
    with pytest.raises(Unreadable):
        sf.parse(push_of({"mailno": None}))


def test_one_route_need_not_stand_in_a_list():
    body = json.dumps({"Body": {"WaybillRoute": route()}}).encode()
    assert sf.parse(body) == sf.parse(push_of(route()))


@pytest.mark.parametrize("written", ["", "昨天", "2026-02-30 08:00:00", None, []])
def test_a_route_without_readable_time_is_noted_and_the_others_count(written):
    report = report_of(route() | {"acceptTime": written}, route())
    assert len(report.events) == 1
    assert "acceptTime" in report.notes[0]


def test_of_a_repeated_key_the_last_counts_and_it_is_noted():
    text = push_of(route()).decode().replace('"mailno": "SF1"', '"mailno": "SF0", "mailno": "SF1"')
    (report,) = sf.parse(text.encode())
    assert (report.waybill_no, "mailno" in report.notes[0]) == ("SF1", True)


def test_a_cold_chain_product_is_named():
    assert report_of(route(expressTypeId="201")).notes == ("冷链产品：冷运标快",)
    assert report_of(route(expressTypeId="1")).notes == ()


ENTITIES = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">',
)


@pytest.mark.parametrize("doctype", ENTITIES)
def test_a_document_type_is_refused_unread(doctype):
    xml = xml_of(route()).replace("<Request", f"{doctype}<Request", 1)
    with pytest.raises(Unreadable, match="DOCTYPE"):
        sf.parse(form_of(xml))


@pytest.mark.parametrize(
    "xml",
    ["", "<a", "<a/>", "<Request><Body/></Request>", "<x>" * 101, xml_of(route()) * 2, "%ff", "<a>&b;</a>", "<a\0/>"],
)
def test_xml_that_makes_no_sense_is_unreadable(xml):
    with pytest.raises(Unreadable):
        sf.parse(form_of(xml))


def test_replies_are_in_the_form_of_the_push():
    documented = fixture("route_push_json")
    assert json.loads(sf.accepted(push_of()).body) == documented["expected_response"]
    refusal = sf.refused(push_of(), "系统异常", status=503)
    assert (refusal.status, json.loads(refusal.body)) == (503, documented["failure_response"])
    wrong = sf.refused(form_of("<a/>"), "系统发生数据错误或运行时异常", status=400)
    assert (wrong.status, wrong.body) == (400, fixture("route_push_xml_form")["response_err_xml"])
    assert "&lt;" in sf.refused(b"content=", "<", status=400).body


ANYTHING = anything("mailno", "acceptTime", "remark", "opCode", "reasonCode", "firstStatusCode", "acceptAddress")


@given(routes=ANYTHING)
def test_whatever_is_pushed_is_read_or_unreadable(routes):
    body = json.dumps({"Body": {"WaybillRoute": routes}}).encode()
    with contextlib.suppress(Unreadable):
        sf.parse(body)


@given(body=st.binary(max_size=300), wrapped=st.booleans())
def test_noise_is_read_or_unreadable(body, wrapped):
    with contextlib.suppress(Unreadable):
        sf.parse(b"content=" + body if wrapped else body)


# --- codes ----------------------------------------------------------------------------------------

DOCUMENTED = {
    S.PICKED_UP: "50 54",
    S.IN_TRANSIT: "30 31 36 3036 105 106 310 407 501 302 305 634 44 123",
    S.OUT_FOR_DELIVERY: "204",
    S.AWAITING_PICKUP: "125 126 130 607 642",
    S.DELIVERED: "80 8000",
    S.EXCEPTION: "33 70",
    S.FORWARDED: "99 517",
    S.RETURNING: "648",
    S.RETURNED: "631",
}


def test_every_documented_code_has_its_word():
    expected = {code: status for status, codes in DOCUMENTED.items() for code in codes.split()}
    assert {code: status for code, (status, _) in OP_CODES.items()} == expected


@pytest.mark.parametrize(
    ("first", "status"),
    [("1", S.PICKED_UP), ("2", S.IN_TRANSIT), ("3", S.OUT_FOR_DELIVERY), ("4", S.DELIVERED), ("11", S.AWAITING_PICKUP),
     ("13", S.OUT_FOR_DELIVERY)],
)  # fmt: skip
def test_the_first_status_beats_the_operation(first, status):
    told = report_of(route(code="98765", firstStatusCode=first))
    assert (told.events[0].status, told.events[0].code) == (status, f"98765/{first}")
    assert told.unknown_codes == ()


@pytest.mark.parametrize(("code", "status"), [("99", S.FORWARDED), ("648", S.RETURNING), ("631", S.RETURNED)])
def test_on_the_way_back_a_dash_leaves_it_to_the_operation(code, status):
    assert reading_of(code, first="-") == (status, "", code)


@pytest.mark.parametrize("code", ["33", "70", "99", "648"])
@pytest.mark.parametrize("first", ["2", "3", "13"])
def test_a_coarse_first_status_does_not_hide_trouble_or_a_return(code, first):
    assert reading_of(code, first=first) == reading_of(code)


def test_clearance_is_told_by_the_secondary_status():
    assert reading_of("31", first="2", secondary="204") == (S.CUSTOMS, "", "31/204")


@pytest.mark.parametrize(
    ("code", "why", "status", "reason"),
    [("8000", "6", S.EXCEPTION, Reason.LOST), ("70", "46", S.CANCELLED, Reason.CANCELLED),
     ("70", "83", S.AWAITING_PICKUP, Reason.LOCKER), ("33", "85", S.AWAITING_PICKUP, Reason.LOCKER),
     ("99", "2", S.RETURNING, ""), ("8000", "2", S.EXCEPTION, "")],
)  # fmt: skip
def test_some_reasons_turn_the_meaning(code, why, status, reason):
    event = report_of(route(code=code, reasonCode=why)).events[0]
    assert (event.status, event.reason, event.code) == (status, reason, f"{code}+{why}")


def test_44_is_still_on_the_way_unless_the_text_is_the_old_one():
    assert reading_of("44", text="我们正在为您的快件分配最合适的快递员")[0] == S.IN_TRANSIT
    assert reading_of("44", text="快件交给快递员，正在派送途中")[0] == S.OUT_FOR_DELIVERY


def test_99_is_a_return_where_the_text_says_so():
    assert reading_of("99", text="应客户要求，快件正在退回中")[0] == S.RETURNING
    assert reading_of("99", text="应客户要求，快件正在转寄中")[0] == S.FORWARDED


def test_a_reason_that_says_what_the_text_says_makes_no_second_scan():
    assert reading_of("99", "2", text="快件将退回寄件地") == reading_of("99", first="-", text="快件将退回寄件地")


def test_a_route_without_any_code_is_left_to_its_text():
    report = report_of(route(text="已签收"))
    assert (report.events[0].status, report.events[0].code, report.unknown_codes) == (S.UNKNOWN, "", ())


CODE = st.sampled_from([*OP_CODES, "98765", ""])
WHY = st.sampled_from(["", *(pair.split("+")[1] for pair in COMBINATIONS), "1"])
FIRSTS = st.sampled_from(["", "-", *FIRST_STATUSES, "7"])
SECONDARIES = st.sampled_from(["", "-", "101", "204", "205"])
TEXTS = st.sampled_from(["", "退回", "正在派送途中"])
TOLD = st.tuples(CODE, WHY, FIRSTS, SECONDARIES)


@given(text=TEXTS, told=st.lists(TOLD, min_size=2, max_size=30))
def test_the_same_code_and_text_always_mean_the_same(text, told):
    """Else it would matter which of two tellings of one scan comes first."""
    meanings = {}
    for row in told:
        status, reason, code = reading_of(*row, text)
        assert meanings.setdefault(code, (status, reason)) == (status, reason)


# --- as it comes in -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_push_is_told_by_its_address_and_kept_once(client: Client, capfd):
    for _ in range(4):
        reply = client.post(f"/callbacks/sf/{SECRET}", push_of(route()), content_type="application/json;charset=UTF-8")
        assert (reply.status_code, reply.json()["return_code"]) == (200, "0000")
    assert ProviderMessage.objects.get().provider == "sf"
    forged = client.post("/callbacks/sf/another", push_of(route(text="y")), content_type="application/json")
    assert (forged.status_code, forged.json()["return_code"]) == (401, "1000")
    unreadable = client.post(f"/callbacks/sf/{FORMER}", form_of("<a/>").decode(), content_type=FORM)
    assert (unreadable.status_code, "<Head>ERR</Head>" in unreadable.content.decode()) == (400, True)
    assert ProviderMessage.objects.count() == 2
    written = "".join(capfd.readouterr())
    assert not [secret for secret in (SECRET, FORMER, "another") if secret in written]


@pytest.mark.django_db
def test_a_push_about_a_number_that_another_carrier_has_waits_for_its_own_parcel():
    other = make_shipment(waybill_no="SF00000000001", carrier=make_carrier("ZTO"))
    message = messages.keep_push("sf", push_of(route(code="80") | {"mailno": other.waybill_no}))
    messages.apply_message(message)
    assert (message.outcome, other.events.count()) == ("held", 0)


@pytest.mark.django_db
def test_any_order_and_repetition_of_single_pushes_ends_the_same(frozen):
    routes = fixture("push_duplicates_exception_recover")["request_body"]["Body"]["WaybillRoute"]
    ends = set()
    for turn, order in enumerate([routes, routes[::-1], routes[3:] + routes[:3]]):
        number = f"SF000000000000{turn}"
        shipment = make_shipment(waybill_no=number)
        for row in order * 4:
            messages.apply_message(messages.keep_push("sf", push_of(row | {"mailno": number})))
        now = Shipment.objects.get(pk=shipment.pk)
        ends.add((now.status, now.event_count, now.delivered_at))
    assert ends == {(S.DELIVERED, 5, dt.datetime(2026, 11, 21, 12, 5, tzinfo=dt.UTC))}


# --- settings -------------------------------------------------------------------------------------


def found(settings, **changes) -> list[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return [message.id for message in checks.check_sf(None)]


def test_whole_settings_are_in_order(settings):
    assert found(settings) == []


def test_without_keys_it_is_off_and_says_so(settings):
    assert found(settings, SF_PARTNER_ID="", SF_CHECKWORD="", SF_CALLBACK_SECRETS="") == ["sf.I001"]
    assert not sf.configured()


def test_without_a_secret_only_the_pushes_are_off(settings):
    assert found(settings, SF_CALLBACK_SECRETS="") == ["sf.I002"]
    assert sf.configured()


def test_half_keys_weak_secrets_and_plain_addresses_are_errors(settings):
    assert found(settings, SF_CALLBACK_SECRETS="0123456789abcdef") == ["sf.E003"]
    assert found(settings, SF_CALLBACK_SECRETS=SECRET, SF_CHECKWORD="") == ["sf.E001"]
    assert found(settings, SF_CHECKWORD=CHECKWORD, SF_BASE_URL="http://bspgw.sf-express.com") == ["sf.E002"]
