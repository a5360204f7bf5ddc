"""顺丰's codes in our words: opCode, some pairs of opCode and reasonCode, and the firstStatusCode of newer accounts.

Source: 丰桥 documentation as far as it can be read, and sequences that others published, as of 2026-10. The whole table
has about 150 rows and is handed out to customers only: what is missing here is unknown, counted and shown to staff.
"""

from collections.abc import Mapping

from logistics.models import Reason
from logistics.models import ShipmentStatus as S

OP_CODES: Mapping[str, tuple[S, str]] = {
    "50": (S.PICKED_UP, ""),  # 已收取快件
    "54": (S.PICKED_UP, ""),  # 已收取快件 (brought to a shop)
    "30": (S.IN_TRANSIT, ""),  # 装车, 分拣发往下一站
    "31": (S.IN_TRANSIT, ""),  # 到达
    "36": (S.IN_TRANSIT, ""),  # 离开, 发车
    "3036": (S.IN_TRANSIT, ""),  # 送往下一站
    "105": (S.IN_TRANSIT, ""),  # 航班
    "106": (S.IN_TRANSIT, ""),  # 航班
    "310": (S.IN_TRANSIT, ""),  # 途经
    "407": (S.IN_TRANSIT, ""),  # 发往顺丰店
    "501": (S.IN_TRANSIT, ""),  # 运输中
    "302": (S.IN_TRANSIT, ""),  # Hong Kong, seen once
    "305": (S.IN_TRANSIT, ""),  # Hong Kong, seen once
    "634": (S.IN_TRANSIT, ""),  # Hong Kong, seen once
    "44": (S.IN_TRANSIT, ""),  # since 2023 分配快递员, still on the way; before that 派送中, see `reading_of`
    "204": (S.OUT_FOR_DELIVERY, ""),  # 派送中
    "123": (S.IN_TRANSIT, ""),  # 送往顺丰店
    "130": (S.AWAITING_PICKUP, Reason.LOCKER),  # 到达顺丰店
    "125": (S.AWAITING_PICKUP, Reason.LOCKER),  # 投入快递柜
    "642": (S.AWAITING_PICKUP, Reason.LOCKER),  # 待取
    "126": (S.AWAITING_PICKUP, Reason.LOCKER),  # 柜取出 or 取件码失效: it doesn't say by whom, hence never a delivery
    "607": (S.AWAITING_PICKUP, Reason.LOCKER),  # 代理收件
    "33": (S.EXCEPTION, ""),  # 派件异常 or 延误
    "70": (S.EXCEPTION, ""),  # 派件不成功
    "80": (S.DELIVERED, ""),  # 已签收
    "8000": (S.DELIVERED, ""),  # 签收图片, the same second as 80
    "99": (S.FORWARDED, ""),  # 转寄 or 退回: the reason or the text decides, see `reading_of`
    "517": (S.FORWARDED, Reason.REDIRECTED),  # 转寄申请
    "648": (S.RETURNING, ""),  # 已退回 or 转寄, under a new waybill
    "631": (S.RETURNED, ""),  # 已退回
}

# opCode+reasonCode, where the reason turns the meaning. Seen in one client only.
COMBINATIONS: Mapping[str, tuple[S, str]] = {
    "8000+6": (S.EXCEPTION, Reason.LOST),  # 丢失
    "8000+2": (S.EXCEPTION, ""),  # 弃件
    "70+46": (S.CANCELLED, Reason.CANCELLED),  # 取消
    "70+83": (S.AWAITING_PICKUP, Reason.LOCKER),  # 自取
    "70+85": (S.AWAITING_PICKUP, Reason.LOCKER),  # 自取
    "33+83": (S.AWAITING_PICKUP, Reason.LOCKER),  # 待取
    "33+85": (S.AWAITING_PICKUP, Reason.LOCKER),  # 待取
    "99+2": (S.RETURNING, ""),  # 退回
}

FIRST_STATUSES: Mapping[str, S] = {
    "1": S.PICKED_UP,  # 已揽收
    "2": S.IN_TRANSIT,  # 运送中
    "3": S.OUT_FOR_DELIVERY,  # 派送中
    "4": S.DELIVERED,  # 已签收
    "11": S.AWAITING_PICKUP,  # 待取件
    "13": S.OUT_FOR_DELIVERY,  # 重新派送
}

SECONDARY_STATUSES: Mapping[str, S] = {
    "204": S.CUSTOMS,  # 清关中
    "205": S.CUSTOMS,  # 已清关
}

# Trouble and the ways back are said by the opCode alone: a first status of the ordinary way is coarser there.
_EXACT = frozenset({"33", "70", "99", "517", "648", "631"})
_ORDINARY_WAY = frozenset({S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY})


def reading_of(
    op_code: str, reason_code: str = "", first: str = "", secondary: str = "", text: str = ""
) -> tuple[S, str, str]:
    """Return status, reason, and the code that is kept: the same code and text always have the same meaning.

    A route may be told with first status (query) or without (most pushes). Where both amount to the same, the code is
    the opCode, so that they are one scan; where what stands beside it decides, it is part of the code: `99+2`, `44/3`.
    """
    status, reason = _by_op_code(op_code, text)
    turned = COMBINATIONS.get(pair := f"{op_code}+{reason_code}")
    if turned and turned != (status, reason):
        return *turned, pair
    better = SECONDARY_STATUSES.get(secondary) or FIRST_STATUSES.get(first)
    if better in (None, status) or (op_code in _EXACT and better in _ORDINARY_WAY):
        return status, reason, op_code
    return better, "", f"{op_code}/{secondary if secondary in SECONDARY_STATUSES else first}"


def _by_op_code(op_code: str, text: str) -> tuple[S, str]:
    if op_code == "44" and "派送途中" in text:
        return S.OUT_FOR_DELIVERY, ""
    if op_code == "99" and "退" in text:
        return S.RETURNING, ""
    return OP_CODES.get(op_code, (S.UNKNOWN, ""))
