"""What the usual wordings of Chinese carriers mean: rules in order, the first that holds decides.

Written from the development part of the sample sentences and from general knowledge of the trade. A rule is a status,
a reason, what must be there and what must not. The patterns read what `cleaning.clean` leaves of a sentence.
"""

import re
from dataclasses import dataclass

from logistics.models import Reason, ShipmentStatus
from logistics.texts.cleaning import KEEPER

R, S = Reason, ShipmentStatus


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says; `status` is empty where it can't be told. `confidence` from 0 to 1."""

    status: ShipmentStatus | str
    reason: str = ""
    confidence: float = 0.0


ABSTAINED = Reading("")


@dataclass(frozen=True, slots=True)
class Rule:
    status: ShipmentStatus
    pattern: re.Pattern[str]
    but_not: re.Pattern[str] | None = None
    reason: str = ""
    confidence: float = 0.98

    def holds(self, text: str) -> bool:
        return self.pattern.search(text) is not None and (self.but_not is None or self.but_not.search(text) is None)


_WORDS = {
    "柜": rf"(?:〔柜〕|{KEEPER})",
    "员": r"(?:快递员|派件员|收派员|配送员|投递员|派送员|业务员|小哥|快递小哥|取件员|揽收员"
    r"|揽件员|收件员|揽投员|司机|骑手|专员|员工)",
    "客": r"(?:收件人|收货人|收件客户|收方|收货方|客户|用户|买家|顾客|本人|家人|取件人)",
    "亲": r"(?:本人|家人|家属|亲友|亲属|同事|邻居|朋友|室友|同学|他人|父母|妻子|丈夫|老师|助理)",
    "寄": r"(?:寄件人|发件人|寄件客户|寄方|发货人|发货方|寄件方|商家|卖家|发件客户|寄件商家" r"|原寄件人|发件方|商户)",
    "送": r"(?:派送|派件|投递|配送|送货|送件|派单)",
    "取": r"(?:取件|领取|取货|自提|自取|提货|取走|提取|领件|取回|取出|提走|拿走)",
}


def _p(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; «柜» and the like stand for the families of words above."""
    return re.compile(re.sub("«(.)»", lambda match: _WORDS[match[1]], pattern))


def _rule(
    status: ShipmentStatus, pattern: str, but_not: str = "", *, reason: str = "", confidence: float = 0.98
) -> Rule:
    return Rule(status, _p(pattern), _p(but_not) if but_not else None, reason, confidence)


# Why something went wrong, the more telling reason first.
TROUBLES: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    (R.LOST, _p("丢失|遗失|灭失|丢件|下落不明|有单无货|疑似丢")),
    (R.DAMAGED, _p("破损|损坏|受损|少件|短少|缺件|破裂|泄漏|渗漏|污染|受潮|化冻|解冻|变形|变质")),
    (R.REFUSED, _p("拒收|拒签|拒绝(?:签收|接收|收件|收货|收取)|不愿(?:签)?收|拒付|不要了")),
    (R.MISSORTED, _p("错分|分错|错发|误发|发错|误分|错装|串件|错集|分拣错误|流向错误|错件")),
    (
        R.OUT_OF_AREA,
        _p(
            "超区|超派|超出[^,]{0,6}(?:范围|区域)|超(?:服务)?范围|不在[^,]{0,6}(?:范围|区域)"
            "|无(?:服务|派送)?网点|未开通服务"
        ),
    ),
    (
        R.WRONG_PHONE,
        _p("(?:电话|手机|号码|联系方式)[^,]{0,6}(?:错|空号|有误|不正确|停机|不存在|不全|不符)|空号|停机|无电话"),
    ),
    (
        R.UNREACHABLE,
        _p(
            "联系不[上到]|无法(?:与[^,]{0,6})?(?:取得)?联系|未(?:能)?联系[上到]|联系未果|未联系到"
            "|(?:电话|手机|多次)[^,]{0,8}(?:无人|关机|打不通|不通|拒接|未接|无应答|占线)"
            "|无法接通|无人接听|不接电话|未接听|«客»[^,]{0,6}(?:不在|外出|出差|离开)|无人(?:在家"
            "|收货|收件|签收|接收|应答|待签)|家中无人|家里没人|没人在"
        ),
    ),
    (
        R.WRONG_ADDRESS,
        _p(
            "地址[^,]{0,8}(?:错|不详|有误|不清|不全|不明|不完整|欠详|模糊|不符|不对|不存在"
            "|未找到)|(?:错误|不详|不明)[^,]{0,2}地址|查无|无此人|欠详|迁移新址|已搬[迁走离]"
            "|找不到[^,]{0,4}地址"
            "|(?:面单|信息|资料|运单)[^,]{0,6}(?:模糊|不清|不全|不详|脱落|有误)|无法识别"
        ),
    ),
    (
        R.WEATHER,
        _p(
            "天气|暴雨|暴雪|大雪|雨雪|大雾|台风|洪[水涝]|冰雪|强降|降雪|高温|地震|自然灾害|疫情"
            "|封控|封锁|管控|管制|封路|封航|道路(?:中断|封闭|结冰|受阻)|塌方|泥石流|不可抗力|防控"
            "|封闭管理|静默|停航|停运"
        ),
    ),
    (
        R.RETAINED,
        _p(
            "滞留|留仓|留库|扣件|扣留|积压|爆仓|滞件|滞仓|(?:在库|库内|待)[^,]{0,4}(?:等待"
            "|待)(?:客户)?通知|暂时?存放?(?:于|在)?〔站〕|留存"
        ),
    ),
    (
        R.DELAYED,
        _p(
            "延误|延迟|延期|延后|晚到|晚点|推迟|耽搁|拥堵|堵车|故障|量大|(?:超时|逾期)未|无法按时"
            "|未能?按时|无法准时|时效[^,]{0,4}(?:影响|延|波动)|影响[^,]{0,4}时效|航班(?:取消|延)"
            "|慢于|晚于"
        ),
    ),
)
# Wordings of trouble that name no reason.
_UNEXPLAINED = _p(
    "异常|问题件|疑难|不成功|未成功|失败|未妥投|未能|无法|未完成|未果|改期|改日|改约|改天"
    "|另约|约定[^,]{0,6}(?:时间|日期|再)|延时派|择日|节假日|休息日?|放假|违禁|禁寄|禁运"
    "|禁限"
    "|安检(?:不|未)|退安检|待核实|核实(?:中|处理)|核查中|协商|带回|拉回|反馈件|虚假"
    "|再次约|仲裁|理赔|暂停(?:派|配|投|收)|暂不(?:派|配)|未派|待处理"
    "|(?:客户|收件人|用户)要求[^,]{0,6}(?:晚|延|改|等|推|周|明)"
)
_FAILED_ATTEMPT = _p(
    "«送»[^,]{0,6}(?:不成功|未成功|失败|异常|未果|未完成)|未(?:能)?(?:成功)?(?:妥投|«送»)"
    "|未妥投|«送»拉回|带回|改期|改日|改天|改约|约定|再次«送»|另约|择日"
)
# A refusal that is told as the outcome sends the parcel back; told as the reason, it failed an attempt.
_BECAUSE = _p("因|由于|异常|不成功|未成功|失败|问题件|疑难|未(?:能)?妥投|未完成|处理|协商|再次|核实")
_ATTEMPTED = frozenset({R.REFUSED, R.UNREACHABLE, R.WRONG_PHONE})

_EXPLICIT = _p("异常|不成功|未成功|失败|问题件|疑难|未(?:能)?妥投|投递未|配送未|派送未")
_IN_THE_LOCKER = _p(
    "已(?:经)?(?:将?[^,]{0,10})?(?:放|存|投|送|寄存|暂存|转存|入|改放)[^,]{0,14}«柜»"
    "|已入柜|(?:放|存|投)(?:至|入|在|到|于)[^,]{0,14}«柜»|已由[^,]{0,20}代收"
)
_TAKEN = _p(
    "(?:已|被|成功|完成|自行)(?:经|被|由|从|在|自|到|«客»|〔柜〕|[^,]{0,16}(?:从|在|由"
    "|自))*[^,]{0,16}(?:取走|取出|领走|领取|自提|提走|拿走|自取|提货|取件|取货)"
    "|«取»(?:成功|完成|完毕)|取件人[^,]*已取|出库[^,]{0,4}取"
)
_ASKS_TO_FETCH = _p(
    "(?:取件|取货|提货|开箱|自提|取物|验证)(?:号|码|密码)|凭[^,]{0,16}(?:«取»|开门|取)"
    "|请[^,]{0,18}«取»|(?:及时|尽快|尽早|前往|等待|等候|待|可[以到在至]?|小时内|日内"
    "|还?未|尚未|前来|到店|上门|窗口|自行)[^,]{0,10}«取»|«取»(?:您|包裹)?(?:哦|吧)"
)
_COURIER_CAME = _p("准备«取»|等待«员»|«员»[^,]{0,6}上门|上门(?:取件|揽)|航班|飞机|降落|落地待")

_KEEPER = _p("«柜»")
_LEFT_LYING = _p("(?<!尚)未取|(?<!尚)未领")
_BY_OTHERS = _p("«员»|«寄»|待签|揽")
_BY_WHOM = _p("«柜»|«客»|您")
_BARELY_TAKEN = _p("取[件货](?:成功|完成)|已取[件货]|完成取件")

BEFORE: tuple[Rule, ...] = (
    _rule(S.EXCEPTION, "(?:揽收|揽件|收件|取件|收寄)(?:失败|异常|不成功|未成功|未完成)|无法揽", confidence=0.95),
    _rule(
        S.CANCELLED,
        "取消(?:寄件|发货|订单|揽收|下单|运单|收件|寄递|寄送)|(?:订单|寄件|运单|下单|发货"
        "|揽收|任务|寄送)(?:任务)?(?:已|被)?(?:被)?(?:客户|商家|卖家|用户|系统)?(?:取消|关闭"
        "|作废|撤销)",
        reason=R.CANCELLED,
        confidence=0.95,
    ),
    _rule(
        S.NO_TRACE,
        "(?:等待|待|尚未|暂未|还未|未|即将|将(?:要|会)?)(?:被|«员»|上门|快递公司|承运商"
        "|您)*(?:揽|上门取|上门收|收寄)|(?:已|成功)(?:下单|接单)|下单成功|(?:订单"
        "|预约)[^,]{0,4}(?:已提交|已受理|已确认|提交成功)|等待(?:商家|卖家)|(?:商家"
        "|卖家)(?:正在|准备)|(?:面单|运单|标签)[^,]{0,4}打印|通知[^,]{0,8}(?:揽|取件|收件)"
        "|预约[^,]{0,4}(?:取件|揽|寄件)|(?:暂无|没有)(?:轨迹|物流|路由)",
        confidence=0.95,
    ),
    _rule(
        S.RETURNED,
        "(?:退[回件货返运签还]|返货|返件)[^,]{0,12},?[^,]{0,10}(?:(?<!待)签收|妥投|已收(?:到"
        "|货)|已送达|已取)|«寄»[^,]{0,6}(?:已)?(?:签收|收到退)|退[件货](?:给|到|至"
        "|交)?(?:客户|«寄»)(?!要求|原因|拒)|已退[回还](?:至|给|到|了)?(?:«寄»|客户)(?!网点)"
        "|退[件回货](?:已)?(?:完成|成功)|签收(?:退[件货回])",
        "请|正在|中(?:$|,)|待签|将",
        confidence=0.97,
    ),
    _rule(
        S.RETURNING,
        "退[回返运签]|退[件货]|退还|退往|退寄|返货|返件|原路返|返回(?:发|寄|商|卖|途|仓|始|原"
        "|至发|至寄)|(?:按|方)[^,]{0,8}返回|正返回|返还|撤回",
        "(?:不可|不能|拒绝|无法|取消|停止)退|退货(?:地址|险|政策)",
        confidence=0.97,
    ),
    _rule(S.EXCEPTION, "弃件|弃货|抛弃|销毁|无着(?:件|邮件)", confidence=0.95),
    _rule(S.EXCEPTION, "拦截|截件", reason=R.INTERCEPTED, confidence=0.95),
    _rule(
        S.FORWARDED,
        "转寄|改寄|转投(?!递|入)|(?:改|变更|更改|更换|修改|换)(?:新)?(?:的)?(?:收件|收货|派送"
        "|配送|投递)?(?:人)?地?址|地址(?:已|被|有)?(?:变更|更改|修改|改)|改派(?!送)|新地址"
        "|转送至新",
        "地址不",
        reason=R.REDIRECTED,
        confidence=0.96,
    ),
    _rule(
        S.CUSTOMS,
        "清关|通关|报关|海关|关税|检疫|〔关〕|口岸|关务|申报|税[费金款]|(?:等待|接受|正在"
        "|开箱|进行)查验|查验(?:中|放行|通过|完成)|放行|结关|转关|免税|征税|纳税",
        confidence=0.97,
    ),
)
PLACED: tuple[Rule, ...] = (
    _rule(
        S.PICKED_UP,
        "«寄»[^,]{0,8}(?:将|把)?[^,]{0,6}(?:放|投|存)[^,]{0,8}«柜»|(?:自寄|寄件)柜|投柜寄"
        "|(?:从|在)«柜»[^,]{0,4}(?:揽|收件|收取)|«柜»(?:代)?(?:揽收|收件)(?!宝|人)",
        confidence=0.95,
    ),
    _rule(
        S.OUT_FOR_DELIVERY,
        "取消(?:派件|投递|投柜|存件)|«员»[^,]{0,8}(?:领取|提取|领出)(?:快件|包裹|邮件|货物)",
        confidence=0.93,
    ),
    _rule(
        S.DELIVERY_FAILED,
        "(?:超时|逾期|小时|天)[^,]{0,8}(?:未取|未领|无人取)[^。]*(?:取回|取出|收回|回收|拿回)"
        "|«员»[^,]{0,10}(?:取回|收回|回收)|(?:超时|逾期|超期)(?:未|件)",
        "尽快|及时|待签",
        reason=R.LOCKER,
        confidence=0.93,
    ),
    _rule(S.OUT_FOR_DELIVERY, "«员»[^,]{0,12}(?:取出|取走|拿走)", "揽|寄|为您|收件", reason="", confidence=0.9),
)
TOLD_DELIVERED: tuple[Rule, ...] = (
    _rule(
        S.EXCEPTION,
        "签收异常|误签|虚假签收|签收后[^,]{0,6}(?:反馈|发现)|异常签收单|未签收成功",
        confidence=0.9,
    ),
    _rule(
        S.AWAITING_PICKUP,
        "代签收|代为签收|«柜»[^,]{0,4}(?:代签|签收)",
        "已签收|«亲»[^,]{0,3}代?(?:为)?签|(?:本人|客户|收件人)[^,]{0,12}签收|(?:前台|门卫"
        "|物业|保安|收发室)代?签|签收人|取走|妥投",
        reason=R.LOCKER,
        confidence=0.93,
    ),
    _rule(
        S.DELIVERED,
        "签收|(?<!未)(?<!不)妥投|代签",
        "签收(?:失败|异常|不成功)|失败签收|拒签|拒绝签收|(?:派|送|投递"
        "|再次)[^,]{0,4}(?:不成功|失败)|未能妥投|没有妥投|无法妥投|不能妥投|拒绝妥投|(?:暂|还"
        "|尚)未[^,]{0,4}签收",
    ),
)
DELIVERED_OTHERWISE: tuple[Rule, ...] = (
    _rule(
        S.DELIVERED,
        "(?<!未)(?:投递|派送|派件|配送|送货|送件|收货)(?:已)?(?:成功|完成|完毕|结束)"
        "|(?<!未)(?:完成|成功)(?:了)?(?:配送|派送|投递|送货|送达|交付|派件)|确认收货"
        "|(?:已)?送达(?:至)?[^,]{0,4}(?:客户|收货人|收件人|您|买家|本人)手?",
        "开单|(?:至|到|入|在|由)[^,]{0,10}«柜»|不成功|(?<=未)完成|开始",
    ),
    _rule(
        S.DELIVERED,
        "(?:放|置|送)(?:在|于|到|至|了)?[^,]{0,12}(?:门口|门前|门外|院内|楼下|指定(?:位置"
        "|地点|的)|您家|家里|家中|信箱|奶箱|鞋柜|消防栓)|(?:已|成功)(?:经)?(?:送达|送到"
        "|交付给?(?:客户|收))(?!〔|[^,]{0,4}(?:网点|中心|站|港|仓|机场))",
        "«柜»|正在|(?<!已)将|即将|不在|要求|要|送往|〔某〕",
        confidence=0.92,
    ),
    _rule(
        S.DELIVERED,
        "«亲»(?:已)?代收|代收[,:人是]{1,3}(?:«亲»)|(?:已)?(?:由|被)«客»(?:本人)?(?:收取|收下|收走)",
        confidence=0.9,
    ),
)
KEPT: tuple[Rule, ...] = (
    _rule(
        S.OUT_FOR_DELIVERY,
        "(?:正在?|准备|即将|将|开始)(?:派?送|派|配送|前|投)[^,]{0,10}«柜»|送往[^,]{0,10}«柜»"
        "|«送»(?:至|到|往)?[^,]{0,8}«柜»[^,]{0,4}(?:途中|中$)",
        "已(?:放|存|送达|送至|到)|待签|到达",
        confidence=0.93,
    ),
    _rule(
        S.AWAITING_PICKUP,
        "(?:放|存|投|送|入|到|抵|派|转|交)[^,]{0,16}«柜»|(?:已|快件|包裹)送达(?:至|到)?〔某〕"
        "|«柜»[^,]{0,4}(?:交接|存件)|保管|客户自[取提]|自[取提]件?$|入柜"
        "|«柜»[^,]{0,10}(?:代收|入库|代管|保管|暂存|已收|代存|签收|到件|收件入|上架)|代收"
        "|代管|代保管|等待自[提取]|待自[提取]|到站自|站点自|上架",
        "«员»[^,]{0,4}从|离开|发往|下一站|代收货款|代收款|取消|揽|出库",
        reason=R.LOCKER,
        confidence=0.96,
    ),
)
UNDER_WAY: tuple[Rule, ...] = (
    _rule(
        S.IN_TRANSIT,
        "(?:滞留|问题|异常|留仓)件?(?:已)?(?:出仓|出库|解除|处理完|已处理|恢复)|恢复(?:运输"
        "|派送|正常)|(?:异常|问题)(?:已)?(?:解除|处理完)",
        confidence=0.9,
    ),
)
MOVING: tuple[Rule, ...] = (
    _rule(
        S.PICKED_UP,
        "(?:已|完成|成功|被|上门|进行)[^,]{0,10}揽[收件投货]?(?!部|网点|投部|员)|揽(?:收"
        "|件)(?:成功|完成|扫描|完毕|入|$|,)|揽收(?!网点|部|点|中心|站|员|站点|区)|揽件(?!员"
        "|网点)",
        "(?:离开|驶离)[^,]*揽收[^,]*站",
    ),
    _rule(
        S.PICKED_UP,
        "收寄|(?:已|完成|代理|成功|上门|扫描|业务|网点|〔站〕|点|店|管家|^)收件(?!人|方|地|客"
        "|区|点|网|公司|宝|员|箱|柜)|收件(?:扫描|成功|完成|入仓|责任|交接)|集收|已?收取快件"
        "|收取(?:了)?(?:您的)?(?:快件|包裹|货物|邮件)|承运|完成收货|开单"
        "|«员»[^,]{0,6}(?:已)?(?:上门)?(?:取件|取货|收取|收货|接货|提货)|(?:取件|取货|收货"
        "|接货)(?:成功|完成|扫描|完毕)|已(?:上门)?(?:取件|取货|接货)|交[给付]?(?:至)?(?:顺丰"
        "|中通|圆通|申通|韵达|极兔|京东|邮政|ems|德邦|百世|跨越|快递)",
        "(?:离开|发往|派[件送](?:中|途))|准备取件|装车|送往您|送往客",
        confidence=0.96,
    ),
    _rule(
        S.IN_TRANSIT,
        "(?:即将|将(?:很快|会|安排|尽快)?|等待|待|很快(?:将)?|准备|预计|近期|尽快"
        "|会尽快)(?:进行|为您|安排|再次|很快|开始|尽快|于?[今明]日)*(?:派送|派件|配送|投递"
        "|送货|派单)(?!途)|稍后[^,]{0,4}«送»|分配[^,]{0,8}«员»,?$|正在[^,]{0,6}分配",
        "正在派|派[送件]中|«员»:|安排投递|开始«送»|已安排|给«员»",
        confidence=0.95,
    ),
    _rule(
        S.OUT_FOR_DELIVERY,
        "正在?(?:为您|给您|进行|第[0-9一二三]+次|外出|紧张|努力|加紧|上门|无接触|向您)*(?:派"
        "|送|投递|配送)|«送»(?:途)?中|送货上?门?(?:途)?中|(?:开始|安排|进行|外出|出发"
        "|第[0-9一二三]+次|重新|再次|继续|二次|今日|今天|已出)(?:为您|上门|同城|末端)*(?:«送»"
        "|派)|«送»(?:扫描|出仓|出库|出发|任务)|派件(?:人|员)[:是]|«员»[^,]{0,14}«送»"
        "|为您(?:«送»|送)|送往(?:您|收|客)|送上门|(?:在|赶来?的?|来的)路上|(?:已|交"
        "|分配)[^,]{0,4}(?:给|由)?[^,]{0,3}«员»|(?:代理|合作点|外部|第三方|便利店|管家|同城"
        "|外发|〔柜〕|点|仓)派件|派件$|(?:转由|转交|交由|委托)[^,]{0,10}«送»"
        "|派件[^,]{0,4}交接|指定[^,]{0,10}«送»|已派[件送]$|送往您手|«员»[^,]{0,8}(?:出发"
        "|配送员送货)|安排[^,]{0,10}送货",
        "(?:发往|下一站|离开)[^,]*$|(?:运输|转运|运送)(?:途)?中|送往(?:〔站〕|集散|京东|网点"
        "|机场|分拣|中转|下一)|装车|到达目的|送往[^,]{0,8}(?:营业|中心|站|点)|派件(?:入仓"
        "|到件)",
        confidence=0.96,
    ),
    _rule(
        S.IN_TRANSIT,
        "到达|已到|抵达|到件|离开|驶离|驶入|发往|正发|发出|发车|发件|出发|启程|启运|开往|装车"
        "|卸车|卸货|装袋|装机|装箱|装包|集包|建包|拆包|打包|封发|封车|封装|解封|开拆|直封"
        "|运往|前往|下一[站部]|上一站|转运|中转|经转|运输|在途|途中|途经|分拣|分拨|起飞|降落"
        "|飞往|到港|进港|出港|干线|配载|收入|^到〔|^到[^,]{2,8}[市区县]|装笼|验货完成",
        "取消|失败",
        confidence=0.95,
    ),
    # Words of the work inside a station: they tell something only where nothing else is spoken of.
    _rule(
        S.IN_TRANSIT,
        "称重|扫描|航班|空运|航空|机场|进站|出站|入站|出口|进口|入仓|出仓|入库|出库|进仓|交航"
        "|交运|交接|理货|铁路|列车|班车|建袋|落格|库存|〔站〕处理|集货|移交|送往|运送",
        "取消|失败|派|收件|揽|签|退|柜|驿|取|拒|代|投|客户",
        confidence=0.88,
    ),
)


def read_by_rules(text: str) -> Reading:
    """Return what a cleaned sentence says by the rules."""
    if found := _first(BEFORE, text):
        return _with_reason(found, text)
    if found := _first(PLACED, text):
        return found
    fetch = _ASKS_TO_FETCH.search(text) is not None and not _COURIER_CAME.search(text)
    locker = _IN_THE_LOCKER.search(text) is not None
    if not fetch and (found := _first(TOLD_DELIVERED, text)):
        return _with_reason(found, text)
    if _EXPLICIT.search(text) and not locker and not _first(UNDER_WAY, text):
        return _trouble(text) or ABSTAINED
    return _placed(text, fetch=fetch, locker=locker) or _moving(text)


def _placed(text: str, *, fetch: bool, locker: bool) -> Reading | None:
    if fetch and not _LEFT_LYING.search(text):
        kept = locker or _KEEPER.search(text) or "取件码" in text
        return Reading(S.AWAITING_PICKUP, R.LOCKER if kept else "", 0.97)
    if not locker and (found := _first(DELIVERED_OTHERWISE, text)):
        return found
    if not locker and _TAKEN.search(text) and not _COURIER_CAME.search(text) and not _BY_OTHERS.search(text):
        # "Taken" alone is as well the courier's pick-up.
        bare = not _BY_WHOM.search(text) and _BARELY_TAKEN.search(text)
        return None if bare else Reading(S.DELIVERED, R.LOCKER if _KEEPER.search(text) else "", 0.95)
    return _first(KEPT, text) if locker or not _says_trouble(text) else None


def _moving(text: str) -> Reading:
    if found := _first(UNDER_WAY, text):
        return found
    return _trouble(text) or _first(KEPT, text) or _first(MOVING, text) or ABSTAINED


def _trouble(text: str) -> Reading | None:
    reason = _reason(text)
    if reason is None:
        return None
    if reason == R.REFUSED and not _BECAUSE.search(text):
        return Reading(S.RETURNING, reason, 0.9)
    failed = reason in _ATTEMPTED or _FAILED_ATTEMPT.search(text)
    return Reading(S.DELIVERY_FAILED if failed else S.EXCEPTION, reason, 0.95)


def _says_trouble(text: str) -> bool:
    return _reason(text) is not None


def _reason(text: str) -> str | None:
    """Return why it went wrong; an empty string where it doesn't say, None where nothing did."""
    for reason, pattern in TROUBLES:
        if pattern.search(text):
            return reason
    return "" if _UNEXPLAINED.search(text) else None


def _with_reason(found: Reading, text: str) -> Reading:
    if found.reason or found.status not in (S.RETURNING, S.RETURNED, S.DELIVERED, S.EXCEPTION):
        return found
    if found.status == S.DELIVERED:
        return Reading(found.status, R.LOCKER if _KEEPER.search(text) else "", found.confidence)
    reason = R.INTERCEPTED if "拦截" in text else _reason(text) or ""
    return Reading(found.status, reason, found.confidence)


def _first(rules: tuple[Rule, ...], text: str) -> Reading | None:
    rule = next((rule for rule in rules if rule.holds(text)), None)
    return Reading(rule.status, rule.reason, rule.confidence) if rule else None
