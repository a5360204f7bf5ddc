"""Every kind of anomaly in one table: what opens it, its limit, and who acts.

Severity, due time and the buyer's sentence stand with each kind in `orders.alerting.KINDS`; `docs/anomalies.md` is
made from both.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import models

from frozenshop.kernel import calendar
from logistics import cadence
from logistics.learning.gaps import Gap, usual_gap
from logistics.models import Reason, Shipment, ShipmentStatus
from orders.models import AlertKind, TemperatureClass

S, K, R = ShipmentStatus, AlertKind, Reason


class Acts(models.TextChoices):
    """Whose work it is."""

    SERVICE = "service", "客服"
    WAREHOUSE = "warehouse", "仓库"
    FINANCE = "finance", "财务"
    OPERATIONS = "operations", "运维"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """`opens` says when, `acts` for whom. `limit` is the floor of the time that must pass (`frozen`: of frozen goods),
    `learnt` names what the lane's history may raise it to; None and "" where nothing needs to pass.
    """

    acts: Acts
    opens: str
    limit: dt.timedelta | None = None
    frozen: dt.timedelta | None = None
    learnt: str = ""

    def limit_of(self, temperature_class: str) -> dt.timedelta:
        wanted = self.frozen if temperature_class == TemperatureClass.FROZEN else self.limit
        return wanted or self.limit or dt.timedelta()


@dataclass(frozen=True, slots=True)
class Silence:
    """How long a parcel of one status may be silent, in hours that carriers run, and which alert it is then.

    `from_status`: counted from when the status began, whatever is heard meanwhile.
    """

    kind: AlertKind
    limit: dt.timedelta
    frozen: dt.timedelta
    from_status: bool = False


@dataclass(frozen=True, slots=True)
class Outbreak:
    """When many silent parcels of one place are one incident.

    `parcels` silent ones at least, that are `share` of what is under way there, all of them noticed within `window`.
    It is over when fewer than `parcels_left` are silent still.
    """

    parcels: int = 10
    share: float = 0.3
    window: dt.timedelta = dt.timedelta(hours=24)
    parcels_left: int = 5


@dataclass(frozen=True, slots=True)
class Impossible:
    """When scans can't be of one parcel: in `provinces` within `within`, at two far doors within `doors_within`,
    or at a door `before_shipping`.
    """

    provinces: int = 3
    within: dt.timedelta = dt.timedelta(hours=2)
    doors_within: dt.timedelta = dt.timedelta(hours=24)
    before_shipping: dt.timedelta = dt.timedelta(hours=12)


OUTBREAK = Outbreak()
IMPOSSIBLE = Impossible()
LEARNT_AT_MOST = 2
"""A lane's own history may raise a limit of silence to so many times the floor: goods thaw on slow lanes too."""


def _hours(hours: float) -> dt.timedelta:
    return dt.timedelta(hours=hours)


def _silence(kind: AlertKind, limit: float, frozen: float, *, from_status: bool = False) -> Silence:
    return Silence(kind, _hours(limit), _hours(frozen), from_status)


SILENCE: Mapping[str, Silence] = MappingProxyType(
    {
        S.NO_TRACE: _silence(K.NO_PICKUP, 24, 12),  # handed over, but the carrier has not scanned it
        S.PICKED_UP: _silence(K.STALE, 24, 18),
        S.IN_TRANSIT: _silence(K.STALE, 36, 24),
        S.OUT_FOR_DELIVERY: _silence(K.OUT_TOO_LONG, 12, 8, from_status=True),  # it comes the same day, or never
        S.AWAITING_PICKUP: _silence(K.LOCKER_WAITING, 24, 4, from_status=True),  # a locker is not a freezer
        S.DELIVERY_FAILED: _silence(K.STALE, 24, 8),
        S.EXCEPTION: _silence(K.STALE, 24, 8),
        S.RETURNING: _silence(K.STALE, 72, 48),
        S.FORWARDED: _silence(K.STALE, 36, 24),
        S.CUSTOMS: _silence(K.STALE, 72, 48),
        S.UNKNOWN: _silence(K.STALE, 36, 24),
    }
)

# What a status or the reason for it is called in the queue: one trouble, one kind.
BY_STATUS: Mapping[str, AlertKind] = MappingProxyType(
    {
        S.EXCEPTION: K.EXCEPTION,
        S.DELIVERY_FAILED: K.DELIVERY_FAILED,
        S.RETURNING: K.RETURNING,
        S.RETURNED: K.RETURNED,
        # Intercepted, or never carried: its order stands where it was, with nothing under way, until a person acts.
        S.CANCELLED: K.EXCEPTION,
    }
)
BY_REASON: Mapping[str, AlertKind] = MappingProxyType(
    {
        R.UNREACHABLE: K.UNREACHABLE,
        R.REFUSED: K.REFUSED,
        R.DAMAGED: K.DAMAGED,
        R.WRONG_ADDRESS: K.WRONG_ADDRESS,
        R.WRONG_PHONE: K.WRONG_ADDRESS,
        R.MISSORTED: K.MISSORTED,
        R.LOST: K.LOST,
    }
)
_STOPPED = frozenset({S.EXCEPTION, S.DELIVERY_FAILED})
_UNDER_WAY = frozenset({S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.FORWARDED, S.CUSTOMS, S.UNKNOWN})
# Trouble whatever the status; of a signed-for box only what is inside it can be wrong.
_HARM = frozenset({R.DAMAGED, R.MISSORTED, R.LOST})

_A = Acts
ANOMALIES: Mapping[AlertKind, Anomaly] = MappingProxyType(
    {
        K.NOT_SHIPPED: Anomaly(_A.WAREHOUSE, "付款后过了应发货时间（工作日截单），或部分发货后其余一直没发"),
        K.NO_PICKUP: Anomaly(
            _A.WAREHOUSE, "登记运单后一直没有揽收", SILENCE[S.NO_TRACE].limit, SILENCE[S.NO_TRACE].frozen, "p99"
        ),
        K.STALE: Anomaly(
            _A.SERVICE,
            "没有新轨迹超过该状态的时限（见下表）",
            SILENCE[S.IN_TRANSIT].limit,
            SILENCE[S.IN_TRANSIT].frozen,
            "p99",
        ),
        K.LATE_ETA: Anomaly(_A.SERVICE, "过了预计最晚到达时间，订单没有承诺时效", _hours(12), _hours(6)),
        K.LATE_PROMISE: Anomaly(_A.SERVICE, "很可能赶不上承诺时效，或已经过了；每次延误一条，恢复后自动解决"),
        K.OUT_TOO_LONG: Anomaly(
            _A.SERVICE,
            "派送中一直没有签收",
            SILENCE[S.OUT_FOR_DELIVERY].limit,
            SILENCE[S.OUT_FOR_DELIVERY].frozen,
        ),
        K.DELIVERY_FAILED: Anomaly(_A.SERVICE, "派送未成功，承运商没有说原因"),
        K.UNREACHABLE: Anomaly(_A.SERVICE, "联系不上收件人"),
        K.WRONG_ADDRESS: Anomaly(_A.SERVICE, "地址或电话有误"),
        K.REFUSED: Anomaly(_A.SERVICE, "收件人拒收"),
        K.DAMAGED: Anomaly(_A.SERVICE, "破损，签收后才报的也算"),
        K.MISSORTED: Anomaly(_A.SERVICE, "错分、发错方向"),
        K.EXCEPTION: Anomaly(_A.SERVICE, "承运商报告的其他问题，或被拦截、取消"),
        K.LOCKER_WAITING: Anomaly(
            _A.SERVICE,
            "放进快递柜或驿站后一直没取",
            SILENCE[S.AWAITING_PICKUP].limit,
            SILENCE[S.AWAITING_PICKUP].frozen,
        ),
        K.RETURNING: Anomaly(_A.SERVICE, "包裹在退回途中"),
        K.RETURNED: Anomaly(_A.WAREHOUSE, "包裹已退回，要验货并与买家约定退款或重发"),
        K.PARTLY_RETURNED: Anomaly(_A.WAREHOUSE, "多个包裹中有的签收、有的退回"),
        K.LOST: Anomaly(
            _A.SERVICE, "承运商报遗失，或没有新轨迹超过该线路的 99.9 %（最长 30 天）", _hours(120), _hours(96), "p999"
        ),
        K.LOST_CONTACT: Anomaly(_A.SERVICE, "长期没有任何轨迹，已停止查询", cadence.GIVE_UP_AFTER),
        K.INCIDENT: Anomaly(
            _A.SERVICE,
            f"同一地点（或其中一家承运商）{OUTBREAK.window // _hours(1)} 小时内至少 {OUTBREAK.parcels} 个包裹停滞，"
            f"占当地在途的 {OUTBREAK.share:.0%} 以上；剩下不足 {OUTBREAK.parcels_left} 个时自动解决",
        ),
        K.WRONG_NUMBER: Anomaly(
            _A.WAREHOUSE,
            "轨迹不可能是这个包裹：送到不相邻的省；"
            f"{IMPOSSIBLE.within // _hours(1)} 小时内出现在 {IMPOSSIBLE.provinces} 个省；"
            f"发货前 {IMPOSSIBLE.before_shipping // _hours(1)} 小时就在派送",
        ),
        K.EARLIER_LIFE: Anomaly(_A.WAREHOUSE, "只有发货 72 小时之前的轨迹：运单号可能被重复使用"),
        K.CLOCK_ANOMALY: Anomaly(_A.OPERATIONS, "轨迹的时间晚于现在一小时以上"),
        K.UNKNOWN_CODE: Anomaly(_A.OPERATIONS, "服务商的状态码没有对应的物流状态"),
        K.PROVIDER_TROUBLE: Anomaly(_A.OPERATIONS, "服务商连续出错、拒绝我们的账号，或额度用尽"),
        K.MESSAGING: Anomaly(_A.OPERATIONS, "消息渠道连续出错或拒绝我们的账号，或当天的短信预算用完"),
        K.SETTLEMENT: Anomaly(_A.FINANCE, "发货信息没有上报微信或被拒绝，货款不能结算"),
        K.PAID_AFTER_CANCELLED: Anomaly(_A.FINANCE, "订单取消后收到付款"),
        K.SHIPPED_UNPAID: Anomaly(_A.FINANCE, "订单没有付款就发了货"),
        K.SHIPPED_AFTER_CANCELLED: Anomaly(_A.WAREHOUSE, "订单取消或退款后发了货"),
        K.REFUND_PARTIAL: Anomaly(_A.FINANCE, "只退了一部分款"),
        K.MONEY_CONFLICT: Anomaly(_A.FINANCE, "付款、退款与订单金额或货物不符"),
        K.ORDER_CHANGED_AFTER_SHIPPING: Anomaly(_A.SERVICE, "发货后商城要求修改订单"),
    }
)


def kind_of(status: str, reason: str) -> AlertKind | None:
    """Return which trouble a status is, for the reason that the carrier gave; None: none by itself."""
    known = BY_REASON.get(reason)
    told = known is not None and (status in _STOPPED or (status in _UNDER_WAY and reason in _HARM))
    if told or (status == S.DELIVERED and reason == R.DAMAGED):
        return known
    return BY_STATUS.get(status)


def silence_limit(shipment: Shipment) -> dt.timedelta | None:
    """Return how long the parcel may be silent, in hours that carriers run; None: for ever.

    Where the lane's usual gap is known, one gap in a hundred is longer than the limit.
    """
    rule = SILENCE.get(shipment.status)
    if rule is None:
        return None
    floor = rule.frozen if shipment.temperature_class == TemperatureClass.FROZEN else rule.limit
    gap = usual_gap(shipment) if not rule.from_status else None
    return min(max(floor, _p99(gap)), floor * LEARNT_AT_MOST) if gap else floor


def silent_since(shipment: Shipment) -> dt.datetime:
    """Return since when a parcel under way is waited for: its last scan, or the beginning of what it is doing."""
    rule = SILENCE.get(shipment.status)
    if rule and rule.from_status and shipment.status_at:
        return shipment.status_at
    return cadence.heard_at(shipment)


def stale_after(shipment: Shipment) -> dt.datetime | None:
    """Return the instant from which silence is an alert; None for one that was given up before we knew of it."""
    since = silent_since(shipment)
    if cadence.is_over(shipment) or shipment.recorded_at - since > cadence.GIVE_UP_AFTER:
        return None
    limit = silence_limit(shipment)
    return None if limit is None else calendar.add_carrier_time(since, limit)


def lost_after(shipment: Shipment) -> dt.datetime | None:
    """Return the instant from which silence means that the parcel is probably lost; None for one that waits."""
    if cadence.is_over(shipment) or shipment.status in (S.NO_TRACE, S.AWAITING_PICKUP):
        return None
    floor, gap = ANOMALIES[K.LOST].limit_of(shipment.temperature_class), usual_gap(shipment)
    limit = max(floor, gap.p999) if gap else floor
    return calendar.add_carrier_time(cadence.heard_at(shipment), min(limit, cadence.GIVE_UP_AFTER))


def kinds_of(acts: str) -> list[AlertKind]:
    """Return the kinds that are the work of one group."""
    return [kind for kind, anomaly in ANOMALIES.items() if anomaly.acts == acts]


def _p99(gap: Gap) -> dt.timedelta:
    """Where long gaps thin out evenly, the 99 % point lies half way between the 90 % and the 99.9 % point."""
    return (gap.p90 + gap.p999) / 2
