"""What the demo shop sells, to whom, and what becomes of its orders. Every name and number is made up."""

import dataclasses
from typing import NamedTuple


class Goods(NamedTuple):
    sku: str
    name: str
    price_fen: int
    category: str


class Person(NamedTuple):
    name: str
    phone: str
    province: str
    city: str
    district: str
    address: str


GOODS = (
    Goods("FZ-XR-500", "青岛大虾仁 500g", 6990, "seafood"),
    Goods("FZ-NP-10", "原切西冷牛排 10 片", 19900, "meat"),
    Goods("FZ-YW-1K", "潮汕手打鱼丸 1kg", 4580, "prepared"),
    Goods("FZ-SJ-80", "荠菜猪肉水饺 80 只", 3990, "dim_sum"),
    Goods("FZ-TY-6", "黑芝麻汤圆 6 袋", 3600, "dim_sum"),
    Goods("FZ-DY-2", "舟山带鱼段 2kg", 8800, "seafood"),
    Goods("FZ-YR-2", "羔羊肉卷 2kg", 12800, "meat"),
    Goods("FZ-BQL-12", "海盐冰淇淋 12 支", 9900, "ice_cream"),
)
BUYER = Person("林小满", "", "上海市", "上海市", "浦东新区", "锦绣路 1001 弄 8 号 602 室")
PEOPLE = (
    Person("陈思远", "13800000101", "北京市", "北京市", "朝阳区", "建国路 88 号 3 单元 1201"),
    Person("黄雨桐", "13900000102", "广东省", "广州市", "天河区", "体育东路 120 号 15B"),
    Person("何嘉欣", "13800000103", "广东省", "深圳市", "南山区", "科苑路 9 号 2 栋 806"),
    Person("罗建国", "13900000104", "四川省", "成都市", "武侯区", "人民南路四段 27 号"),
    Person("沈清和", "13800000105", "浙江省", "杭州市", "西湖区", "文三路 256 号 4 幢 301"),
    Person("胡志明", "13900000106", "湖北省", "武汉市", "洪山区", "珞喻路 1037 号"),
    Person("马晓燕", "13800000107", "陕西省", "西安市", "雁塔区", "小寨东路 126 号 2003"),
    Person("宋子涵", "13900000108", "江苏省", "南京市", "鼓楼区", "中山北路 32 号 5 幢"),
    Person("郭雪", "13800000109", "黑龙江省", "哈尔滨市", "南岗区", "西大直街 92 号"),
)
# our carrier code, and how its waybills look
CARRIERS = (("SF", "SF14{:011d}"), ("JD", "JDVD{:011d}"), ("ZTO", "7855{:010d}"))


@dataclasses.dataclass(frozen=True)
class Archetype:
    """`pay`, `cancel`, `refund`, `ship`: seconds after the order was placed, nothing where it never comes.

    `seconds`: how long the parcel's whole scenario takes. `ends`: the order status in which it stays.
    """

    title: str
    ends: str
    pay: float | None = None
    cancel: float | None = None
    refund: float | None = None
    ship: float | None = None
    scenario: str = ""
    seconds: float = 60
    parcels: int = 1


def _shipped(title: str, ends: str, scenario: str, seconds: float, *, parcels: int = 1) -> Archetype:
    return Archetype(title, ends, pay=8, ship=18, scenario=scenario, seconds=seconds, parcels=parcels)


# In this order: those that move stand between those that don't, so that something moves every minute.
# Twelve, so that any 25 orders of the demo buyer hold each at least twice, once long settled.
BUYERS = (
    _shipped("很快送达", "delivered", "normal", 55),
    _shipped("拒收退回", "returned", "returned", 60),
    _shipped("先问题后签收", "delivered", "problem_then_signed", 75),
    Archetype("一直没有付款", "placed"),
    _shipped("放快递柜超时", "delivered", "locker", 80),
    Archetype("已付款还没发货", "paid", pay=12),
    _shipped("暴雪延误", "delivered", "cold_weather", 85),
    Archetype("取消", "cancelled", cancel=20),
    _shipped("在途后没有消息", "in_transit", "silent", 38),
    Archetype("付款后退款", "refunded", pay=8, refund=32),
    _shipped("分两件发货", "delivered", "multi_parcel", 70, parcels=2),
    _shipped("发货后暂无轨迹", "shipped", "no_trace", 60),
)
OTHERS = (
    _shipped("很快送达", "delivered", "normal", 50),
    _shipped("运输缓慢", "delivered", "slow", 600),
    _shipped("单号填错", "shipped", "wrong_number", 60),
    _shipped("回收使用的单号", "delivered", "recycled", 70),
    Archetype("已付款还没发货", "paid", pay=12),
    _shipped("先问题后签收", "delivered", "problem_then_signed", 120),
    _shipped("分两件发货", "delivered", "multi_parcel", 90, parcels=2),
    _shipped("拒收退回", "returned", "returned", 120),
)
