"""What the demo shop sells, to whom, and by which roads. All of it is made up."""

from typing import NamedTuple


class Goods(NamedTuple):
    sku: str
    name: str
    price_fen: int
    category: str
    temperature_class: str = "frozen"


class Place(NamedTuple):
    province: str
    city: str
    district: str
    street: str
    days: float  # usual transit time from the shop's warehouse in 上海


GOODS = (
    Goods("FZ-XR-500", "青岛大虾仁 500g", 6990, "seafood"),
    Goods("FZ-NP-10", "原切西冷牛排 10 片", 19900, "meat"),
    Goods("FZ-YW-1K", "潮汕手打鱼丸 1kg", 4580, "prepared"),
    Goods("FZ-SJ-80", "荠菜猪肉水饺 80 只", 3990, "dim_sum"),
    Goods("FZ-TY-6", "黑芝麻汤圆 6 袋", 3600, "dim_sum"),
    Goods("FZ-DY-2", "舟山带鱼段 2kg", 8800, "seafood"),
    Goods("FZ-YR-2", "羔羊肉卷 2kg", 12800, "meat"),
    Goods("FZ-SWY-3", "挪威三文鱼排 3 份", 15900, "seafood"),
    Goods("FZ-JC-1", "新奥尔良鸡翅中 1kg", 5200, "prepared"),
    Goods("FZ-BQL-12", "海盐冰淇淋 12 支", 9900, "ice_cream"),
)

CATEGORIES = {
    "seafood": "海鲜水产",
    "meat": "牛羊肉",
    "prepared": "预制调理",
    "dim_sum": "面点汤圆",
    "ice_cream": "冰淇淋",
}

PLACES = (
    Place("上海市", "上海市", "浦东新区", "锦绣路", 0.9),
    Place("江苏省", "苏州市", "姑苏区", "人民路", 1.1),
    Place("浙江省", "杭州市", "西湖区", "文三路", 1.1),
    Place("江苏省", "南京市", "鼓楼区", "中山北路", 1.3),
    Place("安徽省", "合肥市", "政务区", "潜山路", 1.5),
    Place("湖北省", "武汉市", "洪山区", "珞喻路", 1.8),
    Place("北京市", "北京市", "朝阳区", "建国路", 2.0),
    Place("广东省", "广州市", "天河区", "体育东路", 2.0),
    Place("广东省", "深圳市", "南山区", "科苑路", 2.1),
    Place("四川省", "成都市", "武侯区", "人民南路", 2.4),
    Place("陕西省", "西安市", "雁塔区", "小寨东路", 2.5),
    Place("黑龙江省", "哈尔滨市", "南岗区", "西大直街", 3.4),
)

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = ("伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "艳", "勇", "子涵", "欣怡", "雨轩", "梓萱", "建国", "志明")

# our carrier code, how a waybill of it looks, share of parcels
CARRIERS = (("SF", "SF14{:011d}", 0.55), ("JD", "JDVD{:011d}", 0.25), ("ZTO", "7855{:010d}", 0.20))
