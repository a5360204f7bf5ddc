import json

import pytest
from django.db import transaction

from frozenshop.kernel.models import OutboxMessage
from logistics.models import Reason
from notifications import webhooks
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.tests.world import bought, parcel, tell, work
from notifications.webhooks import endpoints, publishing
from orders import alerting
from orders.models import AlertKind
from tests import canary

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _asleep(monkeypatch):
    """Nothing is sent here."""
    monkeypatch.setattr("notifications.webhooks.sending.send_due", lambda: 0)


def endpoint(*events: str, **changes) -> WebhookEndpoint:
    made, _ = endpoints.add("https://shop.example.com/hooks", events=events)
    WebhookEndpoint.objects.filter(pk=made.pk).update(**changes)
    return made


def bodies(event: str = "") -> list[dict]:
    rows = WebhookMessage.objects.filter(event=event) if event else WebhookMessage.objects.all()
    return [row.body for row in rows.order_by("id")]


def test_an_event_told_twice_is_one_message():
    endpoint()
    for _ in range(2):
        webhooks.publish("alert.opened", "alert:1", {"alert_id": 1})
    assert len(bodies()) == 1


def test_each_endpoint_has_its_own_under_the_same_id():
    endpoint(), endpoint()
    assert webhooks.publish("alert.opened", "alert:1", {}) == 2
    assert len({row.message_id for row in WebhookMessage.objects.all()}) == 1


def test_an_endpoint_gets_what_it_asked_for():
    endpoint("alert.opened")
    webhooks.publish("shipment.updated", "1", {})
    assert bodies() == []


def test_one_that_is_off_gets_nothing_and_nothing_is_woken():
    endpoint(enabled=False)
    OutboxMessage.objects.all().delete()
    assert webhooks.publish("alert.opened", "1", {}) == 0
    assert not OutboxMessage.objects.exists()


def test_what_is_rolled_back_was_never_published():
    endpoint()
    with transaction.atomic():
        webhooks.publish("alert.opened", "1", {})
        transaction.set_rollback(True)
    assert bodies() == []


def test_a_body_is_below_20_kb():
    endpoint()
    assert webhooks.publish("alert.opened", "1", {"x": "冻" * 7000}) == 0
    assert webhooks.publish("alert.opened", "2", {"x": "冻" * 6000}) == 1
    (body,) = bodies()
    assert len(publishing.serialise(body)) < 20_000


def test_a_change_of_an_order_is_told_with_its_version(frozen):
    endpoint()
    order = bought()
    work()
    *_, body = bodies("order.status_changed")
    assert body["data"] | {"version": 0} == {
        "order_no": order.order_no,
        "from": "placed",
        "to": "paid",
        "occurred_at": body["data"]["occurred_at"],
        "source": "shop",
        "version": 0,
    }
    assert body["data"]["version"] >= 1
    assert (body["type"], body["timestamp"]) == ("order.status_changed", "2026-11-22T12:00:00+08:00")


def test_a_parcels_news_is_told(frozen):
    endpoint()
    shipment = parcel()
    frozen.shift(1)
    tell(shipment, "exception", reason=Reason.DAMAGED)
    *_, body = bodies("shipment.updated")
    data = body["data"]
    assert (data["waybill_no"], data["carrier_code"], data["status"]) == (shipment.waybill_no, "SF", "exception")
    assert data["order_nos"]
    assert data["updated_at"]


def test_an_alert_is_told_when_it_opens_and_when_it_ends(frozen):
    endpoint()
    alerting.open_alert(AlertKind.MESSAGING, subject="x", detail="不外传")
    work()
    alerting.resolve_alerts("x", [AlertKind.MESSAGING], resolution="好了")
    work()
    (opened,), (ended,) = bodies("alert.opened"), bodies("alert.resolved")
    assert opened["data"]["alert_id"] == ended["data"]["alert_id"]
    assert (opened["data"]["resolved_at"], ended["data"]["outcome"]) == (None, "recovered")
    assert "不外传" not in json.dumps([opened, ended], ensure_ascii=False)


def test_nothing_of_a_person_stands_in_any_body(frozen):
    endpoint()
    person = {"name": canary.NAME, "phone": canary.PHONE, "address": canary.STREET}
    shipment = parcel(bought(**person))
    quote = f"派送至{canary.STREET}，收件人{canary.NAME} {canary.PHONE}"
    for status in ("in_transit", "exception", "delivery_failed", "awaiting_pickup", "delivered"):
        frozen.shift(60)
        tell(shipment, status, text=quote, location=canary.STREET)
    assert {row.event for row in WebhookMessage.objects.all()} >= {"order.status_changed", "shipment.updated"}
    assert len(bodies("alert.opened")) > 1
    for body in bodies():
        assert canary.found_in(publishing.serialise(body)) == []


def test_a_test_event_goes_to_one_endpoint_whatever_it_wants():
    endpoint()
    wanted = endpoint("alert.opened")
    publishing.publish_test(wanted)
    (row,) = WebhookMessage.objects.all()
    assert (row.endpoint_id, row.body["type"]) == (wanted.pk, "webhook.test")
