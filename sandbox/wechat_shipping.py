"""WeChat's (发货信息管理): a payment waits for its shipping to be told, then for the buyer, and settles."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.payments import Payment, PaymentBook
from sandbox.wechat_base import Platform, Refused, Routes, ok
from sandbox.wechat_shipping_rules import EXPRESS, MOST_LETTERS, delay_of, instant_of, same, shipping_of

TO_SHIP, SHIPPED, CONFIRMED, SETTLED, REFUNDED, SETTLING = 1, 2, 3, 4, 5, 6
MOST_ORDERS = 50
PAGE = 100
DAY = 86_400.0
REMINDED_AFTER = 2 * DAY
OTHERS_DAYS = 2.0


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
            f"{base}upload_combined_shipping_info": ("POST", self._upload_combined),
            f"{base}opspecialorder": ("POST", self._special),
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
        if payment.combined:
            raise Refused(10060014, "合单支付")  # assumed: the page only says which call is for which payment
        self._take_all(asked, [(payment, asked)])
        return ok()

    def _upload_combined(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """All payments below a combined one that are named, or none of them. Each has its own re-shipping."""
        asked = self._asked(query, body)
        key, listed = asked.get("order_key"), asked.get("sub_orders")
        if not isinstance(key, dict) or not isinstance(listed, list) or not all(isinstance(o, dict) for o in listed):
            raise Refused(47001)
        if not 1 <= len(listed) <= MOST_ORDERS:
            raise Refused(10060014, "sub_orders")
        kinds = {one["order_key"].get("order_number_type") for one in listed if isinstance(one.get("order_key"), dict)}
        if kinds != {key.get("order_number_type")}:
            raise Refused(268485253)
        parts = [(self._of_key(one.get("order_key")), one) for one in listed]
        if len({payment.trade for payment, _ in parts}) < len(parts):
            raise Refused(10060013)
        if any(payment.combined != f"{key.get('mchid')}/{key.get('out_trade_no')}" for payment, _ in parts):
            raise Refused(10060001)
        self._take_all(asked, parts)
        return ok()

    def _special(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """A payment that is shipped late (presale) or never (a test), said before WeChat reminds of it."""
        asked = self._asked(query, body)
        number, mchid = str(asked.get("order_id") or ""), self._platform.config.wechat_mchid
        payment = self.book.find(transaction_id=number) or self.book.find(trade=f"{mchid}/{number}")
        if payment is None or payment.visible_at > self._platform.clock() or payment.state != TO_SHIP:
            raise Refused(268546002)
        payment.delay_to = delay_of(asked, payment.pay_time)
        payment.special, payment.look_at = int(asked["type"]), payment.delay_to or None
        payment.specials += 1
        self.book.save(payment)
        return ok()

    def _take_all(self, asked: Mapping[str, Any], parts: Sequence[tuple[Payment, Mapping[str, Any]]]) -> None:
        payments = [payment for payment, _ in parts]
        try:
            payer = asked.get("payer")
            if not isinstance(payer, dict) or any(payer.get("openid") != payment.openid for payment in payments):
                raise Refused(10060031)
            at = instant_of(asked.get("upload_time"))
            told = [(payment, shipping_of(one)) for payment, one in parts]
            if any(payment.state == REFUNDED for payment in payments):
                raise Refused(10060004)
            if all(payment.shipping and same(payment.shipping, one) for payment, one in told):
                raise Refused(10060023)
            for payment, _ in told:
                _refuse(payment, at)
        except Refused as refusal:
            for payment in payments:
                payment.unchanged += refusal.errcode == 10060023
                payment.refused += refusal.errcode != 10060023
            self.book.save(*payments)
            raise
        for payment, one in told:
            self._take(payment, one, at)

    def _take(self, payment: Payment, told: dict[str, Any], at: float) -> None:
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


def _refuse(payment: Payment, at: float) -> None:
    """After all was told once more only, and never what is older than the last. Raises Refused."""
    if payment.state in (CONFIRMED, SETTLED, SETTLING):
        raise Refused(10060002)
    if payment.finished >= 2:
        raise Refused(10060003)
    if at <= payment.upload_time:
        raise Refused(268485216)


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
