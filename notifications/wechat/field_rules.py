"""WeChat's rules for the fields of a message, by the prefix of the field's name: checked, and texts cut to fit.

Source: the table of subscribe messages, 2026. What is not documented there (emoji, full-width letters) is avoided.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

THING, CHARACTERS, NAME_HAN, NAME_LATIN, PHRASE = 20, 32, 10, 20, 5
HAN = "\u4e00-\u9fff"

NOTHING: Mapping[str, str] = {"thing": "暂无", "phrase": "暂无", "character_string": "-"}
"""What stands for nothing, since WeChat takes no empty field."""

_FIELD = re.compile(r"([a-z_]+?)[0-9]+")
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_DAY = r"(?:\d{4}年\d{1,2}月(?:\d{1,2}日)?|\d{1,2}月\d{1,2}日|\d{4}([-/.])\d{1,2}(?:\1\d{1,2})?|\d{1,2}[-/.]\d{1,2})"
_TIME = re.compile(rf"(?:{_DAY} ?)?{_CLOCK}", re.ASCII)
_DATE = re.compile(rf"{_DAY}(?: ?{_CLOCK})?", re.ASCII)
_AMOUNT = re.compile(rf"[^0-9A-Za-z{HAN}\s]?\d{{1,10}}(?:\.\d+)?元?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0000-\U000e007f\u231a\u231b\u23e9-\u23ff\u25b6\u25c0\u25fb-\u25fe\u2600-\u27bf"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\u20e3\ufe0e\ufe0f"
    # What nobody sees: joiners, marks of direction, which turn a line around, and half of a character.
    "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_TO = re.compile(r"\s*(?:[–—～~至]|(?<=\d) - (?=\d)|(?<=:\d\d)-(?=\d))\s*")
_TAIL = re.compile(r"[ 、，,]*(等\s?\d+\s?[件种样款份])$")
_WORD = re.compile(r"[0-9A-Za-z.*×%℃°-]")
_FILLER = re.compile(r"^(?:您的|订单|包裹|快件|快递|物流|已经|正在|目前)+(?=.{2})")
_LATIN_FORM = str.maketrans("，。；：？！（）【】、“”‘’《》￥—…", ",.;:?!()[],\"\"''<>¥-.")


@dataclass(frozen=True, slots=True)
class Rule:
    """`says`: the rule and the way out, for staff. `holds`: whether a value keeps it. `fit`: bring a value near it."""

    says: str
    holds: Callable[[str], bool]
    fit: Callable[[str], str]


def check(field: str, value: str, choices: Sequence[str] = ()) -> str:
    """Return what is wrong with a value for a field, with the way out; "" where it is fine."""
    kind = kind_of(field)
    if kind == "enum":
        return "" if value in choices else f"{field}：只能是模板规定的值：{'、'.join(choices) or '（没有读到）'}"
    rule = RULES.get(kind)
    if rule is None:
        return f"{field}：不是微信的字段名，照抄模板详情里的，例如 thing1、time4"
    if not value:
        return f"{field}：没有内容，微信会拒收；换一个总有内容的变量，或加上固定文字"
    return "" if rule.holds(value) else f"{field}：“{value}”不符合规则。{rule.says}"


def fit(field: str, value: str) -> str:
    """Return the value brought to the field's rule without changing what it says; what can't be is left as it is."""
    kind = kind_of(field)
    text = _single_blanks(_EMOJI.sub("", _CONTROL.sub(" ", value)))
    return (_single_blanks(RULES[kind].fit(text)) if kind in RULES else text) or NOTHING.get(kind, "")


def _single_blanks(text: str) -> str:
    return " ".join(text.split())


def kind_of(field: str) -> str:
    """Return the prefix that says the type; "" for what is no field of WeChat's."""
    found = _FIELD.fullmatch(field)
    return found[1] if found else ""


def shorten(text: str, longest: int) -> str:
    """Cut to `longest` with an ellipsis: never inside a number or a word, and "等3件" at the end stays."""
    if len(text) <= longest:
        return text
    tail = found[1] if (found := _TAIL.search(text)) else ""
    head = text[: found.start()] if found else text
    room = longest - len(tail) - 1
    return head[: _break(head, room)].rstrip(" 、，,；;·+*×(（") + "…" + tail


def _break(text: str, at: int) -> int:
    """Return where to cut, at most at `at`: before a number or word that would be torn, unless that leaves little."""
    end = at
    while 0 < end < len(text) and _WORD.fullmatch(text[end - 1]) and _WORD.fullmatch(text[end]):
        end -= 1
    return end if end > at // 2 else at


def _half_width(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_LATIN_FORM))


def _fit_characters(text: str) -> str:
    """Several numbers: those that fit whole, and how many more. One that is too long keeps its end."""
    text = _half_width(text)
    if len(text) <= CHARACTERS:
        return text
    parts = [part for part in re.split(r"[,; ]+", text) if part]
    for kept in range(len(parts) - 1, 0, -1):
        short = f"{','.join(parts[:kept])} +{len(parts) - kept}"
        if len(short) <= CHARACTERS:
            return short
    return ".." + text[-(CHARACTERS - 2) :]


def _fit_time(text: str) -> str:
    return _TO.sub("~", _TO.sub("~", text.replace("：", ":").replace("点整", ":00")))


def _fit_amount(text: str) -> str:
    return re.sub(r"[,，\s]", "", text).replace("CNY", "¥").replace("RMB", "¥")


def _fit_name(text: str) -> str:
    text = re.sub(r"[\d\s]", "", text) if re.search(f"[{HAN}]", text) else re.sub(r"\d", "", text).strip()
    return text[: NAME_HAN if re.search(f"[{HAN}]", text) else NAME_LATIN]


def _fit_phrase(text: str) -> str:
    """Letters and digits mean something: a text that has them is left to be refused."""
    text = re.sub(r"[（(].*?[)）]|[\s\W]", "", text)
    return text if len(text) <= PHRASE else _FILLER.sub("", text)


def _ranges(pattern: re.Pattern[str], text: str) -> bool:
    parts = text.split("~")
    return len(parts) <= 2 and all(pattern.fullmatch(part) for part in parts)


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


def _is_name(text: str) -> bool:
    longest = NAME_HAN if re.search(f"[{HAN}]", text) else NAME_LATIN
    return 1 <= len(text) <= longest and not re.search(r"\d", text)


RULES: Mapping[str, Rule] = {
    "thing": Rule(
        "最多 20 个字，不能换行；请用更短的变量或固定文字",
        lambda text: 1 <= len(text) <= THING and not _CONTROL.search(text),
        lambda text: shorten(text, THING),
    ),
    "number": Rule(
        "只能是数字，可带小数，最多 32 位；文字请改用 thing",
        lambda text: bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)) and len(text.replace(".", "")) <= 32,
        lambda text: re.sub(r"[,\s]", "", _half_width(text)),
    ),
    "letter": Rule("只能是字母，最多 32 个", _matches("[A-Za-z]{1,32}"), lambda text: _half_width(text)[:32]),
    "symbol": Rule("只能是符号，最多 5 个", _matches(rf"[^\w\s{HAN}]{{1,5}}"), lambda text: text[:5]),
    "character_string": Rule(
        "最多 32 个数字、字母或符号，不能有汉字；有汉字请改用 thing", _matches(r"[\x20-\x7e]{1,32}"), _fit_characters
    ),
    "time": Rule(
        "要写 15:01 或 2026年1月1日 15:01，时间段用 ~ 连接；只有日期请改用 date",
        lambda text: _ranges(_TIME, text),
        _fit_time,
    ),
    "date": Rule(
        "要写 2026年1月1日 或 2026-01-01，可带 15:01，时间段用 ~ 连接", lambda text: _ranges(_DATE, text), _fit_time
    ),
    "amount": Rule(
        "一个币种符号加 10 位以内数字，可带小数，可以“元”结尾，例如 ¥128.50",
        lambda text: _AMOUNT.fullmatch(text) is not None,
        _fit_amount,
    ),
    "phone_number": Rule(
        "最多 17 位数字和符号；分机写成 021-12345678-1",
        _matches(r"[0-9+\-*() ]{1,17}"),
        lambda text: re.sub(r"\s*转\s*", "-", _half_width(text)).replace(" ", ""),
    ),
    "car_number": Rule("最多 8 位车牌号", lambda text: 1 <= len(text) <= 8, lambda text: text.replace(" ", "")),
    "name": Rule("最多 10 个汉字，或 20 个字母和符号，不能有数字", _is_name, _fit_name),
    "phrase": Rule("只能是 1–5 个汉字，例如 配送中；更长请改用 thing", _matches(f"[{HAN}]{{1,{PHRASE}}}"), _fit_phrase),
}
