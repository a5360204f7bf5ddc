"""Fictitious couriers on real routes. Numbers are of the 1380000/1390000 blocks, which nobody answers."""

import dataclasses
import random

HUBS = {
    "大连市": "大连甘井子集散中心",
    "青岛市": "青岛城阳冷链中心",
    "湛江市": "湛江霞山转运中心",
    "郑州市": "郑州航空港集散中心",
    "福州市": "福州闽侯转运中心",
    "宁波市": "宁波北仑冷链中心",
    "上海市": "上海浦江中转场",
    "北京市": "北京顺义集散中心",
    "广州市": "广州番禺集散中心",
    "深圳市": "深圳宝安转运中心",
    "成都市": "成都双流中转场",
    "杭州市": "杭州萧山集散中心",
    "武汉市": "武汉东西湖转运中心",
    "西安市": "西安空港中转场",
    "南京市": "南京江宁集散中心",
    "哈尔滨市": "哈尔滨香坊转运中心",
}
ORIGINS = ("大连市", "青岛市", "湛江市", "郑州市", "福州市", "宁波市")
DESTINATIONS = tuple(city for city in HUBS if city not in ORIGINS)
COURIERS = ("赵师傅", "钱师傅", "孙师傅", "李师傅", "周师傅", "吴师傅", "郑师傅", "冯师傅")
STATIONS = ("阳光花园营业点", "人民路营业部", "高新区二部", "滨江营业点", "大学城营业部")
LOCKERS = ("丰巢智能柜3号柜", "菜鸟驿站北门店", "妈妈驿站便民店")


@dataclasses.dataclass(frozen=True)
class Route:
    """Everything that the sentences of one waybill mention; the same waybill always travels the same way."""

    origin: str
    destination: str
    elsewhere: str
    origin_hub: str
    hub: str
    station: str
    locker: str
    picker: str
    picker_phone: str
    courier: str
    courier_phone: str
    consignee: str
    consignee_phone: str


def make_route(
    waybill_no: str, *, origin: str = "", destination: str = "", consignee: str = "", consignee_phone: str = ""
) -> Route:
    rng = random.Random(waybill_no)  # noqa: S311 - repeatable, not secret
    start, end = rng.choice(ORIGINS), rng.choice(DESTINATIONS)
    elsewhere = rng.choice([city for city in DESTINATIONS if city not in (end, destination)])
    start, end = origin or start, destination or end
    picker, courier = rng.sample(COURIERS, 2)
    return Route(
        origin=start,
        destination=end,
        elsewhere=elsewhere,
        origin_hub=HUBS.get(start, f"{start}集散中心"),
        hub=HUBS.get(end, f"{end}集散中心"),
        station=rng.choice(STATIONS),
        locker=rng.choice(LOCKERS),
        picker=picker,
        picker_phone=f"1380000{rng.randrange(10_000):04d}",
        courier=courier,
        courier_phone=f"1390000{rng.randrange(10_000):04d}",
        consignee=consignee or "本人",
        consignee_phone=consignee_phone or "收件人预留电话",
    )
