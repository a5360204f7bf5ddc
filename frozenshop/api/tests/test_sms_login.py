"""Logging in and binding a phone by SMS, against the sandbox."""

import datetime as dt
import re

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client

from frozenshop.api.models import BuyerSession
from frozenshop.api.tests.client import Signer, code_of, log_in
from frozenshop.kernel import clock
from notifications.models import SmsCode
from notifications.sms import codes
from notifications.tests.sms_sim import sms
from orders.models import Customer
from orders.tests.factories import make_customer, make_order

__all__ = ["sms"]
pytestmark = pytest.mark.django_db
PHONE = "13812341234"


def post(path, data):
    return Client(raise_request_exception=False).post(f"/api/auth/{path}", data, content_type="application/json")


def read_code(sms, phone=PHONE):
    return re.search(r"\d{6}", [one.text for one in sms.sent if one.phone == phone][-1])[0]


def get_code(sms, phone=PHONE):
    SmsCode.objects.all().delete()
    sms.aliyun(flow_control=False)
    assert post("sms-code", {"phone": phone}).status_code == 200
    return read_code(sms, phone)


def log_in_by_sms(sms, phone=PHONE):
    answer = post("login", {"phone": phone, "sms_code": get_code(sms, phone)})
    assert answer.status_code == 200, answer.content
    return Signer(answer.json()["sign_secret"], {"Authorization": f"Bearer {answer.json()['token']}"})


def numbers(device):
    return [row["order_no"] for row in device.get("/api/orders").json()["results"]]


def test_a_code_is_sent_and_logs_in(sms):
    answer = post("sms-code", {"phone": "+86 138-1234-1234"})
    assert answer.json() == {"expires_in": 300, "retry_after": 60}
    login = post("login", {"phone": PHONE, "sms_code": read_code(sms)})
    assert login.json().keys() == {"token", "sign_secret", "expires_in", "server_time"}
    assert BuyerSession.objects.get().customer.openid is None


def test_the_answer_is_the_same_whether_the_phone_is_known_or_not(sms):
    make_customer(phone=PHONE)
    known, unknown = post("sms-code", {"phone": PHONE}), post("sms-code", {"phone": "13900001111"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def test_a_second_code_within_a_minute_is_refused_and_says_when(sms):
    post("sms-code", {"phone": PHONE})
    answer = post("sms-code", {"phone": PHONE})
    assert code_of(answer) == (429, "rate_limited")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert len(sms.sent) == 1


@pytest.mark.parametrize(
    "data", [{}, {"phone": ""}, {"phone": 13812341234}, {"phone": "110"}, {"phone": PHONE, "x": 1}, {"phone": "\ud800"}]
)
def test_a_request_for_a_code_that_makes_no_sense_is_invalid(sms, data):
    answer = post("sms-code", data)
    assert code_of(answer) == (400, "invalid")
    assert not sms.sent


def test_where_nothing_can_be_counted_it_fails_closed(sms, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError(2006, "gone away")

    monkeypatch.setattr(codes.budgets, "take", fail)
    assert code_of(post("sms-code", {"phone": PHONE})) == (503, "unavailable")
    assert not sms.sent


def test_a_silent_service_leaves_the_code_good(sms):
    sms.fault("aliyun_sms", "cut")
    assert post("sms-code", {"phone": PHONE}).status_code == 200
    assert {one.service for one in sms.sent} == {"aliyun_sms"}
    assert post("login", {"phone": PHONE, "sms_code": read_code(sms)}).status_code == 200


def test_the_second_service_takes_over(sms):
    sms.aliyun(error="isv.AMOUNT_NOT_ENOUGH")
    post("sms-code", {"phone": PHONE})
    assert [one.service for one in sms.sent] == ["tencent_sms"]
    assert post("login", {"phone": PHONE, "sms_code": read_code(sms)}).status_code == 200


def test_without_both_services_it_is_unavailable(sms):
    sms.aliyun(error="isv.AMOUNT_NOT_ENOUGH")
    sms.tencent(error="FailedOperation.InsufficientBalanceInSmsPackage")
    assert code_of(post("sms-code", {"phone": PHONE})) == (503, "unavailable")


@pytest.mark.parametrize(
    "data",
    [
        {"phone": PHONE},
        {"sms_code": "123456"},
        {"phone": PHONE, "sms_code": "123456", "code": "c"},
        {"phone": PHONE, "sms_code": 123456},
        {"phone": PHONE, "sms_code": "12345"},
        {"phone": "110", "sms_code": "123456"},
        {"phone": PHONE, "sms_code": "123456"},
    ],
)
def test_a_login_without_a_code_that_proves_the_phone_is_invalid(data):
    assert code_of(post("login", data)) == (400, "invalid")


# --- what is seen ---------------------------------------------------------------------------------


def test_by_phone_alone_the_orders_of_the_last_ninety_days_are_seen(sms):
    long_ago = clock.now() - dt.timedelta(days=91)
    make_order(phone=PHONE, placed_at=long_ago.isoformat())
    order = make_order(phone=PHONE)
    make_order(phone="13900001111")
    assert numbers(log_in_by_sms(sms)) == [order.order_no]


def test_prices_of_what_another_bought_are_not_shown(sms):
    order = make_order(phone=PHONE, buyer_openid="o-other")
    document = log_in_by_sms(sms).get(f"/api/orders/{order.order_no}").json()
    assert (document["total_fen"], document["lines"][0]["unit_price_fen"]) == (None, None)


def test_a_number_that_was_given_to_another_person_shows_nothing_bought_by_openid(sms):
    former = make_customer("o-former", phone=PHONE)
    old = make_order(phone="13900001111", buyer_openid="o-former")
    device = log_in(former)
    assert numbers(device) == [old.order_no]
    assert numbers(log_in_by_sms(sms)) == []
    assert numbers(device) == [old.order_no]


def test_logging_in_by_phone_ends_what_the_former_holder_saw_by_it(sms):
    order = make_order(phone=PHONE)
    device = log_in(make_customer(phone=PHONE))
    assert numbers(device) == [order.order_no]
    assert numbers(log_in_by_sms(sms)) == [order.order_no]
    assert numbers(device) == []


def test_logging_in_again_is_the_same_customer(sms):
    first = log_in_by_sms(sms)
    assert numbers(log_in_by_sms(sms)) == numbers(first) == []
    assert Customer.objects.count() == 1


def test_binding_by_sms_moves_the_phone_and_logs_out_who_had_nothing_else(sms, buyer):
    order = make_order(phone=PHONE)
    browser = log_in_by_sms(sms)
    answer = buyer.post("/api/auth/phone", {"phone": PHONE, "sms_code": get_code(sms)})
    assert answer.json() == {"phone": "138****1234"}
    assert numbers(buyer) == [order.order_no]
    assert code_of(browser.get("/api/orders")) == (401, "session_expired")


def test_a_phone_is_bound_by_its_own_code_only(sms, buyer):
    code = get_code(sms, "13900001111")
    assert code_of(buyer.post("/api/auth/phone", {"phone": PHONE, "sms_code": code})) == (400, "invalid")


def test_after_180_days_the_phone_is_proved_again(sms):
    device = log_in_by_sms(sms)
    order = make_order(phone=PHONE)
    assert numbers(device) == [order.order_no]
    with time_machine.travel(clock.now() + dt.timedelta(days=181)):
        later = make_order(phone=PHONE)
        again = log_in_by_sms(sms)
        assert later.order_no in numbers(again)
        assert Customer.objects.count() == 1


def test_neither_code_nor_phone_reach_the_log(sms, capsys, caplog):
    caplog.set_level("DEBUG")
    log_in_by_sms(sms)
    told = capsys.readouterr().err
    assert not [word for word in (PHONE, read_code(sms)) if word in told]
