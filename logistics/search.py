"""Finding orders by whatever staff typed: each form of text has one index, and nothing is ever scanned for `%…%`."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.errors import Invalid
from logistics.models import ShipmentOrder
from orders import phones
from orders.consignee import name_key
from orders.models import Order

MAX_FOUND = 500
"""More orders than that nobody reads: the text must say more."""
PREFIX_AT_LEAST = 6
DEFAULT_MONTHS = 12

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOBILE = re.compile(r"(\+?86[- ]?)?1[3-9][0-9]{9}")
_DAY = re.compile(r"(20[0-9]{2})-?([01][0-9])-?([0-3][0-9])")
_TAIL = re.compile(r"[0-9]{4}")
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Found:
    """What the text was taken for, in Chinese, and the orders, newest first."""

    label: str
    orders: QuerySet[Order]

    @property
    def ids(self) -> QuerySet[Order, Any]:
        """The orders as a subquery, for `pk__in` of another queryset."""
        return self.orders.order_by().values("pk")


@dataclass(frozen=True, slots=True)
class Period:
    """When the orders were placed; an open end is None. `until` is not included."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def limit(self, orders: QuerySet[Order]) -> QuerySet[Order]:
        if self.since:
            orders = orders.filter(placed_at__gte=self.since)
        return orders.filter(placed_at__lt=self.until) if self.until else orders

    def months(self) -> Iterator[str]:
        """Yield `YYYY-MM` of each Shanghai month, newest first: the last twelve unless the period says otherwise."""
        last = clock.shanghai(self.until - dt.timedelta(microseconds=1) if self.until else clock.now())
        first = clock.shanghai(self.since) if self.since else None
        year, month = last.year, last.month
        count = (year - first.year) * 12 + month - first.month + 1 if first else DEFAULT_MONTHS
        for _ in range(min(count, 10 * DEFAULT_MONTHS)):
            yield f"{year:04}-{month:02}"
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)


def search_orders(text: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Found:
    """Return the orders that a text means: order number (whole, or its first six), waybill, phone, name, a day, or the
    last four digits of a phone, alone or with a day and something of the consignee.
    """
    period = Period(since, until)
    words = text.split()
    if not words:
        return Found("没有输入", Order.objects.none())
    joined = " ".join(words)
    if len(words) == 1 and (found := _by_key(joined, period)):
        return found
    if found := _by_phone(joined, period):
        return found
    days = [day for word in words if (day := _day(word))]
    others = [word for word in words if not _day(word)]
    if days:
        period = Period(clock.start_of_day(days[0]), clock.start_of_day(days[0] + dt.timedelta(days=1)))
    if not others:
        return Found("下单日期", _newest_first(period.limit(Order.objects.all())))
    tails = [word for word in others if _TAIL.fullmatch(word)]
    if tails:
        return _by_tail(tails[0], [word for word in others if word != tails[0]], period)
    if _CHINESE.search(joined) or len(others) > 1:
        return _by_name(" ".join(others), period)
    return _by_prefix(others[0], period)


def _by_key(text: str, period: Period) -> Found | None:
    """An order number or a waybill, byte for byte."""
    if not _KEY.fullmatch(text) or _TAIL.fullmatch(text):
        return None
    numbered = Order.objects.filter(order_no=text)
    if numbered.exists():
        return Found("订单号", numbered)
    links = ShipmentOrder.objects.filter(shipment__waybill_no=text)
    ids = list(links.values_list("order_id", flat=True).distinct()[:MAX_FOUND])
    return Found("运单号", _of_ids(ids, period)) if ids else None


def _by_phone(text: str, period: Period) -> Found | None:
    """A whole number, whatever its form. What may as well begin an order number must find something."""
    try:
        phone = phones.normalise(text)
    except Invalid:
        return None
    orders = Order.objects.filter(phone_index__in=crypto.blind_indexes(phone, purpose="phone"))
    if _KEY.fullmatch(text) and not _MOBILE.fullmatch(text) and not orders.exists():
        return None
    return Found("手机号", _newest_first(period.limit(orders)))


def _by_tail(tail: str, words: list[str], period: Period) -> Found:
    """Four digits alone say too little to be looked up by themselves: each month has its own index of them."""
    keys = [key for month in period.months() for key in crypto.blind_indexes(f"{month}|{tail}", purpose="tail")]
    orders = _newest_first(period.limit(Order.objects.filter(tail_index__in=keys)))
    if not words:
        return Found("手机尾号", orders)
    narrowed = [order.pk for order in orders[:MAX_FOUND] if _mentions(order, words)]
    return Found("手机尾号和其他信息", _of_ids(narrowed, period))


def _mentions(order: Order, words: Iterable[str]) -> bool:
    try:
        consignee = order.open_consignee()
    except crypto.SealBroken:
        return False
    place = f"{consignee.province}{consignee.city}{consignee.district}{consignee.address}"
    known = (consignee.name, place, order.lines_summary, order.order_no)
    return all(any(word in part for part in known) for word in words)


def _by_name(name: str, period: Period) -> Found:
    keys = crypto.blind_indexes(name_key(name), purpose="name")
    return Found("收件人姓名", _newest_first(period.limit(Order.objects.filter(name_index__in=keys))))


def _by_prefix(text: str, period: Period) -> Found:
    """The first characters of an order number, as a range of its index; a name in Latin letters where none fits."""
    if not _KEY.fullmatch(text) or len(text) < PREFIX_AT_LEAST:
        return _by_name(text, period)
    after = text[:-1] + chr(ord(text[-1]) + 1)
    numbers = Order.objects.filter(order_no__gte=text, order_no__lt=after).order_by("-order_no")
    ids = list(numbers.values_list("pk", flat=True)[:MAX_FOUND])
    return Found("订单号开头", _of_ids(ids, period)) if ids else _by_name(text, period)


def _of_ids(ids: Iterable[int], period: Period) -> QuerySet[Order]:
    return _newest_first(period.limit(Order.objects.filter(pk__in=list(ids))))


def _newest_first(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.order_by("-placed_at", "-id")


def _day(word: str) -> dt.date | None:
    match = _DAY.fullmatch(word)
    try:
        return dt.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
