"""The numbers of the index page: bounded, and each the door to its list."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from frozenshop.backoffice.worklists import COUNTED_TO, WORKLISTS
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import OutboxMessage
from logistics import costs
from notifications.settlement import frozen, guard
from orders.models import Alert, AlertKind


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    remark: str
    tone: str
    count: int
    url: str

    @property
    def shown(self) -> str:
        return f"{COUNTED_TO - 1}+" if self.count >= COUNTED_TO else str(self.count)


def tiles(request: HttpRequest) -> list[Tile]:
    """Return the tiles that this person may follow."""
    shown: list[Tile] = []
    if request.user.has_perm("orders.view_order"):
        orders = reverse("admin:orders_order_changelist")
        shown += [
            Tile(work.label, work.remark, work.tone, work.bounded_count(), f"{orders}?todo={work.key}")
            for work in WORKLISTS.values()
        ]
    if request.user.has_perm("orders.view_alert"):
        alerts = Alert.objects.filter(resolved_at=None, incident=None)
        url = reverse("admin:orders_alert_changelist")
        overdue = alerts.filter(due_at__lt=now())
        trouble = alerts.filter(kind=AlertKind.PROVIDER_TROUBLE)
        shown.append(Tile("已超期预警", "过了处理期限还没解决", "bad", _bounded(overdue), f"{url}?state=overdue"))
        waiting = alerts.exclude(snoozed_until__gt=now())
        shown.append(Tile("全部待处理预警", "按处理期限排队，超期的在前", "warm", _bounded(waiting), url))
        shown.append(
            Tile("服务商故障", "查询失败、熔断或额度用尽", "bad", _bounded(trouble), f"{url}?kind=provider_trouble")
        )
    if request.user.has_perm("notifications.view_shippingreport"):
        hours = guard.WECHATS_LIMIT // dt.timedelta(hours=1)
        late = frozen.untold().filter(order__paid_at__lt=now() - guard.WECHATS_LIMIT)
        url = f"{reverse('admin:settlement')}?hours={hours}"
        shown.append(Tile("货款冻结", f"付款 {hours} 小时还没有上报发货", "bad", _bounded(late), url))
    if request.user.has_perm("logistics.view_providerstate"):
        near = sum(cap.near for cap in costs.caps())
        shown.append(Tile("服务商额度告急", "今日查询已用八成以上", "warm", near, reverse("admin:costs")))
    if request.user.has_perm("kernel.view_outboxmessage"):
        dead = OutboxMessage.objects.filter(status=OutboxMessage.Status.DEAD)
        url = reverse("admin:kernel_outboxmessage_changelist")
        shown.append(
            Tile("失败的后台任务", "多次重试仍未成功，等人处理", "bad", _bounded(dead), f"{url}?status__exact=dead")
        )
    return shown


def _bounded(rows: QuerySet[Any]) -> int:
    return len(rows.values_list("pk")[:COUNTED_TO])
