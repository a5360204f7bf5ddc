"""What only a person may decide: the one correction after all was told, ending a split shipping, another try."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import staff
from frozenshop.kernel.errors import NotPossible
from logistics.models import Carrier
from notifications.models import ShippingReport, WechatCompany
from notifications.settlement import claiming, content, guard
from orders.models import Order

State = ShippingReport.State
KINDS = {content.OWN_VAN: "同城配送", content.PICK_UP: "到店自提", 3: "虚拟商品"}
"""Without express; what somebody told in WeChat's console may be of any kind."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What WeChat has, and what it would be told, in lines to be read. `seen` stands for what would be told."""

    told: list[str]
    wanted: list[str]
    correction: bool
    finishes: bool
    seen: str


def preview(report: ShippingReport) -> Preview:
    """Return what an upload would change, without telling anybody."""
    wanted = _wanted(report)
    finishes = bool(wanted) and not content.is_complete(wanted) and not report.complete
    differs = bool(wanted) and not content.same(report.content, wanted)
    return Preview(_lines(report.content), _lines(wanted), report.complete and differs, finishes, _digest(wanted))


def correct(report: ShippingReport, user: AbstractBaseUser, seen: str | None = None) -> None:
    """Let WeChat be told of the parcels as they are now, once, though all was told.

    `seen`: of the preview that was agreed to. Raises NotPossible, also where the parcels are others since.
    """
    wanted = _wanted(report)
    _check_seen(wanted, seen)
    if not wanted or content.same(report.content, wanted):
        raise NotPossible("运单没有变化，不用更正")
    rows = ShippingReport.objects.filter(payment=report.payment, state__in=(State.UPLOADED, State.REFUSED))
    agreed = {**wanted, claiming.CONFIRMED: True}
    with transaction.atomic():
        if not rows.filter(complete=True, corrections=0).update(
            corrections=1, state=State.WAITING, wanted=agreed, attempts=0, due_at=clock.now(), code="", said=""
        ):
            raise NotPossible("更正的机会已经用完，或正在上报")
        _recorded(report, user, "settlement.corrected", {"parcels": len(wanted["shipping_list"])})


def finish(report: ShippingReport, user: AbstractBaseUser, seen: str | None = None) -> None:
    """Tell WeChat that no more parcels will come, though goods are left. Raises NotPossible as `correct`."""
    wanted = _wanted(report)
    _check_seen(wanted, seen)
    if not wanted:
        raise NotPossible("还没有可上报的运单：没有发货的支付不能按已全部发货上报")
    rows = ShippingReport.objects.filter(payment=report.payment, state__in=(State.WAITING, State.UPLOADED))
    with transaction.atomic():
        if not rows.filter(complete=False).update(
            state=State.WAITING, wanted={claiming.FINISH: True}, attempts=0, due_at=clock.now()
        ):
            raise NotPossible("发货信息正在上报，或已经全部上报")
        _recorded(report, user, "settlement.finished", {})


def retry(report: ShippingReport, user: AbstractBaseUser, seen: str | None = None) -> None:
    """Try again what was refused, because a person has mended the cause. Raises NotPossible."""
    rows = ShippingReport.objects.filter(payment=report.payment, state__in=(State.REFUSED, State.WAITING))
    with transaction.atomic():
        if not rows.update(state=State.WAITING, attempts=0, due_at=clock.now(), code="", said=""):
            raise NotPossible("只有待上报或被拒绝的可以重试")
        _recorded(report, user, "settlement.retried", {})


def _wanted(report: ShippingReport) -> dict[str, Any]:
    orders = Order.objects.filter(shipping_report__payment=report.payment).exclude(status__in=guard.OVER)
    return content.wanted(list(orders.order_by("pk")), clock.now(), former=report.content).body


def _digest(wanted: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def _check_seen(wanted: Mapping[str, Any], seen: str | None) -> None:
    if seen is not None and seen != _digest(wanted):
        raise NotPossible("运单刚刚又有变化：请重新核对后再确认")


def _recorded(report: ShippingReport, user: AbstractBaseUser, action: str, details: Mapping[str, Any]) -> None:
    audit.record(staff(user.pk), action, report.order.order_no, details={"payment": report.payment[-8:], **details})
    guard.wake(report.pk)


def _lines(body: Mapping[str, Any]) -> list[str]:
    if not body:
        return []
    if body["logistics_type"] != content.EXPRESS:
        kind = KINDS.get(body["logistics_type"], "其他")
        return [f"{kind}：{entry.get('item_desc', '')}" for entry in body["shipping_list"]]
    names = dict(WechatCompany.objects.values_list("delivery_id", "name")) or dict(
        Carrier.objects.exclude(wechat_code="").values_list("wechat_code", "name")
    )
    lines = [
        f"{names.get(entry['express_company'], entry['express_company'])} {entry['tracking_no']}"
        f"：{entry.get('item_desc', '')}"
        for entry in body["shipping_list"]
    ]
    return [*lines, "全部发货" if content.is_complete(body) else "还有商品未发"]
