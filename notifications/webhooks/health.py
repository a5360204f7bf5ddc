"""What doctor and `/readyz` say of the shop's endpoints."""

from collections.abc import Iterator

from frozenshop.kernel import clock
from frozenshop.kernel.health import Finding
from notifications.models import WebhookEndpoint
from notifications.webhooks.outcomes import TOLD_AFTER


def failing() -> Iterator[Finding]:
    """Name the endpoints that have failed for long; one that was switched off for it has its alert."""
    long_ago = clock.now() - TOLD_AFTER
    for endpoint in WebhookEndpoint.objects.filter(enabled=True, failing_since__lte=long_ago).order_by("pk"):
        assert endpoint.failing_since is not None
        yield Finding("webhook", f"Webhook 地址 {endpoint.name} 自 {clock.short(endpoint.failing_since)} 起连续失败")
