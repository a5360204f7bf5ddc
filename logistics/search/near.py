"""What else a text might have meant, when little or nothing was found: each a way to ask again, with its hits."""

import datetime as dt
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frozenshop.kernel import clock
from logistics.search import meaning as means
from logistics.search.hits import bounded
from logistics.search.meaning import Kind, Meaning, Period
from logistics.search.reading import AFFIX_AT_LEAST, KEY, TAIL, TITLE, readings, words_of
from logistics.search.tables import MAX_FOUND, Table

MOST = 5
TRIED = 8
"""So many meanings are looked up at most, in one question."""
COUNTED_TO = 100
OF_NUMBERS = frozenset({Kind.ORDER_NO, Kind.ORDER_PREFIX, Kind.WAYBILL, Kind.WAYBILL_SUFFIX, Kind.WAYBILL_PREFIX})
"""A text that is such a number, and found something, is no product."""
WIDER_MONTHS = 36
_LOOKS_ALIKE = str.maketrans("OoIlL", "00111")
_SHORTEST_PHONE, _LONGEST_PHONE = 8, 14


@dataclass(frozen=True, slots=True)
class Near:
    """Another reading: ask for `text` again, as `kind` if given, from `since` on if given; `unbounded`: at any time."""

    text: str
    meaning: Meaning
    hits: int
    kind: Kind | None = None
    since: dt.date | None = None
    unbounded: bool = False

    @property
    def shown(self) -> str:
        return f"{self.hits} 笔" if self.hits < COUNTED_TO else f"{COUNTED_TO - 1}+ 笔"


@dataclass(frozen=True, slots=True)
class _Try:
    text: str
    meaning: Meaning
    kind: Kind | None = None
    since: dt.date | None = None
    unbounded: bool = False


def near_misses(text: str, taken: Meaning, table: Table[Any], period: Period, *, nothing: bool) -> list[Near]:
    """Return what else finds something: other readings, and where `nothing` was found, other spellings as well."""
    tries = itertools.chain(_otherwise(text, taken, period), _respelled(text, taken, period) if nothing else ())
    return list(itertools.islice(_hitting(tries, taken, table, costly=nothing or taken.kind not in OF_NUMBERS), MOST))


def _hitting(tries: Iterator[_Try], taken: Meaning, table: Table[Any], *, costly: bool) -> Iterator[Near]:
    chosen = list(itertools.islice(_different(tries, taken, int(costly)), TRIED))
    plain = [one.meaning for one in chosen if one.meaning.plain]
    hits = dict(zip(map(id, plain), bounded([table.question(one, COUNTED_TO) for one in plain]), strict=True))
    for one in chosen:
        if found := hits.get(id(one.meaning), 0) if one.meaning.plain else _looked_up(one.meaning, table):
            yield Near(one.text, one.meaning, found, one.kind, one.since, one.unbounded)


def _different(tries: Iterator[_Try], taken: Meaning, most_costly: int) -> Iterator[_Try]:
    """Yield each meaning once, and not what was looked for already; only so many that must be looked up beforehand."""
    seen = {(taken.kind, taken.spelled, taken.words, taken.period)}
    costly = 0
    for one in tries:
        meaning = one.meaning
        key = (meaning.kind, meaning.spelled, meaning.words, meaning.period)
        costly += not meaning.plain
        if key not in seen and meaning.kind is not Kind.NOTHING and (meaning.plain or costly <= most_costly):
            yield one
        seen.add(key)


def _looked_up(meaning: Meaning, table: Table[Any]) -> int:
    rows = table.look(meaning)
    return 0 if rows is None else len(rows.order_by().values_list("pk")[:COUNTED_TO])


def _otherwise(text: str, taken: Meaning, period: Period) -> Iterator[_Try]:
    """The same text as something else, other than what was looked for before in vain."""
    passed = False
    for meaning in readings(text, period):
        passed = passed or meaning.kind is taken.kind
        if passed and meaning.kind is not taken.kind:
            yield _Try(text, meaning, kind=meaning.kind)


def _respelled(text: str, taken: Meaning, period: Period) -> Iterator[_Try]:
    yield from _wider(text, taken, period)
    for other in _spellings(text):
        yield from (_Try(other, meaning, kind=meaning.kind) for meaning in _keys(other, period))
    yield from _phones(text, period)
    yield from _beginnings(text, period)
    yield from _names(text, taken, period)


def _wider(text: str, taken: Meaning, period: Period) -> Iterator[_Try]:
    if taken.period != Period() and taken.period == period:
        yield from (_Try(text, one, kind=one.kind, unbounded=True) for one in _again(text, taken, Period()))
    if taken.kind is Kind.TAIL:
        since = clock.shanghai(clock.now()).date() - dt.timedelta(days=WIDER_MONTHS * 30)
        longer = Period(clock.start_of_day(since))
        yield from (_Try(text, one, kind=one.kind, since=since) for one in _again(text, taken, longer))
        if taken.words:
            digits = next(word for word in words_of(text) if TAIL.fullmatch(word))
            yield _Try(digits, means.tail(digits, (), period))
    if taken.kind is Kind.PHONE and taken.words:
        alone = replace(taken, words=())
        yield _Try(alone.spelled.split()[-1], alone)


def _again(text: str, taken: Meaning, period: Period) -> Iterator[Meaning]:
    return (one for one in readings(text, period) if one.kind is taken.kind and one.period == period)


def _keys(text: str, period: Period) -> Iterator[Meaning]:
    if KEY.fullmatch(text):
        yield means.order_no(text, period)
        yield means.waybill(text, period)


def _spellings(text: str) -> Iterator[str]:
    """Yield a number as it may have been meant: without blanks and dashes, in capitals, with O for 0 and I for 1."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain.isascii() or len(plain) > 64:
        return
    joined = re.sub(r"[\s\-]+", "", plain)
    # The two letters before a carrier's or a shop's number are letters.
    letters = 2 if joined[:2].isalpha() else 0
    digits = joined[letters:].translate(_LOOKS_ALIKE)
    for other in dict.fromkeys((joined, joined.upper(), joined[:letters].upper() + digits)):
        if other != plain and len(other) >= AFFIX_AT_LEAST:
            yield other


def _beginnings(text: str, period: Period) -> Iterator[_Try]:
    """Numbers that begin as this one does: the slip is near the end more often than not."""
    plain = "".join(words_of(text))
    if not KEY.fullmatch(plain) or len(plain) < AFFIX_AT_LEAST + 2:
        return
    start = plain[: max(AFFIX_AT_LEAST, len(plain) - 3)]
    yield _Try(start, means.order_prefix(start, period), kind=Kind.ORDER_PREFIX)
    yield _Try(start, means.waybill_prefix(start, period), kind=Kind.WAYBILL_PREFIX)
    if len(plain) >= 2 * AFFIX_AT_LEAST:
        end = plain[-max(AFFIX_AT_LEAST, len(plain) - 3) :]
        yield _Try(end, means.waybill_suffix(end, period), kind=Kind.WAYBILL_SUFFIX)


def _phones(text: str, period: Period) -> Iterator[_Try]:
    """A phone with a digit too few or too many: its end is asked for, so that no other whole number is ever guessed."""
    digits = "".join(re.findall(r"[0-9]", unicodedata.normalize("NFKC", text)))
    rest = re.sub(r"[0-9+\s\-()]", "", unicodedata.normalize("NFKC", text))
    if not rest and _SHORTEST_PHONE <= len(digits) <= _LONGEST_PHONE:
        yield _Try(digits[-4:], means.tail(digits[-4:], (), period))


def _names(text: str, taken: Meaning, period: Period) -> Iterator[_Try]:
    if taken.kind is not Kind.NAME:
        return
    words = words_of(text)
    for other in ("".join(words), *(TITLE.sub("", word) for word in words)):
        if other and other != text.strip():
            yield _Try(other, means.name(other, period))


NUMBERS = "订单号可以只输入开头的 6 位以上，运单号可以只输入末尾的 6 位以上。"


def sentences(text: str, taken: Meaning) -> Sequence[str]:
    """Return what may help where nothing was found, said in a sentence each."""
    told = {
        Kind.NAME: "姓名要填全名，一字不差；只记得姓时，用手机尾号四位加姓，如“1234 张”。",
        Kind.TAIL: "只记得姓名或日期的一部分时，可以少填一个词再试。",
        Kind.PHONE: "号码可能有一位出入，可以只用最后四位加姓名查找。",
        Kind.NOTHING: "可以输入订单号、运单号、手机号、手机尾号四位加姓名、姓名、城市、商品或下单日期。",
        Kind.PLACED_ON: "这段时间没有订单。",
    }
    digits = "".join(re.findall(r"[0-9]", text))
    if taken.kind is not Kind.PHONE and len(digits) in (10, 12) and digits.startswith("1") and not digits.strip(text):
        return (f"手机号应有 11 位，这里是 {len(digits)} 位。",)
    bound = (f"只打开最新的 {MAX_FOUND} 笔来比对，要找更早的请加上下单日期。",) if taken.words else ()
    return (told.get(taken.kind, NUMBERS), *bound)
