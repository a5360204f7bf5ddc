"""An order as the shop sends it: strictly read, or refused with a sentence for each field."""

import datetime as dt
import re
from dataclasses import dataclass

from frozenshop.kernel.errors import Invalid
from orders import phones
from orders.consignee import Consignee
from orders.facts import BEFORE_PLACED
from orders.models import OrderStatus, TemperatureClass
from orders.reading import Reader, raise_if

MAX_LINES = 200
MAX_QUANTITY = 100_000
# `counts` and `statuses` are paths of the buyers' API beside /api/orders/{order_no}.
RESERVED_ORDER_NOS = frozenset({"counts", "statuses"})

ORDER_NO_RULE = "订单号为 1–64 位字母、数字和 . _ -，以字母或数字开头，不能是 counts 或 statuses"
_ORDER_NO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WORD = re.compile(r"[\x21-\x7e]{1,64}")
_SHORT_WORD = re.compile(r"[\x21-\x7e]{1,32}")
_WORD_RULE = "应为 {} 位以内的字母、数字或符号，不含空格"

_FIELDS = (
    "order_no", "placed_at", "paid_at", "buyer_openid", "payment", "total_fen", "freight_fen", "discount_fen",
    "updated_at", "consignee", "lines", "promised_by", "note",
)  # fmt: skip
_CONSIGNEE_FIELDS = ("name", "phone", "province", "city", "district", "address")
_LINE_FIELDS = ("sku", "name", "quantity", "unit_price_fen", "category", "temperature_class")
_PAYMENT_FIELDS = ("transaction_id", "mchid", "out_trade_no", "combine_mchid", "combine_out_trade_no")


@dataclass(frozen=True, slots=True)
class LineInput:
    """`temperature_class` None: as the product or the category says."""

    sku: str
    name: str
    quantity: int
    unit_price_fen: int
    category: str = ""
    temperature_class: TemperatureClass | None = None


@dataclass(frozen=True, slots=True)
class OrderInput:
    """What was understood. None means "not said": what is known stays; "" clears."""

    order_no: str
    placed_at: dt.datetime
    consignee: Consignee
    lines: tuple[LineInput, ...]
    paid_at: dt.datetime | None = None
    buyer_openid: str | None = None
    transaction_id: str | None = None
    mchid: str | None = None
    out_trade_no: str | None = None
    combine_mchid: str | None = None
    combine_out_trade_no: str | None = None
    total_fen: int | None = None
    freight_fen: int | None = None
    discount_fen: int | None = None
    updated_at: dt.datetime | None = None
    promised_by: dt.datetime | None = None
    note: str | None = None


def is_order_no(text: object) -> bool:
    """Say whether a value can be an order number."""
    return isinstance(text, str) and bool(_ORDER_NO.fullmatch(text)) and text not in RESERVED_ORDER_NOS


def parse_order(payload: object) -> OrderInput:
    """Read the JSON of one order. Raises Invalid with every field's sentence, and nothing else."""
    errors: dict[str, str] = {}
    reader = Reader(payload, errors)
    raise_if(errors)
    reader.known(_FIELDS)
    payment = reader.child("payment") if reader.given("payment") else Reader({}, errors, "payment")
    payment.known(_PAYMENT_FIELDS)
    placed_at, paid_at = reader.instant("placed_at"), reader.optional_instant("paid_at")
    order = OrderInput(
        order_no=_order_no(reader),
        placed_at=placed_at,
        paid_at=paid_at,
        buyer_openid=reader.key("buyer_openid", _WORD, _WORD_RULE.format(64)),
        transaction_id=payment.key("transaction_id", _WORD, _WORD_RULE.format(64)),
        mchid=payment.key("mchid", _SHORT_WORD, _WORD_RULE.format(32)),
        out_trade_no=payment.key("out_trade_no", _WORD, _WORD_RULE.format(64)),
        combine_mchid=payment.key("combine_mchid", _SHORT_WORD, _WORD_RULE.format(32)),
        combine_out_trade_no=payment.key("combine_out_trade_no", _WORD, _WORD_RULE.format(64)),
        total_fen=reader.optional_fen("total_fen"),
        freight_fen=reader.optional_fen("freight_fen"),
        discount_fen=reader.optional_fen("discount_fen"),
        updated_at=reader.optional_instant("updated_at"),
        consignee=_consignee(reader.child("consignee")),
        lines=_lines(reader),
        promised_by=reader.optional_instant("promised_by"),
        note=reader.optional_text("note", 500, lines=True),
    )
    if paid_at is not None and paid_at + BEFORE_PLACED < placed_at:
        reader.refuse("paid_at", "付款时间早于下单时间一天以上")
    if order.combine_out_trade_no and not order.out_trade_no:
        # WeChat wants the order's own number in the same form as the number above it.
        payment.refuse("out_trade_no", "合单支付的订单必填：这个订单自己的商户订单号（子单）")
    raise_if(errors)
    return order


def _order_no(reader: Reader) -> str:
    value = reader.values.get("order_no")
    if isinstance(value, str) and is_order_no(value):
        return value
    reader.refuse("order_no", "必填" if value is None else ORDER_NO_RULE)
    return ""


def _consignee(reader: Reader) -> Consignee:
    reader.known(_CONSIGNEE_FIELDS)
    phone = reader.text("phone", 40)
    if phone:
        try:
            phone = phones.normalise(phone)
        except Invalid as problem:
            reader.refuse("phone", problem.message)
    return Consignee(
        name=reader.text("name", 50),
        phone=phone,
        province=reader.text("province", 40),
        city=reader.text("city", 40),
        # 东莞、中山、儋州 and other cities have no districts.
        district=reader.text("district", 40, empty=True),
        address=reader.text("address", 200),
    )


def _lines(reader: Reader) -> tuple[LineInput, ...]:
    lines = reader.values.get("lines")
    if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
        reader.refuse("lines", "必填" if lines is None else f"应为 1–{MAX_LINES} 条明细")
        return ()
    return tuple(_line(Reader(line, reader.errors, f"lines.{index}")) for index, line in enumerate(lines))


def _line(reader: Reader) -> LineInput:
    reader.known(_LINE_FIELDS)
    return LineInput(
        sku=reader.text("sku", 64),
        name=reader.text("name", 120),
        quantity=read_quantity(reader),
        unit_price_fen=reader.fen("unit_price_fen"),
        category=reader.optional_text("category", 40) or "",
        temperature_class=_temperature_class(reader),
    )


def read_quantity(reader: Reader) -> int:
    """Return how many of something a line holds."""
    return reader.number("quantity", range(1, MAX_QUANTITY + 1), f"应为 1–{MAX_QUANTITY} 的整数")


def _temperature_class(reader: Reader) -> TemperatureClass | None:
    value = reader.values.get("temperature_class")
    if value is None:
        return None
    if isinstance(value, str) and value in TemperatureClass.values:
        return TemperatureClass(value)
    reader.refuse("temperature_class", f"应为 {'、'.join(TemperatureClass.values)} 之一")
    return None


def parse_status(text: str) -> OrderStatus:
    """Read an order status from a closed list. Raises Invalid."""
    try:
        return OrderStatus(text)
    except ValueError as error:
        raise Invalid(fields={"status": f"应为 {'、'.join(OrderStatus.values)} 之一"}) from error
