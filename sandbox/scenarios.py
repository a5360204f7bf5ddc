"""What can happen to a parcel, as tables: after how many hours, which code, where, in which words.

Codes are 快递鸟's StateEx/Action, the finest of all providers; other services translate them.
"""

import dataclasses
from collections.abc import Iterator

from sandbox.places import Route


@dataclasses.dataclass(frozen=True)
class Step:
    """`hours` since the parcel was handed over, in scenario time; `text` and `place` are filled from the route."""

    hours: float
    code: str
    place: str
    text: str


@dataclasses.dataclass(frozen=True)
class Event:
    """`at` is the real instant; before it, nobody can know of the event."""

    at: float
    code: str
    location: str
    text: str


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`earlier` happened before the parcel was handed over, at real (not compressed) distance."""

    title: str
    steps: tuple[Step, ...]
    earlier: tuple[Step, ...] = ()

    @property
    def hours(self) -> float:
        """Length in scenario time."""
        return self.steps[-1].hours if self.steps else 0.0

    @property
    def end_code(self) -> str:
        """StateEx at the end of the story; "0" where the carrier never says anything."""
        steps = self.earlier + self.steps
        return steps[-1].code if steps else "0"


def picked_up(hours: float) -> Step:
    return Step(hours, "1", "origin", "【{origin}】已收取快件，冷链保温箱包装，揽收员{picker}，电话{picker_phone}")


def left_origin(hours: float) -> Step:
    return Step(
        hours, "206", "origin", "【{origin}】快件在【{origin_hub}】已装车，全程-18℃冷藏，准备发往【{destination}】"
    )


def on_the_way(hours: float) -> Step:
    return Step(hours, "2", "origin", "【{origin}】快件离开【{origin_hub}】，正发往【{hub}】")


def reached_city(hours: float) -> Step:
    return Step(hours, "201", "destination", "【{destination}】快件到达目的地城市")


def reached_hub(hours: float) -> Step:
    return Step(hours, "204", "destination", "【{destination}】快件到达【{hub}】，正在分拣")


def reached_station(hours: float) -> Step:
    return Step(hours, "205", "destination", "【{destination}】快件到达【{station}】")


def out_for_delivery(hours: float, code: str = "202") -> Step:
    text = "【{destination}】派送员{courier}（电话{courier_phone}）正在派送，请保持电话畅通"
    return Step(hours, code, "destination", text)


def signed(hours: float, code: str = "301") -> Step:
    text = "【{destination}】快件已签收，签收人：{consignee}，感谢使用，期待再次为您服务"
    return Step(hours, code, "destination", text)


TRAVEL = (
    picked_up(1),
    left_origin(5),
    on_the_way(9),
    reached_city(16),
    reached_hub(20),
    reached_station(24),
)
DELIVERY = (*TRAVEL, out_for_delivery(27))

SCENARIOS: dict[str, Scenario] = {
    "normal": Scenario("正常送达", (*DELIVERY, signed(30))),
    "slow": Scenario(
        "运输缓慢，最终送达",
        (
            picked_up(2),
            left_origin(14),
            on_the_way(26),
            Step(40, "2", "elsewhere", "【{elsewhere}】快件在中转站等待换车，已补充干冰"),
            Step(52, "2", "elsewhere", "【{elsewhere}】快件离开中转站，正发往【{hub}】"),
            reached_city(66),
            reached_hub(78),
            reached_station(90),
            out_for_delivery(94),
            signed(99),
        ),
    ),
    "silent": Scenario("揽收后再无消息", TRAVEL[:3]),
    "no_trace": Scenario("一直暂无轨迹", ()),
    "locker": Scenario(
        "放入快递柜，超时后取出",
        (
            *DELIVERY,
            Step(
                30,
                "211",
                "destination",
                "【{destination}】快件已存放至【{locker}】，请及时领取，电话{courier_phone}",
            ),
            Step(39, "211", "destination", "【{destination}】已再次提醒收件人到【{locker}】取件"),
            Step(48.5, "412", "destination", "【{destination}】快件在【{locker}】存放超时未取，冻品请尽快取出"),
            Step(52, "311", "destination", "【{destination}】快件已从【{locker}】取出，签收人凭取件码签收"),
        ),
    ),
    "problem_then_signed": Scenario(
        "联系不上收件人，最终签收",
        (
            *DELIVERY,
            Step(30, "416", "destination", "【{destination}】多次拨打{consignee_phone}联系收件人未果，派送员{courier}"),
            Step(34, "417", "destination", "【{destination}】派送延迟，快件暂存冷库"),
            out_for_delivery(44, "419"),
            signed(47, "302"),
        ),
    ),
    "returned": Scenario(
        "拒收，退回寄件人",
        (
            *DELIVERY,
            Step(30, "404", "destination", "【{destination}】收件人拒收，快件将退回寄件地"),
            Step(36, "407", "destination", "【{destination}】退件已从【{hub}】发出，正退往【{origin}】"),
            Step(43, "407", "origin", "【{origin}】退件到达【{origin_hub}】"),
            Step(50, "406", "origin", "【{origin}】退件已由寄件人签收"),
        ),
    ),
    "wrong_number": Scenario(
        "单号填错：轨迹是别人的旧包裹",
        (),
        (
            Step(-21 * 24, "1", "elsewhere", "【{elsewhere}】已收取快件"),
            Step(-20 * 24, "202", "elsewhere", "【{elsewhere}】快件正在派送，派送员{picker}"),
            Step(-20 * 24 + 3, "301", "elsewhere", "【{elsewhere}】快件已签收"),
        ),
    ),
    "recycled": Scenario(
        "回收使用的单号：先是旧包裹，后是这一件",
        (*DELIVERY, signed(30)),
        (
            Step(-62 * 24, "1", "elsewhere", "【{elsewhere}】已收取快件"),
            Step(-60 * 24, "202", "elsewhere", "【{elsewhere}】快件正在派送，派送员{picker}"),
            Step(-60 * 24 + 2, "301", "elsewhere", "【{elsewhere}】快件已签收，签收人：前台"),
        ),
    ),
    "multi_parcel": Scenario("一单多件，各件同批推送", (*DELIVERY, signed(30))),
    "cold_weather": Scenario(
        "暴雪延误，最终送达",
        (
            *TRAVEL[:3],
            Step(16, "417", "elsewhere", "【{elsewhere}】因暴雪天气道路封闭，快件运输延迟，货物存放-18℃冷库"),
            Step(28, "417", "elsewhere", "【{elsewhere}】道路仍未开放，货物在冷库等待，已补充干冰"),
            Step(40, "2", "elsewhere", "【{elsewhere}】道路恢复通行，快件正发往【{hub}】"),
            reached_city(50),
            reached_hub(52),
            reached_station(56),
            out_for_delivery(58),
            signed(62),
        ),
    ),
}


def timeline(scenario: Scenario, *, started_at: float, speed: float, route: Route) -> tuple[Event, ...]:
    """Return every event with its real instant.

    Carriers date scans to the second: however high the speed, two scans are at least a second apart.
    """
    words = dataclasses.asdict(route)

    def told(steps: tuple[Step, ...], scale: float) -> Iterator[Event]:
        latest = float("-inf")
        for step in steps:
            latest = max(started_at + step.hours * 3600 / scale, latest + 1)
            yield Event(latest, step.code, words[step.place], step.text.format_map(words))

    return (*told(scenario.earlier, 1), *told(scenario.steps, speed))
