"""Terse wordings that one carrier uses in a sense of its own."""

from collections.abc import Mapping

from logistics.models import Reason, ShipmentStatus
from logistics.texts.grammar import Rule, rule

R, S = Reason, ShipmentStatus

# Names of scans at 极兔: out of the station's store is out for delivery; the agents' store has its own in and out, and
# the words alone don't tell them apart.
_JT = (
    rule(S.OUT_FOR_DELIVERY, "^(?:进行)?出仓扫描$", confidence=0.93),
    rule(S.AWAITING_PICKUP, "代理点收入", reason=R.LOCKER, confidence=0.93),
    rule("", "^(?:快件取出|[入出]库)(?:扫描)?$"),
)
DIALECTS: Mapping[str, tuple[Rule, ...]] = {"JTSD": _JT}

# 顺丰 calls its own stations shops: 【佛山南海甘蕉店】.
SHOPS_ARE_STATIONS = frozenset({"SF"})


def own_words(carrier_code: str) -> tuple[Rule, ...]:
    return DIALECTS.get(carrier_code, ())
