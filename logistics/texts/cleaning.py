"""A carrier's sentence without what says nothing of the parcel: advertising, conditions, numbers, names of places.

Names stand in marks: 〔柜〕 a locker or a shop that keeps parcels, 〔站〕 a station of the carrier, 〔关〕 a customs
office, 〔某〕 anything else, mostly a person.
"""

import re
import unicodedata

LONGEST = 500
LOCKER, STATION, OFFICE, NAME = "〔柜〕", "〔站〕", "〔关〕", "〔某〕"

_HIDDEN = re.compile(r"[​-‏⁠﻿\x00-\x08\x0b-\x1f]")
NUMBER = re.compile(
    r"(?<![0-9a-z])(?:\+?86[- ]?)?1[3-9][0-9*x]{9}(?:[-转][0-9]{1,6})?(?![0-9])"  # mobile, also a masked one
    r"|(?<![0-9])0[0-9*]{2,3}-[0-9*]{7,8}(?![0-9])"
    r"|(?<![0-9])(?:400|800)-?[0-9*]{3,4}-?[0-9*]{3,4}(?![0-9])"
    r"|(?<![0-9])(?:95|96|11)[0-9]{3,4}(?![0-9])"
)

KEEPER = (
    r"驿站|丰巢|速递易|喵[柜站]|云柜|兔喜|妈妈驿|蜜罐|溪鸟|邮乐购|近邻宝|熊猫快收|百世邻里|多多买菜"
    r"|收件宝|中邮驿|[eE]栈|韵达超市|农村淘宝|村淘|村邮站|邮站|便民站|菜鸟站点|驿小店|快递驿|格口|快递[站架](?!点)"
    r"|(?:快递|快件|智能|自提|包裹|储物|菜鸟|寄存|寄件|自寄|取件|丰|信报)柜|柜机|柜子|柜中"
    r"|柜内|[0-9a-z]号?柜|柜$"
    r"|(?:快递|驿站|生活)?(?:便利店|超市|小卖部|小店)|(?:代收|自提|取件|提货|取货|代办"
    r"|合作|代理|便民)(?:点|站|店|处|网点)"
    r"|自助店|(?:代收|便民|淘宝|菜鸟|快递|村级|社区|物流)服务(?:站|点)|顺丰店|顺丰站"
    r"|收发室|传达室|快递(?:室|收发点)|物业|保安室|门卫室"
)
_KEEPER = re.compile(KEEPER)
_KEEPER_END = re.compile(r"(?:驿站|邮站|柜|店|超市|代收点|自提点|服务站|站点|代办点|取件点|室|生活馆)$")
_STATION_END = re.compile(
    r"(?:营业[点部厅所]|网点|中心[0-9a-z]*|公司|分部|[一二三四五六七八九十0-9]部|部|局|所"
    r"|集散[点地]?|分拨[点部]?|转运[场站]?|枢纽|场|仓|站|点|基地|园区?|市|省|区|县|镇|乡)$"
)
_STATION_WORDS = re.compile(
    r"(?:分拣|分拨|转运|中转|集散|处理|配送|派送|派件|运作|枢纽|航空|陆运|投递|揽投|收寄"
    r"|操作|集配|集运|营运|揽收|仓配|到件)"
    r"(?:中心|[部站场点局]|枢纽|网点|分部|班)|枢纽中心|转运枢纽|接货仓|收件(?:网点|点|部)"
    r"|签收网点|(?:便利店|超市|驿站)(?:分部|公司|网点)|(?:目的地|下级地|始发|末端|派件|派送)(?:网点|站点|地点)"
)
_SAYS = re.compile(
    r"签收|拒收|代收|派[件送]|投递|妥投|退[回件]|异常|不成功|滞留|破损|无人|错分|取件|揽收" r"|原因|地址|电话|联系"
)
_COURIERS_NAME = re.compile(
    r"((?:(?:收件|派件|投递|揽投|派送|配送|快递|业务|揽收)员|小哥|扫描员是?)[:\s]*)"
    r"(?:[【\[][^】\]]*[】\]]|\((?![^()]*(?:已|正在|因))[^()]*\))"
)
_POST = re.compile(r"(?:前台|门卫|物业|保安|收发|传达)[室处]?")
_SELLER_END = re.compile(r"(?:旗舰|专营|专卖)店$")
_PHONE_END = re.compile(r"[,:]?\s*(?:联系)?电话:?\s*$")
_SQUARE = re.compile(r"[【\[「『]([^【】\[\]「」『』]*)[】\]」』]")
_ROUND = re.compile(r"\(([^()]*)\)")

_CONDITION = re.compile(r"^(?:请?如(?![下期约皋东])|若(?!羌)|倘若|假如|一旦|万一)")
_FUTURE = re.compile(
    r"^(?:请|可|将|我们|快件将|包裹将|货物将|邮件将|投诉|电话|联系|并|否则|逾期|也|或" r"|敬请)|将会?(?:被|退|收取|按)"
)
_ADVERT = re.compile(
    r"感谢|期待|祝您|欢迎|好评|五星|五颗|评价|投诉|疑问|有问题|客服|拨打|热线|专属号码"
    r"|放心(?:接听|收货|使用)|消毒|体温|口罩|疫苗|核酸|无接触|接触式"
    r"|风里|雨里|上有老|下有小|赏个|起早贪黑|见谅|谅解|辛苦|公众号|小程序|下载|app|优惠"
    r"|红包|抽奖|寄快递|寄件立|点击|链接|http|退订"
    r"|尽全力|最大的?动力|至关重要|信任与支持|您的认可|电话畅通|耐心等[待候]|注意(?:查收|接听|休息)|准备(?:收货|签收)|签收前|签收时|(?:请|先|后再)[^,]{0,6}验收"
    r"|当面|请[^,]{0,6}验货|外包装(?:检查|完好|是否)"
    r"|^您?[也还]可|^联系(?!不|未)|^(?:请|可)?(?:您)?联系(?!不|未)|联系电话|^(?:电话|手机号?|手机号码"
    r"|派送业务员|扫描时间|扫描员是?)|可能(?!丢|遗|已)|或有|或会|尽在"
)
_NEWS = re.compile(
    r"(?:已|正在|正|被|为您|进行|开始|完成)[^,]{0,4}(?:签收|派|揽|投递|妥投|退|送|放|存|取" r"|发往|到达|配送|代收)"
)
_KEPT_ADVERT = re.compile(r"无法|未能|不[上到]|空号|关机|错误")
_UNSIGNED = re.compile(
    r"(?:未|没有?|无法|不能|不予|未能|待|等待|准备|等候|请您?|请及时|无人|方可|可|预约"
    r"|通知|以便|便于|配合|尽快|协助|先)(?:您|客户|收件人|进行|被|再|后|其|本人)?签收"
    r"|签收(?:前|时)"
)
_UNBROKEN = re.compile(
    r"(?:包装|外观|货物)?完好(?:无损)?|(?:无|没有|未见|未发现)(?:明显)?(?:破损|异常|损坏)"
    r"|非?疫情(?:防控)?期间|异常(?:天气)?提醒"
)
# A threat of what will be done one day, and a forecast, are no events.
_THREAT = re.compile(r"^(?:超时|逾期|超期|过期)[^,]{0,10}(?:将|会|则)")
_FORECAST = re.compile(
    r"^(?:您的)?(?:快件|包裹|货物|邮件)?(?:将|会)?预计(?!.*(?:已|正在))[^,]{0,20}(?:送达|到达|送到|派送|配送|投递|顺延)"
)
_TICKET = re.compile(r"凭[^,。]{0,8}(?:码|短信|证件?)签收|签收,凭[^,。]{0,8}码(?=,|$)")


def clean(text: str, *, shops_are_stations: bool = False) -> str:
    """Return the telling part of a sentence, commas between its clauses and marks for names."""
    text = unicodedata.normalize("NFKC", _HIDDEN.sub("", text[:LONGEST])).lower()
    text = NUMBER.sub("", text)
    text = _COURIERS_NAME.sub(rf"\1{NAME}", text)
    text = _SQUARE.sub(lambda match: mark(match[1], shops_are_stations=shops_are_stations), text)
    text = _ROUND.sub(_inner, text)
    text = _telling(text)
    text = _UNBROKEN.sub("", _TICKET.sub("签收", text))
    return _UNSIGNED.sub("待签", _STATION_WORDS.sub(STATION, text))


def mark(name: str, *, shops_are_stations: bool = False) -> str:
    """Return the mark for what stands in brackets; what is no name but a remark is kept."""
    name = _PHONE_END.sub("", name.strip())
    if _POST.fullmatch(name):
        return name
    if _SELLER_END.search(name):
        return NAME
    if "海关" in name or "口岸" in name:
        return OFFICE
    if _STATION_END.search(name) and not _KEEPER_END.search(name):
        return STATION
    if _KEEPER.search(name):
        return LOCKER
    if _KEEPER_END.search(name):
        return STATION if shops_are_stations and name.endswith("店") else LOCKER
    if _SAYS.search(name):
        return name
    return NAME if len(name) > 1 else ""


def _inner(match: re.Match[str]) -> str:
    """Round brackets hold remarks, other companies and repeated names."""
    inner = match[1].strip()
    if _KEEPER.search(inner) and not re.search(r"已|正在|未|因", inner):
        return LOCKER
    return f",{inner}," if _SAYS.search(inner) or len(inner) > 8 else f"({inner})" if inner else ""


def _telling(text: str) -> str:
    kept = []
    for sentence in re.split(r"[。;!?~\n]", text):
        skipping = False
        for clause in re.split(r"[,、]|(?<=[^\x00-\x7f〕:])\s+(?=[^\x00-\x7f〔])", sentence):
            clause = re.sub(r"\s+", "", clause)
            skipping = bool(_CONDITION.search(clause)) or (skipping and bool(_FUTURE.search(clause)))
            if clause and not skipping and not _is_no_news(clause):
                kept.append(clause)
    return ",".join(kept)


def _is_no_news(clause: str) -> bool:
    if _THREAT.search(clause) or _FORECAST.search(clause):
        return True
    return bool(_ADVERT.search(clause)) and not _NEWS.search(clause) and not _KEPT_ADVERT.search(clause)
