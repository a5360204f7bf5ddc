"""How a text is read: the meanings that it may have, the likeliest first, the last of them certain."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from logistics.search import meaning as means
from logistics.search.meaning import Meaning, Period
from orders import phones

AFFIX_AT_LEAST = 6
"""Fewer characters of an order number's beginning or a waybill's end would fit everything."""
LONGEST = 200

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TAIL = re.compile(r"[0-9]{4}")
TITLE = re.compile(r"(?<=[\u3400-\u9fff])(先生|女士|小姐|太太|老师|收)$")
_MOBILE = re.compile(r"(\+?86[- ]?)?1[3-9][0-9]{9}")
_WHOLE_DAY = re.compile(r"(20[0-9]{2})[-/.年]?([01]?[0-9])[-/.月]?([0-3]?[0-9])日?")
_DAY_OF_YEAR = re.compile(r"([01]?[0-9])(?:[-/.]|月)([0-3]?[0-9])[日号]?")
_SPOKEN = {"今天": 0, "昨天": 1, "前天": 2}
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_GLUED = re.compile(r"(?<=[\u3400-\u9fff])(?=[0-9]{4}$)|(?<=^[0-9]{4})(?=[\u3400-\u9fff])")


def words_of(text: str) -> list[str]:
    """Return the words of a text in half-width forms, “1234张” being two; of a text too long to mean anything, none."""
    if len(text) > LONGEST:
        return []
    clean = "".join(mark for mark in unicodedata.normalize("NFKC", text) if unicodedata.category(mark) != "Cf")
    return [part for word in clean.split() for part in ([word] if day_of(word) else _GLUED.split(word)) if part]


def readings(text: str, period: Period) -> Iterator[Meaning]:
    """Yield what a text may mean; who finds something takes it, and whatever is certain is the end."""
    words = words_of(text)
    if not words:
        yield means.TOO_LONG if len(text) > LONGEST else means.NOTHING
        return
    joined = " ".join(words)
    if len(words) == 1:
        yield from _keys(joined, period)
    yield from _phones(joined, period)
    days = [day for word in words if (day := day_of(word))]
    others = [word for word in words if not day_of(word)]
    if days:
        period = Period.days(min(days), max(days))
    if not others:
        yield means.placed_on(period)
        return
    if len(words) > 1:
        yield from _phone_among(others, period)
    if tails := [word for word in others if TAIL.fullmatch(word)]:
        rest = [TITLE.sub("", word) for word in others if word != tails[0]]
        if rest:
            yield means.tail_and_name(tails[0], " ".join(rest), period)
        yield means.tail(tails[0], tuple(rest), period)
    elif _CHINESE.search(joined) or len(others) > 1:
        yield from _chinese(others, period)
    else:
        yield from _affixes(others[0], period)


def _keys(text: str, period: Period) -> Iterator[Meaning]:
    """An order number or a waybill, byte for byte."""
    if KEY.fullmatch(text) and not TAIL.fullmatch(text):
        yield means.order_no(text, period)
        yield means.waybill(text, period)


def _phones(text: str, period: Period) -> Iterator[Meaning]:
    """A whole number, whatever its form. What may as well begin an order number must find something."""
    try:
        number = phones.normalise(text)
    except Invalid:
        return
    yield means.phone(number, period, certain=not KEY.fullmatch(text) or bool(_MOBILE.fullmatch(text)))


def _phone_among(words: list[str], period: Period) -> Iterator[Meaning]:
    """A whole number with a day, or with what else is known of the consignee, as it is pasted."""
    for word in words:
        for phone in _phones(word, period):
            rest = tuple(TITLE.sub("", other) for other in words if other != word)
            yield replace(phone, words=rest)
            return


def _chinese(words: list[str], period: Period) -> Iterator[Meaning]:
    whole = " ".join(words)
    yield means.name(whole, period)
    if len(words) > 1:
        yield means.name(words[0], period, words=tuple(words[1:]))
    else:
        yield means.city(whole, period)
    yield means.product(whole, period)
    yield means.name(whole, period, certain=True)


def _affixes(text: str, period: Period) -> Iterator[Meaning]:
    """An order number's first characters, a waybill's last, a product's code; else a name in Latin letters."""
    if KEY.fullmatch(text) and len(text) >= AFFIX_AT_LEAST:
        yield means.order_prefix(text, period)
        yield means.waybill_suffix(text, period)
    yield means.name(text, period)
    yield means.product(text, period)
    if KEY.fullmatch(text) and any(mark.isdigit() for mark in text):
        yield means.number(text)
    yield means.name(text, period, certain=True)


def day_of(word: str) -> dt.date | None:
    """Return the day that a word names: 2026-11-20, 20261120, 11月20日 (the last one there was), 昨天."""
    today = clock.shanghai(clock.now()).date()
    if word in _SPOKEN:
        return today - dt.timedelta(days=_SPOKEN[word])
    if whole := _WHOLE_DAY.fullmatch(word):
        return _date(*map(int, whole.groups())) if re.search(r"[^0-9]", word) or len(word) == 8 else None
    if short := _DAY_OF_YEAR.fullmatch(word):
        day = _date(today.year, *map(int, short.groups()))
        return _date(today.year - 1, day.month, day.day) if day and day > today else day
    return None


def fixed(text: str) -> str:
    """Return a text that goes on meaning the day that it means today."""
    told = [f"{day_of(word)}" if word in _SPOKEN else word for word in words_of(text)]
    return " ".join(told) if not _SPOKEN.keys().isdisjoint(words_of(text)) else text


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
