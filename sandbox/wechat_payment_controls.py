"""The controls of WeChat's payments: who pays, confirms, complains and is refunded; and what was told of each."""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.controls import BadControl, choice, flag, known_fields, number, set_manners, text
from sandbox.payments import Payment
from sandbox.wechat_base import Refused
from sandbox.wechat_shipping import Shipping
from sandbox.world import World

MOST, SHOWN = 2000, 200
FIELDS = (
    "transaction_id", "mchid", "out_trade_no", "combine_out_trade_no", "openid", "paid_fen", "pay_time",
    "visible_after",
)  # fmt: skip
NAMES = ("transaction_id", "mchid", "out_trade_no")


def pay(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One payment, or a list under `payments`. `pay_time`: Unix seconds, now unless told."""
    known_fields(asked, "payments", *FIELDS)
    listed = asked.get("payments", [asked])
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST or not all(isinstance(o, dict) for o in listed):
        raise BadControl("payments", f"要填 1–{MOST} 笔支付的列表")
    payments = [_payment(world, one) for one in listed]
    world.wechat.shipping.pay(*payments)
    return {"payments": [{name: getattr(payment, name) for name in NAMES} for payment in payments]}


def payments(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One payment by its names, else the newest; `states` and `uploads` count all of them."""
    known_fields(asked, *NAMES)
    book = world.wechat.shipping.book
    found = [_named(world, asked)] if asked else book.newest(SHOWN)
    return {
        "payments": [dataclasses.asdict(payment) for payment in found],
        "states": book.counts("state"),
        "uploads": book.counts("uploads"),
    }


def settle(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """How WeChat manages this program's trade."""
    shipping = world.wechat.shipping
    managed = flag(asked, "managed", default=shipping.manners.managed)
    set_manners(shipping.manners, {name: value for name, value in asked.items() if name != "managed"})
    shipping.manage(managed=managed)
    return dataclasses.asdict(shipping.manners)


def act(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`act`: confirm (the buyer does), refund, complain, or appease."""
    known_fields(asked, "act", *NAMES)
    shipping, payment = world.wechat.shipping, _named(world, asked)
    acts: dict[str, Callable[[], None]] = {
        "confirm": lambda: _confirm(shipping, payment),
        "refund": lambda: shipping.refund(payment),
        "complain": lambda: shipping.complain(payment, in_complaint=True),
        "appease": lambda: shipping.complain(payment, in_complaint=False),
    }
    acts[choice(asked, "act", acts)]()
    return dataclasses.asdict(payment)


def _confirm(shipping: Shipping, payment: Payment) -> None:
    try:
        shipping.confirm(payment)
    except Refused as refusal:
        raise BadControl("act", refusal.errmsg) from None


def _payment(world: World, asked: Mapping[str, Any]) -> Payment:
    known_fields(asked, *FIELDS)
    now, manners = world.clock(), world.wechat.shipping.manners
    pay_time = number(asked, "pay_time", default=now, least=0, most=10**11)
    delay = number(asked, "visible_after", default=manners.delay_seconds, least=0, most=10**8)
    mchid, above = (
        text(asked, "mchid", default=world.config.wechat_mchid),
        text(asked, "combine_out_trade_no", default=""),
    )
    number_ = text(asked, "transaction_id", default="") or f"4200{secrets.randbelow(10**24):024}"
    return Payment(
        transaction_id=number_,
        mchid=mchid,
        combined=f"{mchid}/{above}" if above else "",
        out_trade_no=text(asked, "out_trade_no", default="") or f"P{number_[-20:]}",
        openid=text(asked, "openid"),
        pay_time=pay_time,
        visible_at=pay_time + delay,
        paid_fen=int(number(asked, "paid_fen", default=0, least=0, most=10**12)),
    )


def _named(world: World, asked: Mapping[str, Any]) -> Payment:
    mchid = text(asked, "mchid", default=world.config.wechat_mchid)
    found = world.wechat.shipping.book.find(
        transaction_id=text(asked, "transaction_id", default=""),
        trade=f"{mchid}/{text(asked, 'out_trade_no', default='')}",
    )
    if found is None:
        raise BadControl("transaction_id", "没有这笔支付")
    return found


CONTROLS: Mapping[tuple[str, str], Callable[[World, Mapping[str, Any]], Any]] = {
    ("POST", "/wechat/payments"): pay,
    ("GET", "/wechat/payments"): payments,
    ("POST", "/wechat/payments/act"): act,
    ("PUT", "/wechat/settlement"): settle,
}
"""By verb and path, as those of the messages."""
