"""What WeChat takes in the fields of a template message, by the prefix of the field's name."""

import re

_TIME = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_YEAR_MONTH_DAY = r"\d{4}年\d{1,2}月(\d{1,2}日)?|\d{1,2}月\d{1,2}日|(\d{4}[-/.])?\d{1,2}[-/.]\d{1,2}|\d{4}[-/.]\d{1,2}"
_DATE = rf"({_YEAR_MONTH_DAY})( ?{_TIME})?"
_DATED_TIME = rf"(({_YEAR_MONTH_DAY}) ?)?{_TIME}"
PATTERNS = {
    "thing": r"[^\x00-\x1f\x7f]{1,20}",
    "number": r"(?=.{1,33}$)\d{1,32}(\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": r"[^\w\s]{1,5}",
    "character_string": r"[\x20-\x7e]{1,32}",
    "time": rf"{_DATED_TIME}(~{_DATED_TIME})?",
    "date": rf"{_DATE}(~{_DATE})?",
    "amount": r"[^0-9A-Za-z\u4e00-\u9fff]?\d{1,10}(\.\d+)?元?",
    "phone_number": r"[0-9+\-*() ]{1,17}",
    "car_number": r".{1,8}",
    "name": r"(?=.*[\u4e00-\u9fff])[^\d\s]{1,10}|(?!.*[\u4e00-\u9fff])[^\d\u4e00-\u9fff]{1,20}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
}
_FIELD = re.compile(r"([a-z_]+?)\d+")


def fits(field: str, value: str, choices: tuple[str, ...] = ()) -> bool:
    kind = _FIELD.fullmatch(field)
    if kind is None:
        return False
    if kind[1] == "enum":
        return value in choices
    return kind[1] in PATTERNS and re.fullmatch(PATTERNS[kind[1]], value) is not None
