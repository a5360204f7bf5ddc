"""The buyer's journey, with the published contract alone in hand, against the sandbox of the outside services."""

import datetime as dt
import threading

import pytest
import requests
from django.test import Client

from frozenshop.api.tests.client import Signer, code_of, shop
from frozenshop.kernel import clock
from logistics.models import Carrier
from orders.tests.factories import order_payload
from sandbox.config import Config
from sandbox.server import Sandbox


@pytest.fixture
def sandbox(settings):
    config = Config(
        kdniao_business_id=settings.KDNIAO_BUSINESS_ID,
        kdniao_api_key=settings.KDNIAO_API_KEY,
        wechat_appid=settings.WECHAT_APPID,
        wechat_app_secret=settings.WECHAT_APP_SECRET,
        port=0,
    )
    server = Sandbox(config).bind()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.KDNIAO_BASE_URL = settings.WECHAT_BASE_URL = url
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def log_in(sandbox, openid):
    code = requests.post(f"{sandbox}/_sim/wechat/code", json={"openid": openid}, timeout=5).json()["code"]
    answer = Client().post("/api/auth/login", {"code": code}, content_type="application/json").json()
    assert abs(answer["server_time"] - clock.now().timestamp()) < 5
    return Signer(answer["sign_secret"], {"Authorization": f"Bearer {answer['token']}"})


@pytest.mark.django_db(transaction=True)
def test_login_sign_list_open_refresh_confirm(sandbox):
    Carrier.objects.create(code="YTO", name="圆通速递", aliases=["圆通"], kdniao_code="YTO")
    merchant, now = shop(), clock.now()
    paid = order_payload(order_no="FD1", buyer_openid="o-journey", paid_at=now.isoformat())
    assert merchant.post("/merchant/orders", paid).status_code == 201
    shipped_at = (now - dt.timedelta(minutes=30)).isoformat()
    parcel = {"carrier_code": "圆通", "waybill_no": "YT7300000000001", "shipped_at": shipped_at}
    assert merchant.post("/merchant/orders/FD1/shipments", parcel).status_code == 201

    buyer = log_in(sandbox, "o-journey")
    (row,) = buyer.get("/api/orders").json()["results"]
    assert (row["order_no"], row["status"]) == ("FD1", "shipped")
    assert buyer.get("/api/orders/FD1").json()["shipments"][0]["events"] == []

    trace = {
        "AcceptTime": f"{clock.shanghai(now):%Y-%m-%d %H:%M:%S}",
        "AcceptStation": "【上海】快件已揽收",
        "Action": "1",
    }
    payload = {"Success": True, "State": "1", "StateEx": "1", "ShipperCode": "YTO", "LogisticCode": "YT7300000000001"}
    told = {"provider": "kdniao", "carrier_code": "YTO", "payload": payload | {"Traces": [trace]}, "speed": 1}
    assert requests.put(f"{sandbox}/_sim/shipments/YT7300000000001", json=told, timeout=5).ok
    assert buyer.post("/api/orders/FD1/refresh").json()["refreshed"] is True
    assert buyer.post("/api/orders/FD1/refresh").json()["refreshed"] is False
    shown = buyer.get("/api/orders/FD1").json()
    assert shown["status"] == "in_transit"
    assert [event["status"] for event in shown["shipments"][0]["events"]] == ["picked_up"]

    assert buyer.post("/api/orders/FD1/confirm").json()["status"] == "delivered"
    assert buyer.post("/api/orders/statuses", {"order_nos": ["FD1"]}).json()["results"][0]["status"] == "delivered"
    assert buyer.post("/api/auth/logout").status_code == 204
    assert code_of(buyer.get("/api/orders/FD1")) == (401, "session_expired")


@pytest.mark.django_db(transaction=True)
def test_a_code_is_good_once_and_a_phone_brings_its_orders(sandbox):
    buyer = log_in(sandbox, "o-phone")
    shop().post("/merchant/orders", order_payload(order_no="FD2", phone="13812341234"))
    assert buyer.get("/api/orders").json()["results"] == []
    data = {"phone": "13812341234"}
    code = requests.post(f"{sandbox}/_sim/wechat/phone-code", json=data, timeout=5).json()["code"]
    assert buyer.post("/api/auth/phone", {"code": code}).json() == {"phone": "138****1234"}
    assert code_of(buyer.post("/api/auth/phone", {"code": code})) == (400, "invalid")
    assert [row["order_no"] for row in buyer.get("/api/orders").json()["results"]] == ["FD2"]
