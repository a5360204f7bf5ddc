"""The message templates of the two accounts, as if the merchant had chosen them in WeChat's consoles."""

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass
class Template:
    """`fields`: label by field, such as {"thing1": "商品名称"}; `choices`: the values of an enum field."""

    title: str
    fields: Mapping[str, str]
    template_id: str = ""
    choices: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    banned: bool = False

    def __post_init__(self) -> None:
        self.template_id = self.template_id or id_of(self.title)

    @property
    def content(self) -> str:
        return "".join(f"{label}:{{{{{field}.DATA}}}}\n" for field, label in self.fields.items())

    def as_subscribe(self) -> dict[str, Any]:
        enums = [{"keywordCode": f"{name}.DATA", "enumValueList": list(v)} for name, v in self.choices.items()]
        return {
            "priTmplId": self.template_id,
            "title": self.title,
            "content": self.content,
            "example": "",
            "type": 2,
            "keywordEnumValueList": enums,
        }

    def as_official(self) -> dict[str, Any]:
        return {"template_id": self.template_id, "title": self.title, "content": self.content, "example": ""}


def id_of(title: str) -> str:
    """Return an id of the form that WeChat gives: 43 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(title.encode()).digest()).decode().rstrip("=")


PAID = "付款成功通知"
_ORDER, _GOODS = {"character_string1": "订单编号"}, {"thing2": "商品名称"}


def subscribe() -> list[Template]:
    return [
        Template(
            "订单发货通知",
            {**_ORDER, **_GOODS, "thing3": "快递公司", "character_string4": "快递单号", "time5": "发货时间"},
        ),
        Template("订单配送通知", {**_ORDER, **_GOODS, "phrase3": "配送状态", "thing4": "温馨提示"}),
        Template("订单签收通知", {**_ORDER, **_GOODS, "time3": "签收时间"}),
        Template("物流异常提醒", {**_ORDER, "thing2": "异常原因", "time3": "发生时间", "thing4": "温馨提示"}),
        Template("配送延误通知", {**_ORDER, **_GOODS, "thing3": "延误原因", "thing4": "预计送达"}),
        Template("取件提醒", {**_ORDER, "thing2": "取件地点", "thing3": "温馨提示"}),
        Template("退款成功通知", {**_ORDER, **_GOODS, "thing3": "退款说明"}),
        Template(PAID, {**_ORDER, **_GOODS, "time3": "付款时间", "thing4": "温馨提示"}),
    ]


def official() -> list[Template]:
    return [
        Template("商品发货提醒", {**_ORDER, **_GOODS, "thing3": "快递公司", "character_string4": "快递单号"}),
        Template("商品派送提醒", {**_ORDER, **_GOODS, "thing3": "温馨提示"}),
        Template("商品签收提醒", {**_ORDER, **_GOODS, "time3": "签收时间"}),
        Template("物流异常通知", {**_ORDER, "thing2": "异常原因", "time3": "发生时间"}),
    ]
