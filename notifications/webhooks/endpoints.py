"""The shop's endpoints: added with a secret, rotated with an overlap, switched off and on again."""

import datetime as dt
import json
from collections.abc import Collection

from django.db import transaction

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.errors import Invalid, NotPossible
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import addresses, signing
from notifications.webhooks.publishing import EVENTS
from orders import alerting
from orders.models import AlertKind

OVERLAP = dt.timedelta(hours=96)
"""How long a former secret signs besides the new one."""
MOST = 20
"""How many may be on: each has connections of its own."""
State = WebhookMessage.State


def add(url: str, *, events: Collection[str] = (), description: str = "") -> tuple[WebhookEndpoint, str]:
    """Make an endpoint and return it with its secret, which is told this once. No events means all."""
    check(url, events)
    _room_for_one()
    secret = signing.new_secret()
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.create(
            url=url, events=list(events), description=description, created_at=clock.now()
        )
        _keep(endpoint, [(secret, None)])
    return endpoint, secret


def check(url: str, events: Collection[str]) -> None:
    """Raises Invalid, naming the field."""
    addresses.check_url(url)
    if unknown := sorted(set(events) - set(EVENTS)):
        raise Invalid(fields={"events": f"没有这种事件：{'、'.join(unknown)}；可选：{'、'.join(EVENTS)}"})


def rotate(endpoint: WebhookEndpoint, *, overlap: dt.timedelta = OVERLAP) -> str:
    """Return a new secret; the present one signs too for `overlap`, a former one ends now."""
    secret = signing.new_secret()
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        present = _present(locked)
        _keep(locked, [(secret, None), *((old, clock.now() + overlap) for old in present)])
    return secret


def end_former(endpoint: WebhookEndpoint) -> None:
    """End the former secret before its overlap is over."""
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        _keep(locked, [(secret, None) for secret in live_secrets(locked)[:1]])


def live_secrets(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets that sign now, newest first. Raises SealBroken."""
    now = clock.now()
    return [secret for secret, until in _secrets(endpoint) if until is None or until > now]


def rotating_until(endpoint: WebhookEndpoint) -> dt.datetime | None:
    """Return until when a former secret signs too."""
    now = clock.now()
    return next((until for _, until in _secrets(endpoint) if until is not None and until > now), None)


def switch_off(endpoint: WebhookEndpoint, reason: str, *, alert: bool) -> None:
    """Send nothing more there; what waits is given up and can be replayed."""
    with transaction.atomic():
        changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True).update(
            enabled=False, disabled_reason=reason[:200], open_until=None
        )
        waiting = WebhookMessage.objects.filter(endpoint=endpoint, state=State.WAITING)
        waiting.update(state=State.DEAD, claimed_until=None, last_error=f"地址已停用：{reason}"[:300])
        if changed and alert:
            tell(endpoint, f"已停用，{reason}。修好后在“Webhook 地址”中启用，再重发已放弃的消息")


def switch_on(endpoint: WebhookEndpoint) -> None:
    """Begin anew, without the failures of before."""
    check(endpoint.url, endpoint.events)
    if not endpoint.enabled:
        _room_for_one()
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
            enabled=True, disabled_reason="", failures=0, failing_since=None, open_until=None
        )
        calm(endpoint)


def tell(endpoint: WebhookEndpoint, trouble: str) -> None:
    """Open the endpoint's alert, saying what a person must mend."""
    detail = f"Webhook 地址 {endpoint.name}：{trouble}"
    alerting.open_alert(AlertKind.MESSAGING, subject=_subject(endpoint), detail=detail)


def calm(endpoint: WebhookEndpoint) -> None:
    """Close the endpoint's alert."""
    alerting.resolve_alerts(_subject(endpoint), [AlertKind.MESSAGING], resolution="Webhook 地址已恢复")


def purpose(endpoint: WebhookEndpoint) -> str:
    """What an endpoint's secrets are sealed for."""
    return f"webhook:{endpoint.pk}"


def _subject(endpoint: WebhookEndpoint) -> str:
    return f"webhook:{endpoint.pk}"


def _room_for_one() -> None:
    if WebhookEndpoint.objects.filter(enabled=True).count() >= MOST:
        raise NotPossible(f"最多启用 {MOST} 个 Webhook 地址，请先停用不用的")


def _present(endpoint: WebhookEndpoint) -> list[str]:
    """Return the newest secret; none where it can't be opened any more, so that rotating mends that."""
    try:
        return live_secrets(endpoint)[:1]
    except crypto.SealBroken:
        return []


def _secrets(endpoint: WebhookEndpoint) -> list[tuple[str, dt.datetime | None]]:
    rows = json.loads(crypto.open_sealed(endpoint.secrets_sealed, purpose=purpose(endpoint)))
    return [(secret, dt.datetime.fromisoformat(until) if until else None) for secret, until in rows]


def _keep(endpoint: WebhookEndpoint, secrets: list[tuple[str, dt.datetime | None]]) -> None:
    rows = [[secret, until.isoformat() if until else None] for secret, until in secrets]
    endpoint.secrets_sealed = crypto.seal(json.dumps(rows), purpose=purpose(endpoint))
    endpoint.save(update_fields=["secrets_sealed"])
