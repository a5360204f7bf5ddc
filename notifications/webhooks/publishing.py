"""Events become messages: one row for each endpoint that wants them, in the transaction of the change."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog

from frozenshop.kernel import clock, outbox, request_id
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


class Told(NamedTuple):
    """One event of its kind: the key that names it, its data, and the id of the request that it came from."""

    key: str
    data: Mapping[str, Any]
    request_id: str


def publish(event: str, key: str, data: Mapping[str, Any]) -> int:
    """Write an event for the endpoints that want it; return to how many it goes.

    Call it inside the transaction of the change. `key` names the event among those of its kind: a repeat is the same
    message. `data` holds ids, statuses and instants, and nothing of a person.
    """
    return publish_all(event, [Told(key, data, request_id.current())])


def publish_all(event: str, told: Iterable[Told]) -> int:
    """Write several events of a kind, as `publish`. Return how many messages were written."""
    endpoints = [endpoint for endpoint in WebhookEndpoint.objects.filter(enabled=True) if wants(endpoint, event)]
    return sum(_write(endpoints, event, one) for one in told) if endpoints else 0


def publish_test(endpoint: WebhookEndpoint) -> None:
    """Write a test event for one endpoint, whatever it wants."""
    instant = clock.now()
    key, data = f"{endpoint.pk}:{instant.timestamp()}", {"sent_at": clock.isoformat(instant)}
    _write([endpoint], TEST, Told(key, data, request_id.current()))


def wants(endpoint: WebhookEndpoint, event: str) -> bool:
    """An endpoint that names no event wants them all."""
    return not endpoint.events or event in endpoint.events


def serialise(body: Mapping[str, Any]) -> bytes:
    """Return the very bytes that are signed and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def message_id(event: str, key: str) -> str:
    return "msg_" + hashlib.sha256(f"{event}\n{key}".encode()).hexdigest()[:40]


def _write(endpoints: list[WebhookEndpoint], event: str, told: Told) -> int:
    now = clock.now()
    body = {"type": event, "timestamp": clock.isoformat(now), "data": dict(told.data)}
    if len(serialise(body)) >= MOST_BYTES:  # The change itself, and what people are told, must not fail for it.
        logger.error("webhook.too_large", event_type=event, key=told.key)
        return 0
    rows = [
        WebhookMessage(
            endpoint=endpoint,
            message_id=message_id(event, told.key),
            event=event,
            body=body,
            due_at=now,
            created_at=now,
            request_id=told.request_id,
        )
        for endpoint in endpoints
    ]
    WebhookMessage.objects.bulk_create(rows, ignore_conflicts=True)
    outbox.enqueue(TOPIC)
    return len(rows)
