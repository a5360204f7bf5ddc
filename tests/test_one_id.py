"""One id from a request or push to its tasks, the provider's answer, the messages: in every row and log line."""

import datetime as dt
import json
import re
import secrets
import time
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from frozenshop.kernel import clock
from logistics.providers import kdniao
from orders.tests.factories import order_payload
from sandbox import merchant
from tests.living import running
from tests.test_living_demo import Buyer

assert running
SECONDS = 60
FROM_A_PUSH = {"服务商消息", "待办消息", "通知", "通知投递", "Webhook 消息"}
FROM_A_REFRESH = FROM_A_PUSH | {"服务商调用"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def waybill_no() -> str:
    return f"YT{secrets.randbelow(10**13):013}"


@pytest.fixture
def request_id() -> str:
    return f"traced-{secrets.token_hex(8)}"


def test_a_buyers_refresh_is_followed_to_the_message(running, waybill_no, request_id):
    order_no = ship_an_order(running, waybill_no)
    told = {"provider": "kdniao", "carrier_code": "YTO", "payload": _in_a_locker(waybill_no), "push": False}
    assert requests.put(f"{running['urls']['sandbox']}shipments/{waybill_no}", json=told, timeout=5).ok
    answer = Buyer(running).call("POST", f"/api/orders/{order_no}/refresh", headers={"X-Request-Id": request_id})
    assert answer.json()["refreshed"] is True, answer.text
    assert answer.headers["X-Request-Id"] == request_id
    _followed(running, request_id, FROM_A_REFRESH, ("http.call", "relay.sent", "outbox.done", "notice.sent"))


def test_a_push_is_followed_to_the_message(running, waybill_no, request_id):
    ship_an_order(running, waybill_no)
    data = {"EBusinessID": "1", "PushTime": _now(), "Count": "1", "Data": [_in_a_locker(waybill_no)]}
    text = json.dumps(data, ensure_ascii=False)
    form = {"RequestData": text, "RequestType": "102", "DataSign": kdniao.sign(text, running["kdniao"]["api_key"])}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Request-Id": request_id}
    answer = requests.post(f"{base_of(running)}/callbacks/kdniao", urlencode(form), headers=headers, timeout=10)
    assert answer.json()["Success"] is True, answer.text
    _followed(running, request_id, FROM_A_PUSH, ("relay.sent", "outbox.done", "notice.sent"))


def test_a_refusal_names_the_id_to_whoever_asked(running, request_id):
    answer = requests.get(f"{base_of(running)}/api/orders", headers={"X-Request-Id": request_id}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"] == request_id


def _followed(demo: dict[str, Any], request_id: str, tables: set[str], lines: tuple[str, ...]) -> None:
    """Wait until rows of all tables, log lines of all processes and the shop's own endpoint show the id."""
    staff = staff_session(demo)
    _until(lambda: tables - set(_kinds(staff, demo, request_id)), "rows")
    _until(lambda: set(lines) - _logged(demo, request_id), "log lines")
    ours = {"request_id": request_id, "verified": "ok"}
    _until(lambda: not any(ours.items() <= one.items() for one in _webhooks(demo)), "webhooks")


def _until(missing: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while left := missing():
        assert time.monotonic() < deadline, f"{what}: {left}"
        time.sleep(0.3)


def ship_an_order(demo: dict[str, Any], waybill_no: str, **fields: Any) -> str:
    """Let the shop send an order of the demo's buyer, paid and shipped just now."""
    order_no, now = f"ONEID-{waybill_no}", dt.datetime.now(dt.UTC)
    given = {"buyer_openid": demo["buyer"]["openid"], "phone": demo["buyer"]["phone"], "paid_at": now.isoformat()}
    shipped_at = (now - dt.timedelta(minutes=30)).isoformat()
    parcel = {"carrier_code": "YTO", "waybill_no": waybill_no, "shipped_at": shipped_at}
    _shop(demo, "/merchant/orders", order_payload(order_no=order_no, **given, **fields))
    _shop(demo, f"/merchant/orders/{order_no}/shipments", parcel)
    # What the shipping itself set off is over then: it would plan what comes next under its own id.
    _until(lambda: not any(waybill_no in str(one["body"]) for one in _webhooks(demo)), "shipped")
    return order_no


def _webhooks(demo: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{demo['urls']['sandbox']}webhooks", timeout=5).json()["events"]
    return found


def _shop(demo: dict[str, Any], path: str, payload: dict[str, Any]) -> None:
    """Store what the shop tells; a store of nonces born this second refuses what may be older than itself."""
    once, answers = secrets.token_hex(8), []

    def told() -> bool:
        answers.append(merchant.post(base_of(demo) + path, payload, **demo["merchant"], once=once))
        return answers[-1][0] == 201

    _until(lambda: "" if told() else answers[-1], path)


def _in_a_locker(waybill_no: str) -> dict[str, Any]:
    """A locker can't wait for the morning: the buyer is told at any hour."""
    trace = {"AcceptTime": _now(), "AcceptStation": "【上海市】快件已到达驿站，请尽快取件", "Action": "211"}
    state = {"Success": True, "State": "2", "StateEx": "211"}
    return state | {"ShipperCode": "YTO", "LogisticCode": waybill_no, "Traces": [trace]}


def _now() -> str:
    return f"{clock.shanghai(dt.datetime.now(dt.UTC)):%Y-%m-%d %H:%M:%S}"


def base_of(demo: dict[str, Any]) -> str:
    return str(demo["urls"]["admin"]).removesuffix("/admin/")


def staff_session(demo: dict[str, Any]) -> requests.Session:
    session, url = requests.Session(), f"{base_of(demo)}/admin/login/"
    session.get(url, timeout=10)
    form = {**demo["staff"], "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    session.post(url, form, headers={"Referer": url}, timeout=10)
    return session


def _kinds(staff: requests.Session, demo: dict[str, Any], request_id: str) -> list[str]:
    """Return what stands in the third column of the page, row by row."""
    page = staff.get(f"{base_of(demo)}/admin/trail/", params={"id": request_id}, timeout=10).text
    rows = re.findall(r"<tr>\s*<td>.*?</td><td>.*?</td>\s*<td>(.*?)</td>", page, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", row)).strip() for row in rows]


def _logged(demo: dict[str, Any], request_id: str) -> set[str]:
    """Return which events were logged under the id, by whichever process."""
    lines = (demo["folder"] / "log").read_text(errors="replace").splitlines()
    found = (line[line.index("{") :] for line in lines if f'"{request_id}"' in line)
    return {str(json.loads(line).get("event")) for line in found}
