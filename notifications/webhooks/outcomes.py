"""What an answer makes of a message, and of its endpoint: taken, later, dead; well, resting, switched off.

The breaker of an endpoint opens after some failures in a row; then one message at a time tries whether it is back.
"""

import datetime as dt
from dataclasses import replace

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from frozenshop.kernel import clock, metrics, outbox
from logistics.masking import Mask
from notifications import exchanges
from notifications.models import Channel, WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints, retrying
from notifications.webhooks.posting import SAID, Answer
from notifications.webhooks.publishing import TOPIC
from orders.models import Order

State = WebhookMessage.State
THRESHOLD = 5
FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(minutes=5)
LONGEST_THROTTLE = dt.timedelta(hours=1)
THROTTLED = (429, 503)
GONE = 410
SOON = dt.timedelta(minutes=1)
"""What is due sooner than the next minute's job needs a call of its own."""
TOLD_AFTER = dt.timedelta(hours=1)
OFF_AFTER = dt.timedelta(days=5)
"""Longer than all attempts of a message."""


def settle(message: WebhookMessage, answer: Answer) -> None:
    """Record the answer to a claimed message, in one transaction."""
    answer = replace(answer, said=_masked(answer.said, message)[:SAID])
    with transaction.atomic():
        transaction.on_commit(lambda: exchanges.log_webhook(message, answer), robust=True)
        if answer.taken:
            _taken(message, answer)
        else:
            _refused(message, answer)


def pause(failures: int) -> dt.timedelta:
    """Return how long the breaker stays open after so many failures in a row."""
    return min(FIRST_PAUSE * (1 << min(max(failures - THRESHOLD, 0), 10)), LONGEST_PAUSE)


def _masked(said: str, message: WebhookMessage) -> str:
    """Mask the people of the message's orders: the shop's own system knows them, and may name them in an error."""
    data = message.body.get("data", {})
    numbers = data.get("order_nos") or [data.get("order_no")]
    return Mask(Order.objects.filter(order_no__in=[number for number in numbers if number]))(said) if said else ""


def _taken(message: WebhookMessage, answer: Answer) -> None:
    now = clock.now()
    WebhookMessage.objects.filter(pk=message.pk).update(
        state=State.DONE, done_at=now, claimed_until=None, last_status=answer.status, last_error=""
    )
    metrics.observe_told(Channel.WEBHOOK, (now - message.due_at).total_seconds())
    failing = WebhookEndpoint.objects.filter(pk=message.endpoint_id, failing_since__isnull=False)
    if failing.update(failures=0, failing_since=None, open_until=None):
        endpoints.calm(message.endpoint)


def _refused(message: WebhookMessage, answer: Answer) -> None:
    wait = None if answer.status == GONE else retrying.wait_after(message.attempts, answer.retry_after)
    due_at = clock.now() + wait if wait else message.due_at
    WebhookMessage.objects.filter(pk=message.pk, state=State.WAITING, claimed_until=message.claimed_until).update(
        state=State.WAITING if wait else State.DEAD,
        due_at=due_at,
        claimed_until=None,
        last_status=answer.status,
        last_error=answer.said,
    )
    if answer.status == GONE:
        endpoints.switch_off(message.endpoint, "它回答 410，不再接收", alert=True)
        return
    if wait and wait < SOON:
        outbox.enqueue(TOPIC, due_at=due_at)
    _failed(message, answer, dead=wait is None)


def _failed(message: WebhookMessage, answer: Answer, *, dead: bool) -> None:
    """Count the endpoint's failure. What was under way when its breaker opened doesn't count again."""
    endpoint, now = message.endpoint, clock.now()
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True)
    counted = row if endpoint.open_until else row.filter(open_until=None)
    if not counted.update(failures=F("failures") + 1, failing_since=Coalesce("failing_since", now)):
        return
    endpoint.refresh_from_db(fields=["failures", "failing_since"])
    rest = pause(endpoint.failures) if endpoint.failures >= THRESHOLD else dt.timedelta(0)
    if answer.status in THROTTLED and answer.retry_after:
        rest = max(rest, min(answer.retry_after, LONGEST_THROTTLE))
    if rest:
        row.update(open_until=now + rest)
    _consider(endpoint, now - (endpoint.failing_since or now), answer.said, dead=dead)


def _consider(endpoint: WebhookEndpoint, failing: dt.timedelta, said: str, *, dead: bool) -> None:
    if failing >= OFF_AFTER:
        endpoints.switch_off(endpoint, f"连续 {OFF_AFTER.days} 天没有一次成功（{said}）", alert=True)
    elif failing >= TOLD_AFTER or dead:
        endpoints.tell(endpoint, f"连续出错（{said}）。恢复后会自动补发；满 {OFF_AFTER.days} 天没有成功就停用")
