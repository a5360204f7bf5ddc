"""What can be imported, and which columns that takes, with the names that other shops' exports give them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orders.importing import COLUMNS, OPTIONAL

LABELS: Mapping[str, str] = MappingProxyType({**COLUMNS, "old_waybill_no": "原运单号", "reason": "原因"})

_SYNONYMS = {
    "order_no": (
        "订单编号|商家订单号|店铺订单号|商户订单号|外部订单号|平台订单号|原始单号|订单号码|"
        "订单id|单号|order id|orderid|order number"
    ),
    "placed_at": "下单日期|订单创建时间|创建时间|订单时间|拍下时间|提交时间|created at|order time",
    "paid_at": "支付时间|订单付款时间|买家付款时间|付款日期|支付完成时间|paid at|pay time",
    "consignee_name": "收货人|收货人姓名|收件人姓名|收件人名称|买家姓名|客户姓名|姓名|联系人|receiver|name",
    "consignee_phone": (
        "联系电话|收货人手机|收货人手机号|收货人电话|收件人手机|收件人手机号|收件人电话|联系手机|"
        "手机|手机号码|电话|收货电话|phone|mobile|tel"
    ),
    "province": "省份|收货省份|收件省|省/直辖市|state",
    "city": "城市|收货城市|收件市|地市",
    "district": "区县|区/县|收货区县|收件区|地区",
    "address": "收货地址|收件地址|收件人地址|收货人地址|地址|街道地址|详细收货地址",
    "sku": "sku编码|规格编码|商家编码|货号|商品货号|商品sku|商品代码|条码|商品条码|sku code",
    "product_name": "商品|品名|商品标题|宝贝标题|货品名称|产品名称|商品规格|product",
    "quantity": "商品数量|购买数量|件数|下单数量|qty",
    "unit_price": "商品单价|价格|商品价格|售价|单价(元)|单价（元）|price",
    "carrier_code": "物流公司|快递公司|承运公司|快递|快递名称|物流|物流商|发货快递|配送方式|carrier|express",
    "waybill_no": (
        "快递单号|物流单号|快递编号|物流编号|面单号|发货单号|新运单号|新快递单号|正确运单号|"
        "运单编号|tracking number|tracking no|waybill"
    ),
    "shipped_at": "发货日期|出库时间|寄件时间|揽件时间|shipped at|ship time",
    "old_waybill_no": "旧运单号|错误运单号|原快递单号|原物流单号|旧快递单号|old waybill|old_waybill",
    "reason": "更正原因|备注|说明|作废原因",
}
SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(names.split("|")) for name, names in _SYNONYMS.items()}
)


@dataclass(frozen=True, slots=True)
class What:
    """One kind of spreadsheet. `needed`: right to run it."""

    name: str
    label: str
    columns: tuple[str, ...]
    optional: frozenset[str]
    needed: str
    about: str

    @property
    def required(self) -> list[str]:
        return [name for name in self.columns if name not in self.optional]


WHATS: Mapping[str, What] = MappingProxyType(
    {
        what.name: what
        for what in (
            What(
                "orders",
                "订单",
                tuple(COLUMNS),
                OPTIONAL,
                "orders.add_order",
                "每行一条商品明细；同一订单号的各行是一个订单。可以带付款时间和运单。",
            ),
            What(
                "waybills",
                "运单（按文件发货）",
                ("order_no", "carrier_code", "waybill_no", "shipped_at"),
                frozenset({"carrier_code", "shipped_at"}),
                "orders.change_order",
                "每行一个已付款的订单和它的运单，发出全部未发商品。没有承运商一列时，按单号的样子认。",
            ),
            What(
                "corrections",
                "运单更正",
                ("order_no", "old_waybill_no", "carrier_code", "waybill_no", "reason"),
                frozenset({"old_waybill_no", "carrier_code", "reason"}),
                "orders.change_order",
                "每行一个订单和它正确的运单号；首次扫描前有效。有多个包裹的订单要写原运单号。",
            ),
        )
    }
)


def names_of(field: str) -> set[str]:
    """Return all headings under which a column is known, in the form of `plain`."""
    return {plain(name) for name in (field, LABELS[field], *SYNONYMS.get(field, ()))}


def plain(heading: str) -> str:
    """Return a heading without what doesn't tell it apart: case, blanks, marks of required columns."""
    return "".join(heading.lower().split()).strip("*＊:：").replace("_", "")
