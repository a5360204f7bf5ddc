"""What WeChat takes in the fields of a template message, by the prefix of the field's name."""

import re

_TIME = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
_N, _YEAR = "[0-9]{1,2}", "[0-9]{4}"
_SEPARATED = rf"({_YEAR}[-/.])?{_N}[-/.]{_N}|{_YEAR}[-/.]{_N}"
_YEAR_MONTH_DAY = rf"{_YEAR}年{_N}月({_N}日)?|{_N}月{_N}日|{_SEPARATED}"
_DATE = rf"({_YEAR_MONTH_DAY})( ?{_TIME})?"
_DATED_TIME = rf"(({_YEAR_MONTH_DAY}) ?)?{_TIME}"
PATTERNS = {
    "thing": r"[^\x00-\x1f\x7f]{1,20}",
    "number": r"(?=.{1,33}$)[0-9]{1,32}(\.[0-9]+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": r"[^\w\s]{1,5}",
    "character_string": r"[\x20-\x7e]{1,32}",
    "time": rf"{_DATED_TIME}(~{_DATED_TIME})?",
    "date": rf"{_DATE}(~{_DATE})?",
    "amount": r"[^0-9A-Za-z\u4e00-\u9fff]?[0-9]{1,10}(\.[0-9]+)?元?",
    "phone_number": r"[0-9+\-*() ]{1,17}",
    "car_number": r".{1,8}",
    "name": r"(?=.*[\u4e00-\u9fff])[^0-9\s]{1,10}|(?!.*[\u4e00-\u9fff])[^0-9\u4e00-\u9fff]{1,20}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
}
_FIELD = re.compile(r"([a-z_]+?)[0-9]+")


def fits(field: str, value: str, choices: tuple[str, ...] = ()) -> bool:
    kind = _FIELD.fullmatch(field)
    if kind is None:
        return False
    if kind[1] == "enum":
        return value in choices
    return kind[1] in PATTERNS and re.fullmatch(PATTERNS[kind[1]], value) is not None
