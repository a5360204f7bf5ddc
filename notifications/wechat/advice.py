"""Which subscribe messages are worth asking a buyer for now: what may still happen to the order decides."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from logistics.models import ShipmentStatus
from notifications.models import Channel, MessageTemplate, Milestone, OptOut
from notifications.wechat import consents
from orders.models import Customer, Order, OrderStatus

M, S = Milestone, ShipmentStatus

ASKED_AT_ONCE = 3
"""Older WeChat clients show no more in one dialog."""
_UNSENT = (M.SHIPPED, M.OUT_FOR_DELIVERY, M.EXCEPTION, M.LOCKER_WAITING, M.DELAYED, M.DELIVERED)
_UNDER_WAY = (M.OUT_FOR_DELIVERY, M.LOCKER_WAITING, M.EXCEPTION, M.LOCKER_REMINDER, M.DELAYED, M.DELIVERED)
AHEAD: Mapping[str, tuple[Milestone, ...]] = MappingProxyType(
    {
        OrderStatus.PLACED: _UNSENT,
        OrderStatus.PAID: _UNSENT,
        OrderStatus.SHIPPED: _UNDER_WAY,
        OrderStatus.IN_TRANSIT: _UNDER_WAY,
        OrderStatus.DELIVERED: (M.LOCKER_REMINDER, M.REFUNDED),
        OrderStatus.CANCELLED: (M.REFUNDED,),
        OrderStatus.RETURNED: (M.REFUNDED,),
    }
)
"""What is worth being told, the most useful first, by the order's status."""

_ENDED = frozenset({S.DELIVERED, S.RETURNING, S.RETURNED, S.CANCELLED})
_PAST: Mapping[Milestone, frozenset[ShipmentStatus]] = {
    M.OUT_FOR_DELIVERY: _ENDED | {S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP},
    M.LOCKER_WAITING: _ENDED | {S.AWAITING_PICKUP},
    M.EXCEPTION: _ENDED,
    M.DELAYED: _ENDED | {S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP},
    M.LOCKER_REMINDER: frozenset(S) - {S.AWAITING_PICKUP},
}
"""At which statuses a parcel has no such news ahead of it; a reminder only while it waits in a locker."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One template, what it would tell, and how many messages of it are allowed already."""

    template_id: str
    title: str
    milestones: tuple[Milestone, ...]
    balance: int


def worth_asking(customer: Customer, order: Order | None) -> list[Advice]:
    """Return at most three templates, the most useful first; none for who has no openid or allowed enough."""
    if not customer.openid:
        return []
    unwanted = frozenset(OptOut.objects.filter(customer=customer).values_list("topic", flat=True))
    prospects = [milestone for milestone in ahead(order) if milestone not in unwanted]
    by_template = _templates(prospects)
    balances = consents.balances(customer.openid, by_template)
    found = [
        Advice(template_id, title, tuple(told), balances[template_id])
        for template_id, (title, told) in by_template.items()
        if balances[template_id] < len(told)
    ]
    # WeChat shows only one of two templates with the same title.
    return list({one.title or one.template_id: one for one in reversed(found)}.values())[::-1][:ASKED_AT_ONCE]


def ahead(order: Order | None) -> list[Milestone]:
    """Return what may still happen to an order; without one, to any new order."""
    told = AHEAD.get(order.status if order else OrderStatus.PAID, ())
    statuses = list(order.shipments.filter(voided_at=None).values_list("status", flat=True)) if order else []
    return [milestone for milestone in told if _possible(milestone, statuses)]


def _possible(milestone: Milestone, statuses: Collection[str]) -> bool:
    if not statuses:
        return milestone != M.LOCKER_REMINDER
    return any(status not in _PAST.get(milestone, frozenset()) for status in statuses)


def _templates(prospects: Collection[Milestone]) -> dict[str, tuple[str, list[Milestone]]]:
    """Return, in the order of the prospects, each template with what it tells; one may tell several things."""
    rows = MessageTemplate.objects.filter(
        channel=Channel.WECHAT_SUBSCRIBE, milestone__in=prospects, enabled=True, trouble=""
    )
    by_milestone = {row.milestone: row for row in rows}
    found: dict[str, tuple[str, list[Milestone]]] = {}
    for milestone in prospects:
        if row := by_milestone.get(milestone):
            found.setdefault(row.template_id, (row.title, []))[1].append(milestone)
    return found
