"""What WeChat takes of an upload, and which errcode it has for what it doesn't take."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from sandbox.wechat_base import ERRORS, Refused

EXPRESS, SAME_CITY, VIRTUAL, PICK_UP = 1, 2, 3, 4
UNIFIED, SPLIT = 1, 2
MOST_PARCELS, MOST_LETTERS, MOST_BYTES = 15, 120, 128
PRESALE, TEST = 1, 2
LEAST_DELAY, MOST_DELAY = 15 * 86_400, 330 * 86_400
MASKED = re.compile(r"(?:\+\d{1,3}-)?\d{0,4}-?\*{2,}\d{4}")
ERRORS.update(
    {
        10060001: "支付单不存在",
        10060002: "支付单已完成发货，无法继续发货",
        10060003: "支付单已使用重新发货机会",
        10060004: "支付单处于不可发货的状态",
        10060005: "物流类型有误",
        10060006: "非快递发货时不允许分拆发货",
        10060007: "分拆发货模式下必须填写 is_all_delivered 字段",
        10060008: "商品描述 item_desc 字段不能为空",
        10060009: "商品描述 item_desc 字段太长",
        10060011: "last_index不合法",
        10060013: "子单单号重复",
        10060014: "参数错误",
        10060023: "发货信息未更新",
        10060024: "物流信息列表太长",
        10060025: "物流公司编码太长",
        10060026: "物流单号太长",
        10060028: "支付单不是已发货状态",
        10060029: "签收时间非法",
        10060030: "支付单已使用提醒收货机会",
        10060031: "该笔支付单不属于 openid 所指定的用户",
        10060032: "只有物流快递发货时允许提醒用户确认收货",
        268485194: "订单单号类型非法",
        268485195: "微信支付单号形式下 transaction_id 字段不能为空",
        268485196: "商户侧单号形式下 mchid 字段不能为空",
        268485197: "商户侧单号形式下 out_trade_no 字段不能为空",
        268485216: "上传时间非法，请按照 RFC 3339 格式填写",
        268485224: "发货模式非法",
        268485226: "物流单号不能为空",
        268485227: "物流公司编码不能为空",
        268485228: "统一发货模式下，物流信息列表长度必须为 1",
        268485253: "主单的订单单号类型与子单的单号类型不一致",
        268546000: "type非法",
        268546001: "delay_to非法",
        268546002: "账户不存在这个待发货单号",
    }
)


def shipping_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told, as it is kept. Raises Refused."""
    kind, mode, listed = asked.get("logistics_type"), asked.get("delivery_mode"), asked.get("shipping_list")
    if kind not in (EXPRESS, SAME_CITY, VIRTUAL, PICK_UP):
        raise Refused(10060005 if isinstance(kind, int) and kind < 5 else 47001)
    if mode not in (UNIFIED, SPLIT):
        raise Refused(268485224)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise Refused(47001)
    if mode == UNIFIED and len(listed) != 1:
        raise Refused(268485228)
    if mode == SPLIT and kind != EXPRESS:
        raise Refused(10060006)
    if mode == SPLIT and not isinstance(asked.get("is_all_delivered"), bool):
        raise Refused(10060007)
    if not 1 <= len(listed) <= MOST_PARCELS:
        raise Refused(10060024 if listed else 10060014)
    for entry in listed:
        _check(entry, express=kind == EXPRESS)
    finish = mode == UNIFIED or bool(asked.get("is_all_delivered"))
    return {"logistics_type": kind, "delivery_mode": mode, "finish_shipping": finish, "shipping_list": listed}


def _check(entry: Mapping[str, Any], *, express: bool) -> None:
    number, company = str(entry.get("tracking_no") or ""), str(entry.get("express_company") or "")
    goods, contact = str(entry.get("item_desc") or ""), entry.get("contact") or {}
    if express and not number:
        raise Refused(268485226)
    if express and not company:
        raise Refused(268485227)
    if len(number.encode()) > MOST_BYTES:
        raise Refused(10060026)
    if len(company.encode()) > MOST_BYTES:
        raise Refused(10060025)
    if not goods:
        raise Refused(10060008)
    if len(goods) > MOST_LETTERS:
        raise Refused(10060009)
    told = [str(contact[name]) for name in ("consignor_contact", "receiver_contact") if contact.get(name)]
    if (company == "SF" and not told) or not all(MASKED.fullmatch(one) for one in told):
        raise Refused(10060014, "contact")


def same(known: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    return all(known[name] == told[name] for name in ("logistics_type", "delivery_mode", "shipping_list")) and (
        known["finish_shipping"] or not told["finish_shipping"]
    )


def instant_of(text: Any) -> float:
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused(268485216) from None
    if found.tzinfo is None:
        raise Refused(268485216)
    return found.timestamp()


def delay_of(asked: Mapping[str, Any], pay_time: float) -> float:
    """Return until when a special order is late; 0 for a test. Raises Refused."""
    kind, delay_to = asked.get("type"), asked.get("delay_to")
    if kind not in (PRESALE, TEST):
        raise Refused(268546000)
    if kind == TEST:
        return 0.0
    if not isinstance(delay_to, int) or not LEAST_DELAY <= delay_to - pay_time <= MOST_DELAY:
        raise Refused(268546001)
    return float(delay_to)
