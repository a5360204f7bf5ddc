"""The {words} that templates of messages may use, and what they stand for in one notice."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from django.conf import settings

from frozenshop.kernel import clock
from logistics.models import Reason, Shipment, ShipmentStatus
from notifications import opening
from notifications.models import Milestone, Notice
from notifications.situation import Situation
from orders.alerting import KINDS
from orders.consignee import mask_name
from orders.models import AlertKind, AlertSeverity, OrderStatus

M = Milestone

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "order_no": "订单号",
        "status": "状态",
        "carrier": "承运商",
        "waybill_no": "运单号",
        "waybill_tail": "运单号后四位",
        "eta": "预计送达",
        "location": "当前位置",
        "reason": "原因",
        "time": "发生时间",
        "lines": "商品",
        "name": "收件人（只有姓）",
        "shop": "店名",
        "shop_phone": "客服电话",
        "hint": "提示",
    }
)
"""Each word and what it stands for. None holds a full name, phone or address."""

HINTS: Mapping[str, str] = MappingProxyType(
    {
        M.PAID: "我们会尽快为您发货",
        M.SHIPPED: "冻品已发出，请留意收货",
        M.OUT_FOR_DELIVERY: "请保持电话畅通，收到后尽快冷冻",
        M.ARRIVING: "包裹即将送达，请留意收货",
        M.LOCKER_WAITING: "冻品不宜久放，请尽快取件",
        M.LOCKER_REMINDER: "包裹仍未取走，请尽快取件冷冻",
        M.DELAYED: "包裹比预计晚，我们正在跟进",
        M.RECOVERED: "包裹已恢复运输",
        M.EXCEPTION: "派送遇到问题，请保持电话畅通",
        M.DELIVERED: "请尽快放入冰箱，有问题请联系我们",
        M.RETURNED: "包裹已退回，我们会与您联系",
        M.CANCELLED: "订单已取消",
        M.REFUNDED: "退款将按原路退回",
    }
)

UNTOLD = "原因不明"
"""Stands for the reason while the carrier names none: it begins no sentence, and fits into five characters."""

_WORD = re.compile(r"\{([a-z_]+)\}")
_BRACE = re.compile(r"[{}｛｝]")


def fill(text: str, words: Mapping[str, str]) -> str:
    """Put the words in; one that is not known leaves nothing behind."""
    return _WORD.sub(lambda match: words.get(match[1], ""), text)


def wrong_in(texts: Iterable[str]) -> list[str]:
    """Return what is wrong with the words in texts, and the way out. Buyers would read a misspelt one as it stands."""
    texts = tuple(map(str, texts))
    unknown = sorted({word for text in texts for word in _WORD.findall(text) if word not in WORDS})
    misspelt = [text for text in texts if _BRACE.search(_WORD.sub("", text)) or "${" in text]
    usable = "、".join(f"{{{word}}}" for word in WORDS)
    found = [f"没有变量 {'、'.join(f'{{{word}}}' for word in unknown)}：可用的是 {usable}"] if unknown else []
    return found + [
        f"“{text[:30]}”里的变量写法不对：写成 {{order_no}} 这样，前后各一个花括号，可用的是 {usable}"
        for text in misspelt
    ]


def unset_in(texts: Iterable[str]) -> list[str]:
    """Return a warning where texts use what the shop itself has not said yet."""
    used = not settings.SHOP_PHONE and any("{shop_phone}" in str(text) for text in texts)
    return ["客服电话还是空的：请填写 SHOP_PHONE，或从内容里删去 {shop_phone}"] if used else []


def of(notice: Notice, about: Situation) -> dict[str, str]:
    """Return what each word stands for; "" where there is nothing to say."""
    order, shipment = about.order, about.shipment
    consignee = opening.consignee_of(order)
    words = dict.fromkeys(WORDS, "") | {
        "time": _instant(notice.occurred_at),
        "shop": settings.SHOP_NAME,
        "shop_phone": settings.SHOP_PHONE,
        "hint": HINTS.get(notice.milestone, ""),
        "name": mask_name(consignee.name) if consignee and consignee.name else "",
        "reason": UNTOLD,
    }
    if order is not None:
        words |= {"order_no": order.order_no, "status": OrderStatus(order.status).label, "lines": order.lines_summary}
    if shipment is None:
        return words
    if about.parcels > 1:  # the goods of the whole order would say too much, and the same of each parcel
        words["lines"] = f"尾号{shipment.waybill_no[-4:]}的包裹（共{about.parcels}个）"
    return words | _of_parcel(shipment)


def sample(milestone: str) -> dict[str, str]:
    """Return made-up words of a milestone, for previews."""
    return {
        "order_no": "A20261122001",
        "status": M(milestone).label,
        "carrier": "顺丰速运",
        "waybill_no": "SF1234567890123",
        "waybill_tail": "0123",
        "eta": "2026年11月23日 15:00",
        "location": "上海市浦东新区",
        "reason": "延误",
        "time": "2026年11月22日 09:30",
        "lines": "虾仁×2、鳕鱼×1",
        "name": "张*",
        "shop": settings.SHOP_NAME,
        "shop_phone": settings.SHOP_PHONE,
        "hint": HINTS.get(milestone, ""),
    }


def title(notice: Notice, about: Situation) -> str:
    """Return the heading for channels without templates."""
    if (alert := about.alert) is not None:
        return f"【{AlertSeverity(alert.severity).label}】{AlertKind(alert.kind).label}"
    return f"{settings.SHOP_NAME} {M(notice.milestone).label}"


def text(notice: Notice, about: Situation) -> str:
    """Return the whole in words, for channels without templates: staff read it."""
    if (alert := about.alert) is not None:
        due = f"请在 {clock.short(alert.due_at)} 前处理"
        order = f"订单 {alert.order.order_no}" if alert.order else ""
        told = KINDS[AlertKind(alert.kind)].buyer_message and "买家在订单页已看到提示"
        link = f"{settings.PUBLIC_URL.rstrip('/')}/admin/orders/alert/{alert.pk}/change/"
        return "\n".join(filter(None, (order, alert.detail, due, told, link)))
    lines = notice.facts.get("lines") or [notice.facts.get("text") or ""]
    return "\n".join(lines) if any(lines) else fill("{shop}：订单 {order_no} {status}。{hint}", of(notice, about))


def _of_parcel(shipment: Shipment) -> dict[str, str]:
    arrives = shipment.eta_likely or shipment.eta_latest
    reason = Reason(shipment.reason).label if shipment.reason in Reason else UNTOLD
    return {
        "status": ShipmentStatus(shipment.status).label,
        "carrier": shipment.carrier.name,
        "waybill_no": shipment.waybill_no,
        "waybill_tail": shipment.waybill_no[-4:],
        "eta": _instant(arrives) if arrives else "",
        "location": shipment.location,
        "reason": reason,
    }


def _instant(instant: dt.datetime) -> str:
    local = clock.shanghai(instant)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
