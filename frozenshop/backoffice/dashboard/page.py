"""What the index page shows to one person: a fixed number of small questions, whatever there is in the shop."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, Sum
from django.http import HttpRequest
from django.urls import reverse

from frozenshop.backoffice.dashboard import alert_load, boards, charts, parcels
from frozenshop.backoffice.dashboard.models import Dimension, Figure, FigureKind, FigureMark
from frozenshop.backoffice.dashboard.refreshing import monday
from frozenshop.backoffice.dashboard.tiles import DUE, bounded_number, counted, tiles, wanted
from frozenshop.backoffice.dashboard.weeks import Series, first_weeks, series
from frozenshop.backoffice.notifications_rows import WHY_TONES
from frozenshop.backoffice.wording import ORDER_TONES, yuan
from frozenshop.kernel import clock
from logistics import costs
from logistics.models import Carrier
from notifications.models import Notice, SettlementFigure
from notifications.settlement import frozen, guard
from orders.models import OrderStatus

ORDERS, ALERTS, PARCELS = "orders.view_order", "orders.view_alert", "logistics.view_shipment"
NOTICES, MONEY = "notifications.view_notice", "notifications.view_shippingreport"
PROVIDERS = "logistics.view_providerstate"
RECENT = dt.timedelta(days=29)
"""Before today: thirty days in all."""
ROWS = 8
OPEN = (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT)
BOARDS = {FigureKind.ARRIVING: PARCELS, FigureKind.STALE: PARCELS, FigureKind.UNTOLD: NOTICES, FigureKind.FROZEN: MONEY}
LATEST = {
    FigureKind.STEPS: dt.timedelta(minutes=30),
    FigureKind.ARRIVING: dt.timedelta(minutes=30),
    FigureKind.STALE: dt.timedelta(minutes=30),
    FigureKind.PASSAGES: dt.timedelta(hours=3),
    FigureKind.UNTOLD: dt.timedelta(hours=3),
    FigureKind.FROZEN: dt.timedelta(hours=3),
}
"""What was counted longer ago than several runs is shown as old."""

User = AbstractBaseUser | AnonymousUser
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Bar:
    """`share`: of the longest bar, in percent. `recent…`: of the last thirty days, where that is told too.

    `bounded`: counted as it is shown, and no further than a tile.
    """

    label: str
    tone: str
    count: int
    url: str
    share: float = 0
    recent: int = 0
    recent_url: str = ""
    bounded: bool = False

    @property
    def shown(self) -> str:
        return bounded_number(self.count) if self.bounded else f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class Counted:
    """When something was counted; `old`: too long ago."""

    at: dt.datetime | None
    old: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A series with its picture."""

    series: Series
    spark: charts.Spark


def context(request: HttpRequest) -> dict[str, Any]:
    """Return the variables of the page, of what this person may see."""
    user, today = request.user, clock.shanghai(clock.now()).date()
    may = {name for name in (ORDERS, ALERTS, PARCELS, NOTICES, MONEY, PROVIDERS) if user.has_perm(name)}
    counts = counted(wanted(user))
    figures = _figures(may, today)
    caps = costs.caps() if PROVIDERS in may else None
    held_back = _of(figures, FigureKind.FROZEN, Dimension.ALL).get("", 0) if MONEY in may else None
    names = _carriers(figures)
    return {
        "tiles": tiles(counts, caps, held_back),
        "counted": _counted(),
        "steps": _steps(today) if ORDERS in may else [],
        "arriving": _arriving(figures, names) if PARCELS in may else None,
        "stale": _stale(figures, names) if PARCELS in may else None,
        "due": _due(counts) if ALERTS in may else [],
        "untold": _untold(figures) if NOTICES in may else None,
        "money": _money() if MONEY in may and not guard.known_free() else None,
        "providers": _providers(caps, today) if caps else [],
        "passages": _passages(figures, names, today) if PARCELS in may else None,
    }


def _figures(may: set[str], today: dt.date) -> list[Figure]:
    kinds = [kind for kind, right in BOARDS.items() if right in may]
    chosen = Q(kind__in=kinds)
    if PARCELS in may:
        dimensions = (Dimension.ALL, Dimension.CARRIER, Dimension.LANE)
        chosen |= Q(kind=FigureKind.WEEK, day__gte=first_weeks(monday(today))[0], dimension__in=dimensions)
    return list(Figure.objects.filter(chosen)) if may else []


def _of(figures: Iterable[Figure], kind: FigureKind, dimension: Dimension) -> dict[str, int]:
    rows = [row for row in figures if (row.kind, row.dimension) == (kind, dimension)]
    return {row.key: row.count for row in sorted(rows, key=lambda row: (-row.count, row.key))}


def _carriers(figures: Iterable[Figure]) -> dict[str, str]:
    codes = {row.key for row in figures if row.dimension == Dimension.CARRIER}
    return dict(Carrier.objects.filter(code__in=codes).values_list("code", "name")) if codes else {}


def _counted() -> dict[str, Counted]:
    """Return when each kind was counted, under its name; what never was is missing."""
    now, marks = clock.now(), FigureMark.objects.filter(name__in=[kind.value for kind in LATEST], at__isnull=False)
    return {row.name: Counted(row.at, now - row.at > LATEST[FigureKind(row.name)]) for row in marks if row.at}


def _steps(today: dt.date) -> list[Bar]:
    since = today - RECENT
    sums = Figure.objects.filter(kind=FigureKind.STEPS).order_by().values("key")
    found = {
        row["key"]: (row["all"] or 0, row["recent"] or 0)
        for row in sums.annotate(all=Sum("count"), recent=Sum("count", filter=Q(day__gte=since)))
    }
    url = reverse("admin:orders_order_changelist")
    bars = [
        Bar(
            status.label,
            ORDER_TONES[status],
            found.get(status, (0, 0))[0] if status in OPEN else found.get(status, (0, 0))[1],
            f"{url}?status__exact={status}" + ("" if status in OPEN else f"&placed_from={since}"),
            recent=found.get(status, (0, 0))[1],
            recent_url=f"{url}?status__exact={status}&placed_from={since}",
        )
        for status in OrderStatus
    ]
    return _scaled(bars) if found else []


def _arriving(figures: list[Figure], names: Mapping[str, str]) -> dict[str, Any]:
    by_carrier = _of(figures, FigureKind.ARRIVING, Dimension.CARRIER)
    bars = [
        Bar(names.get(code, code), "cool", count, parcels.url(board="arriving", carrier=code))
        for code, count in by_carrier.items()
    ]
    return {
        "count": _of(figures, FigureKind.ARRIVING, Dimension.ALL).get("", 0),
        "url": parcels.url(board="arriving"),
        "bars": _scaled(bars[:ROWS]),
    }


def _stale(figures: list[Figure], names: Mapping[str, str]) -> dict[str, Any]:
    places = _of(figures, FigureKind.STALE, Dimension.PLACE)
    carriers = _of(figures, FigureKind.STALE, Dimension.CARRIER)
    by_place = [Bar(place, "bad", count, parcels.url(board="stale", place=place)) for place, count in places.items()]
    by_carrier = [
        Bar(names.get(code, code), "bad", count, parcels.url(board="stale", carrier=code))
        for code, count in carriers.items()
    ]
    count, most = _of(figures, FigureKind.STALE, Dimension.ALL).get("", 0), boards.STALE_MOST
    return {
        "count": count,
        "shown": f"{most:,}+" if count > most else f"{count:,}",
        "most": f"{most:,}" if count > most else "",
        "url": parcels.url(board="stale"),
        "places": _scaled(by_place[:ROWS]),
        "carriers": _scaled(by_carrier[:ROWS]),
    }


def _due(counts: Mapping[str, int]) -> list[Bar]:
    url = reverse("admin:orders_alert_changelist")
    return _scaled(
        Bar(stretch.label, stretch.tone, counts[f"{DUE}{key}"], f"{url}?due={key}", bounded=True)
        for key, stretch in alert_load.STRETCHES.items()
    )


def _untold(figures: list[Figure]) -> list[Bar]:
    url = reverse("admin:notifications_notice_changelist")
    labels = dict(Notice.Why.choices)
    return _scaled(
        Bar(labels.get(why, why), WHY_TONES.get(why, "quiet"), count, f"{url}?fate={why}")
        for why, count in _of(figures, FigureKind.UNTOLD, Dimension.WHY).items()
    )


def _money() -> dict[str, Any]:
    rows = list(SettlementFigure.objects.all())
    held = [
        (reason, sum(row.orders for row in of), yuan(sum(row.fen for row in of)))
        for reason in frozen.REASONS
        if (of := [row for row in rows if row.reason == reason.name])
    ]
    return {
        "held": held,
        "total": yuan(sum(row.fen for row in rows)),
        "url": reverse("admin:settlement"),
        "at": max((row.measured_at for row in rows), default=None),
    }


def _providers(caps: Iterable[costs.Cap], today: dt.date) -> list[dict[str, Any]]:
    months = {month.provider: month for month in costs.months(today.replace(day=1))}
    return [{"cap": cap, **_month(months.get(cap.state.provider))} for cap in caps]


def _month(month: costs.Month | None) -> dict[str, Any]:
    if month is None:
        return {"queries": 0, "failures": 0, "cost": yuan(0), "forecast": yuan(0)}
    return {
        "queries": month.total.queries,
        "failures": month.total.failures,
        "cost": yuan(month.total.cost_fen),
        "forecast": yuan(month.forecast_fen),
    }


def _passages(figures: list[Figure], names: Mapping[str, str], today: dt.date) -> dict[str, Any] | None:
    mondays = first_weeks(monday(today))

    def of(dimension: Dimension, name: str, labels: Mapping[str, str]) -> list[Series]:
        rows = [row for row in figures if (row.kind, row.dimension) == (FigureKind.WEEK, dimension)]
        return series(rows, mondays, name, labels)

    every = of(Dimension.ALL, "", {"": "全部"})
    if not every:
        return None
    carriers, lanes = of(Dimension.CARRIER, parcels.CARRIER, names), of(Dimension.LANE, parcels.LANE, {})
    drawn = [*every, *carriers[: charts.LINES - 1]]
    return {
        "chart": charts.rates(drawn),
        "groups": [("承运商", _rows([*every, *carriers[:ROWS]])), ("线路", _rows(lanes[:ROWS]))],
        "weeks": [(day, [one.weeks[place] for one in drawn]) for place, day in enumerate(mondays)],
        "drawn": drawn,
    }


def _rows(found: list[Series]) -> list[Row]:
    longest = charts.longest(found)
    return [Row(one, charts.spark(one, longest)) for one in found]


def _scaled(bars: Iterable[Bar]) -> list[Bar]:
    """Give each bar its share of the longest."""
    given = list(bars)
    most = max((bar.count for bar in given), default=0) or 1
    return [replace(one, share=round(100 * one.count / most, 1)) for one in given]
