"""Every channel and the shop's own system quote the consignee back at us: nothing of it is kept, logged or shown."""

import json

import pytest
import requests
from django.test import Client

from frozenshop.api.tests.test_sms_reports import SECRETS
from frozenshop.kernel import clock, http
from frozenshop.kernel.http import ServiceError
from frozenshop.kernel.models import OutboxMessage
from notifications import dispatch
from notifications.channels import base
from notifications.channels.base import Taken
from notifications.models import (
    ChannelState,
    ConsentEntry,
    Delivery,
    MessageTemplate,
    Milestone,
    Notice,
    SmsPush,
    WebhookEndpoint,
    WebhookMessage,
)
from notifications.tests.conftest import frozen
from notifications.tests.receiver import receiving
from notifications.tests.sms_sim import settings_of
from notifications.tests.world import bought, later, parcel, tell, work
from notifications.webhooks import endpoints, sending
from notifications.wechat import consents
from orders import access
from orders.models import Alert
from tests import canary
from tests.canary import NAME, PHONE, STREET

pytestmark = pytest.mark.django_db
FIXTURES = (frozen,)
QUOTED = f"收件人{NAME} 电话{PHONE} 地址{STREET}"
TOLD = f"号码 {PHONE} 有误"
"""What the services know of a person: neither names nor addresses are ever sent to them."""
WORDS = "{name} {order_no} {status} {location} {lines}"
KEPT = (
    *(Notice, Delivery, ChannelState, MessageTemplate, ConsentEntry, SmsPush),
    *(WebhookEndpoint, WebhookMessage, OutboxMessage, Alert),
)


def answered(found) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response._content = found if isinstance(found, bytes) else json.dumps(found).encode()
    return response


def quoting(service: str, how: str):
    """What a service says that refuses a letter and quotes the consignee."""
    said = {
        "wechat": {"errcode": 47003, "errmsg": f"argument invalid! data.thing1.value {TOLD}"},
        "aliyun_sms": {"Code": "isv.SOMETHING_NEW", "Message": TOLD, "RequestId": "R"},
        "tencent_sms": {"Response": {"Error": {"Code": "FailedOperation.Strange", "Message": TOLD}, "RequestId": "R"}},
    }[service]
    if how == "refusal":
        return answered(said)
    if how == "html":
        return answered(f"<html>{TOLD}</html>".encode())
    if how == "http":
        raise ServiceError(service, "HTTP 400", transient=False, status=400, body=json.dumps(said).encode())
    raise ValueError(PHONE)


@pytest.fixture
def wire(settings, monkeypatch):
    """The services on the line: each answers as `wire` says."""
    settings_of(settings, "http://127.0.0.1:1")
    settings.WECHAT_APPID, settings.WECHAT_APP_SECRET = "wx1", "s" * 32
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    mood = {"how": "refusal"}

    def call(service, method, url, **content):
        if "stable_token" in url:
            return answered({"access_token": "token-1", "expires_in": 7200})
        return quoting(service, mood["how"])

    monkeypatch.setattr(http, "call", call)
    MessageTemplate.objects.bulk_create(
        MessageTemplate(channel=name, milestone=milestone, template_id="T", title="订单", fields={field: WORDS})
        for name, field in (("wechat_subscribe", "thing1"), ("sms_aliyun", "words"), ("sms_tencent", "1"))
        for milestone in Milestone.values
    )
    return mood


@pytest.fixture
def shop_quotes_back(wire):
    with receiving() as server:
        server.answers, server.body = [500], QUOTED.encode()
        endpoints.add(server.url)
        yield server


@pytest.fixture
def logged(capsys):
    """What the program's own handler has written so far."""
    return lambda: "".join(capsys.readouterr())


def journey() -> Notice:
    order = bought("canary-openid", name=NAME, phone=PHONE, address=STREET)
    access.bind_phone(order.customer, PHONE, clock.now())
    consents.grant("canary-openid", {"T": "accept"}, "g1")
    tell(parcel(order), "out_for_delivery", text=f"派送中，{QUOTED}")
    return Notice.objects.get(milestone="out_for_delivery")


def kept() -> dict[str, list[str]]:
    """What of the canary stands in the tables of messages, by table."""
    rows = {model: list(model._default_manager.values()) for model in KEPT}
    found = {model: canary.found_in(json.dumps(its, default=str, ensure_ascii=False)) for model, its in rows.items()}
    return {model.__name__: hits for model, hits in found.items() if hits}


@pytest.mark.parametrize("how", ["refusal", "html", "http", "crash"])
def test_what_the_services_quote_is_neither_kept_nor_logged(wire, frozen, how, logged):
    wire["how"] = how
    journey()
    for _ in range(3):
        later(frozen, minutes=4)
    assert Delivery.objects.filter(notice__milestone="out_for_delivery").exists()
    assert kept() == {}
    assert canary.found_in(logged()) == []


def test_what_the_shops_own_system_quotes_is_not_kept(shop_quotes_back, frozen, logged):
    journey()
    sending.send_due(2)
    WebhookMessage.objects.update(attempts=15, due_at=clock.now())
    WebhookEndpoint.objects.update(open_until=None)
    sending.send_due(2)
    assert "收件人" in WebhookMessage.objects.exclude(last_error="").first().last_error
    assert kept() == {}
    assert canary.found_in(logged()) == []


@pytest.mark.parametrize("service", ["aliyun", "tencent"])
def test_what_a_carrier_quotes_in_a_report_is_not_kept(wire, frozen, monkeypatch, service, logged):
    channel = f"sms_{service}"
    monkeypatch.setattr(base.get_channel(channel), "send", lambda letter, timeout=10.0: Taken("N-1"))
    if service == "tencent":
        monkeypatch.setattr(base.get_channel("sms_aliyun"), "configured", lambda: False)
    notice = journey()
    row = notice.deliveries.get(channel=channel)
    report = dict.fromkeys(("err_code", "err_msg", "errmsg", "description", "phone_number", "mobile"), TOLD)
    report |= {"out_id": row.reference, "sid": "N-1", "biz_id": "N-1", "success": False, "report_status": "FAIL"}
    path = f"/callbacks/sms/{service}/{SECRETS[service]}"
    assert Client().post(path, json.dumps([report]), content_type="application/json").status_code == 200
    assert SmsPush.objects.count() == 1
    assert kept() == {}
    work()
    row.refresh_from_db()
    assert row.state == "failed"
    assert kept() == {}
    assert canary.found_in(logged()) == []


def test_the_pages_of_messages_show_nothing_of_it(wire, frozen, admin_client):
    notice = journey()
    dispatch.send_due()
    pages = [
        "/admin/notifications/notice/", f"/admin/notifications/notice/{notice.pk}/change/",
        "/admin/notifications/delivery/", f"/admin/notifications/delivery/{notice.deliveries.first().pk}/change/",
        f"/admin/messages/person/{notice.recipient}/", "/admin/messages/",
        f"/admin/orders/order/{notice.order_id}/change/",
    ]  # fmt: skip
    for url in pages:
        answer = admin_client.get(url)
        assert answer.status_code == 200, url
        assert canary.found_in(answer.content) == [], url
