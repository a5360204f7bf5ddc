"""Sessions: what is kept of them, and when they end."""

import datetime as dt

import pytest
import time_machine
from django.test import Client

from frozenshop.api import sessions
from frozenshop.api.models import BuyerSession
from frozenshop.api.tests.client import Signer, code_of, log_in
from frozenshop.kernel import caching, clock
from notifications.wechat import client as wechat
from orders import access
from orders.models import Customer
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def openid(monkeypatch):
    monkeypatch.setattr(wechat, "code_to_session", lambda code: wechat.WechatSession("o-1", None))


def test_login_gives_a_token_and_a_secret_that_work(openid):
    answer = Client().post("/api/auth/login", {"code": "c"}, content_type="application/json").json()
    assert answer.keys() == {"token", "sign_secret", "expires_in", "server_time"}
    assert len(bytes.fromhex(answer["sign_secret"])) == 32
    buyer = Signer(answer["sign_secret"], {"Authorization": f"Bearer {answer['token']}"})
    assert buyer.get("/api/orders").status_code == 200


def test_the_same_openid_is_the_same_customer(openid):
    for _ in range(2):
        Client().post("/api/auth/login", {"code": "c"}, content_type="application/json")
    assert Customer.objects.filter(openid="o-1").count() == 1
    assert BuyerSession.objects.count() == 2


def test_neither_token_nor_secret_is_kept(customer):
    login = sessions.start(customer)
    row = BuyerSession.objects.get()
    kept = f"{row.token_digest} {row.secret_sealed}"
    assert login.token not in kept
    assert login.sign_secret not in kept


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'"x"', b"{}", b'{"code":""}', b'{"code":1}', b'{"code":null}', b'{"code":"x","more":1}',
     b'{"code":"\\ud800"}', b'{"phone":"13812341234","sms_code":"1234"}', b"\xff", b'{"code":"a","code":"b"}'],
)  # fmt: skip
def test_a_login_that_makes_no_sense_is_invalid(body):
    answer = Client().post("/api/auth/login", body, content_type="application/json")
    assert code_of(answer) == (400, "invalid")


def test_a_session_ends_after_seven_days(buyer):
    with time_machine.travel(clock.now() + dt.timedelta(days=7, seconds=1)):
        assert code_of(buyer.get("/api/orders")) == (401, "session_expired")


def test_logging_out_ends_the_session_at_once(buyer):
    buyer.get("/api/orders")
    assert buyer.post("/api/auth/logout").status_code == 204
    assert code_of(buyer.get("/api/orders")) == (401, "session_expired")


def test_logging_out_leaves_other_devices_logged_in(customer, buyer):
    log_in(customer).post("/api/auth/logout")
    assert buyer.get("/api/orders").status_code == 200


def test_a_slow_reader_does_not_bring_a_revoked_session_back(customer, buyer):
    row = BuyerSession.objects.get()
    before = sessions._record(row)
    buyer.post("/api/auth/logout")
    sessions.caching.add(sessions.cache_key(row.token_digest), before, 300)
    assert code_of(buyer.get("/api/orders")) == (401, "session_expired")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic abc", "Bearer x", "Bearer " + "x" * 5000, "Bearer é" * 20]
)
def test_without_a_token_of_ours_nobody_is_known(authorization):
    answer = Client(raise_request_exception=False).get("/api/orders", headers={"Authorization": authorization})
    assert code_of(answer) == (401, "unauthenticated")


# --- the phone ------------------------------------------------------------------------------------


@pytest.fixture
def phone(monkeypatch):
    monkeypatch.setattr(wechat, "phone_number", lambda code, openid=None: "13812341234")


def test_binding_a_phone_shows_its_orders_and_answers_it_masked(phone, buyer):
    order = make_order(phone="13812341234")
    assert buyer.get(f"/api/orders/{order.order_no}").status_code == 404
    assert buyer.post("/api/auth/phone", {"code": "c"}).json() == {"phone": "138****1234"}
    assert buyer.get(f"/api/orders/{order.order_no}").status_code == 200


def test_a_phone_that_moves_takes_its_orders_along_at_once(phone, buyer):
    order = make_order(phone="13812341234")
    former = log_in(make_customer(phone="13812341234"))
    for _ in range(2):
        assert former.get(f"/api/orders/{order.order_no}").status_code == 200
    buyer.post("/api/auth/phone", {"code": "c"})
    assert former.get(f"/api/orders/{order.order_no}").status_code == 404
    assert former.get("/api/orders").json()["results"] == []
    assert buyer.get(f"/api/orders/{order.order_no}").status_code == 200


def test_a_phone_that_another_bound_while_we_bound_it_ends_what_that_one_saw(phone, buyer, monkeypatch):
    order = make_order(phone="13812341234")
    other, bind = make_customer(), access.bind_phone
    device = log_in(other)

    def late(*args):
        bind(other, "13812341234", clock.now())
        sessions.phone_moved(other)
        assert device.get(f"/api/orders/{order.order_no}").status_code == 200
        return bind(*args)

    monkeypatch.setattr(access, "bind_phone", late)
    buyer.post("/api/auth/phone", {"code": "c"})
    key = sessions.cache_key(BuyerSession.objects.get(customer=other).token_digest)
    assert caching.get_many([key])[key]["phone_index"] is None


def test_who_was_known_by_the_phone_alone_is_logged_out_when_it_moves(phone, buyer):
    former = Customer.objects.create(openid=None)
    access.bind_phone(former, "13812341234", clock.now())
    device = log_in(former)
    assert device.get("/api/orders").status_code == 200
    buyer.post("/api/auth/phone", {"code": "c"})
    assert code_of(device.get("/api/orders")) == (401, "session_expired")


def test_after_180_days_the_phone_shows_nothing_until_verified_again(phone, buyer):
    customer = make_customer(phone="13812341234")
    order = make_order(phone="13812341234")
    with time_machine.travel(clock.now() + dt.timedelta(days=181)):
        device = log_in(customer)
        assert code_of(device.get(f"/api/orders/{order.order_no}")) == (404, "order_not_found")
        device.post("/api/auth/phone", {"code": "c"})
        assert device.get("/api/orders").status_code == 200
