import json
from pathlib import Path

import pytest

from sandbox import kdniao
from sandbox.tests.conftest import CONFIG

VECTORS = json.loads((Path(__file__).parent / "fixtures/kdniao_signatures.json").read_text(encoding="utf-8"))
WAYBILL = "YT0000000000001"


@pytest.fixture
def ask(sandbox):
    def call(data, kind="8001", *, path=kdniao.QUERY_PATH, **form):
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        fields = {
            "RequestData": text,
            "EBusinessID": CONFIG.kdniao_business_id,
            "RequestType": kind,
            "DataSign": kdniao.sign(text, CONFIG.kdniao_api_key),
            "DataType": "2",
        }
        return kdniao.answer(sandbox.world, path, fields | form)

    return call


def of(waybill_no=WAYBILL, carrier="YTO", **more):
    return {"ShipperCode": carrier, "LogisticCode": waybill_no, **more}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_data_sign_is_base64_of_lower_case_hex(case):
    assert kdniao.sign(case["RequestData"], VECTORS["api_key"]) == case["DataSign_before_urlencode"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_signature_encoded_once_too_often_is_borne_with(case):
    assert kdniao.signature_matches(case["DataSign_urlencoded_once"], case["RequestData"], VECTORS["api_key"])


@pytest.mark.parametrize("wrong", VECTORS["wrong_variants_for_negative_tests"].values())
def test_other_digests_are_refused(wrong):
    assert not kdniao.signature_matches(wrong, VECTORS["cases"][0]["RequestData"], VECTORS["api_key"])


@pytest.mark.parametrize("field", ["form_body"])
def test_the_documented_bodies_are_accepted_on_the_wire(http, field):
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
    bodies = [case[field] for case in VECTORS["cases"]]
    bodies += [
        c[field].replace(c["DataSign_urlencoded_once"], c["DataSign_double_encoded_seen_on_wire"])
        for c in VECTORS["cases"]
    ]
    answers = [http("POST", kdniao.QUERY_PATH, data=body, headers=headers).json() for body in bodies]
    assert all(answer["Success"] for answer in answers)


def test_refusals_come_in_the_documented_order(sandbox, ask):
    data, wrong = {"ShipperCode": "NOBODY"}, {"DataSign": "wrong"}
    sandbox.world.own(kdniao.Manners).plans = frozenset()
    assert ask(data, **wrong)["Reason"] == kdniao.NO_PLAN
    sandbox.world.own(kdniao.Manners).plans = frozenset({"8001"})
    assert ask(data, **wrong)["Reason"] == kdniao.BAD_SIGNATURE
    assert ask(data)["Reason"] == kdniao.BAD_CARRIER
    assert ask({"ShipperCode": "SF"})["Reason"] == kdniao.NO_PHONE_TAIL
    assert ask({"ShipperCode": "SF", "CustomerName": "1234"})["Reason"] == kdniao.NO_WAYBILL


def test_another_business_id_is_refused_like_a_bad_signature(ask):
    assert ask(of(), EBusinessID="1")["Reason"] == kdniao.BAD_SIGNATURE


@pytest.mark.parametrize("carrier", ["SF", "ZTO", "KYSY"])
def test_these_carriers_need_the_phone_tail(ask, carrier):
    assert ask(of(carrier=carrier)) == {
        "EBusinessID": CONFIG.kdniao_business_id,
        "Success": False,
        "Reason": "手机尾号不能为空",
    }


def test_a_waybill_that_nobody_registered_has_no_trace(ask):
    answer = ask(of())
    assert (answer["Success"], answer["State"], answer["Traces"]) == (True, "0", [])
    assert answer["Reason"] == "暂无轨迹信息"


def test_the_older_form_of_no_trace_has_no_state(sandbox, ask):
    sandbox.world.own(kdniao.Manners).old_no_trace = True
    answer = ask(of())
    assert (answer["Success"], answer["Reason"], "State" in answer) == (False, None, False)


def test_older_accounts_get_state_as_a_number(sandbox, ask, put, clock):
    sandbox.world.own(kdniao.Manners).state_as_number = True
    put()
    clock.forward(2 * 3600)
    assert ask(of())["State"] == 1


def test_the_basic_plan_knows_no_fine_states(ask, put, clock):
    put()
    clock.forward(10 * 3600)
    answer = ask(of(), "1002")
    assert answer["State"] == "2"
    assert not {"StateEx", "Location"} & set(answer)
    assert not {"Action", "Location"} & set(answer["Traces"][0])


def test_events_appear_as_their_time_comes_and_never_before(ask, put, clock):
    put(speed=3600)
    assert ask(of())["Traces"] == []
    clock.forward(9)
    traces = ask(of())["Traces"]
    assert [trace["Action"] for trace in traces] == ["1", "206", "2"]
    assert max(trace["AcceptTime"] for trace in traces) <= "2026-01-01 08:00:09"


def test_traces_are_sorted_as_asked(ask, put, clock):
    put()
    clock.forward(30 * 3600)
    up, down = ask(of())["Traces"], ask(of(Sort=1))["Traces"]
    assert up == down[::-1]


def test_order_code_and_callback_are_echoed_in_any_case(ask, put):
    put()
    answer = ask(of(OrderCode="FD1", CallBack="订单 1"))
    assert (answer["OrderCode"], answer["Callback"]) == ("FD1", "订单 1")


def test_another_carrier_knows_nothing_of_the_waybill(ask, put, clock):
    put()
    clock.forward(99_999)
    assert ask(of(carrier="STO"))["Traces"] == []


def test_a_wrong_phone_tail_finds_nothing(ask, put, clock):
    put("SF0000000000001", carrier_code="SF", phone_tail="1234")
    clock.forward(99_999)
    assert ask(of("SF0000000000001", "SF", CustomerName="9999"))["Traces"] == []
    assert ask(of("SF0000000000001", "SF", CustomerName="1234"))["Traces"] != []


def test_8002_finds_the_carrier_by_itself(ask, put, clock):
    put()
    clock.forward(99_999)
    assert ask({"LogisticCode": WAYBILL}, "8002")["ShipperCode"] == "YTO"
    assert ask({"LogisticCode": "???"}, "8002")["Reason"] == kdniao.BAD_CARRIER


def test_recognise_names_the_registered_carrier_first(ask, put):
    put("SF1234567890123", carrier_code="DBL")
    shippers = ask({"LogisticCode": "SF1234567890123"}, "2002")["Shippers"]
    assert [shipper["ShipperCode"] for shipper in shippers] == ["DBL", "SF"]
    assert ask({"LogisticCode": "ABCDEF"}, "2002")["Shippers"] == []


def test_subscriptions_are_taken_at_dist_only(ask, put):
    put()
    answer = ask(of(), "8008", path=kdniao.DIST_PATH)
    assert (answer["Success"], answer["UpdateTime"]) == (True, "2026-01-01 08:00:00")
    assert ask(of(), "8008")["Reason"] == kdniao.NO_PLAN


@pytest.mark.parametrize("kind", ["8001", "8002", "2002"])
def test_newer_documents_put_queries_on_dist(ask, kind):
    assert ask(of(), kind, path=kdniao.DIST_PATH)["Success"]


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"'])
def test_unreadable_data_is_refused_not_broken(ask, text):
    assert ask(text)["Reason"] == kdniao.BAD_CARRIER


def test_a_payload_is_served_verbatim(ask, put):
    payload = {"Success": True, "State": 3, "Unknown": ["x"], "LogisticCode": "other"}
    put(payload=payload)
    assert ask(of()) == payload


def test_of_a_whole_push_a_query_gets_the_part_about_its_parcel(ask, put):
    put(payload={"Data": [{"LogisticCode": "other"}, {"LogisticCode": WAYBILL, "State": "3"}]})
    assert ask(of())["State"] == "3"


def test_a_text_payload_goes_out_byte_for_byte(http, put):
    put(payload='{"Success" :true}')
    text = json.dumps(of())
    form = {
        "RequestData": text,
        "EBusinessID": CONFIG.kdniao_business_id,
        "RequestType": "8001",
        "DataSign": kdniao.sign(text, CONFIG.kdniao_api_key),
    }
    assert http("POST", kdniao.QUERY_PATH, data=form).text == '{"Success" :true}'
