"""Parcels that lie in a locker or a shop: put in, asked to be fetched, taken out, and by whom."""

from logistics.models import Reason, ShipmentStatus
from logistics.texts.grammar import Reading, Rule, first, pattern, rule

R, S = Reason, ShipmentStatus

PUT_IN = pattern(
    "已(?:经)?(?:将?[^,]{0,10})?(?:放|存|投|送|寄存|暂存|转存|入|改放)[^,]{0,40}«柜»"
    "|已(?:入|投|放)柜|(?:放|存|投)(?:至|入|在|到|于)[^,]{0,40}«柜»|已由[^,]{0,40}代收"
)
_TAKEN = pattern(
    "(?:已|被|成功|完成|自行)(?:经|被|由|从|在|自|到|«客»|〔柜〕|[^,]{0,16}(?:从|在|由|自))*[^,]{0,16}"
    "(?:取走|取出|领走|领取|提走|拿走|(?:自提|自取|提货|取件|取货)(?![点柜站处码]))|«取»(?:成功|完成|完毕)|取件人[^,]*已取"
    "|出库[^,]{0,4}取|«客»已取|核销成功"
)
_ASKS_TO_FETCH = pattern(
    "(?:取件|取货|提货|开箱|自提|取物|验证)(?:号|码|密码)(?!核销|错误|失效)|凭[^,]{0,40}(?:«取»|开门|取)"
    "|请[^,]{0,18}«取»|(?:及时|尽快|尽早|前往|等待|等候|待|可[以到在至]?|小时内|日内|还?未|尚未|前来|到店|上门"
    "|窗口|自行|早点来)[^,]{0,10}(?:«取»|取它)|«取»(?:您|包裹)?(?:哦|吧)|(?:取件|自提|自取|领取)(?:短信|通知|提醒)"
)
_COURIER_CAME = pattern("准备«取»|等待«员»|«员»[^,]{0,6}上门|上门(?:取|揽|收)|航班|飞机|降落|落地待")
_KEEPER = pattern("«柜»")
_LEFT_LYING = pattern("(?<!尚)未取|(?<!尚)未领")
_BY_OTHERS = pattern("«员»|«寄»|待签|揽|车辆|承运|到仓")
_BY_WHOM = pattern("«柜»|«客»|您")
_BARELY_TAKEN = pattern("取[件货](?:成功|完成)|已取[件货]|完成取件")

PLACED: tuple[Rule, ...] = (
    rule(
        S.PICKED_UP,
        "«寄»[^,]{0,8}(?:将|把)?[^,]{0,6}(?:放|投|存)[^,]{0,8}«柜»|(?:自寄|寄件)柜|投柜寄"
        "|(?:从|在)«柜»[^,]{0,4}(?:揽|收件|收取)|«柜»(?:代)?(?:揽收|收件)(?!宝|人)|(?:收件员|揽收员|揽件员)从«柜»"
        "|由«司»[^,]{0,4}取件|寄件[^,]{0,4}被?取走",
        confidence=0.95,
    ),
    rule(
        S.OUT_FOR_DELIVERY,
        "取消(?:派件|投递|投柜|存件)|«员»[^,]{0,12}(?:领取|提取|领出|领件)|已领件"
        "|(?:从|由)«柜»(?:取[回出]|出库|领出)?[^,]{0,6},?[^,]{0,6}(?:重新|再次|正在|上门)[^,]{0,4}(?:«送»|送)",
        "未取|为您领|待«员»",
        confidence=0.93,
    ),
    rule(
        S.DELIVERY_FAILED,
        "(?:超时|逾期|小时|天)[^,]{0,8}(?:未取|未领|无人取)[^。]*(?:取回|取出|收回|回收|拿回)"
        "|«员»[^,]{0,10}(?:取回|收回|回收)|(?:超时|逾期|超期|超过[^,]{0,8})(?:未|件)|«柜»[^,]{0,4}(?:已满|满柜|拒收)",
        "待签",
        reason=R.LOCKER,
        confidence=0.93,
    ),
    rule(S.OUT_FOR_DELIVERY, "«员»[^,]{0,12}(?:取出|取走|拿走)", "揽|寄|为您|收件", reason="", confidence=0.9),
)
KEPT: tuple[Rule, ...] = (
    rule(
        S.OUT_FOR_DELIVERY,
        "(?:正在?|准备|即将|将|开始)(?:派?送|派|配送|前|投)[^,]{0,10}«柜»|送往[^,]{0,10}«柜»"
        "|«送»(?:至|到|往)?[^,]{0,8}«柜»[^,]{0,4}(?:途中|中$)",
        "已(?:放|存|送达|送至|到)|待签|到达",
        confidence=0.93,
    ),
    rule(
        S.AWAITING_PICKUP,
        "(?:放|存|投|送)[^,]{0,40}«柜»|(?:入|到|抵|派|转|交)[^,]{0,24}«柜»|(?:已|快件|包裹)送达(?:至|到)?〔某〕|«柜»[^,]{0,4}(?:交接|存件)"
        "|保管|客户自[取提]|自[取提]件?$|(?:入|投|放)柜|«柜»[^,]{0,10}(?:代收|入库|代管|保管|暂存|已收|代存|签收|到件"
        "|收件入|收入|上架)|代收|代管|代保管|等待自[提取]|待自[提取]|到站自|站点自|上架|沟通代收",
        "«员»[^,]{0,4}从|离开|发往|下一站|代收货款|代收款|取消|揽|(?<!已)出库|已出库",
        reason=R.LOCKER,
        confidence=0.96,
    ),
)


def asks_to_fetch(text: str) -> bool:
    return _ASKS_TO_FETCH.search(text) is not None and not _COURIER_CAME.search(text)


def names_a_keeper(text: str) -> bool:
    return _KEEPER.search(text) is not None


def waits(text: str, *, put_in: bool) -> Reading | None:
    """Return that the parcel waits for whom it is asked to be fetched by, unless it was left lying."""
    if not asks_to_fetch(text) or _LEFT_LYING.search(text):
        return None
    kept = put_in or names_a_keeper(text) or "取件码" in text
    return Reading(S.AWAITING_PICKUP, R.LOCKER if kept else "", 0.97)


def taken(text: str) -> Reading | None:
    """Return that somebody has taken the parcel, if it was neither the courier nor the sender."""
    if not _TAKEN.search(text) or _COURIER_CAME.search(text) or _BY_OTHERS.search(text):
        return None
    # "Taken" alone is as well the courier's pick-up.
    if not _BY_WHOM.search(text) and _BARELY_TAKEN.search(text):
        return None
    return Reading(S.DELIVERED, R.LOCKER if names_a_keeper(text) else "", 0.95)


def kept(text: str) -> Reading | None:
    return first(KEPT, text)
