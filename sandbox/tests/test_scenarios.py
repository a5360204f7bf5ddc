import json
import re
from pathlib import Path

import pytest

from sandbox import kdniao
from sandbox.places import make_route
from sandbox.scenarios import SCENARIOS, timeline
from sandbox.shipments import sample_names

WAYBILL = "YT0000000000001"
ENDS = {
    "normal": ("3", "301"),
    "slow": ("3", "301"),
    "silent": ("2", "2"),
    "no_trace": ("0", "0"),
    "locker": ("4", "311"),
    "problem_then_signed": ("4", "302"),
    "returned": ("4", "406"),
    "wrong_number": ("3", "301"),
    "recycled": ("3", "301"),
    "multi_parcel": ("3", "301"),
    "cold_weather": ("4", "301"),
}


def told(sandbox):
    shipment = sandbox.world.shipments[WAYBILL]
    events = shipment.events(sandbox.world.clock())
    return kdniao.tell(sandbox.world, "YTO", WAYBILL, events, basic=False)


def test_every_scenario_states_its_end():
    assert set(ENDS) == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_stated(sandbox, put, clock, name):
    put(scenario=name)
    clock.forward(SCENARIOS[name].hours * 3600 + 1)
    answer = told(sandbox)
    assert (answer["State"], answer["StateEx"]) == ENDS[name]
    assert answer["StateEx"] == SCENARIOS[name].end_code


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("speed", [0.5, 1, 1800, 10_000_000])
def test_scans_are_a_second_apart_at_any_speed(name, speed):
    story = timeline(SCENARIOS[name], started_at=1000.0, speed=speed, route=make_route(WAYBILL))
    seconds = [int(event.at) for event in story]
    assert seconds == sorted(set(seconds))


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_told_before_it_happened(sandbox, put, clock, name):
    put(scenario=name, speed=1000)
    for _ in range(40):
        clock.forward(9)
        times = [trace["AcceptTime"] for trace in told(sandbox)["Traces"]]
        assert all(time <= kdniao.wall_clock(clock.now) for time in times)


def test_what_happened_never_changes(sandbox, put, clock):
    put()
    before = []
    for _ in range(31):
        clock.forward(3600)
        traces = told(sandbox)["Traces"]
        assert traces[: len(before)] == before
        before = traces


def test_a_problem_on_the_way_keeps_state_at_4(sandbox, put, clock):
    put(scenario="problem_then_signed")
    clock.forward(48 * 3600)
    assert (told(sandbox)["State"], told(sandbox)["StateEx"]) == ("4", "302")


def test_a_wrong_number_shows_only_an_older_parcel(sandbox, put):
    put(scenario="wrong_number")
    assert max(trace["AcceptTime"] for trace in told(sandbox)["Traces"]) < "2025-12-15"


def test_a_recycled_number_starts_with_an_older_life(sandbox, put, clock):
    put(scenario="recycled")
    clock.forward(2 * 3600)
    times = [trace["AcceptTime"] for trace in told(sandbox)["Traces"]]
    assert times[0] < "2025-11-15"
    assert times[-1] == "2026-01-01 09:00:00"


def test_sentences_quote_the_consignee_and_a_courier(sandbox, put, clock):
    put(scenario="problem_then_signed", consignee={"name": "张三丰", "phone": "13800001234"}, destination="成都市")
    clock.forward(60 * 3600)
    text = json.dumps(told(sandbox), ensure_ascii=False)
    assert all(word in text for word in ("张三丰", "13800001234", "1390000", "成都市"))


@pytest.mark.parametrize("name", sample_names())
def test_every_captured_payload_is_a_scenario(sandbox, put, name):
    put(scenario=name, provider=name.split("_")[0])
    payload = sandbox.world.shipments[WAYBILL].payload
    named = [] if isinstance(payload, str) else [payload.get(field) for field in ("LogisticCode", "mailNo", "nu")]
    assert payload
    assert set(named) <= {WAYBILL, None}


def test_a_captured_payload_keeps_what_it_says(sandbox, put):
    put(scenario="kdniao_04_query_out_of_order_slash_dates_state_int")
    payload = sandbox.world.shipments[WAYBILL].payload
    assert (payload["State"], payload["Traces"][0]["AcceptTime"]) == (3, "2019/06/25 08:05:37")


def test_the_documents_table_is_true():
    text = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", text, re.MULTILINE))
    assert rows == {name: scenario.end_code for name, scenario in SCENARIOS.items()}
