import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from sandbox import cainiao
from sandbox.controls import BadControl, add_fault, set_manners
from sandbox.instants import wall_clock
from sandbox.scenarios import SCENARIOS
from sandbox.shipments import sample_names
from sandbox.tests.conftest import CONFIG, START

WAYBILL = "YT0000000000001"
VECTORS = json.loads((Path(__file__).parent / "fixtures/cainiao_digests.json").read_text(encoding="utf-8"))
OK = (200, '{"success": true}')


def wrapped(text, msg_type=cainiao.DETAIL_GET, **form):
    fields = {
        "msg_type": msg_type,
        "logistic_provider_id": CONFIG.cainiao_provider_id,
        "to_code": "CNTECH_LV",
        "logistics_interface": text,
        "data_digest": cainiao.sign(text, CONFIG.cainiao_secret),
    }
    return fields | form


def of(waybill_no=WAYBILL, carrier="YTO", **more):
    return json.dumps({"arg0": {"appCode": "demo-app", "cpCode": carrier, "mailNo": waybill_no, **more}})


@pytest.fixture
def ask(sandbox):
    return lambda text=None, *form, **more: cainiao.answer(sandbox.world, wrapped(text or of(), *form, **more))


@pytest.fixture
def manners(sandbox):
    return lambda **asked: set_manners(sandbox.world.own(cainiao.Manners), asked)


@pytest.fixture
def parcel(put, merchant):
    merchant.answers = [OK] * 99
    return lambda **asked: put(**{"provider": "cainiao"} | asked)


@pytest.fixture
def fault(sandbox):
    return lambda kind: add_fault(sandbox.world, {"service": "cainiao", "kind": kind, "seconds": 80_000})


def fields(push):
    return {key: values[0] for key, values in parse_qs(push.body.decode()).items()}


def node(push):
    return json.loads(fields(push)["logistics_interface"])


# --- questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["cases"], ids=["detail", "sign"])
def test_the_digest_is_the_base64_of_the_raw_md5(case):
    assert cainiao.sign(case["logistics_interface"], VECTORS["secret"]) == case["data_digest"]


def test_the_documented_form_is_accepted_on_the_wire(http):
    answer = http("POST", "/gateway/link.do", data=wrapped(VECTORS["cases"][0]["logistics_interface"])).json()
    assert (answer["success"], answer["fullTraceDetail"]) == (True, [])


def test_refusals_say_what_is_wrong(ask, manners):
    manners(open=[cainiao.SUBSCRIBE])
    assert ask(data_digest="wrong")["errorCode"] == "S04"
    manners(open=sorted(cainiao.SERVED))
    assert ask(logistic_provider_id="x", data_digest="wrong")["errorCode"] == "S03"
    assert ask(data_digest="wrong")["errorCode"] == "S02"
    assert ask("{")["errorCode"] == "S01"
    assert ask("{}")["errorCode"] == "S12"


@pytest.mark.parametrize(
    ("text", "part"),
    [(of(carrier="?"), "cpCode"), (of(""), "mailNo"), (of(appCode="x"), "appCode"), ("[]", "参数")],
)
def test_a_wrong_parameter_is_named(ask, text, part):
    assert part in ask(text)["errorMsg"]


def test_the_digest_of_questions_is_a_manner(ask, manners):
    manners(digest="upper-hex")
    assert ask()["errorCode"] == "S02"
    assert ask(data_digest=cainiao.sign(of(), CONFIG.cainiao_secret, "upper-hex"))["success"]


def test_a_manner_that_does_not_exist_is_refused(manners):
    with pytest.raises(BadControl, match="flat"):
        manners(shape="round")


def test_a_waybill_that_nobody_registered_has_no_trace(ask):
    assert ask() == {"success": True, "mailNo": WAYBILL, "cpCode": "YTO", "fullTraceDetail": []}


def test_the_flat_answer_has_the_statuses_and_codeless_scans(ask, put, clock):
    put()
    clock.forward(17 * 3600)
    answer = ask()
    assert (answer["logisticsStatus"], answer["logisticsStatusEx"]) == ("TRANSPORT", "ARRIVE_CITY")
    assert [set(detail) for detail in answer["fullTraceDetail"]] == [{"time", "desc"}] * 4
    assert answer["fullTraceDetail"][0]["time"] == wall_clock(START + 3600)


@pytest.mark.parametrize("shape", ["nested", "nested_text"])
def test_the_nested_answer_is_an_object_or_its_text(ask, put, clock, manners, shape):
    manners(shape=shape)
    put()
    clock.forward(2 * 3600)
    data = ask()["result"]["data"]
    assert isinstance(data, str) is (shape == "nested_text")
    (detail,) = (json.loads(data) if isinstance(data, str) else data)["detail"]
    assert (detail["opDesc"], detail["opTime"]) == ("已揽收", "2026-01-01 09:00:00")


def test_times_may_be_milliseconds(ask, put, clock, manners):
    manners(epoch_times=True)
    put()
    clock.forward(2 * 3600)
    assert ask()["fullTraceDetail"][0]["time"] == int(START + 3600) * 1000


def test_the_older_query_has_its_own_form(ask, put, clock):
    put()
    clock.forward(2 * 3600)
    text = json.dumps({"appName": "demo-app", "cpCode": "YTO", "mailNo": WAYBILL})
    assert len(ask(text, cainiao.PACK_QUERY)["fullTraceDetail"]) == 1


def test_another_carrier_or_phone_finds_nothing(ask, put, clock):
    put("SF1", carrier_code="SF", phone_tail="1234")
    clock.forward(2 * 3600)
    assert ask(of("SF1", "YTO"))["fullTraceDetail"] == []
    assert ask(of("SF1", "SF", receiverPhone="9999"))["fullTraceDetail"] == []
    assert ask(of("SF1", "SF", receiverPhone="1234"))["fullTraceDetail"] != []


def test_what_others_know_alone_it_does_not(ask, put, clock):
    put(known_by=["kdniao"])
    clock.forward(2 * 3600)
    assert ask()["fullTraceDetail"] == []


def test_every_story_can_be_told():
    codes = {step.code for scenario in SCENARIOS.values() for step in (*scenario.earlier, *scenario.steps)}
    assert all(cainiao.statuses(code)[0] in cainiao.NAMED for code in codes)
    assert {main for main, _ in cainiao.STATUSES.values()} == set(cainiao.NAMED)


def test_the_captured_payloads_are_scenarios(ask, parcel):
    names = [name for name in sample_names() if name.startswith("cainiao_")]
    assert len(names) == 4
    parcel(scenario="cainiao_01_link_detail_get_request")
    assert (ask()["logisticsStatus"], ask()["mailNo"]) == ("TRANSPORT", WAYBILL)


# --- pushes ---------------------------------------------------------------------------------------


def test_each_push_tells_the_newest_node_only(parcel, play, merchant):
    parcel()
    play(9 * 3600)
    assert [node(push)["logisticsStatus"] for push in merchant.pushed] == ["ACCEPT", "TRANSPORT", "TRANSPORT"]
    assert [node(push)["logisticsStatusEx"] for push in merchant.pushed] == ["", "SEND_ON", ""]


def test_a_push_is_signed_over_its_text(parcel, play, merchant):
    parcel()
    play(3600)
    (push,) = merchant.pushed
    sent = fields(push)
    assert push.url == "http://merchant.test/callbacks/cainiao"
    assert sent["data_digest"] == cainiao.sign(sent["logistics_interface"], CONFIG.cainiao_secret)


def test_the_digest_of_pushes_is_a_manner(parcel, play, merchant, manners):
    manners(push_digest="upper-hex")
    parcel()
    play(3600)
    digest = fields(merchant.pushed[0])["data_digest"]
    assert (len(digest), digest) == (32, digest.upper())


def test_the_array_form_goes_to_the_secret_address_and_holds_the_group(sandbox, parcel, play, merchant, manners):
    manners(push_form="array")
    parcel(waybill_no="YT1", scenario="multi_parcel", group="g")
    parcel(waybill_no="YT2", scenario="multi_parcel", group="g", push=False)
    merchant.answers = [(200, '{"code": 0, "msg": "ok"}')]
    play(3600)
    (push,) = merchant.pushed
    assert push.url.endswith(f"/callbacks/cainiao/{CONFIG.cainiao_callback_secret}")
    assert [record["mailNo"] for record in json.loads(push.body)] == ["YT1", "YT2"]
    assert CONFIG.cainiao_callback_secret not in str(sandbox.world.calls.find())


@pytest.mark.parametrize(
    "answer", [(0, ""), (500, '{"success": true}'), (200, '{"success": false}'), (200, '{"code": false}'), (200, "[]")]
)
def test_any_other_answer_is_asked_again_after_1_5_and_10_minutes(parcel, play, merchant, answer, sandbox, clock):
    parcel(scenario="silent")
    merchant.answers = [answer] * 9
    came = []
    for minute in range(60, 60 + 120):
        sent = len(merchant.pushed)
        play(60)
        came += [minute] * (len(merchant.pushed) - sent)
    first = came[0]
    assert [minute - first for minute in came[:4]] == [0, 1, 6, 16]
    assert len({push.body for push in merchant.pushed[:4]}) == 1


def test_subscribing_tells_what_is_known(ask, parcel, play, merchant):
    parcel(scenario="wrong_number")
    play(600)
    assert merchant.pushed == []
    assert ask(of(), cainiao.SUBSCRIBE)["success"]
    play(60)
    assert [node(push)["logisticsStatus"] for push in merchant.pushed] == ["SIGN"]


def test_a_forged_push_comes_beside_the_true_one(parcel, play, merchant, fault):
    fault("forged")
    parcel()
    play(3600)
    right = [
        fields(p)["data_digest"] == cainiao.sign(fields(p)["logistics_interface"], CONFIG.cainiao_secret)
        for p in merchant.pushed
    ]
    assert sorted(right) == [False, True]


def test_a_forged_array_has_another_address(parcel, play, merchant, fault, manners):
    manners(push_form="array")
    fault("forged")
    parcel()
    play(3600)
    assert len({push.url for push in merchant.pushed}) == 2


def test_pushes_may_come_repeated_or_as_json(parcel, play, merchant, fault):
    fault("duplicate")
    fault("raw_json")
    parcel()
    play(3600)
    first, second = merchant.pushed
    assert first.body == second.body
    assert json.loads(first.body)["from_code"] == "CNTECH_LV"


def test_a_pushed_payload_goes_out_as_it_is(parcel, play, merchant):
    payload = {"mailNo": WAYBILL, "cpCode": "YTO", "lastLogisticDetail": "x", "logisticsStatus": "NEW"}
    parcel(payload=payload)
    play(60)
    assert node(merchant.pushed[0]) == payload


def test_an_answer_as_payload_is_not_pushed(parcel, play, merchant, ask):
    parcel(payload={"success": True, "mailNo": WAYBILL, "fullTraceDetail": []})
    play(60)
    assert merchant.pushed == []
    assert ask()["mailNo"] == WAYBILL
