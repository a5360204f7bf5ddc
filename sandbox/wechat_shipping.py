"""WeChat's (发货信息管理): a payment waits for its shipping to be told, then for the buyer, and settles."""

import base64
import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from sandbox.payments import Payment, PaymentBook
from sandbox.wechat_base import ERRORS, Platform, Refused, Routes, ok

TO_SHIP, SHIPPED, CONFIRMED, SETTLED, REFUNDED, SETTLING = 1, 2, 3, 4, 5, 6
EXPRESS, SAME_CITY, VIRTUAL, PICK_UP = 1, 2, 3, 4
UNIFIED, SPLIT = 1, 2
MOST_PARCELS, MOST_LETTERS, MOST_BYTES = 15, 120, 128
PAGE = 100
DAY = 86_400.0
REMINDED_AFTER = 2 * DAY
OTHERS_DAYS = 2.0
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
    }
)


@dataclasses.dataclass
class Manners:
    """How the payments are settled. `managed`: whether this program's money is held back until shipping is told.

    `days`: from shipping to the settlement that comes by itself, of express. `delay_seconds`: after how long a new
    payment is found.
    """

    managed: bool = True
    days: float = dataclasses.field(default=10.0, metadata={"least": 0.0001, "most": 60})
    delay_seconds: float = dataclasses.field(default=0.0, metadata={"least": 0, "most": 3600})


class Shipping:
    """Callers hold the world's lock."""

    def __init__(self, platform: Platform, book: PaymentBook) -> None:
        self._platform, self.book, self.manners = platform, book, Manners()

    def routes(self) -> Routes:
        base = "/wxa/sec/order/"
        return {
            f"{base}upload_shipping_info": ("POST", self._upload),
            f"{base}get_order": ("POST", self._get),
            f"{base}get_order_list": ("POST", self._list),
            f"{base}notify_confirm_receive": ("POST", self._nudge),
            f"{base}is_trade_managed": ("POST", self._managed),
            f"{base}is_trade_management_confirmation_completed": ("POST", self._completed),
            f"{base}set_msg_jump_path": ("POST", self._jump),
        }

    # --- what people do ---------------------------------------------------------------------------

    def pay(self, *payments: Payment) -> None:
        """Take payments; one that is known stays as it is."""
        new = [one for one in payments if self.book.find(trade=one.trade) is None]
        for payment in new:
            payment.look_at = payment.pay_time + REMINDED_AFTER
        self.book.save(*new)

    def confirm(self, payment: Payment, method: int = 2) -> None:
        """The buyer confirms, or WeChat does (1): the money is released at once."""
        if payment.state != SHIPPED:
            raise Refused(10060028)
        now = self._platform.clock()
        payment.state, payment.confirmed_at, payment.look_at = SETTLED, now, None
        if payment.in_complaint:
            payment.state = SETTLING
        self.book.save(payment)
        settled = {"settlement_time": int(now)} if payment.state == SETTLED else {}
        self._settlement(payment, {"confirm_receive_method": method, "confirm_receive_time": int(now), **settled})

    def refund(self, payment: Payment) -> None:
        payment.state, payment.look_at = REFUNDED, None
        self.book.save(payment)

    def complain(self, payment: Payment, *, in_complaint: bool) -> None:
        payment.in_complaint = in_complaint
        if payment.state == SETTLING and not in_complaint:
            payment.state = SETTLED
            self._settlement(payment, {"settlement_time": int(self._platform.clock())})
        self.book.save(payment)

    def manage(self, *, managed: bool) -> None:
        """WeChat takes a program in, and says so."""
        if managed and not self.manners.managed:
            event = {
                "FromUserName": "oPlatform",
                "Event": "trade_manage_remind_access_api",
                "msg": "请接入发货信息管理",
            }
            self._platform.push(event)
        self.manners.managed = managed

    def tick(self) -> None:
        """Do what happens by itself: the reminder after 48 hours, the settlement after some days."""
        now = self._platform.clock()
        for payment in self.book.due(now):
            if payment.state == SHIPPED and not payment.in_complaint:
                self.confirm(payment, method=1)
            elif payment.state == TO_SHIP and not payment.reminded:
                self._remind(payment)
            else:
                payment.look_at = now + 60 if payment.state == SHIPPED else None
                self.book.save(payment)

    def _remind(self, payment: Payment) -> None:
        payment.reminded, payment.look_at = True, None
        self.book.save(payment)
        self._push(payment, "trade_manage_remind_shipping", {"msg": "支付已超过 48 小时，请尽快发货"})

    def _settlement(self, payment: Payment, more: Mapping[str, Any]) -> None:
        self._push(payment, "trade_manage_order_settlement", {"shipped_time": int(payment.shipped_at), **more})

    def _push(self, payment: Payment, name: str, more: Mapping[str, Any]) -> None:
        named = {
            "transaction_id": payment.transaction_id, "merchant_id": payment.mchid, "sub_merchant_id": "",
            "merchant_trade_no": payment.out_trade_no, "pay_time": int(payment.pay_time),
        }  # fmt: skip
        self._platform.push({"FromUserName": "oPlatform", "Event": name, **named, **more})

    # --- what the merchant's server asks ----------------------------------------------------------

    def _upload(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        payment = self._of_key(asked.get("order_key"))
        try:
            payer = asked.get("payer")
            if not isinstance(payer, dict) or payer.get("openid") != payment.openid:
                raise Refused(10060031)
            self._apply(payment, _shipping(asked), _instant(asked.get("upload_time")))
        except Refused as refusal:
            payment.unchanged += refusal.errcode == 10060023
            payment.refused += refusal.errcode != 10060023
            self.book.save(payment)
            raise
        return ok()

    def _apply(self, payment: Payment, told: dict[str, Any], at: float) -> None:
        """Take what is told; after all was told once more only, and never what is older than the last."""
        if payment.state == REFUNDED:
            raise Refused(10060004)
        if payment.shipping and _same(payment.shipping, told):
            raise Refused(10060023)
        if payment.state in (CONFIRMED, SETTLED, SETTLING):
            raise Refused(10060002)
        if payment.finished >= 2:
            raise Refused(10060003)
        if at <= payment.upload_time:
            raise Refused(268485216)
        first = not payment.finished
        payment.shipping, payment.upload_time = told, at
        payment.uploads += 1
        if told["finish_shipping"] or payment.finished:
            self._finish(payment, first=first)
        self.book.save(payment)

    def _finish(self, payment: Payment, *, first: bool) -> None:
        now = self._platform.clock()
        payment.finished, payment.state = payment.finished + 1, SHIPPED
        if not first:
            return
        days = self.manners.days * (1 if payment.shipping["logistics_type"] == EXPRESS else OTHERS_DAYS / 10)
        payment.shipped_at, payment.look_at = now, now + days * DAY
        self._settlement(payment, {"estimated_settlement_time": int(payment.look_at)})

    def _get(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        return ok(order=self._shown(self._of_names(asked)))

    def _list(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        span = asked.get("pay_time_range") or {}
        after, size = _index(asked.get("last_index")), min(int(asked.get("page_size") or PAGE), PAGE)
        found = self.book.page(
            after, size + 1, float(span.get("begin_time") or 0), float(span.get("end_time") or 10**11),
            state=int(asked.get("order_state") or 0), openid=str(asked.get("openid") or ""),
        )  # fmt: skip
        page, more = found[:size], len(found) > size
        last = base64.urlsafe_b64encode(f"payment:{page[-1].id}".encode()).decode() if page else ""
        return ok(order_list=[self._shown(payment) for payment in page], last_index=last, has_more=more)

    def _nudge(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        payment, received = self._of_names(asked), asked.get("received_time")
        if payment.state != SHIPPED:
            raise Refused(10060028)
        if payment.shipping["logistics_type"] != EXPRESS:
            raise Refused(10060032)
        if not isinstance(received, int) or received < int(payment.shipped_at):
            raise Refused(10060029)
        if payment.nudged:
            raise Refused(10060030)
        payment.nudged += 1
        self.book.save(payment)
        return ok()

    def _managed(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        if self._asked(query, body).get("appid") != self._platform.config.wechat_appid:
            raise Refused(40013)
        return ok(is_trade_managed=self.manners.managed)

    def _completed(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._asked(query, body)
        return ok(completed=self.manners.managed)

    def _jump(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        if not isinstance(self._asked(query, body).get("path"), str):
            raise Refused(10060014)
        return ok()

    def _asked(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._platform.check_token(query)
        if not isinstance(body, dict):
            raise Refused(44002 if body is None else 47001)
        return body

    def _of_key(self, key: Any) -> Payment:
        if not isinstance(key, dict):
            raise Refused(47001)
        if key.get("order_number_type") == 2:
            if not key.get("transaction_id"):
                raise Refused(268485195)
            return self._seen(self.book.find(transaction_id=str(key["transaction_id"])))
        if key.get("order_number_type") != 1:
            raise Refused(268485194)
        if not key.get("mchid"):
            raise Refused(268485196)
        if not key.get("out_trade_no"):
            raise Refused(268485197)
        return self._seen(self.book.find(trade=f"{key['mchid']}/{key['out_trade_no']}"))

    def _of_names(self, asked: Mapping[str, Any]) -> Payment:
        if asked.get("transaction_id"):
            return self._seen(self.book.find(transaction_id=str(asked["transaction_id"])))
        if not (asked.get("merchant_id") and asked.get("merchant_trade_no")):
            raise Refused(10060014)
        return self._seen(self.book.find(trade=f"{asked['merchant_id']}/{asked['merchant_trade_no']}"))

    def _seen(self, payment: Payment | None) -> Payment:
        """A payment is not in WeChat's own books at once."""
        if payment is None or payment.visible_at > self._platform.clock():
            raise Refused(10060001)
        return payment

    def _shown(self, payment: Payment) -> dict[str, Any]:
        told = payment.shipping
        goods = ";".join(str(entry["item_desc"]) for entry in told.get("shipping_list", ()))
        return {
            "transaction_id": payment.transaction_id,
            "merchant_trade_no": payment.out_trade_no,
            "merchant_id": payment.mchid,
            "sub_merchant_id": "",
            "description": goods if len(goods) <= MOST_LETTERS else f"{goods[:MOST_LETTERS]}...",
            "paid_amount": payment.paid_fen,
            "openid": payment.openid,
            "trade_create_time": int(payment.pay_time) - 5,
            "pay_time": int(payment.pay_time),
            "order_state": payment.state,
            "in_complaint": payment.in_complaint,
            "shipping": _record(payment, goods) if told else {},
        }


def _record(payment: Payment, goods: str) -> dict[str, Any]:
    told = payment.shipping
    return {
        "delivery_mode": told["delivery_mode"],
        "logistics_type": told["logistics_type"],
        "finish_shipping": bool(payment.finished),
        "finish_shipping_count": payment.finished,
        "goods_desc": goods[:MOST_LETTERS],
        "shipping_list": [
            {
                "tracking_no": entry.get("tracking_no", ""),
                "express_company": entry.get("express_company", ""),
                "goods_desc": entry["item_desc"],
                "upload_time": int(payment.upload_time),
                **({"contact": entry["contact"]} if entry.get("contact") else {}),
            }
            for entry in told["shipping_list"]
        ],
    }


def _shipping(asked: Mapping[str, Any]) -> dict[str, Any]:
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


def _same(known: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    return all(known[name] == told[name] for name in ("logistics_type", "delivery_mode", "shipping_list")) and (
        known["finish_shipping"] or not told["finish_shipping"]
    )


def _instant(text: Any) -> float:
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused(268485216) from None
    if found.tzinfo is None:
        raise Refused(268485216)
    return found.timestamp()


def _index(text: Any) -> int:
    if not text:
        return 0
    try:
        name, _, number = base64.urlsafe_b64decode(str(text)).decode().partition(":")
        if name == "payment":
            return int(number)
    except ValueError:
        pass
    raise Refused(10060011)
