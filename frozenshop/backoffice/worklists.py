"""The lists of work: one table from which the index page counts and by which the order list filters."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from frozenshop.kernel.clock import now, shanghai, start_of_day
from logistics.lateness import ON_THE_WAY
from logistics.models import ShipmentOrder, ShipmentStatus
from logistics.problems import ALL_KINDS, LADDER, TROUBLE
from orders.models import Alert, AlertKind, Order, OrderStatus, TemperatureClass

ACTIVE = (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT)
COMING_BACK = (AlertKind.RETURNING, AlertKind.RETURNED, AlertKind.PARTLY_RETURNED)
NOT_ARRIVING = tuple(kind for kind in TROUBLE if kind not in COMING_BACK)
UNDER_WAY = (*sorted(ON_THE_WAY), ShipmentStatus.AWAITING_PICKUP, ShipmentStatus.DELIVERY_FAILED)
LOOK_BACK = dt.timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Worklist:
    """`orders` narrows a queryset of orders to those that need this work, by an index."""

    key: str
    label: str
    remark: str
    tone: str
    orders: Callable[[QuerySet[Order]], QuerySet[Order]]


def to_ship_today(orders: QuerySet[Order]) -> QuerySet[Order]:
    tomorrow = start_of_day(shanghai(now()).date() + dt.timedelta(days=1))
    return orders.filter(not_shipped_after__lte=tomorrow, status__in=ACTIVE)


def late(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.filter(status__in=ACTIVE, promised_by__gte=now() - LOOK_BACK, promised_by__lt=now())


def in_lockers(orders: QuerySet[Order]) -> QuerySet[Order]:
    waiting = _links(shipment__status=ShipmentStatus.AWAITING_PICKUP)
    return orders.filter(pk__in=waiting.values("order_id"))


def due_today(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Keep what by our own reckoning arrives today at the latest, and hasn't."""
    today = start_of_day(shanghai(now()).date())
    links = _links(shipment__status__in=UNDER_WAY, shipment__eta_latest__gte=today)
    return orders.filter(pk__in=links.filter(shipment__eta_latest__lt=today + dt.timedelta(days=1)).values("order_id"))


def uncollected(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Keep what left our cold store on paper, and was scanned by nobody yet."""
    links = _links(
        shipment__status=ShipmentStatus.NO_TRACE,
        shipment__picked_up_at=None,
        shipment__temperature_class__in=(TemperatureClass.FROZEN, TemperatureClass.CHILLED),
        shipment__shipped_at__gte=now() - LOOK_BACK,
    )
    return orders.filter(pk__in=links.values("order_id"))


def _links(**about_shipment: Any) -> QuerySet[ShipmentOrder]:
    return ShipmentOrder.objects.filter(shipment__voided_at=None, order__isnull=False, **about_shipment)


def with_open_alert(*kinds: str) -> Callable[[QuerySet[Order]], QuerySet[Order]]:
    """Return what narrows to orders with such an alert of their own or of a box in which they travel."""

    def narrow(orders: QuerySet[Order]) -> QuerySet[Order]:
        if not set(kinds).isdisjoint(ALL_KINDS):
            return orders.filter(pk__in=_in_boxes_with(kinds).values("order_id"))
        open_alerts = Alert.objects.filter(resolved_at=None, kind__in=kinds, order__isnull=False)
        return orders.filter(pk__in=open_alerts.values("order_id"))

    return narrow


def _in_boxes_with(kinds: Sequence[str]) -> QuerySet[ShipmentOrder]:
    """Return the links of orders whose box has such an alert, which itself knows only the first order in it."""
    about_box = Concat(Value("shipment:"), Cast("shipment_id", CharField(max_length=20)), output_field=CharField())
    return ShipmentOrder.objects.filter(
        Q(shipment__links__order_id=F("order_id")) | Q(shipment__links__order__alerts__subject=about_box),
        shipment__links__order__alerts__resolved_at=None,
        shipment__links__order__alerts__kind__in=kinds,
        shipment__links__order__alerts__isnull=False,
    )


WORKLISTS = {
    work.key: work
    for work in (
        Worklist("to_ship", "今日待发货", "应在今天之内发出，含已超时的", "warm", to_ship_today),
        Worklist("due_today", "今天该到没到", "预计最晚今天送达，还没有签收", "warm", due_today),
        Worklist("uncollected", "冷库直发未揽收", "已发货的冷冻、冷藏件，还没有第一次扫描", "bad", uncollected),
        Worklist("stale", "轨迹停滞", "超过时限没有新轨迹", "bad", with_open_alert(*LADDER)),
        Worklist("late", "超过承诺时效", "过了承诺时间还没签收", "bad", late),
        Worklist("lockers", "驿站待取", "冻品在驿站或柜里多待一刻就化一刻", "warm", in_lockers),
        Worklist(
            "problems", "派送异常", "问题件、派送未成功、拒收、破损、地址有误", "bad", with_open_alert(*NOT_ARRIVING)
        ),
        Worklist("returned", "退回", "退回中、已退回、部分退回", "cool", with_open_alert(*COMING_BACK)),
    )
}
