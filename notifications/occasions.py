"""What is told to whom, by which channels in turn, until when and while what is true: one table."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from django.conf import settings

from logistics.models import ShipmentStatus
from notifications.models import Audience, Channel, Milestone
from orders.models import OrderStatus, TemperatureClass

S, O, M, A = ShipmentStatus, OrderStatus, Milestone, Audience  # noqa: E741

WECHAT = (Channel.WECHAT_SUBSCRIBE, Channel.WECHAT_OFFICIAL)
SMS = (Channel.SMS_ALIYUN, Channel.SMS_TENCENT)
STAFF = (Channel.WECOM_BOT, Channel.EMAIL)

ARRIVING_WITHIN = dt.timedelta(hours=4)
"""How long before its likely arrival a parcel is announced."""
ENTERED_BY_MISTAKE = dt.timedelta(minutes=10)
"""How long a waybill may be withdrawn before anybody is told of it."""
PATIENCE = dt.timedelta(minutes=10)
"""How long what can't wait stays with a channel that is out of order."""


def _hours(hours: float) -> dt.timedelta:
    return dt.timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Occasion:
    """`told`: the channels for each audience, the first choice first; the next one only after a permanent failure.

    It is true while its parcel (or its order) has one of these statuses, and overtaken by any other. It expires so
    long after it happened, and is told so long after it was entered. `cold_cant_wait`: frozen and chilled goods thaw
    meanwhile, so neither the night nor the daily cap holds it back.
    """

    told: Mapping[Audience, tuple[Channel, ...]]
    expires: dt.timedelta
    while_parcel: frozenset[ShipmentStatus] = frozenset()
    while_order: frozenset[OrderStatus] = frozenset()
    waits: dt.timedelta = field(default=dt.timedelta(0))
    cold_cant_wait: bool = False


_UNDER_WAY = frozenset({S.NO_TRACE, S.PICKED_UP, S.IN_TRANSIT, S.FORWARDED, S.CUSTOMS, S.UNKNOWN})
_BUYER = {A.BUYER: (*WECHAT, *SMS)}
_BUYER_BY_WECHAT = {A.BUYER: WECHAT}
_WHO_RECEIVES = {A.BUYER: (*WECHAT, *SMS), A.CONSIGNEE: SMS}
_STAFF = {A.STAFF: STAFF}
_SHOP = {A.SHOP: (Channel.WEBHOOK,)}

OCCASIONS: Mapping[Milestone, Occasion] = MappingProxyType(
    {
        M.PAID: Occasion(_BUYER_BY_WECHAT, _hours(12), while_order=frozenset({O.PAID})),
        M.SHIPPED: Occasion(_BUYER, _hours(48), while_parcel=_UNDER_WAY, waits=ENTERED_BY_MISTAKE),
        M.ARRIVING: Occasion(_BUYER_BY_WECHAT, _hours(24), while_parcel=_UNDER_WAY),
        M.OUT_FOR_DELIVERY: Occasion(_WHO_RECEIVES, _hours(14), while_parcel=frozenset({S.OUT_FOR_DELIVERY})),
        M.LOCKER_WAITING: Occasion(
            _WHO_RECEIVES, _hours(72), while_parcel=frozenset({S.AWAITING_PICKUP}), cold_cant_wait=True
        ),
        M.LOCKER_REMINDER: Occasion(
            _WHO_RECEIVES, _hours(72), while_parcel=frozenset({S.AWAITING_PICKUP}), cold_cant_wait=True
        ),
        M.DELAYED: Occasion(_BUYER, _hours(24), while_parcel=_UNDER_WAY | {S.OUT_FOR_DELIVERY}),
        # Who was not told of a delay need not hear that it is over; that it is over is not worth an SMS.
        M.RECOVERED: Occasion(_BUYER_BY_WECHAT, _hours(24), while_parcel=_UNDER_WAY),
        M.EXCEPTION: Occasion(
            _WHO_RECEIVES,
            _hours(48),
            while_parcel=frozenset({S.EXCEPTION, S.DELIVERY_FAILED}),
            cold_cant_wait=True,
        ),
        M.DELIVERED: Occasion(_BUYER, _hours(48), while_parcel=frozenset({S.DELIVERED})),
        M.RETURNED: Occasion(_BUYER, _hours(72), while_parcel=frozenset({S.RETURNED})),
        M.CANCELLED: Occasion(_BUYER_BY_WECHAT, _hours(72), while_order=frozenset({O.CANCELLED})),
        M.REFUNDED: Occasion(_BUYER, _hours(72), while_order=frozenset({O.REFUNDED})),
        M.ALERT: Occasion(_STAFF, _hours(24)),
        M.SETTLEMENT: Occasion(_STAFF, _hours(24)),
        M.DIGEST: Occasion(_STAFF, _hours(12)),
        M.ORDER_STATUS_CHANGED: Occasion(_SHOP, _hours(98)),
        M.SHIPMENT_UPDATED: Occasion(_SHOP, _hours(98)),
        M.ALERT_OPENED: Occasion(_SHOP, _hours(98)),
        M.ALERT_RESOLVED: Occasion(_SHOP, _hours(98)),
    }
)

CANT_WAIT = frozenset(milestone for milestone, occasion in OCCASIONS.items() if occasion.cold_cant_wait)

BY_STATUS: Mapping[str, Milestone] = MappingProxyType(
    {
        S.OUT_FOR_DELIVERY: M.OUT_FOR_DELIVERY,
        S.AWAITING_PICKUP: M.LOCKER_WAITING,
        S.EXCEPTION: M.EXCEPTION,
        S.DELIVERY_FAILED: M.EXCEPTION,
        S.DELIVERED: M.DELIVERED,
        S.RETURNED: M.RETURNED,
    }
)
BY_ORDER_STATUS: Mapping[str, Milestone] = MappingProxyType(
    {O.PAID: M.PAID, O.CANCELLED: M.CANCELLED, O.REFUNDED: M.REFUNDED}
)

REMINDED_AFTER: Mapping[str, tuple[dt.timedelta, ...]] = MappingProxyType(
    {
        TemperatureClass.FROZEN: (_hours(2), _hours(6)),  # a locker is not a freezer
        TemperatureClass.CHILLED: (_hours(4), _hours(12)),
        TemperatureClass.AMBIENT: (_hours(24), _hours(48)),
    }
)

_DAILY_CAP: Mapping[Audience, int] = MappingProxyType({A.CONSIGNEE: 4, A.STAFF: 200})


def daily_cap(audience: Audience) -> int | None:
    """Return how many messages a day one person gets of what can wait; None: as many as there are."""
    return int(settings.NOTICE_DAILY_CAP) if audience == A.BUYER else _DAILY_CAP.get(audience)


OVERTAKEN: Mapping[Milestone, str] = MappingProxyType(
    {
        M.ARRIVING: "派送、到达，或预计时间后移",
        M.DELAYED: "恢复正常，或已到达",
        M.RECOVERED: "再次延误，或已到达",
        M.ALERT: "预警解决、暂缓或并入事件",
    }
)
"""What overtakes where a status alone doesn't say it."""


def table() -> str:
    """Return the table for the documentation."""
    head = "| milestone | 内容 | 告知谁、渠道顺序 | 先等 | 时效 | 夜间也发 | 何时不再发 |"
    rows = [
        f"| `{milestone.value}` | {milestone.label} | {_told(one)} | {_span(one.waits)} | {_span(one.expires)}"
        f" | {'冷冻、冷藏' if one.cold_cant_wait else '—'} | {_overtaken(milestone, one)} |"
        for milestone, one in OCCASIONS.items()
    ]
    return "\n".join([head, "|" + "---|" * 7, *rows])


def _told(occasion: Occasion) -> str:
    return "；".join(
        f"{audience.label}：{' → '.join(channel.label for channel in channels)}"
        for audience, channels in occasion.told.items()
    )


def _overtaken(milestone: Milestone, occasion: Occasion) -> str:
    if milestone in OVERTAKEN:
        return OVERTAKEN[milestone]
    statuses = [s.label for s in S if s in occasion.while_parcel] or [s.label for s in O if s in occasion.while_order]
    return f"不再是：{'、'.join(statuses)}" if statuses else "—"


def _span(span: dt.timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if not minutes:
        return "—"
    return f"{minutes // 60} 小时" if minutes >= 60 else f"{minutes} 分钟"
