"""Bodies as they come in: bounded before they are read, and strict JSON."""

from typing import Any

from django.http import HttpRequest

from frozenshop.api.errors import TooLarge
from frozenshop.kernel import strict_json
from frozenshop.kernel.errors import Invalid

BUYER_BYTES = 64 * 1024
MERCHANT_BYTES = 4 * 1024 * 1024
CALLBACK_BYTES = 1024 * 1024

NOT_JSON = "提交的内容不是有效的 JSON"


def check_length(request: HttpRequest, limit: int) -> None:
    """Refuse a body over `limit` bytes by its declared length, before any of it is read. Raises TooLarge."""
    declared = request.META.get("CONTENT_LENGTH")
    if declared and declared.isdecimal() and int(declared[:18]) > limit:
        raise TooLarge


def read_object(body: bytes, *, only: frozenset[str] | None = None) -> dict[str, Any]:
    """Return the JSON object in a body; `only` names the fields that it may have. Raises Invalid."""
    data = read_json(body)
    if not isinstance(data, dict):
        raise Invalid("提交的内容应是一个 JSON 对象")
    if only is not None and (unknown := sorted(data.keys() - only)):
        raise Invalid(fields=dict.fromkeys(unknown[:20], "没有这个字段"))
    return data


def read_json(body: bytes) -> Any:
    """Return strict JSON: UTF-8, finite numbers, no repeated member, at most 100 levels. Raises Invalid."""
    try:
        data, repeated = strict_json.load(body.decode())
    except strict_json.TooDeep as error:
        raise Invalid("提交的 JSON 嵌套太深") from error
    except ValueError as error:
        raise Invalid(NOT_JSON) from error
    if repeated:
        raise Invalid(NOT_JSON)
    return data


def text_field(data: dict[str, Any], name: str, *, longest: int = 512) -> str:
    """Return a text that is there, not blank, and can be stored. Raises Invalid naming it."""
    value = data.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(fields={name: "必填，应为文字"})
    if len(value) > longest:
        raise Invalid(fields={name: f"最多 {longest} 个字符"})
    if not storable(value):
        raise Invalid(fields={name: "含有不能使用的字符"})
    return value


def storable(text: str) -> bool:
    """Say whether every database takes the text: no NUL and no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
