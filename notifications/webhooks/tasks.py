"""The background work of webhooks: send what is due, delete what is old."""

from frozenshop.kernel import outbox
from notifications.webhooks import sending
from notifications.webhooks.publishing import TOPIC


@outbox.consumer(TOPIC, transactional=False, time_limit=120)
def send_webhooks(effect: outbox.Effect, slot: str = "") -> None:
    """Send what is due: at once after it was published, and each minute what waited."""
    sending.send_due()


@outbox.consumer("notifications.purge_webhooks", transactional=False)
def purge_webhooks(effect: outbox.Effect, slot: str = "") -> None:
    """Delete messages that are older than ninety days."""
    sending.purge()
