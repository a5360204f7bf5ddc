"""What went wrong with a parcel, and why."""

from logistics.models import Reason, ShipmentStatus
from logistics.texts.grammar import Reading, pattern

R, S = Reason, ShipmentStatus

# The more telling reason first.
TROUBLES = tuple(
    (reason, pattern(source))
    for reason, source in (
        (R.LOST, "丢失|遗失|灭失|丢件|下落不明|有单无货|疑似丢|找不到(?:快件|包裹|货)|有发未到"),
        (
            R.DAMAGED,
            "破损|损坏|受损|损毁|少件|短少|缺件|缺少|破裂|泄漏|渗漏|污染|受潮|浸湿|进水|水湿|淋湿|化冻|解冻|变形"
            "|变质|腐[坏烂]|内件(?:不符|短|缺)|温度(?:异常|超|过高|不达)|超温|脱温",
        ),
        (R.REFUSED, "拒收|拒签|拒绝(?:签收|接收|收件|收货|收取)|不愿(?:签)?收|拒付|不要了|不收货"),
        (R.MISSORTED, "错分|分错|错发|误发|发错|误分|错装|串件|错集|分拣错误|流向错误|错件|错建包|非本(?:网点|站|区)"),
        (
            R.OUT_OF_AREA,
            "超区|超派|超出[^,]{0,6}(?:范围|区域)|超(?:服务)?范围|不在[^,]{0,6}(?:范围|区域)|无(?:服务|派送)?网点"
            "|未开通服务|不派送区|(?:不|无法)到达?(?:区域|乡镇)",
        ),
        (
            R.WRONG_PHONE,
            "(?:电话|手机|号码|联系方式)[^,]{0,6}(?:错|空号|有误|不正确|停机|不存在|不全|不符|不清|不详)|空号|停机"
            "|无[^,]{0,4}电话|电话为传真",
        ),
        (
            R.UNREACHABLE,
            "联系不[上到]|无法(?:与[^,]{0,6})?(?:取得)?联系|未(?:能)?联系[上到]|联系未果|未联系到"
            "|(?:电话|手机|多次)[^,]{0,8}(?:无人|关机|打不通|不通|拒接|未接|无应答|占线)|无法接通|无人接听|不接电话"
            "|未接听|«客»[^,]{0,6}(?:不在|外出|出差|离开)|无人(?:在家|收货|收件|签收|接收|应答|待签)|家中无人"
            "|家里没人|没人在|(?:客户|收件人|送去)[^,]{0,6}处?无人|已离职|上门[^,]{0,4}无人",
        ),
        (
            R.WRONG_ADDRESS,
            "(?<!更新)(?<!新)地址[^,]{0,8}(?:错|不详|有误|不清|不全|不明|不完整|欠详|模糊|不符|不对|不存在|未找到|搬迁)"
            "|(?:错误|不详|不明)[^,]{0,2}地址|查无|无此(?:收件)?人|欠详|迁移新址|已搬[迁走离]"
            "|找不到[^,]{0,4}地址|未填写[^,]{0,12}(?:姓名|地址|联系)"
            "|(?:面单|信息|资料|运单|标签)[^,]{0,6}(?:模糊|不清|不全|不详|脱落|有误)|无法识别",
        ),
        (
            R.WEATHER,
            "天气|暴雨|暴雪|大雪|雨雪|大雾|雾霾|台风|洪[水涝]|冰雪|强降|降雪|降雨|高温|地震|沙尘|自然灾害|疫情|封控"
            "|封锁|管控|管制|封路|封航|道路[^,]{0,4}(?:中断|封闭|结冰|受阻|不通)|塌方|泥石流|不可抗力|防控|封闭管理"
            "|静默|停航|停运|重(?:要|大)(?:赛事|活动|会议)",
        ),
        (
            R.RETAINED,
            "滞留|留仓|留库|扣件|扣留|积压|爆仓|滞件|滞仓|(?:在库|库内|待)[^,]{0,4}(?:等待|待)(?:客户)?通知"
            "|等通知(?:派|送|放)|暂时?存放?(?:于|在)?〔站〕|暂存网点|未装车|有到未发",
        ),
        (
            R.DELAYED,
            "延误|延迟|延期|延后|晚到|晚点|推迟|顺延|耽搁|拥堵|堵车|故障|量大|(?:超时|逾期)未|无法按时|未能?按时"
            "|无法准时|时效[^,]{0,4}(?:影响|延|波动)|影响[^,]{0,4}时效|航班(?:取消|延)|慢于|晚于",
        ),
    )
)
# Wordings of trouble that name no reason.
_UNEXPLAINED = pattern(
    "异常|问题件|疑难|不成功|未成功|失败|未妥投|未能|无法|未完成|未果|改期|改日|改约|改天|另约"
    "|约定[^,]{0,6}(?:时间|日期|再)|延时派|择日|节假日|休息日?|放假|违禁|禁寄|禁运|禁限|安检(?:不|未)|退安检"
    "|待核实|核实(?:中|处理)|核查中|协商|带回|拉回|反馈件|虚假|再次约|仲裁|理赔|索赔|暂停(?:派|配|投|收|揽)"
    "|暂不(?:派|配|投)|未派|待处理|不让进|拒绝进入|再投|无主件|无人认领|无着(?:件|邮件)|特殊单位|暂缓|未收到(?:快件|包裹|货)|核查|«送»超时|超时«送»|不方便(?:收|签)|工作日(?:续|再|派)|超标件|正在找"
    "|^(?:很?抱歉,?)?(?:因|由于)|(?:客户|收件人|用户|收方|收货人)[^,]{0,4}(?:要求|约定|通知)[^,]{0,6}(?:晚|延|改|等|推|周|明|后|再|暂)"
)
_FAILED_ATTEMPT = pattern(
    "«送»[^,]{0,6}(?:不成功|未成功|失败|异常|未果|未完成)|未(?:能)?(?:成功)?(?:妥投|«送»)"
    "|未妥投|«送»拉回|带回|改期|改日|改天|改约|约定|再次«送»|另约|择日|再投|暂缓«送»"
)
# A refusal that is told as the outcome sends the parcel back; told as the reason, it failed an attempt.
_BECAUSE = pattern(
    "因|由于|异常|不成功|未成功|失败|问题件|疑难|未(?:能)?妥投|未完成|处理|协商|再次|核实|送去|送至|登记"
)
_ATTEMPTED = frozenset({R.REFUSED, R.UNREACHABLE, R.WRONG_PHONE})

EXPLICIT = pattern("异常|不成功|未成功|失败|问题件|疑难|未(?:能)?妥投|投递未|配送未|派送未")
"""Trouble by name: no other reading of the sentence stands against it."""


def trouble(text: str) -> Reading | None:
    """Return what a sentence says that tells of trouble."""
    reason = reason_of(text)
    if reason is None:
        return None
    if reason == R.REFUSED and not _BECAUSE.search(text):
        return Reading(S.RETURNING, reason, 0.9)
    failed = reason in _ATTEMPTED or _FAILED_ATTEMPT.search(text)
    return Reading(S.DELIVERY_FAILED if failed else S.EXCEPTION, reason, 0.95)


def reason_of(text: str) -> str | None:
    """Return why it went wrong; an empty string where it doesn't say, None where nothing did."""
    for reason, wording in TROUBLES:
        if wording.search(text):
            return reason
    return "" if _UNEXPLAINED.search(text) else None
