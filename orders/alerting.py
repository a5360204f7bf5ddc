"""Alerts: what needs a person, how soon, and what the buyer is told meanwhile."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from frozenshop.kernel import audit, clock, metrics, outbox
from frozenshop.kernel.actor import SYSTEM, Source, staff
from frozenshop.kernel.errors import Invalid, NotPossible
from orders.models import Alert, AlertKind, AlertNote, AlertOutcome, AlertSeverity, Order
from orders.versions import bump

BY_STAFF = f"{Source.STAFF}:"
_U, _H, _N = AlertSeverity.URGENT, AlertSeverity.HIGH, AlertSeverity.NORMAL


@dataclass(frozen=True, slots=True)
class Kind:
    """How soon a kind of alert is due, and what the buyer reads; "" where the buyer isn't told."""

    severity: AlertSeverity
    due: dt.timedelta
    buyer_message: str = ""


def _hours(hours: int) -> dt.timedelta:
    return dt.timedelta(hours=hours)


KINDS: Mapping[AlertKind, Kind] = MappingProxyType(
    {
        AlertKind.NOT_SHIPPED: Kind(_H, _hours(4), "订单比平时发得晚，我们正在加紧安排，有疑问请联系客服。"),
        AlertKind.STALE: Kind(_H, _hours(4), "物流有一段时间没有更新，我们正在向快递公司核实，请留意后续进展。"),
        AlertKind.EXCEPTION: Kind(_U, _hours(2), "包裹在运输中遇到问题，我们正在处理，需要您配合时会主动联系您。"),
        AlertKind.DELIVERY_FAILED: Kind(_U, _hours(2), "快递员派送未成功，请保持电话畅通，或联系快递员约定再次派送。"),
        AlertKind.LOCKER_WAITING: Kind(_U, _hours(1), "包裹已到驿站或快递柜，冻品不宜久放，请尽快取件并放入冰箱冷冻。"),
        AlertKind.RETURNING: Kind(_H, _hours(4), "包裹正在退回，如非您本人要求退货，请联系客服。"),
        AlertKind.RETURNED: Kind(_H, _hours(24), "包裹已退回，我们会与您联系处理退款或重新发货。"),
        AlertKind.PARTLY_RETURNED: Kind(_H, _hours(24), "部分包裹已退回，我们会与您联系处理退款或重新发货。"),
        # Most of what follows is for staff alone: there is nothing that the buyer could do.
        AlertKind.PAID_AFTER_CANCELLED: Kind(_U, _hours(4), "订单取消后收到了付款，我们会尽快为您退款。"),
        AlertKind.SHIPPED_UNPAID: Kind(_H, _hours(8)),
        AlertKind.SHIPPED_AFTER_CANCELLED: Kind(_U, _hours(2)),
        AlertKind.REFUND_PARTIAL: Kind(_N, _hours(48)),
        AlertKind.MONEY_CONFLICT: Kind(_H, _hours(8)),
        AlertKind.CLOCK_ANOMALY: Kind(_N, _hours(48)),
        AlertKind.UNKNOWN_CODE: Kind(_N, _hours(48)),
        AlertKind.EARLIER_LIFE: Kind(_N, _hours(24)),
        AlertKind.LOST_CONTACT: Kind(_H, _hours(8), "很久没有收到包裹的物流消息，我们正在查找，您可联系客服了解进展。"),
        AlertKind.PROVIDER_TROUBLE: Kind(_N, _hours(8)),
        AlertKind.ORDER_CHANGED_AFTER_SHIPPING: Kind(_H, _hours(2)),
        AlertKind.NO_PICKUP: Kind(_H, _hours(4), "包裹已交给快递公司，正在等待揽收，我们已在催促。"),
        AlertKind.LATE_ETA: Kind(_N, _hours(8), "包裹比预计的时间晚了，我们正在跟进。"),
        AlertKind.LATE_PROMISE: Kind(_H, _hours(4), "包裹可能晚于承诺的时间送达，我们正在向快递公司催促。"),
        AlertKind.OUT_TOO_LONG: Kind(_U, _hours(2), "包裹派送的时间比平时长，我们正在联系快递员。"),
        AlertKind.UNREACHABLE: Kind(_U, _hours(2), "快递员联系不上您，请保持电话畅通，或主动联系快递员。"),
        AlertKind.WRONG_ADDRESS: Kind(_U, _hours(2), "收货地址或电话可能有误，请联系客服核对。"),
        AlertKind.REFUSED: Kind(_H, _hours(4), "包裹显示拒收，如非您本人操作，请联系客服。"),
        AlertKind.DAMAGED: Kind(_U, _hours(2), "包裹在运输中可能受损，我们会与您联系补发或退款。"),
        AlertKind.MISSORTED: Kind(_H, _hours(4), "包裹发错了方向，快递公司正在转回，我们会继续跟进。"),
        AlertKind.LOST: Kind(_U, _hours(4), "很久没有收到包裹的消息，我们正在查找，您可联系客服了解进展。"),
        AlertKind.WRONG_NUMBER: Kind(_H, _hours(2)),
        AlertKind.INCIDENT: Kind(_H, _hours(4)),
        AlertKind.MESSAGING: Kind(_H, _hours(4)),
        AlertKind.SETTLEMENT: Kind(_H, _hours(8)),
    }
)


def open_alert(
    kind: AlertKind,
    *,
    subject: str,
    order: Order | None = None,
    detail: str = "",
    occurred_at: dt.datetime | None = None,
    owner_id: int | None = None,
) -> Alert | None:
    """Open an alert, or return None if one of this kind is open for the subject already.

    `occurred_at` is when the trouble began (now unless told). One that a person has resolved is not opened again for
    the same beginning.
    """
    key, now, rule = open_key(kind, subject), clock.now(), KINDS[kind]
    began = min(occurred_at or now, now)
    if Alert.objects.filter(open_key=key).exists() or _was_dealt_with(kind, subject, order, began):
        return None
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                kind=kind,
                subject=subject,
                order=order,
                open_key=key,
                severity=rule.severity,
                detail=detail[:500],
                occurred_at=began,
                opened_at=now,
                due_at=now + rule.due,
                owner_id=owner_id,
            )
            _show_on(alert)
            outbox.enqueue("notifications.alert_changed", {"alert_id": alert.pk})
    except IntegrityError:  # Another process opened it between the look and the insert.
        return None
    transaction.on_commit(lambda: metrics.observe_notice(kind.value, (now - began).total_seconds()))
    return alert


def resolve_alerts(
    subject: str,
    kinds: Iterable[AlertKind],
    *,
    resolution: str,
    by: str = SYSTEM.name,
    outcome: AlertOutcome = AlertOutcome.RECOVERED,
) -> int:
    """Close the subject's open alerts of these kinds because something good happened; returns how many."""
    return sum(_close(alert, by, resolution, outcome) for alert in open_alerts(subject, kinds))


def open_alerts(subject: str, kinds: Iterable[AlertKind]) -> list[Alert]:
    """Return the subject's open alerts of these kinds, found by their keys."""
    return list(Alert.objects.filter(open_key__in=[open_key(kind, subject) for kind in kinds]))


def take(alert: Alert, user: AbstractBaseUser) -> None:
    """Make a person the alert's owner. Raises NotPossible once it is resolved."""
    with transaction.atomic():
        _change_open(alert, owner=user)
        _audited(alert, user, "alert.taken")


def assign(alert: Alert, owner: AbstractBaseUser, user: AbstractBaseUser) -> None:
    """Let a person make another one the alert's owner. Raises NotPossible once it is resolved."""
    with transaction.atomic():
        _change_open(alert, owner=owner)
        _audited(alert, user, "alert.assigned", owner=staff(owner.pk).name)


def snooze(alert: Alert, until: dt.datetime, user: AbstractBaseUser, reason: str) -> None:
    """Put the alert aside until an instant to come."""
    if until <= clock.now():
        raise Invalid(fields={"until": "暂缓时间要晚于现在"})
    _required(reason, "reason", "请写明暂缓原因")
    with transaction.atomic():
        _change_open(alert, snoozed_until=until)
        _audited(alert, user, "alert.snoozed", reason, until=clock.isoformat(until))


def add_note(alert: Alert, text: str, user: AbstractBaseUser) -> AlertNote:
    """Write down what was found or done, on an open or a resolved alert."""
    text = _required(text, "text", "请填写内容")
    with transaction.atomic():
        note = AlertNote.objects.create(alert=alert, author=staff(user.pk).name, text=text, written_at=clock.now())
        _audited(alert, user, "alert.noted")
    return note


def resolve(alert: Alert, note: str, user: AbstractBaseUser, outcome: AlertOutcome = AlertOutcome.OTHER) -> list[Alert]:
    """Close the alert by a person, who says how, and with an incident what belongs to it; return all that closed.

    Raises Invalid without a note, NotPossible if it is closed.
    """
    note, by = _required(note, "note", "请写明处理结果"), staff(user.pk).name
    with transaction.atomic():
        if not _close(alert, by, note, outcome):
            raise NotPossible("这条预警已经解决")
        members = list(alert.members.filter(resolved_at=None)) if alert.kind == AlertKind.INCIDENT else []
        closed = [alert, *(member for member in members if _close(member, by, note, outcome))]
        _audited(alert, user, "alert.resolved", note, outcome=outcome.value, members=len(closed) - 1)
    alert.refresh_from_db()
    return closed


def open_key(kind: AlertKind, subject: str) -> str:
    """Return the unique key that an alert of this kind and subject has while it is open."""
    return f"{kind.value}:{subject}"


def _was_dealt_with(kind: AlertKind, subject: str, order: Order | None, began: dt.datetime) -> bool:
    if order is None:
        return False
    former = Alert.objects.filter(order=order, kind=kind, subject=subject, occurred_at=began)
    return former.filter(resolved_by__startswith=BY_STAFF).exists()


def _close(alert: Alert, by: str, resolution: str, outcome: AlertOutcome) -> bool:
    still_open, now = Alert.objects.filter(pk=alert.pk, resolved_at=None), clock.now()
    with transaction.atomic():
        closed = still_open.update(
            open_key=None, resolved_at=now, resolved_by=by[:150], resolution=resolution[:500], outcome=outcome
        )
        if closed:
            _show_on(alert)
            outbox.enqueue("notifications.alert_changed", {"alert_id": alert.pk})
            took, hand = (now - alert.opened_at).total_seconds(), "staff" if by.startswith(BY_STAFF) else "system"
            transaction.on_commit(lambda: metrics.observe_resolution(alert.kind, hand, took))
    return closed == 1


def _change_open(alert: Alert, **changes: object) -> None:
    if Alert.objects.filter(pk=alert.pk, resolved_at=None).update(**changes) != 1:
        raise NotPossible("这条预警已经解决")
    alert.refresh_from_db()


def _show_on(alert: Alert) -> None:
    if alert.order_id is not None:
        bump([alert.order_id])


def _audited(alert: Alert, user: AbstractBaseUser, action: str, reason: str = "", **details: object) -> None:
    audit.record(staff(user.pk), action, alert.subject, reason=reason, details={"alert": alert.pk, **details})


def _required(text: str, field: str, message: str) -> str:
    text = text.strip()
    if not text or len(text) > 500:
        raise Invalid(fields={field: message if not text else "最多 500 个字"})
    return text
