"""Bodies as they come in: bounded before they are read, and strict JSON."""

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest

from frozenshop.api.errors import TooLarge
from frozenshop.kernel.errors import Invalid

BUYER_BYTES = 64 * 1024
MERCHANT_BYTES = 4 * 1024 * 1024
CALLBACK_BYTES = 1024 * 1024
DEEPEST = 100

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
        data = json.loads(
            body.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_repetition
        )
    except (ValueError, RecursionError) as error:
        raise Invalid(NOT_JSON) from error
    if _deeper_than(data, DEEPEST):
        raise Invalid("提交的 JSON 嵌套太深")
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


def refuse_unstorable(data: Any) -> None:
    """Refuse a document with a text that no database takes. Raises Invalid."""
    for value in _walk(data):
        if isinstance(value, str) and not storable(value):
            raise Invalid("提交的内容含有不能使用的字符")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number[:40])
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("repeated member")
    return data


def _walk(data: Any) -> Any:
    waiting = [data]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _deeper_than(data: Any, levels: int) -> bool:
    layer = [data]
    for _ in range(levels + 1):
        layer = [
            child
            for value in layer
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return False
    return True
