import json
from dataclasses import replace
from urllib.parse import parse_qs, unquote

import pytest

from sandbox import kdniao
from sandbox.controls import add_fault
from sandbox.server import Sandbox
from sandbox.tests.conftest import CONFIG

KEY = CONFIG.kdniao_api_key


def fields(push):
    return {key: values[0] for key, values in parse_qs(push.body.decode()).items()}


def data(push):
    return json.loads(fields(push)["RequestData"])


def actions(push):
    return [trace["Action"] for trace in data(push)["Data"][0]["Traces"]]


@pytest.fixture
def fault(sandbox):
    return lambda kind, **more: add_fault(sandbox.world, {"service": "kdniao", "kind": kind, "seconds": 80_000} | more)


def test_each_event_is_pushed_with_all_that_went_before(put, play, merchant):
    put()
    play(9 * 3600)
    assert [actions(push) for push in merchant.pushed] == [["1"], ["1", "206"], ["1", "206", "2"]]


def test_a_push_is_signed_and_counts_as_documented(put, play, merchant):
    put()
    play(3600)
    sent = fields(merchant.pushed[0])
    assert merchant.pushed[0].url == "http://merchant.test/callbacks/kdniao"
    assert sent["DataSign"] == kdniao.sign(sent["RequestData"], KEY)
    assert (sent["RequestType"], data(merchant.pushed[0])["Count"]) == ("102", "1")


def test_a_basic_subscription_gets_basic_pushes(sandbox, put, play, merchant):
    put()
    sandbox.world.shipments["YT0000000000001"].subscription = "1008"
    play(3600)
    item = data(merchant.pushed[0])["Data"][0]
    assert fields(merchant.pushed[0])["RequestType"] == "101"
    assert not {"StateEx", "Location"} & set(item) | {"Action"} & set(item["Traces"][0])


def test_subscribing_tells_what_is_known(sandbox, put, play, merchant):
    put(scenario="wrong_number")
    play(600)
    assert merchant.pushed == []
    asked = json.dumps({"ShipperCode": "YTO", "LogisticCode": "YT0000000000001", "Callback": "x"})
    form = {"RequestData": asked, "EBusinessID": "1237100", "RequestType": "8008", "DataSign": kdniao.sign(asked, KEY)}
    assert kdniao.answer(sandbox.world, kdniao.DIST_PATH, form)["Success"]
    play(60)
    assert data(merchant.pushed[0])["Data"][0]["CallBack"] == "x"


@pytest.mark.parametrize(
    "answer", [(0, ""), (500, '{"Success": true}'), (200, '{"Success": false}'), (200, "ok"), (200, "[]")]
)
def test_any_other_answer_than_success_is_asked_again(put, play, merchant, answer):
    put(scenario="silent")
    merchant.answers = [answer]
    play(3600)
    assert len(merchant.pushed) == 1
    play(120)
    assert actions(merchant.pushed[1]) == ["1"]


def test_it_gives_up_after_three_repetitions(put, play, merchant):
    put(scenario="silent")
    merchant.answers = [(0, "")] * 99
    play(4.5 * 3600)
    assert len(merchant.pushed) == 4


def test_repetitions_are_compressed_by_the_speed(put, play, merchant):
    put(scenario="silent", speed=60)
    merchant.answers = [(500, "")]
    play(63, step=1)
    assert [len(actions(push)) for push in merchant.pushed] == [1, 1]


def test_push_can_be_turned_off(put, play, merchant):
    put(push=False)
    play(40 * 3600, step=3600)
    assert merchant.pushed == []


def test_without_a_public_url_nothing_is_pushed(clock, merchant):
    from sandbox.controls import put_shipment

    sandbox = Sandbox(replace(CONFIG, public_url=""), clock=clock, send=merchant)
    put_shipment(sandbox.world, "YT1", {"carrier_code": "YTO", "scenario": "normal"})
    clock.forward(99_999)
    sandbox.pusher.tick()
    assert merchant.pushed == []


def test_a_payload_is_pushed_once_and_verbatim(put, play, merchant):
    payload = {"Success": True, "State": "3", "Traces": [], "LogisticCode": "other"}
    put(payload=payload)
    play(600)
    assert [data(push)["Data"] for push in merchant.pushed] == [[payload]]


def test_a_whole_push_as_payload_goes_out_as_it_is(put, play, merchant):
    whole = {"EBusinessID": "1", "PushTime": "2026-11-22 12:00:00", "Count": "2", "Data": [{}, {}]}
    put(payload=whole)
    play(60)
    assert data(merchant.pushed[0]) == whole


def test_parcels_of_one_order_travel_in_one_push(put, play, merchant):
    for number in ("YT1", "YT2"):
        put(number, scenario="multi_parcel", group="FD1")
    play(3600)
    pushed = data(merchant.pushed[0])
    assert pushed["Count"] == "2"
    assert {item["LogisticCode"] for item in pushed["Data"]} == {"YT1", "YT2"}


def test_duplicates_are_the_same_twice(put, play, merchant, fault):
    fault("duplicate")
    put()
    play(3600)
    assert [actions(push) for push in merchant.pushed] == [["1"], ["1"]]


def test_reordered_pushes_come_after_their_successor(put, play, merchant, fault):
    put()
    fault("reordered", seconds=3700)
    play(6 * 3600)
    assert [actions(push) for push in merchant.pushed] == [["1", "206"], ["1"]]


def test_a_late_push_keeps_what_was_known_then(put, play, merchant, fault):
    fault("late")
    put()
    play(2 * 3600 - 60)
    assert merchant.pushed == []
    play(60)
    assert actions(merchant.pushed[0]) == ["1"]


def test_a_forged_push_comes_beside_the_true_one_and_is_not_repeated(put, play, merchant, fault):
    fault("forged")
    put(scenario="silent")
    merchant.answers = [(401, "")]
    play(2 * 3600)
    signed = [(f := fields(push))["DataSign"] == kdniao.sign(f["RequestData"], KEY) for push in merchant.pushed]
    assert signed == [False, True]


def test_a_twice_encoded_push_holds_the_signed_text_underneath(put, play, merchant, fault):
    fault("twice_encoded")
    put()
    play(3600)
    sent = fields(merchant.pushed[0])
    assert sent["RequestData"].startswith("%7B")
    assert unquote(sent["DataSign"]) == kdniao.sign(unquote(sent["RequestData"]), KEY)


def test_a_raw_json_push_carries_the_same_fields(put, play, merchant, fault):
    fault("raw_json")
    put()
    play(3600)
    assert set(json.loads(merchant.pushed[0].body)) == {"RequestData", "RequestType", "DataSign"}


def test_batched_pushes_hold_several_waybills(put, play, merchant, fault):
    fault("batched")
    put("YT1")
    put("YT2", scenario="no_trace")
    play(3600)
    assert data(merchant.pushed[0])["Count"] == "2"


def test_a_restart_goes_on_without_repeating(tmp_path, clock, merchant):
    from sandbox.controls import put_shipment

    config = replace(CONFIG, state_dir=tmp_path)
    first = Sandbox(config, clock=clock, send=merchant)
    put_shipment(first.world, "YT1", {"carrier_code": "YTO", "scenario": "normal"})
    clock.forward(3600)
    first.work()
    second = Sandbox(config, clock=clock, send=merchant)
    clock.forward(4 * 3600)
    second.work()
    assert [actions(push) for push in merchant.pushed] == [["1"], ["1", "206"]]
    assert (tmp_path / "sandbox.json").stat().st_mode & 0o077 == 0
