"""The settlement guard's background work. Each consumer is thin and safe to run twice."""

from frozenshop.kernel import clock, outbox
from notifications.models import ShippingReport
from notifications.settlement import companies, confirm, content, figures, guard, reconciliation, special, upload
from notifications.wechat import client
from orders.models import OrderEvent

_LIMIT = 60


@outbox.consumer("notifications.parcels_changed")
def parcels_changed(order_id: int) -> None:
    """Note that an order has another parcel, or one less."""
    guard.follow(order_id)


@outbox.consumer("notifications.report_shipping", transactional=False, time_limit=_LIMIT)
def report_shipping(effect: outbox.Effect, report_id: int) -> None:
    """Tell WeChat of the shipping of one payment, if that is due."""
    if client.enabled():
        upload.settle(report_id)


@outbox.consumer("notifications.remind_receipt", transactional=False, time_limit=_LIMIT)
def remind_receipt(effect: outbox.Effect, report_id: int) -> None:
    """Let WeChat remind the buyer to confirm receipt."""
    if client.enabled():
        confirm.remind(report_id)


@outbox.consumer("notifications.report_special", transactional=False, time_limit=_LIMIT)
def report_special(effect: outbox.Effect, report_id: int) -> None:
    """Tell WeChat of a presale or a test, as a person decided."""
    if client.enabled():
        special.tell(report_id)


@outbox.consumer("notifications.watch_settlement", transactional=False)
def watch_settlement(effect: outbox.Effect, slot: str = "") -> None:
    """Look after what nobody looked at, and warn before WeChat's 48 hours have passed."""
    if client.enabled():
        guard.wake_overdue()
        guard.warn()
        guard.recover()
        figures.measure()


@outbox.consumer("notifications.reconcile_settlement", transactional=False, time_limit=_LIMIT)
def reconcile_settlement(effect: outbox.Effect, slot: str = "") -> None:
    """Ask whether WeChat manages our trade and what carriers it knows, then compare all payments."""
    if not client.enabled():
        return
    managed = guard.ask_managed()
    companies.download()
    with effect:
        stuck = [content.NO_COMPANY, content.NO_CONTACT, *([upload.NOT_MANAGED] if managed else [])]
        for report_id in ShippingReport.objects.filter(code__in=stuck, settled_at=None).values_list("pk", flat=True):
            guard.wake(report_id)
        if managed:
            reconciliation.begin(clock.now())


@outbox.consumer("notifications.compare_payments", transactional=False, time_limit=_LIMIT * 2)
def compare_payments(effect: outbox.Effect, begin: int, end: int, last_index: str = "", strangers: int = 0) -> None:
    """Compare some pages of WeChat's payments with our reports."""
    reconciliation.walk(effect, begin, end, last_index, strangers)


def order_changed(event_id: int) -> None:
    """Follow an order that moved: paid, shipped, delivered, refunded. Inside the caller's transaction."""
    order_id = OrderEvent.objects.filter(pk=event_id).values_list("order_id", flat=True).first()
    if order_id is not None:
        guard.follow(order_id)
