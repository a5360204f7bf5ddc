"""What one row of an import did, taken back while no carrier has scanned anything and nobody has changed anything."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from frozenshop.backoffice.importing import snapshots
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from logistics import shipping
from logistics.models import Shipment, ShipmentOrder
from notifications.models import Notice, ShippingReport
from notifications.settlement import correction
from orders.models import Order

SCANNED = "承运商已扫描，不能撤销"
TOLD_WECHAT = "微信已收到发货信息，收不回来：重新发货后到“微信结算”用一次更正的机会"


def undo(order_no: str, kept: dict[str, Any], reason: str, actor: Actor, user: AbstractBaseUser) -> str:
    """Put an order back as it was. Returns what was done in words; raises NotPossible with why not.

    Call it inside a transaction.
    """
    if kept.get("same"):
        return "没有变化"
    if "wrong" in kept:
        return _swap_back(kept, reason, actor, user)
    order = Order.objects.select_for_update().filter(order_no=order_no).first()
    if order is None:
        raise NotPossible("订单已不在（可能已归档），不能撤销")
    if kept["before"] == kept["after"] if not kept["new"] else False:
        return "导入没有改变它"
    if why := snapshots.changed_since(order, kept["after"]):
        raise NotPossible(f"{why}，不能撤销")
    told = _told(order)
    if kept["new"]:
        if _wechat_has(order):
            raise NotPossible(f"{TOLD_WECHAT}；新订单不能再移除，可以改为取消")
        snapshots.remove(order, kept["after"])
        return f"已移除导入的订单{told}"
    for shipment_id in set(kept["after"]["parcels"]) - set(kept["before"]["parcels"]):
        shipping.void(Shipment.objects.get(pk=shipment_id), order=order, reason=reason, actor=actor)
    order.refresh_from_db()
    snapshots.restore(order, kept["before"], actor, reason)
    return f"已恢复原状{told}" + (f"。{TOLD_WECHAT}" if _wechat_has(order) else "")


def _swap_back(kept: dict[str, Any], reason: str, actor: Actor, user: AbstractBaseUser) -> str:
    right = Shipment.objects.select_related("carrier").get(pk=kept["right"])
    wrong = Shipment.objects.select_related("carrier").get(pk=kept["wrong"])
    link = ShipmentOrder.objects.filter(shipment=right).select_related("order").first()
    if right.voided_at is not None or link is None:
        raise NotPossible("更正之后运单又有变化，不能撤销")
    if right.picked_up_at is not None:
        raise NotPossible(f"{right.waybill_no}：{SCANNED}")
    back = (wrong.carrier, wrong.waybill_no)
    shipping.void(right, order=link.order, reason=reason, actor=actor, replacement=back)
    return f"已改回 {wrong.waybill_no}{_correct_wechat(link.order, user)}"


def _correct_wechat(order: Order, user: AbstractBaseUser) -> str:
    """WeChat that has the whole shipping takes one correction of it."""
    report = ShippingReport.objects.filter(order=order, complete=True).first()
    if report is None or not correction.preview(report).correction:
        return ""
    try:
        correction.correct(report, user)
    except NotPossible as problem:
        return f"。微信已收到原来的运单，没有更正：{problem.message}"
    return "。微信已收到原来的运单，已用一次更正的机会"


def _told(order: Order) -> str:
    told = Notice.objects.filter(order=order, state=Notice.State.TOLD, audience="buyer").exists()
    return "（买家已收到过消息）" if told else ""


def _wechat_has(order: Order) -> bool:
    reports = ShippingReport.objects.filter(order=order)
    return reports.exclude(content={}).exists() or reports.filter(state=ShippingReport.State.UPLOADING).exists()
