"""Whatever a client sends, it is not the server that fails."""

import json

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frozenshop.kernel import throttling
from logistics.models import Carrier
from notifications.wechat import client as wechat
from orders.tests.factories import make_order, order_payload

pytestmark = pytest.mark.django_db

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=80)  # lone surrogates and NUL included
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(10**20, 10**40) | st.floats() | TEXTS
    | st.sampled_from(["2026-01-01T00:00:00+08:00", "9999-12-31T23:59:59Z", "13812341234", "SF", "paid", "SF123456"])
)  # fmt: skip
FIELDS = st.sampled_from(
    ["code", "phone", "order_nos", "order_no", "type", "occurred_at", "reference", "amount_fen", "carrier_code",
     "waybill_no", "shipped_at", "lines", "sku", "quantity", "reason", "replacement", "consignee", "placed_at",
     "payment", "updated_at", "paid_at", "note", "promised_by", "buyer_openid", "total_fen"]
)  # fmt: skip
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | TEXTS, inner, max_size=6),
    max_leaves=20,
)
BODIES = st.binary(max_size=200) | DATA.map(lambda data: json.dumps(data).encode())

BUYERS = ["/api/auth/phone", "/api/orders/statuses", "/api/orders/FD1/refresh", "/api/orders/FD1/confirm"]
SHOPS = [
    "/merchant/orders", "/merchant/orders/FD1/events", "/merchant/orders/FD1/shipments",
    "/merchant/orders/FD1/shipments/SF1234567890/void",
]  # fmt: skip
EACH = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def order(monkeypatch):
    monkeypatch.setattr(wechat, "phone_number", lambda code, openid=None: "13812341234")
    monkeypatch.setattr("logistics.refreshing.refresh_now", lambda order: pytest.fail("there is no such order"))
    monkeypatch.setattr(throttling.LocalLimits, "hit", lambda *args, **kwargs: None)
    Carrier.objects.create(code="SF", name="顺丰速运")
    return make_order("paid", order_no="FD1")


def never_fails(signer, url, body):
    with transaction.atomic():
        answer = signer.send("POST", url, body)
        transaction.set_rollback(True)
    assert answer.status_code < 429, answer.content
    if answer.status_code >= 400:
        assert answer.json()["error"].keys() >= {"code", "message", "request_id"}


@pytest.mark.parametrize("url", BUYERS)
@EACH
@given(body=BODIES)
def test_no_body_of_a_buyer_makes_the_server_fail(order, buyer, url, body):
    never_fails(buyer, url, body)


@pytest.mark.parametrize("url", SHOPS)
@EACH
@given(body=BODIES)
def test_no_body_of_a_shop_makes_the_server_fail(order, merchant, url, body):
    never_fails(merchant, url, body)


@EACH
@given(change=st.dictionaries(FIELDS, DATA, max_size=4))
def test_no_nearly_good_order_makes_the_server_fail(order, merchant, change):
    never_fails(merchant, "/merchant/orders", json.dumps(order_payload(order_no="FD2") | change).encode())


@EACH
@given(body=BODIES)
def test_no_login_makes_the_server_fail(order, buyer, body, monkeypatch):
    monkeypatch.setattr(wechat, "code_to_session", lambda code: wechat.WechatSession("o-1", None))
    never_fails(buyer, "/api/auth/login", body)


@EACH
@given(body=BODIES)
def test_no_push_makes_the_server_fail(order, client, body):
    answer = client.generic("POST", "/callbacks/kdniao", body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (400, 401)


QUERIES = st.text("abcdefstatusqlimfro&=%+0123456789-_~.;/?ÿ一", max_size=60)


@EACH
@given(query=QUERIES)
def test_no_query_makes_the_server_fail(buyer, monkeypatch, query):
    monkeypatch.setattr(throttling.LocalLimits, "hit", lambda *args, **kwargs: None)
    monkeypatch.setattr("frozenshop.kernel.signing.signature_matches", lambda *args: True)
    headers = buyer.headers("GET", "/api/orders")
    answer = buyer.client.get("/api/orders", headers=headers, QUERY_STRING=query.encode().decode("latin-1"))
    assert answer.status_code in (200, 400, 401)
