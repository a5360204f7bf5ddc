"""菜鸟's statuses and errors in our words. Main statuses, sub-statuses and the numbers of nodes share one table.

Source: 菜鸟's node list with numbers as public clients carry it, the main statuses of 阿里云智能物流's push
documentation (help.aliyun.com 375331), and status names of market interfaces, all as of 2026-10. LINK's own pages
could not be read: names without a number rest on one or two public sources.
"""

from collections.abc import Mapping

from logistics.models import Reason
from logistics.models import ShipmentStatus as S
from logistics.providers.base import Concerns

CODES: Mapping[str, S] = {
    # Before the carrier has it.
    "CREATE": S.NO_TRACE,
    "0": S.NO_TRACE,
    "WAREHOUSE_ACCEPT": S.NO_TRACE,  # 仓库接单
    "100": S.NO_TRACE,
    "WAREHOUSE_PROCESS": S.NO_TRACE,
    "150": S.NO_TRACE,
    "WAREHOUSE_CONFIRMED": S.NO_TRACE,  # left the warehouse, not yet with the carrier
    "200": S.NO_TRACE,
    "CONSIGN": S.NO_TRACE,  # the shop said that it ships
    "300": S.NO_TRACE,
    "WAIT": S.NO_TRACE,
    "WAIT_ACCEPT": S.NO_TRACE,  # 待揽收
    # On the way.
    "ACCEPT": S.PICKED_UP,  # 已揽收
    "400": S.PICKED_UP,
    "GOT": S.PICKED_UP,
    "RECEIVE": S.PICKED_UP,
    "MODIFY_WEIGHT": S.PICKED_UP,  # weighed again at the outlet that took it in
    "TRANSPORT": S.IN_TRANSIT,
    "500": S.IN_TRANSIT,
    "SEND_ON": S.IN_TRANSIT,
    "ARRIVE_CITY": S.IN_TRANSIT,
    "ON_THE_WAY": S.IN_TRANSIT,
    "LH_HO": S.IN_TRANSIT,  # handed over to the line haul
    "430": S.IN_TRANSIT,
    "470": S.CUSTOMS,  # JK_…, see below
    "471": S.CUSTOMS,
    "472": S.CUSTOMS,
    "473": S.CUSTOMS,
    "474": S.CUSTOMS,
    "CC_HO": S.CUSTOMS,
    "475": S.CUSTOMS,
    "DELIVERING": S.OUT_FOR_DELIVERY,
    "600": S.OUT_FOR_DELIVERY,
    "STA_DELIVERING": S.OUT_FOR_DELIVERY,  # the station brings it to the door
    "901": S.OUT_FOR_DELIVERY,
    # With somebody else: 待取件 in one source, 已代签收 in another. Frozen goods in a locker are not delivered.
    "AGENT_SIGN": S.AWAITING_PICKUP,
    "900": S.AWAITING_PICKUP,
    "STA_INBOUND": S.AWAITING_PICKUP,
    # Delivered.
    "SIGN": S.DELIVERED,
    "1000": S.DELIVERED,
    "OTHER_SIGN": S.DELIVERED,  # 他人代收: a person who was named
    "950": S.DELIVERED,
    "STA_SIGN": S.DELIVERED,  # taken out of the station
    # Trouble.
    "FAILED": S.EXCEPTION,
    "700": S.EXCEPTION,
    "DELIVER_ABNORMAL": S.EXCEPTION,
    "RETENTION": S.EXCEPTION,
    "ISSUE": S.EXCEPTION,
    "DAMAGE": S.EXCEPTION,
    # Back, elsewhere, not at all.
    "REJECT": S.RETURNING,
    "800": S.RETURNING,
    "REFUSE_SIGN": S.RETURNING,
    "RETURN": S.RETURNING,
    "REVERSE_RETURN": S.RETURNED,
    "1200": S.RETURNED,
    "RETURN_SIGN": S.RETURNED,  # signed for by the sender, no delivery
    "ORDER_TRANSER": S.FORWARDED,  # spelled so
    "1100": S.FORWARDED,
    "CANCEL_ORDER": S.CANCELLED,
}

CUSTOMS_PREFIX = "JK_"
"""The five import nodes 470–474 are named with it; their full names are not published."""

REASONS: Mapping[str, Reason] = {
    "AGENT_SIGN": Reason.LOCKER,
    "900": Reason.LOCKER,
    "STA_INBOUND": Reason.LOCKER,
    "RETENTION": Reason.RETAINED,
    "DAMAGE": Reason.DAMAGED,
    "REJECT": Reason.REFUSED,
    "800": Reason.REFUSED,
    "REFUSE_SIGN": Reason.REFUSED,
    "ORDER_TRANSER": Reason.REDIRECTED,
    "1100": Reason.REDIRECTED,
    "CANCEL_ORDER": Reason.CANCELLED,
}

# The gateway's errorCode → (asking again can't help, what it concerns). S01–S13 as public clients list them.
ERRORS: Mapping[str, tuple[bool, Concerns]] = {
    "S01": (True, Concerns.WAYBILL),  # 非法的XML/JSON; seen as 参数错误 too
    "S02": (True, Concerns.ACCOUNT),  # 非法的数字签名
    "S03": (True, Concerns.ACCOUNT),  # 非法的物流公司/仓储公司: of the envelope, that is our resource code
    "S04": (True, Concerns.ACCOUNT),  # 非法的通知类型: msg_type isn't open to us
    "S05": (True, Concerns.WAYBILL),  # 非法的通知内容
    "S06": (False, Concerns.ACCOUNT),  # 网络超时
    "S07": (False, Concerns.ACCOUNT),  # 系统异常
    "S08": (False, Concerns.ACCOUNT),  # HTTP 状态异常
    "S09": (False, Concerns.ACCOUNT),  # 返回报文为空
    "S10": (True, Concerns.ACCOUNT),  # 找不到对应的网关信息
    "S11": (True, Concerns.ACCOUNT),  # 非法的网关信息
    "S12": (True, Concerns.WAYBILL),  # 非法的请求参数
    "S14": (False, Concerns.ACCOUNT),  # 系统流控 in one list, 服务未找到 in another: hence asked again
}
# A part of errorMsg → the same, where the code tells nothing.
WORDINGS: Mapping[str, tuple[bool, Concerns]] = {
    "签名": (True, Concerns.ACCOUNT),
    "权限": (True, Concerns.ACCOUNT),
    "授权": (True, Concerns.ACCOUNT),
    "appCode": (True, Concerns.ACCOUNT),
    "cpCode": (True, Concerns.CARRIER),
    "手机": (True, Concerns.WAYBILL),
    "流控": (False, Concerns.ACCOUNT),
    "频繁": (False, Concerns.ACCOUNT),
}

_ENDS = (S.DELIVERED, S.RETURNED)


def known(code: str) -> S | None:
    """Return our word for a code, or None."""
    return S.CUSTOMS if code.startswith(CUSTOMS_PREFIX) else CODES.get(code)


def status_of(exact: str, coarse: str) -> S:
    """Return the sub-status in our words, else the main status.

    Few sub-statuses are published, so that the main status speaks for an unknown one. Only an end it can't prove:
    what is a SIGN with an unknown remark may be the sender's signature.
    """
    status = known(exact or coarse)
    if status is None and exact and (status := known(coarse)) in _ENDS:
        status = None
    return status or S.UNKNOWN
