"""What a typed text may mean, as data: any table with the columns of an order can be asked for it.

The columns that `where` names: `order_no`, `phone_index`, `name_index`, `tail_index`, `city`, `placed_at`; those of
`waybill`, in the table's own table of waybills: `waybill_no`, `waybill_reversed`.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from frozenshop.kernel import clock, crypto
from orders.consignee import name_key

DEFAULT_MONTHS = 12
RowT = TypeVar("RowT", bound=Model)


class Kind(StrEnum):
    NOTHING = "nothing"
    ORDER_NO = "order_no"
    ORDER_PREFIX = "order_prefix"
    WAYBILL = "waybill"
    WAYBILL_SUFFIX = "waybill_suffix"
    WAYBILL_PREFIX = "waybill_prefix"
    PHONE = "phone"
    TAIL = "tail"
    NAME = "name"
    PLACED_ON = "placed_on"
    PRODUCT = "product"
    CITY = "city"
    NUMBER = "number"


PERSONAL = frozenset({Kind.PHONE, Kind.TAIL, Kind.NAME})
"""Kinds whose text names a person."""


@dataclass(frozen=True, slots=True)
class Period:
    """When the orders were placed; an open end is None. `until` is not included."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @classmethod
    def days(cls, first: dt.date, last: dt.date) -> "Period":
        return cls(clock.start_of_day(first), clock.start_of_day(last + dt.timedelta(days=1)))

    def limit(self, rows: QuerySet[RowT]) -> QuerySet[RowT]:
        if self.since:
            rows = rows.filter(placed_at__gte=self.since)
        return rows.filter(placed_at__lt=self.until) if self.until else rows

    def months(self) -> Iterator[str]:
        """Yield `YYYY-MM` of each Shanghai month, newest first: the last twelve unless the period says otherwise."""
        last = clock.shanghai(self.until - dt.timedelta(microseconds=1) if self.until else clock.now())
        first = clock.shanghai(self.since) if self.since else None
        year, month = last.year, last.month
        count = (year - first.year) * 12 + month - first.month + 1 if first else DEFAULT_MONTHS
        for _ in range(min(count, 10 * DEFAULT_MONTHS)):
            yield f"{year:04}-{month:02}"
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)

    @property
    def in_words(self) -> str:
        """Return “2026-11-01 至 2026-11-20”; empty where nothing bounds it."""
        first = f"{clock.shanghai(self.since):%Y-%m-%d}" if self.since else ""
        last = f"{clock.shanghai(self.until - dt.timedelta(microseconds=1)):%Y-%m-%d}" if self.until else ""
        if first == last:
            return first
        return f"{first or '最早'} 至 {last or '今天'}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One way to take a text.

    `label` is what it was taken for, `spelled` the same with the text (personal, as typed), both in Chinese.
    `waybill`, `product`: the rows are found through another table (`products`: code and name of those that it names,
    one more than are looked for, once they are known). `words` must each stand in the opened consignee, the goods or
    the order number. `newest_by`: of more than can be shown, take those with the greatest value of it. `certain`: the
    text means this even if nothing is found.
    """

    kind: Kind
    label: str
    spelled: str = ""
    where: Q = field(default_factory=Q)
    waybill: Q | None = None
    product: str = ""
    products: tuple[tuple[str, str], ...] | None = None
    words: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    newest_by: str = ""
    certain: bool = False

    @property
    def personal(self) -> bool:
        """Say whether the text tells of a person, and so must not stand in an address."""
        return self.kind in PERSONAL or bool(self.words)

    @property
    def plain(self) -> bool:
        """Say whether one look at an index tells that there is something: nothing must be opened or looked up."""
        return not (self.words or self.product or self.kind is Kind.NOTHING)

    @property
    def through_keys(self) -> bool:
        """Say whether the rows are found by keys that are looked up beforehand, so many and no more."""
        return bool(self.waybill or self.product or self.words or self.newest_by)

    @property
    def explanation(self) -> str:
        """Return “按 手机尾号 1234 + 含“张” 查找，范围 最近 12 个月”."""
        if self.kind is Kind.NOTHING:
            return self.label
        narrowed = "".join(f" + 含“{word}”" for word in self.words)
        reach = self._months_in_words if self.kind is Kind.TAIL and not self.period.since else self.period.in_words
        return f"按 {self.spelled or self.label}{narrowed} 查找{f'，范围 {reach}' if reach else ''}"

    @property
    def _months_in_words(self) -> str:
        until = f"截至 {self.period.in_words.split()[-1]} 的" if self.period.until else "最近"
        return f"{until} {DEFAULT_MONTHS} 个月"


NOTHING = Meaning(Kind.NOTHING, "没有输入", certain=True)
TOO_LONG = Meaning(Kind.NOTHING, "输入太长，没有查找", certain=True)


def span(column: str, start: str) -> Q:
    """Return the condition for values that begin so, as one range of the column's index."""
    return Q((f"{column}__gte", start), (f"{column}__lt", start[:-1] + chr(ord(start[-1]) + 1)))


def order_no(text: str, period: Period) -> Meaning:
    """A whole order number is one order, whenever it was placed."""
    del period
    return Meaning(Kind.ORDER_NO, "订单号", f"订单号 {text}", where=Q(order_no=text))


def number(text: str) -> Meaning:
    """What has digits and fitted nothing."""
    where = Q(order_no=text)
    return Meaning(Kind.NUMBER, "号码", f"订单号、运单号、商品编码 {text}", where=where, certain=True)


def order_prefix(text: str, period: Period) -> Meaning:
    spelled = f"订单号开头 {text}"
    where = span("order_no", text)
    return Meaning(Kind.ORDER_PREFIX, "订单号开头", spelled, where=where, period=period, newest_by="order_no")


def waybill(text: str, period: Period) -> Meaning:
    return Meaning(Kind.WAYBILL, "运单号", f"运单号 {text}", waybill=Q(waybill_no=text), period=period)


def waybill_suffix(text: str, period: Period) -> Meaning:
    condition = span("waybill_reversed", text[::-1])
    return Meaning(Kind.WAYBILL_SUFFIX, "运单号末尾", f"运单号末尾 {text}", waybill=condition, period=period)


def waybill_prefix(text: str, period: Period) -> Meaning:
    condition = span("waybill_no", text)
    return Meaning(Kind.WAYBILL_PREFIX, "运单号开头", f"运单号开头 {text}", waybill=condition, period=period)


def phone(normalised: str, period: Period, *, certain: bool) -> Meaning:
    where = Q(phone_index__in=crypto.blind_indexes(normalised, purpose="phone"))
    return Meaning(Kind.PHONE, "手机号", f"手机号 {normalised}", where=where, period=period, certain=certain)


def tail(digits: str, words: tuple[str, ...], period: Period) -> Meaning:
    """Four digits alone say too little to be looked up by themselves: each month has its own index of them."""
    keys = [key for month in period.months() for key in crypto.blind_indexes(f"{month}|{digits}", purpose="tail")]
    label, where = "手机尾号和其他信息" if words else "手机尾号", Q(tail_index__in=keys)
    return Meaning(Kind.TAIL, label, f"手机尾号 {digits}", where=where, words=words, period=period, certain=True)


def tail_and_name(digits: str, whole: str, period: Period) -> Meaning:
    """A whole name has an index of its own: no consignee is opened."""
    of_digits, of_name = tail(digits, (), period), name(whole, period)
    spelled = f"{of_digits.spelled} + {of_name.spelled}"
    where = of_digits.where & of_name.where
    return Meaning(Kind.TAIL, "手机尾号和收件人姓名", spelled, where=where, period=period)


def name(text: str, period: Period, *, words: tuple[str, ...] = (), certain: bool = False) -> Meaning:
    where = Q(name_index__in=crypto.blind_indexes(name_key(text), purpose="name"))
    spelled = f"收件人姓名 {text}"
    return Meaning(Kind.NAME, "收件人姓名", spelled, where=where, words=words, period=period, certain=certain)


def placed_on(period: Period) -> Meaning:
    return Meaning(Kind.PLACED_ON, "下单日期", "下单日期", period=period, certain=True)


def city(text: str, period: Period) -> Meaning:
    short = text.removesuffix("市") or text
    forms = (text, short) if short != text else (text, *(f"{text}{end}" for end in ("市", "地区", "自治州", "州")))
    return Meaning(Kind.CITY, "城市", f"城市 {text}", where=Q(city__in=forms), period=period)


def product(text: str, period: Period) -> Meaning:
    """What a part of a product's name, or its code, stands for; which ones those are is looked up when it is asked."""
    return Meaning(Kind.PRODUCT, "商品", f"商品 {text}", product=text, period=period)
