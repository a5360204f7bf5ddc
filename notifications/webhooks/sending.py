"""Sending: one process at a time claims, many endpoints side by side, each with a few connections of its own.

Messages are claimed and committed before they are sent, and no thread that sends touches the database. A process that
is killed in between leaves claims that run out: its messages go again, under the same id.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from frozenshop.kernel import audit, clock, leases, outbox, purging, request_id
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.crypto import SealBroken
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints, outcomes, posting, signing
from notifications.webhooks.posting import Answer
from notifications.webhooks.publishing import TOPIC, serialise

logger = structlog.get_logger(__name__)

PER_ENDPOINT = 6
CLAIM = dt.timedelta(seconds=60)
"""Longer than any attempt."""
LEASE = dt.timedelta(seconds=75)
RUN_SECONDS = 40.0
LAST_ANSWERS_SECONDS = posting.TIMEOUT_SECONDS + 5
LOOK_SECONDS = 0.25
KEPT = dt.timedelta(days=90)
State = WebhookMessage.State


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A message that is ours to send until `message.claimed_until`, and who signs."""

    message: WebhookMessage
    secrets: tuple[str, ...]

    def send(self) -> Answer:
        body = serialise(self.message.body)
        at = int(clock.now().timestamp())
        signed = signing.headers(self.message.message_id, at, body, self.secrets)
        origin = {"X-Request-Id": self.message.request_id} if self.message.request_id else {}
        headers = {"Content-Type": "application/json", **origin, **signed}
        with request_id.carrying(self.message.request_id):
            return posting.post(self.message.endpoint.url, headers, body)


_Flying = dict[Future[Answer], _Claimed]


def send_due(seconds: float = RUN_SECONDS) -> int:
    """Send what is due until nothing is left or the time is over; return how many attempts were made.

    0 at once where another process is at it. The next one may begin while our last answers are still to come, so that
    an endpoint that is slow to answer holds up no other; what came in meanwhile calls for it.
    """
    until, flying = time.monotonic() + seconds, _Flying()
    pool = ThreadPoolExecutor(PER_ENDPOINT * endpoints.MOST, thread_name_prefix="webhook")
    try:
        with leases.hold("webhooks", LEASE) as ours:
            sent = _send_until(until, pool, flying) if ours else 0
        if ours and any(_claimable(endpoint).exists() for endpoint in _open_endpoints()):
            outbox.enqueue(TOPIC)
        while flying and time.monotonic() < until + LAST_ANSWERS_SECONDS:
            sent += _settle(flying)
        return sent
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def purge() -> int:
    """Delete messages older than ninety days; return how many."""
    old = WebhookMessage.objects.filter(created_at__lt=clock.now() - KEPT)
    return purging.delete(old.order_by("created_at", "id"))


def replay(messages: QuerySet[WebhookMessage], actor: Actor) -> int:
    """Give dead messages of endpoints that are on a fresh start because a person says so; return how many."""
    now = clock.now()
    with transaction.atomic():
        dead = messages.filter(state=State.DEAD, endpoint__enabled=True)
        ids = list(dead.order_by("pk").values_list("pk", flat=True))
        revived = WebhookMessage.objects.filter(pk__in=ids, state=State.DEAD).update(
            state=State.WAITING, attempts=0, due_at=now, claimed_until=None
        )
        if revived:
            audit.record(actor, "webhook.replayed", details={"count": revived, "first": ids[0], "last": ids[-1]})
            outbox.enqueue(TOPIC)
    return revived


def _send_until(until: float, pool: ThreadPoolExecutor, flying: _Flying) -> int:
    sent = 0
    while time.monotonic() < until:
        flying |= {pool.submit(claimed.send): claimed for claimed in _claim(_busy(flying))}
        if not flying:
            break
        sent += _settle(flying)
    return sent


def _settle(flying: _Flying) -> int:
    """Wait a moment, and record the answers that have come."""
    done = wait(flying, LOOK_SECONDS, FIRST_COMPLETED).done
    for future in done:
        outcomes.settle(flying.pop(future).message, _answer_of(future))
    return len(done)


def _answer_of(future: Future[Answer]) -> Answer:
    try:
        return future.result()
    except Exception as error:
        logger.exception("webhook.failed")
        return Answer(None, f"发送出错：{type(error).__name__}")


def _busy(flying: _Flying) -> Mapping[int, int]:
    return Counter(claimed.message.endpoint_id for claimed in flying.values())


def _claim(busy: Mapping[int, int]) -> list[_Claimed]:
    """Claim due messages, oldest first, as many as each endpoint has room for."""
    found = []
    for endpoint in _open_endpoints():
        room = (1 if endpoint.open_until else PER_ENDPOINT) - busy.get(endpoint.pk, 0)
        if room > 0:
            found += _claim_of(endpoint, room)
    return found


def _claim_of(endpoint: WebhookEndpoint, room: int) -> list[_Claimed]:
    rows = list(_claimable(endpoint).order_by("due_at", "id")[:room])
    if not rows:
        return []
    try:
        secrets = tuple(endpoints.live_secrets(endpoint))
    except SealBroken:
        endpoints.switch_off(endpoint, "密钥无法解开，请轮换密钥", alert=True)
        return []
    until = clock.now() + CLAIM
    with transaction.atomic():
        claims = {"claimed_until": until, "attempts": F("attempts") + 1}
        ours = [row for row in rows if _claimable(endpoint).filter(pk=row.pk).update(**claims)]
    for row in ours:
        row.endpoint, row.claimed_until, row.attempts = endpoint, until, row.attempts + 1
    return [_Claimed(row, secrets) for row in ours]


def _claimable(endpoint: WebhookEndpoint) -> QuerySet[WebhookMessage]:
    now = clock.now()
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    return WebhookMessage.objects.filter(free, endpoint=endpoint, state=State.WAITING, due_at__lte=now)


def _open_endpoints() -> QuerySet[WebhookEndpoint]:
    """Return the endpoints that may be sent to; one whose pause is over gets one message to try."""
    rested = Q(open_until=None) | Q(open_until__lte=clock.now())
    return WebhookEndpoint.objects.filter(rested, enabled=True).order_by("pk")
