"""What a template would say, and what is wrong with it, whichever channel it belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from frozenshop.kernel import caching
from frozenshop.kernel.http import ServiceError
from notifications import words
from notifications.channels.base import ChannelError
from notifications.models import Audience, Channel, MessageTemplate, Milestone
from notifications.occasions import OCCASIONS, SMS
from notifications.sms import fields as sms_fields
from notifications.wechat import accounts, templates
from notifications.wechat.errors import WechatError
from notifications.wechat.templates import Line, Listed, Preview

UNASKED_SECONDS = 60
"""For how long WeChat isn't asked again after it could not be."""
_ALIYUN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")


@dataclass(frozen=True, slots=True)
class Look:
    """`usual`: with a usual order's words, `long`: with a long order's. `unasked`: why WeChat's list is missing."""

    usual: Preview
    long: tuple[Line, ...]
    unasked: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        return self.usual.problems


def look(template: MessageTemplate) -> Look:
    """Return how a template would look. It may ask WeChat for its list, once in a while: never in a transaction."""
    facts = words.sample(template.milestone)
    longest = {**facts, **templates.LONGEST}
    if template.channel in SMS:
        return Look(_of_sms(template, facts), _of_sms(template, longest).lines)
    listed, unasked = known(template.channel)
    one = listed.get(template.template_id)
    usual = templates.preview(template, facts, one)
    if listed and one is None and not template.template_id:
        usual = replace(usual, problems=("模板编号没有填写：照微信后台的填", *usual.problems))
    elif listed and one is None:
        absent = f"微信后台没有编号 {template.template_id} 的模板，请选用后把编号填到这里"
        usual = replace(usual, problems=(absent, *usual.problems))
    return Look(usual, templates.preview(template, longest, one).lines, unasked)


def known(channel: str) -> tuple[Mapping[str, Listed], str]:
    """Return WeChat's own templates by id, or why they are not known."""
    if channel not in templates.CHANNELS:
        return {}, ""
    official = channel == Channel.WECHAT_OFFICIAL
    account = accounts.official() if official else accounts.mini_program()
    if not account.configured:
        return {}, f"还没有配置{'公众号' if official else '小程序'}的密钥，没有与微信核对"
    key = f"wechat:{account.appid}:templates-unasked"
    if said := caching.get_many([key]).get(key):
        return {}, str(said)
    try:
        return templates.listed(channel), ""
    except (WechatError, ServiceError) as error:
        said = f"暂时没有与微信核对：{error}"[:300]
        caching.put(key, said, UNASKED_SECONDS)
        return {}, said


def misplaced(channel: str, milestone: str) -> str:
    """Return what is wrong with telling a milestone by a channel, with the way out."""
    told = OCCASIONS[Milestone(milestone)].told
    if any(channel in channels for channels in told.values()):
        return ""
    used = [Channel(one).label for audience in Audience for one in told.get(audience, ())]
    return f"“{Milestone(milestone).label}”不用{Channel(channel).label}；可选：{'、'.join(dict.fromkeys(used))}"


def _of_sms(template: MessageTemplate, facts: Mapping[str, str]) -> Preview:
    texts = template.fields if isinstance(template.fields, dict) else {}
    values = {name: sms_fields.fitted(words.fill(str(text), facts)) for name, text in texts.items()}
    lines = tuple(
        Line(name, name, value, "；".join(sms_fields.broken({name: value}))) for name, value in values.items()
    )
    problems = [line.problem for line in lines if line.problem]
    problems += [] if template.template_id else ["模板编号没有填写：照短信服务商后台的填"]
    problems += words.wrong_in(texts.values()) + _misnamed(template.channel, values)
    problems += ["短信没有“点击打开”，请留空"] if template.page else []
    return Preview(template.title, lines, "", tuple(problems), tuple(_warnings(texts)))


def _misnamed(channel: str, values: Mapping[str, str]) -> list[str]:
    if channel == Channel.SMS_TENCENT:
        try:
            sms_fields.in_order(values)
        except ChannelError as error:
            return [error.reason]
        return []
    wrong = [name for name in values if not _ALIYUN_NAME.fullmatch(name)]
    return [f"字段名 {'、'.join(wrong)} 不能用：照阿里云模板里 ${{ }} 中的变量名填，字母开头"] if wrong else []


def _warnings(texts: Mapping[str, str]) -> list[str]:
    return words.unset_in(texts.values()) + [
        f"{name}：有时还没有{words.WORDS[alone]}，那时写“{sms_fields.NOTHING}”"
        for name, text in texts.items()
        if (alone := str(text).strip().strip("{}")) in templates.MAYBE_NOTHING and str(text).strip() == f"{{{alone}}}"
    ]
