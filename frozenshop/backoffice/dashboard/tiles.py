"""The numbers at the top of the index page: bounded, counted as it is opened, and each the door to its list."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.urls import reverse

from frozenshop.backoffice.dashboard import alert_load
from frozenshop.backoffice.worklists import WORKLISTS
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import OutboxMessage
from logistics import costs
from logistics.search.hits import bounded
from notifications.settlement import guard
from orders.models import Alert, AlertKind, Order

DUE = "due:"
COUNTED_TO = 100
Wanted = dict[str, QuerySet[Any]]


def bounded_number(count: int) -> str:
    """Return a number that was counted no further than COUNTED_TO."""
    return f"{COUNTED_TO - 1}+" if count >= COUNTED_TO else str(count)


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    remark: str
    tone: str
    count: int
    url: str

    @property
    def shown(self) -> str:
        return bounded_number(self.count)


def wanted(user: AbstractBaseUser | AnonymousUser) -> Wanted:
    """Return what is to be counted for this person, by name; `due:…` are the stretches of the alerts."""
    rows: Wanted = {}
    if user.has_perm("orders.view_order"):  # type: ignore[union-attr]
        rows |= {work.key: work.orders(Order.objects.all()) for work in WORKLISTS.values()}
    if user.has_perm("orders.view_alert"):  # type: ignore[union-attr]
        alerts = Alert.objects.filter(resolved_at=None, incident=None)
        rows["overdue"] = alerts.filter(due_at__lt=now())
        rows["waiting"] = alerts.exclude(snoozed_until__gt=now())
        rows["trouble"] = rows["waiting"].filter(kind=AlertKind.PROVIDER_TROUBLE)
        rows |= {f"{DUE}{key}": stretch for key, stretch in alert_load.load().items()}
    if user.has_perm("kernel.view_outboxmessage"):  # type: ignore[union-attr]
        rows["dead"] = OutboxMessage.objects.filter(status=OutboxMessage.Status.DEAD)
    return rows


def counted(wanted: Wanted) -> dict[str, int]:
    """Return how many there are of each, COUNTED_TO at most, by one question."""
    few = [rows.order_by().values_list("pk")[:COUNTED_TO] for rows in wanted.values()]
    return dict(zip(wanted, bounded(few), strict=True))


def tiles(counts: Mapping[str, int], caps: list[costs.Cap] | None, held_back: int | None) -> list[Tile]:
    """Return the tiles of what was counted; `caps` and `held_back` are None for who may not see them."""
    shown: list[Tile] = []
    if "to_ship" in counts:
        orders = reverse("admin:orders_order_changelist")
        shown += [
            Tile(work.label, work.remark, work.tone, counts[work.key], f"{orders}?todo={work.key}")
            for work in WORKLISTS.values()
        ]
    if "overdue" in counts:
        url = reverse("admin:orders_alert_changelist")
        trouble = f"{url}?kind=provider_trouble"
        shown += [
            Tile("已超期预警", "过了处理期限还没解决", "bad", counts["overdue"], f"{url}?state=overdue"),
            Tile("全部待处理预警", "按处理期限排队，超期的在前", "warm", counts["waiting"], url),
            Tile("服务商故障", "查询失败、熔断或额度用尽", "bad", counts["trouble"], trouble),
        ]
    if held_back is not None:
        hours = guard.WECHATS_LIMIT // dt.timedelta(hours=1)
        url = f"{reverse('admin:settlement')}?hours={hours}&untold=1"
        shown.append(Tile("货款冻结", f"付款 {hours} 小时还没有上报发货", "bad", held_back, url))
    if caps is not None:
        near = sum(cap.near for cap in caps)
        shown.append(Tile("服务商额度告急", "今日查询已用八成以上", "warm", near, reverse("admin:costs")))
    if "dead" in counts:
        url = f"{reverse('admin:kernel_outboxmessage_changelist')}?status__exact=dead"
        shown.append(Tile("失败的后台任务", "多次重试仍未成功，等人处理", "bad", counts["dead"], url))
    return shown
