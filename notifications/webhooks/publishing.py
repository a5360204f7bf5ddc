"""Events become messages: one row for each endpoint that wants them, in the transaction of the change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import structlog

from frozenshop.kernel import clock, outbox
from notifications.models import Milestone, WebhookEndpoint, WebhookMessage

logger = structlog.get_logger(__name__)

EVENTS: Mapping[str, str] = {
    event.value: str(event.label)
    for event in (
        Milestone.ORDER_STATUS_CHANGED,
        Milestone.SHIPMENT_UPDATED,
        Milestone.ALERT_OPENED,
        Milestone.ALERT_RESOLVED,
    )
}
"""What may be told (closed list), with its name for staff."""
TEST = "webhook.test"
TOPIC = "notifications.send_webhooks"
MOST_BYTES = 20_000


def publish(event: str, key: str, data: Mapping[str, Any]) -> int:
    """Write an event for the endpoints that want it; return to how many it goes.

    Call it inside the transaction of the change. `key` names the event among those of its kind: a repeat is the same
    message. `data` holds ids, statuses and instants, and nothing of a person.
    """
    endpoints = [endpoint for endpoint in WebhookEndpoint.objects.filter(enabled=True) if wants(endpoint, event)]
    return _write(endpoints, event, key, data) if endpoints else 0


def publish_test(endpoint: WebhookEndpoint) -> None:
    """Write a test event for one endpoint, whatever it wants."""
    instant = clock.now()
    _write([endpoint], TEST, f"{endpoint.pk}:{instant.timestamp()}", {"sent_at": clock.isoformat(instant)})


def wants(endpoint: WebhookEndpoint, event: str) -> bool:
    """An endpoint that names no event wants them all."""
    return not endpoint.events or event in endpoint.events


def serialise(body: Mapping[str, Any]) -> bytes:
    """Return the very bytes that are signed and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def message_id(event: str, key: str) -> str:
    return "msg_" + hashlib.sha256(f"{event}\n{key}".encode()).hexdigest()[:40]


def _write(endpoints: list[WebhookEndpoint], event: str, key: str, data: Mapping[str, Any]) -> int:
    now = clock.now()
    body = {"type": event, "timestamp": clock.isoformat(now), "data": dict(data)}
    if len(serialise(body)) >= MOST_BYTES:  # The change itself, and what people are told, must not fail for it.
        logger.error("webhook.too_large", event_type=event, key=key)
        return 0
    rows = [
        WebhookMessage(
            endpoint=endpoint,
            message_id=message_id(event, key),
            event=event,
            body=body,
            due_at=now,
            created_at=now,
        )
        for endpoint in endpoints
    ]
    WebhookMessage.objects.bulk_create(rows, ignore_conflicts=True)
    outbox.enqueue(TOPIC)
    return len(rows)
