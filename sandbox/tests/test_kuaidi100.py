import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from sandbox import kuaidi100
from sandbox.serving import Asked
from sandbox.tests.conftest import CONFIG, START

VECTORS = json.loads((Path(__file__).parent / "fixtures/kuaidi100_signatures.json").read_text(encoding="utf-8"))
KEY, CUSTOMER, SALT = VECTORS["key"], VECTORS["customer"], VECTORS["salt"]
WAYBILL, ADDRESS = "YT0000000000001", "http://merchant.test/callbacks/kuaidi100/1-abc"
DAY = 86_400
TAKEN = (200, '{"result": true, "returnCode": "200", "message": "成功"}')


@pytest.fixture
def parcel(put):
    return lambda waybill_no=WAYBILL, **asked: put(waybill_no, provider="kuaidi100", **asked)


@pytest.fixture
def call(sandbox):
    def to(path, form=None, query=None):
        return kuaidi100.answer(sandbox.world, Asked("POST", path, query or {}, form or {}, form, "", {}))

    return to


@pytest.fixture
def ask(call):
    def query(com="yuantong", num=WAYBILL, *, sign=None, customer=CUSTOMER, **more):
        param = json.dumps({"com": com, "num": num, "resultv2": "4"} | more)
        right = kuaidi100.sign(param, KEY, CUSTOMER)
        return call(kuaidi100.QUERY_PATH, {"customer": customer, "sign": sign or right, "param": param})

    return query


@pytest.fixture
def subscribe(call):
    def to(company="yuantong", number=WAYBILL, *, key=KEY, callbackurl=ADDRESS, **parameters):
        given = {"callbackurl": callbackurl, "salt": SALT} | parameters
        param = {"company": company, "number": number, "key": key, "parameters": given}
        return call(kuaidi100.SUBSCRIBE_PATH, {"schema": "json", "param": json.dumps(param)})["returnCode"]

    return to


@pytest.fixture(autouse=True)
def _unlocked(sandbox, merchant):
    sandbox.world.own(kuaidi100.Manners).lock_seconds = 0
    merchant.answers = [TAKEN] * 100


def said(push):
    return json.loads(parse_qs(push.body.decode())["param"][0])


def test_the_documented_signatures():
    assert kuaidi100.sign(VECTORS["query"]["param"], KEY, CUSTOMER) == VECTORS["query"]["sign"]
    assert kuaidi100.sign(VECTORS["push"]["param"], SALT) == VECTORS["push"]["sign_with_salt"]
    assert kuaidi100.sign(VECTORS["push"]["param"], "") == VECTORS["push"]["sign_with_empty_salt"]


def test_every_code_of_the_stories_is_translated():
    from sandbox.scenarios import SCENARIOS

    told = {step.code for scenario in SCENARIOS.values() for step in scenario.steps + scenario.earlier}
    assert told <= set(kuaidi100.STATES)


# --- query ----------------------------------------------------------------------------------------


def test_refusals_come_in_their_order(ask):
    assert ask("nobody", sign="x")["returnCode"] == "503"
    assert ask("nobody", customer="x")["returnCode"] == "503"
    assert ask("nobody", phone="")["returnCode"] == "400"
    assert ask("shunfeng")["returnCode"] == "408"
    assert ask("shunfeng", phone="1234")["returnCode"] == "500"


def test_a_waybill_that_nobody_registered_has_no_result(ask):
    assert ask() == {"result": False, "returnCode": "500", "message": "查询无结果，请隔段时间再查"}


def test_scans_come_newest_first_in_its_own_codes(ask, parcel, clock):
    parcel()
    clock.forward(10 * 3600)
    answer = ask()
    assert (answer["state"], answer["ischeck"], answer["com"]) == ("0", "0", "yuantong")
    assert [scan["statusCode"] for scan in answer["data"]] == ["1002", "1002", "103"]
    assert [scan["time"] for scan in ask(order="asc")["data"]] == [scan["time"] for scan in answer["data"]][::-1]


@pytest.mark.parametrize(("advanced", "state"), [(False, "3"), (True, "301")])
def test_the_state_is_the_main_one_unless_told(sandbox, ask, parcel, clock, advanced, state):
    sandbox.world.own(kuaidi100.Manners).advanced_state = advanced
    parcel()
    clock.forward(31 * 3600)
    assert (ask()["state"], ask()["ischeck"]) == (state, "1")


def test_back_with_the_sender_is_checked_too(ask, parcel, clock):
    parcel(scenario="returned")
    clock.forward(60 * 3600)
    assert (ask()["state"], ask()["ischeck"]) == ("6", "1")


def test_the_plain_plan_knows_neither_code_nor_place(ask, parcel, clock):
    parcel()
    clock.forward(2 * 3600)
    answer = ask(resultv2="")
    assert set(answer["data"][0]) == {"time", "ftime", "context"}
    assert "routeInfo" not in answer


def test_an_arrival_is_told_of_a_parcel_on_its_way(ask, parcel, clock):
    parcel()
    clock.forward(2 * 3600)
    assert ask(resultv2="8", to="上海")["arrivalTime"] == "2026-01-02 14"
    assert "arrivalTime" not in ask()


def test_a_number_asked_about_too_soon_is_locked(sandbox, ask, parcel, clock):
    sandbox.world.own(kuaidi100.Manners).lock_seconds = 1800
    parcel(speed=60)
    clock.forward(3600)
    assert ask()["status"] == "200"
    clock.forward(29)
    assert "锁单" in ask()["message"]
    clock.forward(1)
    assert ask()["status"] == "200"


def test_the_phone_must_be_the_parcels(ask, parcel, clock):
    parcel("SF0000000000001", carrier_code="SF", phone_tail="1234")
    clock.forward(3600)
    assert ask("shunfeng", "SF0000000000001", phone="9999")["returnCode"] == "408"
    assert ask("shunfeng", "SF0000000000001", phone="13800001234")["status"] == "200"


def test_another_carrier_or_who_does_not_know_it_has_no_result(sandbox, ask, put, clock):
    put()
    clock.forward(3600)
    assert ask("shentong")["returnCode"] == "500"
    assert ask()["status"] == "200"
    sandbox.world.shipments[WAYBILL].known_by = ["kdniao"]
    assert ask()["returnCode"] == "500"


# --- subscription ---------------------------------------------------------------------------------


def test_subscriptions_are_refused_by_their_codes(subscribe):
    assert subscribe(key="x") == "600"
    assert subscribe(callbackurl="ftp://x") == subscribe(callbackurl="") == "700"
    assert subscribe("nobody") == "701"
    assert subscribe("", "ABC", autoCom="1") == "702"
    assert subscribe() == "200"


def test_a_second_subscription_is_refused_until_the_first_ended(subscribe, parcel, play):
    parcel(scenario="no_trace")
    assert (subscribe(), subscribe()) == ("200", "501")
    play(3 * DAY + 3600, step=3600)
    assert subscribe() == "200"


def test_four_times_a_month_is_the_most(subscribe, parcel, play):
    parcel(scenario="no_trace")
    for _ in range(4):
        assert subscribe() == "200"
        play(3 * DAY + 3600, step=3600)
    assert subscribe() == "501"
    play(31 * DAY, step=DAY)
    assert subscribe() == "200"


# --- pushes ---------------------------------------------------------------------------------------


def test_nothing_is_pushed_without_a_subscription(parcel, play, merchant):
    parcel()
    play(40 * 3600, step=3600)
    assert merchant.pushed == []


def test_each_event_is_pushed_to_the_subscribed_address_and_signed(subscribe, parcel, play, merchant):
    parcel()
    subscribe()
    play(3600)
    (push,) = merchant.pushed
    form = parse_qs(push.body.decode())
    assert push.url == ADDRESS
    assert form["sign"] == [kuaidi100.sign(form["param"][0], SALT)]
    assert (said(push)["status"], said(push)["lastResult"]["data"][0]["statusCode"]) == ("polling", "103")


@pytest.mark.parametrize("salt", ["", None])
def test_an_empty_salt_signs_and_none_does_not(subscribe, parcel, play, merchant, salt):
    parcel()
    subscribe(salt=salt)
    play(3600)
    form = parse_qs(merchant.pushed[0].body.decode())
    assert form.get("sign") == (None if salt is None else [kuaidi100.sign(form["param"][0], "")])


def test_the_last_event_shuts_the_pushes_down(subscribe, parcel, play, merchant):
    parcel()
    subscribe()
    play(31 * 3600)
    assert [said(push)["status"] for push in merchant.pushed] == ["polling"] * 7 + ["shutdown"]


def test_it_gives_up_after_three_days_without_a_trace(subscribe, parcel, play, merchant):
    parcel(scenario="no_trace", speed=10)
    subscribe()
    play(DAY, step=600)
    (push,) = merchant.pushed
    assert (said(push)["status"], said(push)["message"]) == ("abort", "3天查询无记录")


def test_a_wrong_carrier_is_put_right(subscribe, parcel, play, merchant):
    parcel("73100000000001", carrier_code="ZTO")
    subscribe("yuantong", "73100000000001")
    play(3600)
    told = said(merchant.pushed[0])
    assert (told["autoCheck"], told["comOld"], told["comNew"]) == ("1", "yuantong", "zhongtong")
    assert told["lastResult"]["com"] == "zhongtong"


def test_without_correction_a_wrong_carrier_is_given_up_and_named(sandbox, subscribe, parcel, play, merchant):
    sandbox.world.own(kuaidi100.Manners).auto_check = False
    parcel("73100000000001", carrier_code="ZTO")
    subscribe("yuantong", "73100000000001")
    play(4 * DAY, step=3600)
    (told,) = map(said, merchant.pushed)
    assert (told["status"], told["autoCheck"], told["comNew"]) == ("abort", "0", "zhongtong")


@pytest.mark.parametrize("answer", [(0, ""), (500, TAKEN[1]), (200, '{"result": false}'), (200, "[]"), (200, "ok")])
def test_it_repeats_three_times_35_minutes_apart(subscribe, parcel, play, merchant, answer):
    merchant.answers = [answer] * 99
    parcel(scenario="silent", speed=0.1)
    subscribe()
    play(3600 * 10 + 60)
    assert len(merchant.pushed) == 1
    play(10 * 3 * 2100 + 600)
    assert len(merchant.pushed) == 4


def test_a_forged_push_does_not_end_the_subscription(sandbox, subscribe, parcel, play, merchant):
    from sandbox.controls import add_fault

    add_fault(sandbox.world, {"service": "kuaidi100", "kind": "forged", "seconds": 80_000})
    parcel(scenario="no_trace", speed=100)
    subscribe()
    play(3600)
    signs = [parse_qs(push.body.decode()) for push in merchant.pushed]
    assert [form["sign"] == [kuaidi100.sign(form["param"][0], SALT)] for form in signs] == [False, True]


def test_captured_answers_and_pushes_are_scenarios(ask, subscribe, parcel, play, merchant):
    parcel(scenario="kuaidi100_01_query_ok_shentong", carrier_code="STO")
    assert ask("shentong")["data"][0]["status"] == "在途"
    subscribe("shentong")
    play(60)
    assert said(merchant.pushed[0])["lastResult"]["nu"] == WAYBILL
    parcel(scenario="kuaidi100_05_push_abort_autocheck_shutdown", carrier_code="ZTO")
    subscribe("yuantong")
    play(60)
    assert said(merchant.pushed[1])["status"] == "shutdown"


# --- recognition, and the wire --------------------------------------------------------------------


def test_recognition_names_the_registered_carrier_first(call, parcel):
    parcel("SF1234567890123", carrier_code="DBL")
    found = call(kuaidi100.RECOGNISE_PATH, query={"num": "SF1234567890123", "key": KEY})
    assert [candidate["comCode"] for candidate in found] == ["debangkuaidi", "shunfeng"]
    assert call(kuaidi100.RECOGNISE_PATH, query={"num": "ABC", "key": KEY}) == []
    assert call(kuaidi100.RECOGNISE_PATH, query={"num": "ABC"})["returnCode"] == "601"


def test_calls_are_kept_without_secrets(http, parcel, clock):
    parcel()
    param = json.dumps({"company": "yuantong", "number": WAYBILL, "key": KEY, "parameters": {"salt": SALT}})
    http("POST", kuaidi100.SUBSCRIBE_PATH, data={"schema": "json", "param": param})
    http("GET", kuaidi100.RECOGNISE_PATH, params={"num": WAYBILL, "key": KEY})
    kept = http("GET", "/_sim/calls", params={"service": "kuaidi100"}).text
    assert kept.count("***") >= 3
    assert KEY not in kept
    assert SALT not in kept


def test_its_manners_are_set(http):
    answer = http("PUT", "/_sim/kuaidi100", json={"lock_seconds": 0, "auto_check": False}).json()
    assert (answer["lock_seconds"], answer["auto_check"]) == (0, False)


def test_a_restart_remembers_the_subscription(tmp_path, clock, merchant):
    from dataclasses import replace

    from sandbox.controls import put_shipment
    from sandbox.server import Sandbox

    config = replace(CONFIG, state_dir=tmp_path)
    first = Sandbox(config, clock=clock, send=merchant)
    put_shipment(first.world, WAYBILL, {"carrier_code": "YTO", "scenario": "normal", "provider": "kuaidi100"})
    shipment = first.world.shipments[WAYBILL]
    note = kuaidi100.Note("yuantong", ADDRESS, SALT, START, live=True)
    kuaidi100.keep(first.world, shipment, note)
    first.work()
    second = Sandbox(config, clock=clock, send=merchant)
    clock.forward(3600)
    second.work()
    assert [push.url for push in merchant.pushed] == [ADDRESS]
