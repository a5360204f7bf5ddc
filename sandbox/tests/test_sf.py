import json
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus
from xml.etree import ElementTree

import pytest

from sandbox import controls, sf
from sandbox.sf_voice import REPEATS
from sandbox.tests.conftest import CONFIG

VECTORS = json.loads((Path(__file__).parent / "fixtures/sf_digests.json").read_text(encoding="utf-8"))
WAYBILL = "SF0000000000001"
ADDRESS = f"http://merchant.test/callbacks/sf/{CONFIG.sf_callback_secret}"
TAKEN = (200, '{"return_code": "0000", "return_msg": "成功"}')


def form(data, service=sf.SEARCH, **changes):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return {
        "partnerID": CONFIG.sf_partner_id,
        "requestID": "0",
        "serviceCode": service,
        "timestamp": "1",
        "msgDigest": sf.sign(text, "1", CONFIG.sf_checkword),
        "msgData": text,
    } | changes


@pytest.fixture
def ask(sandbox):
    def call(data, service=sf.SEARCH, **changes):
        answer = sf.answer(sandbox.world, form(data, service, **changes))
        if answer["apiResultCode"] != "A1000":
            return answer["apiResultCode"]
        inner = json.loads(answer["apiResultData"])
        return inner["msgData"] if inner["success"] else inner["errorCode"]

    return call


@pytest.fixture
def parcel(put):
    return lambda number=WAYBILL, **asked: put(number, carrier_code="SF", **{"provider": "sf"} | asked)


@pytest.fixture
def taken(merchant):
    """A merchant that takes everything."""
    merchant.answers = [TAKEN] * 1000
    return merchant


def about(*numbers, **more):
    return {"language": "zh-CN", "trackingType": "1", "trackingNumber": list(numbers), "methodType": "1", **more}


def routes(answer, number=WAYBILL):
    return next(row["routes"] for row in answer["routeResps"] if row["mailNo"] == number)


def pushed(merchant):
    return [route for push in merchant.pushed for route in json.loads(push.body)["Body"]["WaybillRoute"]]


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_the_digest_follows_javas_encoding(case):
    assert sf.sign(case["msgData"], case["timestamp"], case["checkWord"]) == case["msgDigest"]


def test_the_result_is_a_json_text_on_the_wire(http):
    answer = http("POST", "/std/service", data=form(about(WAYBILL))).json()
    assert (answer["apiResultCode"], type(answer["apiResultData"])) == ("A1000", str)
    assert routes(json.loads(answer["apiResultData"])["msgData"]) == []


def test_refusals_of_the_platform(sandbox, ask):
    assert ask(about(WAYBILL), requestID="") == "A1001"
    assert ask(about(WAYBILL), msgDigest="wrong") == "A1006"
    assert ask(about(WAYBILL), partnerID="OTHER") == "A1006"
    assert ask(about(WAYBILL), "EXP_RECE_CREATE_ORDER") == "A1004"
    controls.set_manners(sandbox.world.own(sf.Manners), {"calls_per_second": 2})
    assert [ask(about(WAYBILL)) for _ in range(3)][2] == "A1005"


def test_the_limit_is_of_each_second_and_each_interface(sandbox, ask, clock):
    controls.set_manners(sandbox.world.own(sf.Manners), {"calls_per_second": 1, "calls_per_day": 2})
    assert ask(about(WAYBILL)) != "A1005"
    assert ask({"attributeNo": WAYBILL}, sf.REGISTER) != "A1005"
    clock.forward(1)
    assert ask(about(WAYBILL)) != "A1005"
    clock.forward(1)
    assert ask(about(WAYBILL)) == "A1005"
    clock.forward(86_400)
    assert ask(about(WAYBILL)) != "A1005"


@pytest.mark.parametrize(("data", "code"), [("{", "S0001"), ("[]", "S0001"), (about(), "S0002")])
def test_refusals_of_the_service(ask, data, code):
    assert ask(data) == code
    assert ask("{}", sf.REGISTER) == "S0002"


def test_ten_waybills_are_answered_and_eleven_are_not(ask, parcel, clock):
    numbers = [f"SF{n:013}" for n in range(11)]
    for number in numbers:
        parcel(number)
    clock.forward(2 * 3600)
    assert all(len(routes(ask(about(*numbers[:10])), number)) == 1 for number in numbers[:10])
    assert ask(about(*numbers)) == "8003"


def test_a_wrong_tail_finds_nothing_and_is_no_error(ask, parcel, clock):
    parcel(phone_tail="1234")
    parcel("SF2", phone_tail="5678")
    clock.forward(2 * 3600)
    answer = ask(about(WAYBILL, "SF2", checkPhoneNo="1234,9999"))
    assert (len(routes(answer)), routes(answer, "SF2")) == (1, [])


def test_another_carriers_waybill_is_not_known(ask, put, clock):
    put()
    clock.forward(99_999)
    assert routes(ask(about("YT0000000000001")), "YT0000000000001") == []


def test_routes_come_newest_first_with_their_first_status(sandbox, ask, parcel, clock):
    parcel()
    clock.forward(99 * 3600)
    found = routes(ask(about(WAYBILL)))
    assert [(row["opCode"], row["firstStatusCode"]) for row in found][:2] == [("80", "4"), ("204", "3")]
    controls.set_manners(sandbox.world.own(sf.Manners), {"first_status": False})
    assert "firstStatusCode" not in routes(ask(about(WAYBILL)))[0]


def test_each_route_is_pushed_four_times_to_the_secret_address(parcel, play, taken):
    parcel()
    play(6 * 3600)
    assert {push.url for push in taken.pushed} == {ADDRESS}
    assert [route["opCode"] for route in pushed(taken)] == ["50"] * REPEATS + ["30"] * REPEATS
    assert len({route["id"] for route in pushed(taken)}) == 2


def test_routes_that_wait_together_come_mixed_up(sandbox, parcel, clock, taken):
    parcel()
    clock.forward(40 * 3600)
    sandbox.pusher.tick()
    times = [route["acceptTime"] for route in pushed(taken)]
    assert len(times) == REPEATS * 8
    assert times != sorted(times)
    sandbox.pusher.tick()
    assert len(taken.pushed) == REPEATS * 8


def test_a_push_holds_ten_routes_at_most(sandbox, parcel, clock, taken):
    for n in range(12):
        parcel(f"SF{n}", group="together")
    clock.forward(2 * 3600)
    sandbox.pusher.tick()
    assert {len(json.loads(push.body)["Body"]["WaybillRoute"]) for push in taken.pushed} == {10}


@pytest.mark.parametrize("answer", [(200, '{"return_code": "1000"}'), (500, TAKEN[1]), (200, "OK"), (0, "Timeout")])
def test_the_whole_batch_is_sent_again_on_failure(parcel, play, merchant, answer):
    merchant.answers = [answer] + [TAKEN] * 100
    parcel()
    play(2 * 3600)
    bodies = [push.body for push in merchant.pushed]
    assert (len(bodies), len(set(bodies))) == (REPEATS + 1, 1)


def test_the_form_carries_xml_and_its_own_answer_ends_it(sandbox, parcel, play, merchant):
    controls.set_manners(sandbox.world.own(sf.Manners), {"xml": True})
    merchant.answers = [(200, '<Response service="RoutePushService"><Head>OK</Head></Response>')] * 100
    parcel()
    play(2 * 3600)
    (row,) = ElementTree.fromstring(parse_qs(merchant.pushed[0].body.decode())["content"][0]).iter("WaybillRoute")
    assert (row.attrib["mailno"], row.attrib["opCode"], len(merchant.pushed)) == (WAYBILL, "50", REPEATS)


def test_the_form_may_come_encoded_twice_or_to_a_wrong_address(sandbox, parcel, play, taken):
    controls.set_manners(sandbox.world.own(sf.Manners), {"xml": True})
    for kind in ("twice_encoded", "forged"):
        controls.add_fault(sandbox.world, {"service": "sf", "kind": kind, "seconds": 80_000})
    parcel()
    play(2 * 3600)
    assert {push.url for push in taken.pushed} == {ADDRESS, "http://merchant.test/callbacks/sf/forged"}
    content = parse_qs(taken.pushed[0].body.decode())["content"][0]
    assert unquote_plus(content).startswith("<?xml")


def test_no_secret_stands_in_the_log_of_calls(sandbox, parcel, play, taken, http):
    parcel()
    play(2 * 3600)
    http("POST", "/std/service", data=form(about(WAYBILL)))
    told = json.dumps([call.as_json() for call in sandbox.world.calls.find("sf")])
    assert len(sandbox.world.calls.find("sf")) == REPEATS + 1
    assert not [text for text in (CONFIG.sf_callback_secret, form(about(WAYBILL))["msgDigest"]) if text in told]


@pytest.mark.parametrize(
    ("name", "count"),
    [("sf_01_route_push_json", 2), ("sf_03_search_routes", 2), ("sf_04_opcode_sequence", 12),
     ("sf_05_push_duplicates_exception_recover", 6)],
)  # fmt: skip
def test_captured_payloads_are_told_under_the_waybill_that_was_asked_for(ask, parcel, name, count):
    parcel(scenario=name)
    assert len(routes(ask(about(WAYBILL)))) == count


def test_a_captured_push_goes_out_as_it_is(sandbox, parcel, clock, taken):
    parcel(scenario="sf_02_route_push_xml_form")
    clock.forward(1)
    sandbox.pusher.tick()
    assert WAYBILL in parse_qs(taken.pushed[0].body.decode())["content"][0]
