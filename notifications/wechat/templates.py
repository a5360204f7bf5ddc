"""Templates of both accounts: what ours make of them, checked against the rules and against WeChat's own list."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from frozenshop.kernel import caching, clock
from frozenshop.kernel.http import ServiceError
from notifications import words
from notifications.channels.base import Letter
from notifications.models import Channel, MessageTemplate, Milestone
from notifications.wechat import accounts, client, field_rules
from notifications.wechat.errors import UNREADABLE, WechatError

logger = structlog.get_logger(__name__)

CHANNELS = (Channel.WECHAT_SUBSCRIBE, Channel.WECHAT_OFFICIAL)
CHECKED = "核对："
"""Begins the trouble that a check found, and that a later check takes back."""
LISTED_SECONDS = 600
PAGE_WORDS = frozenset({"order_no"})
LONGEST = {
    "lines": "手打鱼丸500g×2、雪花牛肉卷250g×1、深海野生大黄鱼1500g×3 等12件",
    "carrier": "顺丰速运冷运到家（宅配）",
}
MAYBE_NOTHING = frozenset({"eta", "location", "name", "carrier", "waybill_no", "waybill_tail"})
"""Words that have nothing to say of some notices."""
_WORD = re.compile(r"\{([a-z_]+)\}")
_LABELLED = re.compile(r"([^\n:：]+)[:：]\s*\{\{\s*(\w+)\.DATA\s*\}\}")
_PAGE = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9._~=&%{}-]*)?")
_OLD_STYLE = re.compile(r"(?:keyword\d+|first|remark)")


@dataclass(frozen=True, slots=True)
class Listed:
    """A template as WeChat lists it: `labels` by field, in order; `choices` of its enum fields."""

    template_id: str
    title: str
    labels: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a preview. `problem`: the rule that it breaks, and the way out."""

    name: str
    label: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a buyer would see. With `problems` it can't be used; `warnings` are worth a look."""

    title: str
    lines: tuple[Line, ...]
    page: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def filled(fields: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    """Return the fields with their words filled in and cut to fit."""
    return {name: fitted(name, words.fill(text, facts)) for name, text in fields.items()}


def fitting(letter: Letter) -> Letter:
    """Return a letter whose filled fields are cut to fit."""
    return replace(letter, fields={name: fitted(name, text) for name, text in letter.fields.items()})


def fitted(name: str, value: str) -> str:
    return value if _OLD_STYLE.fullmatch(name) else field_rules.fit(name, value)


def broken(fields: Mapping[str, str], choices: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    """Return what is wrong with values that are about to be sent, by field."""
    found = (
        field_rules.check(name, value, (choices or {}).get(name, ()))
        for name, value in fields.items()
        if not _OLD_STYLE.fullmatch(name) and (choices is not None or field_rules.kind_of(name) != "enum")
    )
    return [problem for problem in found if problem]


def preview(template: MessageTemplate, facts: Mapping[str, str] | None = None, listed: Listed | None = None) -> Preview:
    """Return what a template makes of sample facts. `listed`: WeChat's own, where it could be asked."""
    facts = facts or words.sample(template.milestone)
    texts = template.fields if isinstance(template.fields, dict) else {}
    values = filled(texts, facts)
    choices = listed.choices if listed else None
    labels = listed.labels if listed else {}
    lines = tuple(
        Line(name, labels.get(name, name), value, "；".join(broken({name: value}, choices)))
        for name, value in values.items()
    )
    problems = [line.problem for line in lines if line.problem]
    problems += (
        words.wrong_in(texts.values())
        + _cut_problems(texts)
        + _page_problems(template.page)
        + _long_problems(texts, facts, choices)
    )
    problems += _differences(template, listed) if listed else []
    problems += [] if texts else ["还没有填写字段：照模板详情，为每个字段写上要显示的内容"]
    title = template.title or (listed.title if listed else "")
    page = words.fill(template.page, facts)
    return Preview(title, lines, page, tuple(dict.fromkeys(problems)), tuple(_warnings(texts)))


def listed(channel: str, *, fresh: bool = False) -> dict[str, Listed]:
    """Return WeChat's own list by template id, at most ten minutes old. Raises WechatError, ServiceError."""
    official = channel == Channel.WECHAT_OFFICIAL
    account = _account(channel)
    key = f"wechat:{account.appid}:templates"
    rows = None if fresh else caching.get_many([key]).get(key)
    if rows is None:
        path = "/cgi-bin/template/get_all_private_template" if official else "/wxaapi/newtmpl/gettemplate"
        rows = client.authorised_get(path, account=account).get("template_list" if official else "data")
        if not isinstance(rows, list):  # An answer without a list doesn't say that there is no template.
            raise WechatError(UNREADABLE, path=path)
        caching.put(key, rows, LISTED_SECONDS)
    found = (_read(row) for row in rows if isinstance(row, dict))
    return {one.template_id: one for one in found}


def check_all() -> int:
    """Compare our templates with WeChat's lists; what can't work is stopped, what works again goes on.

    Returns how many have trouble. An account that can't be asked leaves its templates as they are.
    """
    for channel in CHANNELS:
        rows = list(MessageTemplate.objects.filter(channel=channel))
        account = _account(channel)
        if not rows or not account.configured:
            continue
        try:
            known = listed(channel, fresh=True)
        except (WechatError, ServiceError) as error:
            logger.warning("wechat.templates_unknown", channel=channel, error=str(error))
            continue
        for row in rows:
            _judge(row, known.get(row.template_id))
    return MessageTemplate.objects.filter(channel__in=CHANNELS).exclude(trouble="").count()


def stop(channel: str, template_id: str, trouble: str) -> None:
    """Use a template no more until a person has seen to it; the reason stands beside it in the admin."""
    rows = MessageTemplate.objects.filter(channel=channel, template_id=template_id, trouble="")
    if rows.update(trouble=trouble[:300], updated_at=clock.now()):
        logger.error("wechat.template_stopped", channel=channel, template_id=template_id, trouble=trouble)


def adopt() -> list[MessageTemplate]:
    """Make templates of ours from WeChat's lists, by their titles, for milestones that have none. Returns the new ones.

    Raises WechatError, ServiceError.
    """
    made: list[MessageTemplate] = []
    for channel in CHANNELS:
        account = _account(channel)
        known = listed(channel).values() if account.configured else []
        taken = set(MessageTemplate.objects.filter(channel=channel).values_list("milestone", flat=True))
        for milestone, title in TITLES.items():
            one = next((one for one in known if re.search(title, one.title)), None)
            if one is not None and milestone not in taken:
                made.append(_suggest(channel, milestone, one))
    return MessageTemplate.objects.bulk_create(made, ignore_conflicts=True)


TITLES: Mapping[Milestone, str] = {
    Milestone.PAID: "付款|支付成功",
    Milestone.SHIPPED: "发货",
    Milestone.OUT_FOR_DELIVERY: "配送通知|派送",
    Milestone.ARRIVING: "配送通知|派送",
    Milestone.LOCKER_WAITING: "取件",
    Milestone.LOCKER_REMINDER: "取件",
    Milestone.DELAYED: "延误",
    Milestone.EXCEPTION: "异常",
    Milestone.DELIVERED: "签收",
    Milestone.REFUNDED: "退款",
}
"""By which titles WeChat's templates are recognised."""
SUGGESTED: Mapping[str, str] = {
    "订单编号|订单号": "{order_no}",
    "商品": "{lines}",
    "快递公司|承运": "{carrier}",
    "单号": "{waybill_no}",
    "预计": "{eta}",
    "原因": "{reason}",
    "时间": "{time}",
    "地点|位置": "{location}",
    "状态": "{status}",
    "电话": "{shop_phone}",
    "提示|备注|说明": "{hint}",
}
"""By which labels the words of a field are guessed; staff put it right."""
PAGE = "pages/order/detail?order_no={order_no}"


def _account(channel: str) -> accounts.Account:
    return accounts.official() if channel == Channel.WECHAT_OFFICIAL else accounts.mini_program()


def _suggest(channel: str, milestone: Milestone, one: Listed) -> MessageTemplate:
    fields = {
        name: next((word for labels, word in SUGGESTED.items() if re.search(labels, label)), "{hint}")
        for name, label in one.labels.items()
    }
    template = MessageTemplate(
        channel=channel,
        milestone=milestone,
        template_id=one.template_id,
        title=one.title[:60],
        fields=fields,
        page=PAGE,
    )
    problems = preview(template, listed=one).problems
    template.trouble = f"{CHECKED}{problems[0]}"[:300] if problems else ""
    return template


def _judge(row: MessageTemplate, known: Listed | None) -> None:
    if known is None:
        problems: tuple[str, ...] = (f"微信后台没有编号 {row.template_id} 的模板，请选用后把编号填到这里",)
    else:
        problems = preview(row, listed=known).problems
    trouble = f"{CHECKED}{problems[0]}"[:300] if problems else ""
    if row.trouble == trouble or (row.trouble and not row.trouble.startswith(CHECKED) and not trouble):
        return
    MessageTemplate.objects.filter(pk=row.pk).update(trouble=trouble, updated_at=clock.now())
    if trouble:
        logger.error("wechat.template_stopped", channel=row.channel, template_id=row.template_id, trouble=trouble)


def _read(row: Mapping[str, Any]) -> Listed:
    labels = {name: label.strip() for label, name in _LABELLED.findall(str(row.get("content", "")))}
    choices = {
        str(one.get("keywordCode", "")).removesuffix(".DATA"): tuple(map(str, one.get("enumValueList") or ()))
        for one in row.get("keywordEnumValueList") or ()
        if isinstance(one, dict)
    }
    template_id = str(row.get("priTmplId") or row.get("template_id") or "")
    return Listed(template_id, str(row.get("title", "")), labels, choices)


def _differences(template: MessageTemplate, listed: Listed) -> list[str]:
    absent = [f"{name}（{label}）" for name, label in listed.labels.items() if name not in template.fields]
    extra = [name for name in template.fields if name not in listed.labels]
    found = [f"缺少字段 {'、'.join(absent)}：每个字段都要有内容"] if absent else []
    return found + ([f"模板里没有字段 {'、'.join(extra)}：请删去，或改成模板详情里的字段名"] if extra else [])


def _cut_problems(texts: Mapping[str, str]) -> list[str]:
    """What no order can make fit: the words that staff wrote themselves are too long."""
    fixed = {name: _WORD.sub("", str(text)).strip() for name, text in texts.items()}
    return [
        f"{name}：固定文字有 {len(text)} 个字，总会被截断。{field_rules.RULES[kind].says}"
        for name, text in fixed.items()
        if (kind := field_rules.kind_of(name)) in field_rules.RULES and "…" in fitted(name, text) and "…" not in text
    ]


def _page_problems(page: str) -> list[str]:
    if not page:
        return []
    if not _PAGE.fullmatch(page):
        return [f"点击打开：“{page}”不是小程序页面；写成 {PAGE}，开头不带 /"]
    private = sorted(set(_WORD.findall(page)) - PAGE_WORDS)
    return [f"点击打开：只能用 {{order_no}}，不能带 {'、'.join(private)}"] if private else []


def _long_problems(
    texts: Mapping[str, str], facts: Mapping[str, str], choices: Mapping[str, tuple[str, ...]] | None
) -> list[str]:
    """What only a long order would break: several kinds of goods, a carrier with a long name."""
    usual = set(broken(filled(texts, facts), choices))
    found = broken(filled(texts, {**facts, **LONGEST}), choices)
    return [f"商品较多时：{problem}" for problem in found if not usual]


def _warnings(texts: Mapping[str, str]) -> Iterable[str]:
    yield from words.unset_in(texts.values())
    for name, text in texts.items():
        alone = _WORD.fullmatch(str(text))
        if alone and alone[1] in MAYBE_NOTHING and field_rules.kind_of(name) not in field_rules.NOTHING:
            yield f"{name}：有时还没有{words.WORDS.get(alone[1], alone[1])}，那时这条消息会改走下一个渠道"
