"""The tokens by which the mini-program's logistics plugin shows a parcel: WeChat is given the buyer's full number.

Off unless WECHAT_TRACE_COMPONENT is set, which the shop's privacy notice must say (docs/settlement.md).
"""

from collections import Counter
from typing import Any

import structlog
from django.conf import settings

from frozenshop.kernel import caching
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.http import ServiceError
from logistics.models import Shipment
from logistics.progress import live_shipments
from notifications.settlement import companies, content
from notifications.wechat import client
from notifications.wechat.errors import TRANSIENT, WechatError
from orders import phones
from orders.models import Order

logger = structlog.get_logger(__name__)

TRACE = "/cgi-bin/express/delivery/open_msg/trace_waybill"
FOLLOW = "/cgi-bin/express/delivery/open_msg/follow_waybill"
TIMEOUT = 3.0
KEEP_SECONDS, KEEP_REFUSAL_SECONDS = 20 * 3600, 3600
MOST = 3
"""A buyer waits for them, and may ask WeChat a hundred times a day."""
LONGEST_NAME = 60
NOT_YET = frozenset({931023, 9300559})  # the carrier has not scanned it; the table says the one, WeChat the other
PAGE = "pages/order/detail?order_no={order_no}"


def for_order(order: Order) -> list[dict[str, str]]:
    """Return `[{"waybill_no", "waybill_token"}]` of an order's parcels for its buyer; none where it is switched off.

    What can't be had now is left out: the page shows our own timeline anyway.
    """
    if not (settings.WECHAT_TRACE_COMPONENT and client.enabled()):
        return []
    openid = order.customer.openid if order.customer else None
    if not openid:
        return []
    # Of the shop's own vans WeChat knows nothing: it needs no number for them.
    shipments = live_shipments(order).exclude(carrier__category__in=content.NO_EXPRESS).select_related("carrier")
    shipments = shipments.order_by("-shipped_at", "-id")[:MOST]
    found = [(shipment.waybill_no, _token(shipment, order, openid)) for shipment in shipments]
    return [{"waybill_no": number, "waybill_token": token} for number, token in found if token]


def _token(shipment: Shipment, order: Order, openid: str) -> str:
    """Return the token, kept for some hours; a refusal is remembered too, for one."""
    kind = "follow" if settings.WECHAT_FOLLOW_WAYBILL else "trace"
    key = f"wechat:{settings.WECHAT_APPID}:{kind}:{order.pk}:{shipment.pk}"
    kept = caching.get_many([key]).get(key)
    if kept is not None:
        return str(kept)
    asked = _request(shipment, order, openid)
    if asked is None:
        return ""
    try:
        path = FOLLOW if settings.WECHAT_FOLLOW_WAYBILL else TRACE
        token = str(client.authorised(path, asked, timeout=TIMEOUT).get("waybill_token") or "")
    except WechatError as error:
        log = logger.info if error.errcode in NOT_YET else logger.warning
        log("wechat.no_waybill_token", errcode=error.errcode, waybill=shipment.waybill_no[-4:], rid=error.rid)
        if error.errcode in TRANSIENT:
            return ""
        token = ""
    except ServiceError:
        return ""
    caching.put(key, token, KEEP_SECONDS if token else KEEP_REFUSAL_SECONDS)
    return token


def _request(shipment: Shipment, order: Order, openid: str) -> dict[str, Any] | None:
    try:
        phone = phones.main_number(order.open_consignee().phone)
    except SealBroken:
        return None
    asked = {
        "openid": openid,
        "receiver_phone": phone,
        "waybill_id": shipment.waybill_no,
        "order_detail_path": PAGE.format(order_no=order.order_no),
        "goods_info": {"detail_list": _goods(order)},
        **({"trans_id": order.transaction_id} if order.transaction_id else {}),
    }
    if code := companies.code_of(shipment.carrier):
        asked["delivery_id"] = code
    if settings.WECHAT_FOLLOW_WAYBILL:
        goods: Counter[str] = Counter()
        for line in order.lines.all():
            goods[line.name] += line.quantity
        asked["goods_desc"] = content.describe(goods, most=40)
    return asked


def _goods(order: Order) -> list[dict[str, str]]:
    image = settings.WECHAT_GOODS_IMAGE_URL
    return [{"goods_name": line.name[:LONGEST_NAME], "goods_img_url": image} for line in order.lines.all()[:10]]
