import socket

import pytest
import requests

from sandbox import kdniao
from sandbox.server import HOST
from sandbox.tests.conftest import CONFIG

SHIPMENT = "/_sim/shipments/YT0000000000001"
GOOD = {"carrier_code": "YTO", "scenario": "normal"}


def login(http, code):
    query = {"appid": CONFIG.wechat_appid, "secret": CONFIG.wechat_app_secret, "js_code": code}
    return http("GET", "/sns/jscode2session", params=query | {"grant_type": "authorization_code"})


def test_a_login_code_is_minted_and_spent_over_the_wire(http):
    code = http("POST", "/_sim/wechat/code", json={"openid": "oBuyer"}).json()["code"]
    response = login(http, code)
    assert response.json()["openid"] == "oBuyer"
    assert response.headers["Content-Type"].startswith("text/plain")


def test_a_phone_code_is_minted(http):
    assert http("POST", "/_sim/wechat/phone-code", json={"phone": "13800001234"}).json()["code"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "carrier_code"),
        ({"carrier_code": "YTO"}, "scenario"),
        (GOOD | {"payload": {}}, "scenario"),
        (GOOD | {"scenario": "nothing"}, "scenario"),
        (GOOD | {"carrier_code": "yuantong"}, "carrier_code"),
        (GOOD | {"speed": "fast"}, "speed"),
        (GOOD | {"speed": 0}, "speed"),
        (GOOD | {"speed": True}, "speed"),
        (GOOD | {"push": 1}, "push"),
        (GOOD | {"provider": "nobody"}, "provider"),
        (GOOD | {"provider": "wechat"}, "provider"),
        (GOOD | {"known_by": ["nobody"]}, "known_by"),
        (GOOD | {"known_by": "kdniao"}, "known_by"),
        (GOOD | {"consignee": "张三"}, "consignee"),
        (GOOD | {"sped": 1}, "sped"),
        ({"carrier_code": "YTO", "payload": 3}, "payload"),
        ([], "body"),
    ],
)
def test_a_wrong_control_names_the_field(http, asked, field):
    response = http("PUT", SHIPMENT, json=asked)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/_sim/wechat/code", {}, "openid"),
        ("/_sim/wechat/code", {"openid": 3}, "openid"),
        ("/_sim/wechat/phone-code", {"phone": "+86 138"}, "phone"),
        ("/_sim/faults", {"service": "nobody", "kind": "cut"}, "service"),
        ("/_sim/faults", {"service": "kdniao", "kind": "nothing"}, "kind"),
        ("/_sim/faults", {"service": "kdniao", "kind": "cut", "rate": 2}, "rate"),
        ("/_sim/faults", {"service": "kdniao", "kind": "cut", "seconds": -1}, "seconds"),
    ],
)
def test_every_control_checks_its_input(http, path, asked, field):
    response = http("POST", path, json=asked)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [field])


def test_a_shipment_tells_its_plan_and_can_be_forgotten(http):
    told = http("PUT", SHIPMENT, json=GOOD | {"speed": 3600}).json()
    assert (told["end_code"], told["started_at"], told["ends_at"]) == (
        "301",
        "2026-01-01T08:00:00+08:00",
        "2026-01-01T08:00:30+08:00",
    )
    assert http("GET", SHIPMENT).json() == told
    assert http("DELETE", SHIPMENT).status_code == 204
    assert http("GET", SHIPMENT).status_code == 404


def test_a_second_put_starts_anew(http, clock):
    http("PUT", SHIPMENT, json=GOOD)
    clock.forward(99_999)
    assert http("PUT", SHIPMENT, json=GOOD).json()["happened"] == 0


def ask(http):
    text = '{"ShipperCode":"YTO","LogisticCode":"YT0000000000001"}'
    form = {"RequestData": text, "EBusinessID": CONFIG.kdniao_business_id, "RequestType": "8001"}
    return http("POST", kdniao.QUERY_PATH, data=form | {"DataSign": kdniao.sign(text, CONFIG.kdniao_api_key)})


def fault(http, kind, **more):
    return http("POST", "/_sim/faults", json={"service": "kdniao", "kind": kind, "rate": 1, "seconds": 60} | more)


def test_latency_delays_a_true_answer(http, slept):
    fault(http, "latency", latency_seconds=3)
    assert ask(http).json()["Success"]
    assert slept == [3]


def test_a_5xx_is_not_json(http):
    fault(http, "http_5xx")
    assert ask(http).status_code >= 500


@pytest.mark.parametrize("kind", ["cut", "timeout"])
def test_a_cut_connection_answers_nothing(http, kind):
    fault(http, kind)
    with pytest.raises(requests.ConnectionError):
        ask(http)


def test_bad_json_breaks_off(http):
    fault(http, "bad_json")
    with pytest.raises(requests.JSONDecodeError):
        ask(http).json()


def test_a_fault_ends_by_itself_or_when_told(http, clock):
    fault(http, "http_5xx", seconds=60)
    clock.forward(61)
    assert ask(http).status_code == 200
    fault(http, "http_5xx")
    assert http("DELETE", "/_sim/faults").json() == {"faults": []}
    assert ask(http).status_code == 200


def test_a_fault_strikes_one_service_only(http):
    fault(http, "http_5xx")
    assert login(http, "x").status_code == 200


def test_a_rate_of_zero_never_strikes(http):
    fault(http, "http_5xx", rate=0)
    assert all(ask(http).status_code == 200 for _ in range(5))


def test_calls_are_kept_without_secrets(http, clock):
    login(http, "early")
    clock.forward(60)
    ask(http)
    calls = http("GET", "/_sim/calls").json()["calls"]
    assert [call["service"] for call in calls] == ["wechat", "kdniao"]
    assert calls[0]["request"]["query"]["secret"] == calls[1]["request"]["body"]["DataSign"] == "***"


@pytest.mark.parametrize("since", ["2026-01-01T08:00:30+08:00", "2026-01-01T08:00:30", "1767225630"])
def test_calls_are_filtered_by_service_and_instant(http, clock, since):
    ask(http)
    clock.forward(60)
    ask(http)
    query = {"service": "kdniao", "since": since}
    assert len(http("GET", "/_sim/calls", params=query).json()["calls"]) == 1
    assert http("GET", "/_sim/calls", params={"service": "wechat"}).json()["calls"] == []


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"service": "nobody"}])
def test_a_wrong_filter_names_the_field(http, query):
    response = http("GET", "/_sim/calls", params=query)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, list(query))


def test_kdniao_and_wechat_manners_are_set(http):
    assert http("PUT", "/_sim/kdniao", json={"plans": []}).json()["plans"] == []
    assert ask(http).json()["Reason"] == kdniao.NO_PLAN
    assert http("PUT", "/_sim/wechat", json={"ip_allowed": False, "tokens": "expired"}).json()["ip_allowed"] is False


@pytest.mark.parametrize("asked", [{"plans": ["9999"]}, {"plans": "8001"}, {"old_no_trace": 1}, {"nothing": 1}])
def test_wrong_manners_change_nothing(http, sandbox, asked):
    response = http("PUT", "/_sim/kdniao", json={"state_as_number": True} | asked)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, list(asked))
    assert sandbox.world.own(kdniao.Manners) == kdniao.Manners()


def test_who_does_not_know_the_waybill_has_no_trace(http, clock, sandbox):
    http("PUT", SHIPMENT, json=GOOD)
    clock.forward(99_999)
    sandbox.world.shipments["YT0000000000001"].known_by = ["another"]
    assert ask(http).json()["Traces"] == []


def test_the_page_shows_everything_in_chinese(http):
    http("PUT", SHIPMENT, json=GOOD | {"consignee": {"name": "<b>"}})
    fault(http, "late")
    ask(http)
    page = http("GET", "/_sim/").text
    assert all(word in page for word in ("YT0000000000001", "推送迟到", "场景", kdniao.QUERY_PATH))
    assert "<b>" not in page


def test_the_page_escapes_what_others_sent(http):
    http("POST", kdniao.QUERY_PATH, data={"RequestData": "<script>alert(1)</script>"})
    assert "<script>" not in http("GET", "/_sim/").text


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_no_other_site_may_steer(http, headers):
    assert http("GET", "/_sim/calls", headers=headers).status_code == 403


def test_a_page_of_this_machine_may_steer(http):
    assert http("GET", "/_sim/calls", headers={"Origin": "http://localhost:8000"}).status_code == 200


def test_a_null_counts_as_absent_and_a_payload_names_its_carrier(http):
    asked = {"scenario": None, "speed": None, "payload": {"ShipperCode": "STO", "Success": True}}
    assert http("PUT", SHIPMENT, json=asked).json()["carrier_code"] == "STO"


def test_it_listens_on_loopback_only(sandbox):
    server = sandbox.bind()
    assert server.socket.getsockname()[0] == HOST
    assert server.socket.family == socket.AF_INET
    server.server_close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/_sim/nothing", 404),
        ("GET", "/_sim/wechat/code", 405),
        ("POST", SHIPMENT, 405),
    ],
)
def test_unknown_paths_and_verbs_are_refused(http, method, path, status):
    assert http(method, path).status_code == status
