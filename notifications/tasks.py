"""The background work of notifications: facts come in by the outbox, what is due goes out each minute."""

from frozenshop.kernel import heartbeat, outbox, replica, request_id
from notifications import digest as daily
from notifications import dispatch, planning
from notifications import review as reviewing
from notifications.settlement import tasks as settlement_tasks
from notifications.sms import tasks as sms_tasks
from notifications.webhooks import tasks as webhook_tasks
from notifications.wechat import tasks as wechat_tasks

_LIMIT = 120
_TOGETHER = 16
"""How many parcels are planned in one transaction where so many wait: most of the cost is the way to the database."""
__all__ = ["settlement_tasks", "sms_tasks", "webhook_tasks", "wechat_tasks"]


@outbox.consumer("notifications.order_changed", transactional=False, time_limit=_LIMIT)
def order_changed(effect: outbox.Effect, event_id: int) -> None:
    """Tell whom an order's new status concerns."""
    with effect:
        settlement_tasks.order_changed(event_id)
        due = planning.order_changed(event_id)
    dispatch.send(due)


@outbox.consumer("notifications.shipment_changed", transactional=False, time_limit=_LIMIT, together=_TOGETHER)
def shipment_changed(effect: outbox.Effect, shipment_id: int) -> None:
    """Tell whom a parcel's news concerns, and that of others that wait in line."""
    with effect:
        others = zip((other["shipment_id"] for other in effect.others), effect.origins, strict=True)
        origins = {**dict(others), shipment_id: request_id.current()}
        due = planning.shipments_changed(list(origins), origins)
    dispatch.send(due)


@outbox.consumer("notifications.alert_changed", transactional=False, time_limit=_LIMIT)
def alert_changed(effect: outbox.Effect, alert_id: int) -> None:
    """Tell the staff of an alert."""
    with effect:
        due = planning.alert_changed(alert_id)
    dispatch.send(due)


@outbox.consumer(dispatch.TOPIC, transactional=False, time_limit=_LIMIT)
def send_due(effect: outbox.Effect, slot: str = "") -> None:
    """Send what has become due: after the night, after a wait, after an outage."""
    dispatch.send_due()


@outbox.consumer("notifications.ask_unknown", transactional=False, time_limit=_LIMIT)
def ask_unknown(effect: outbox.Effect, slot: str = "") -> None:
    """Ask about letters without an answer."""
    dispatch.ask_unknown()


@outbox.consumer("notifications.review", transactional=False)
def review(effect: outbox.Effect, slot: str = "") -> None:
    """Look for what was not sent, and at the day's budget."""
    reviewing.review()


@outbox.consumer("notifications.digest", transactional=False)
def digest(effect: outbox.Effect, slot: str = "") -> None:
    """Tell the staff once a day what waits for them."""
    told = replica.read(daily.lines, patience=heartbeat.FIRST_SIGHT_SECONDS)
    with effect:
        due = daily.plan(told)
    dispatch.send(due)


@outbox.consumer("notifications.purge", transactional=False)
def purge(effect: outbox.Effect, slot: str = "") -> None:
    """Delete notices that are too old to keep."""
    reviewing.purge()
