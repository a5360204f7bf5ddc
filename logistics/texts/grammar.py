"""How rules about sentences are written: a status, a reason, what must be there and what must not."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from logistics.models import ShipmentStatus
from logistics.texts.cleaning import KEEPER


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says; `status` is empty where it can't be told. `confidence` from 0 to 1."""

    status: ShipmentStatus | str
    reason: str = ""
    confidence: float = 0.0


ABSTAINED = Reading("")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule without a status says that two readings are near: nothing is guessed."""

    status: ShipmentStatus | str
    pattern: re.Pattern[str]
    but_not: re.Pattern[str] | None = None
    reason: str = ""
    confidence: float = 0.98

    def holds(self, text: str) -> bool:
        return self.pattern.search(text) is not None and (self.but_not is None or self.but_not.search(text) is None)


FAMILIES = {
    "柜": rf"(?:〔柜〕|{KEEPER})",
    "员": r"(?:快递员|派件员|收派员|配送员|投递员|派送员|业务员|小哥|小妹|快递小哥|取件员|揽收员"
    r"|揽件员|收件员|揽投员|小件员|送货员|送货人|司机|骑手|骑士|专员|员工|师傅|派件人|派送人|站长)",
    "客": r"(?:收件人|收货人|收件客户|收方|收货方|收件方|客户|用户|买家|买方|顾客|消费者|本人|家人|取件人|门店)",
    "亲": r"(?:本人|家人|家属|亲友|亲属|亲戚|同事|邻居|朋友|室友|同学|他人|父母|父亲|母亲|妻子|丈夫|老师|助理|熟人)",
    "寄": r"(?:寄件人|发件人|寄件客户|寄方|发货人|发货方|寄件方|商家|卖家|发件客户|寄件商家"
    r"|原寄件人|发件方|商户|(?:发货|退货)仓库?)",
    "送": r"(?:派送|派件|派货|派发|投递|投送|配送|送货|送件|派单)",
    "司": r"(?:顺丰|中通|圆通|申通|韵达|极兔|京东|邮政|ems|德邦|百世|跨越|宅急送|天天|优速|丹鸟|安能"
    r"|速尔|九曳|快递(?!员|小))",
    "岗": r"(?:前台|门卫|物业|保安|收发室?|传达室?|门岗|大厅|值班)(?:室|处|亭)?",
    "取": r"(?:取件|领取|取货|自提|自取|提货|取走|提取|领件|领走|取回|取出|提走|拿走)",
}


def pattern(source: str) -> re.Pattern[str]:
    """Compile a pattern; «柜» and the like stand for the families of words above."""
    return re.compile(re.sub("«(.)»", lambda match: FAMILIES[match[1]], source))


def rule(
    status: ShipmentStatus | str, source: str, but_not: str = "", *, reason: str = "", confidence: float = 0.98
) -> Rule:
    return Rule(status, pattern(source), pattern(but_not) if but_not else None, reason, confidence)


def first(rules: Iterable[Rule], text: str) -> Reading | None:
    """Return the reading of the first rule that holds; that of a rule without a status is an abstention."""
    held = next((each for each in rules if each.holds(text)), None)
    if held is None:
        return None
    return Reading(held.status, held.reason, held.confidence) if held.status else ABSTAINED
