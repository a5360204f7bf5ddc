"""The buyer's list: what may be asked of it, and the place where the next page begins."""

import base64
import binascii
import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import QueryDict

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from logistics import document
from logistics.archive import showing
from logistics.archive.models import ArchivedOrder, ArchivedWaybill
from logistics.models import ShipmentOrder
from orders.intake import parse_status
from orders.models import Order, OrderAccess, OrderStatus

DEFAULT_LIMIT, MOST = 20, 50
COUNTED_ORDERS, COUNTED_MOST = 1000, 100
MOST_NAMED = 500
_EVERYWHERE: tuple[QuerySet[Any], ...] = (Order.objects.all(), ArchivedOrder.objects.all())

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LIMIT = re.compile(r"[0-9]{1,3}")
_CURSOR = re.compile(rb"(-?[0-9]{1,17})\.([0-9]{1,18})")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """The last order of a page: the next page begins after it."""

    placed_at: dt.datetime
    order_id: int

    def cursor(self) -> str:
        plain = f"{(self.placed_at - _EPOCH) // _MICROSECOND}.{self.order_id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> "Place":
        """Read what `cursor` wrote, and nothing else. Raises Invalid."""
        try:
            plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            match = _CURSOR.fullmatch(plain)
            place = cls(_EPOCH + int(match[1]) * _MICROSECOND, int(match[2])) if match else None
        except (binascii.Error, ValueError, OverflowError):
            place = None
        if place is None or place.cursor() != cursor:
            raise Invalid(fields={"cursor": "分页位置无效，请从第一页开始"})
        return place


@dataclass(frozen=True, slots=True)
class Filters:
    """What a buyer asks of the list; an empty filter is absent. `since` is inclusive, `until` is not."""

    status: OrderStatus | None = None
    text: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    after: Place | None = None
    limit: int = DEFAULT_LIMIT

    @classmethod
    def read(cls, query: QueryDict) -> "Filters":
        """Read the query of a URL. Raises Invalid naming the field."""
        status, cursor = query.get("status"), query.get("cursor")
        since, until = _day(query, "from"), _day(query, "to")
        return cls(
            status=parse_status(status) if status else None,
            text=query.get("q") or "",
            since=clock.start_of_day(since) if since else None,
            until=clock.start_of_day(until + dt.timedelta(days=1)) if until else None,
            after=Place.read(cursor) if cursor else None,
            limit=_limit(query.get("limit")),
        )

    def apply(self, accesses: QuerySet[OrderAccess]) -> QuerySet[OrderAccess]:
        """Return one row more than a page, newest first, of orders here and in the archive."""
        return accesses.filter(self._condition()).order_by("-placed_at", "-order_id")[: self.limit + 1]

    def _condition(self) -> Q:
        wanted = Q()
        if self.status:
            # Each row's status is looked up by the order's key, along the one index that the list has.
            wanted &= Q(
                *[Exists(rows.filter(pk=OuterRef("order_id"), status=self.status)) for rows in _EVERYWHERE],
                _connector=Q.OR,
            )
        if self.text:
            wanted &= Q(order_id__in=_named(self.text))
        if self.since:
            wanted &= Q(placed_at__gte=self.since)
        if self.until:
            wanted &= Q(placed_at__lt=self.until)
        if self.after:
            at = self.after.placed_at
            # The first condition is implied by the second; it is what the index can begin at.
            wanted &= Q(placed_at__lte=at) & (Q(placed_at__lt=at) | Q(order_id__lt=self.after.order_id))
        return wanted


def counts(accesses: QuerySet[OrderAccess]) -> dict[str, int]:
    """Count the newest 1,000 orders by status, each no further than 100."""
    newest = accesses.order_by("-placed_at", "-order_id").values_list(status_of_order(), flat=True)
    counted = Counter(newest[:COUNTED_ORDERS])
    return {status.value: min(counted[status.value], COUNTED_MOST) for status in OrderStatus}


def summaries(page: Sequence[OrderAccess]) -> dict[int, tuple[int | None, document.Document]]:
    """Return whose order it is and what the list shows of it, by its id: in three queries, two more for the archive."""
    ids = [row.order_id for row in page]
    here = Order.objects.in_bulk(ids)
    away = ArchivedOrder.objects.defer("body").in_bulk([pk for pk in ids if pk not in here])
    shown: list[tuple[Any, document.Document]] = [
        *zip(here.values(), document.summaries(list(here.values())), strict=True),
        *zip(away.values(), showing.summaries(list(away.values())) if away else (), strict=True),
    ]
    return {order.pk: (order.customer_id, summary) for order, summary in shown}


def summary_of(row: OrderAccess, shown: Mapping[int, tuple[int | None, document.Document]]) -> document.Document | None:
    """Return a row's summary, with prices if they are the buyer's; None where the order has gone."""
    if row.order_id not in shown:
        return None
    customer_id, summary = shown[row.order_id]
    own = row.via == OrderAccess.Via.OPENID or customer_id in (None, row.customer_id)
    return summary if own else summary | {"total_fen": None}


def statuses(accesses: QuerySet[OrderAccess], order_nos: Sequence[str]) -> dict[str, tuple[str, dt.datetime]]:
    """Return status and last change of those orders that the buyer may see, by number."""
    found: dict[str, tuple[str, dt.datetime]] = {}
    for rows in _EVERYWHERE:
        left = [order_no for order_no in order_nos if order_no not in found]
        named = rows.filter(order_no__in=left, pk__in=accesses.values("order_id")) if left else rows.none()
        found |= {no: (status, at) for no, status, at in named.values_list("order_no", "status", "updated_at")}
    return found


def status_of_order() -> Coalesce:
    """Return the status of a row's order, wherever it lies, as an expression."""
    return Coalesce(*(Subquery(rows.filter(pk=OuterRef("order_id")).values("status")) for rows in _EVERYWHERE))


def _named(text: str) -> list[int]:
    """Return the orders, whosesoever, that have this number or travelled under this waybill."""
    found = [
        Order.objects.filter(order_no=text).values_list("pk"),
        ArchivedOrder.objects.filter(order_no=text).values_list("pk"),
        ShipmentOrder.objects.filter(shipment__waybill_no=text).values_list("order_id"),
        ArchivedWaybill.objects.filter(waybill_no=text).values_list("order_id"),
    ]
    first, *others = (rows.order_by() for rows in found)
    return [pk for (pk,) in first.union(*others)[:MOST_NAMED]]


def _day(query: QueryDict, name: str) -> dt.date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year <= 9000:
        raise Invalid(fields={name: "应为日期，例如 2026-01-31"})
    return day


def _limit(text: Any) -> int:
    if not text:
        return DEFAULT_LIMIT
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    if not 1 <= limit <= MOST:
        raise Invalid(fields={"limit": f"应为 1–{MOST} 的整数"})
    return limit
