"""快递100's codes in our words. They are not 快递鸟's: 201 here is 超时未签收, there 到达派件城市.

Source: 快递100 API documentation, state and the advanced states of resultv2=4, as of 2026-10. The main states stand in
every edition; the three- and four-digit ones and 10–14 come with the advanced plans. `state` of a parcel and
`statusCode` of a scan share them, and a scan of the plainer plans has the Chinese name instead.
"""

from collections.abc import Mapping

from logistics.models import Reason
from logistics.models import ShipmentStatus as S

CODES: Mapping[str, S] = {
    "0": S.IN_TRANSIT,  # 在途; also what an answer without any scan says, hence no word of its own there
    "1001": S.IN_TRANSIT,  # 到达派件城市
    "1002": S.IN_TRANSIT,  # 干线
    "1003": S.IN_TRANSIT,  # 转递
    "1": S.PICKED_UP,  # 揽收
    "101": S.NO_TRACE,  # 已下单: announced, not yet in the carrier's hands
    "102": S.NO_TRACE,  # 待揽收
    "103": S.PICKED_UP,  # 已揽收
    "2": S.EXCEPTION,  # 疑难
    "201": S.EXCEPTION,  # 超时未签收
    "202": S.EXCEPTION,  # 超时未更新
    "203": S.RETURNING,  # 拒收
    "204": S.EXCEPTION,  # 派件异常
    "205": S.EXCEPTION,  # 柜或驿站超时未取
    "206": S.EXCEPTION,  # 无法联系
    "207": S.EXCEPTION,  # 超区
    "208": S.EXCEPTION,  # 滞留
    "209": S.EXCEPTION,  # 破损
    "210": S.CANCELLED,  # 销单
    "3": S.DELIVERED,  # 签收
    "301": S.DELIVERED,  # 本人签收
    "302": S.DELIVERED,  # 派件异常后签收
    "303": S.DELIVERED,  # 代签
    "304": S.DELIVERED,  # 投柜或驿站签收
    "4": S.RETURNING,  # 退签; with ischeck=1 the sender has it
    "401": S.CANCELLED,  # 已销单
    "5": S.OUT_FOR_DELIVERY,  # 派件
    "501": S.AWAITING_PICKUP,  # 投柜或驿站
    "6": S.RETURNING,  # 退回; with ischeck=1 the sender has it
    "7": S.FORWARDED,  # 转投
    "8": S.CUSTOMS,  # 清关
    "10": S.CUSTOMS,  # 待清关
    "11": S.CUSTOMS,  # 清关中
    "12": S.CUSTOMS,  # 已清关
    "13": S.CUSTOMS,  # 清关异常
    "14": S.RETURNING,  # 拒签
}

RETURNED_WHEN_CHECKED = frozenset({"4", "6"})
"""`ischeck` 1 says "signed for"; of a parcel that goes back that is the sender (inferred, not documented)."""

REASONS: Mapping[str, Reason] = {
    "203": Reason.REFUSED,
    "205": Reason.LOCKER,
    "206": Reason.UNREACHABLE,
    "207": Reason.OUT_OF_AREA,
    "208": Reason.RETAINED,
    "209": Reason.DAMAGED,
    "210": Reason.CANCELLED,
    "401": Reason.CANCELLED,
    "501": Reason.LOCKER,
    "14": Reason.REFUSED,
}

NAMES: Mapping[str, str] = {
    "在途": "0",
    "到达派件城市": "1001",
    "干线": "1002",
    "转递": "1003",
    "揽收": "1",
    "已下单": "101",
    "待揽收": "102",
    "已揽收": "103",
    "疑难": "2",
    "超时未签收": "201",
    "超时未更新": "202",
    "拒收": "203",
    "派件异常": "204",
    "柜或驿站超时未取": "205",
    "无法联系": "206",
    "超区": "207",
    "滞留": "208",
    "破损": "209",
    "销单": "210",
    "签收": "3",
    "本人签收": "301",
    "派件异常后签收": "302",
    "代签": "303",
    "投柜或站签收": "304",
    "投柜或驿站签收": "304",
    "退签": "4",
    "已销单": "401",
    "派件": "5",
    "投柜或驿站": "501",
    "退回": "6",
    "转投": "7",
    "清关": "8",
    "待清关": "10",
    "清关中": "11",
    "已清关": "12",
    "清关异常": "13",
    "拒签": "14",
}


def parent(code: str) -> str:
    """Return the main state that an advanced code stands under: 2 for 209, 0 for 1002; empty for what is none."""
    if len(code) == 4 and code.startswith("10") and code.isascii() and code.isdigit():
        return "0"
    return code[0] if len(code) == 3 and code.isascii() and code.isdigit() and code[0] in "12345678" else ""


def known(code: str) -> str:
    """Return the code itself where it is known, else its main state; empty where neither is."""
    return code if code in CODES else parent(code)
