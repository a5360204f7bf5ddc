"""The list of parcels as the figures of the index page open it: by day of delivery, carrier, lane and promise."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from frozenshop.backoffice.dashboard import boards
from frozenshop.backoffice.dashboard.models import Dimension, Figure, FigureKind
from frozenshop.backoffice.dashboard.passages import ARROW, delivered, promise, province
from frozenshop.backoffice.dashboard.refreshing import monday
from frozenshop.backoffice.filters import bounds
from frozenshop.kernel.changelist import PLACES
from frozenshop.kernel.clock import now
from logistics.admin import ShipmentAdmin
from logistics.models import Carrier, Shipment

FROM, TO, CARRIER, LANE, PROMISE, BOARD, PLACE = NAMES = (
    *("delivered_from", "delivered_to", "carrier", "lane", "promise", "board", "place"),
)
PROMISES = {"kept": "守时", "late": "超过承诺"}
BOARDS = {"arriving": "今天预计送达", "stale": "停滞"}
SHIPPED_WITHIN = dt.timedelta(days=90)
"""How far back a lane alone is looked for, which no index leads to."""
CARRIERS = 200


def url(**given: str) -> str:
    """Return the address of the list with these of `NAMES`."""
    return f"{reverse('admin:logistics_shipment_changelist')}?{urlencode(given)}"


class ParcelFilter(admin.ListFilter):
    """One form for what belongs together: delivered from and to, carrier, promise; the rest comes with a link.

    `queryset` is what one index gives, `walk` looks at the rest parcel by parcel.
    """

    title = "签收与停滞"
    template = "backoffice/parcel_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Shipment], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.given = {name: params.pop(name, [""])[-1][:100] for name in NAMES}
        self.since, self.until = bounds(self.given[FROM], self.given[TO])
        self.by_status = bool(request.GET.get("status__exact"))

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(NAMES)

    @property
    def walking(self) -> bool:
        """Say whether parcels are looked at one by one: each question has one index, and these come on top of it."""
        return bool(self._lane or self._promise or (self.given[CARRIER] and not self._led_by_carrier))

    @property
    def _led_by_carrier(self) -> bool:
        """Say whether the index of carriers leads to the parcels: nothing else does."""
        return bool(self.given[CARRIER]) and not (self.given[BOARD] in BOARDS or self.by_delivery or self.by_status)

    @property
    def _lane(self) -> str:
        return self.given[LANE] if ARROW in self.given[LANE] else ""

    @property
    def _promise(self) -> str:
        return self.given[PROMISE] if self.by_delivery and self.given[PROMISE] in PROMISES else ""

    @property
    def by_delivery(self) -> bool:
        return self.since is not None or self.until is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Shipment]) -> QuerySet[Shipment]:
        if self.given[BOARD] in BOARDS:
            queryset = self._on_board(queryset)
        elif self.by_delivery:
            since = self.since or dt.datetime.min.replace(year=2000, tzinfo=dt.UTC)
            queryset = delivered(queryset, since, self.until or now() + dt.timedelta(days=2))
        elif self._led_by_carrier:
            queryset = queryset.filter(carrier__code=self.given[CARRIER])
        elif self._lane and not self.by_status:
            queryset = queryset.filter(shipped_at__gte=now() - SHIPPED_WITHIN)
        return queryset

    def walk(self, queryset: QuerySet[Shipment]) -> QuerySet[Shipment]:
        if self._promise:
            queryset = queryset.alias(promise=promise()).filter(promise__isnull=False)
            late = {"delivered_at__gt": F("promise")}
            queryset = queryset.filter(**late) if self._promise == "late" else queryset.exclude(**late)
        if code := self.given[CARRIER]:
            queryset = queryset.filter(carrier__code=code)
        return queryset.filter(self._on_lane()) if self._lane else queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        kept = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name not in (*NAMES, *PLACES)
            for value in values
        ]
        carriers = Carrier.objects.filter(Q(enabled=True) | Q(code=self.given[CARRIER]))
        yield {
            "kept": kept,
            "given": self.given,
            "selected": any(self.given.values()),
            "carriers": carriers.order_by("name").values_list("code", "name")[:CARRIERS],
            "promises": PROMISES.items(),
            "boards": BOARDS.items(),
            "clear": changelist.get_query_string(remove=list(NAMES)),
        }

    def _on_board(self, queryset: QuerySet[Shipment]) -> QuerySet[Shipment]:
        if self.given[BOARD] == "arriving":
            return boards.arriving(queryset)
        place = self.given[PLACE]
        return queryset.filter(pk__in=[one.id for one in boards.silent() if place in ("", one.place)])

    def _on_lane(self) -> Q:
        """Return the condition for a lane's places, as they were written in the weeks that are asked for."""
        origin, _, destination = self.given[LANE].partition(ARROW)
        weeks = Figure.objects.filter(kind=FigureKind.WEEK)
        if self.since:
            weeks = weeks.filter(day__gte=monday(self.since.date()))
        if self.until:
            weeks = weeks.filter(day__lte=self.until.date())
        return Q(origin__in=_texts(weeks, Dimension.ORIGIN, origin)) & Q(
            destination__in=_texts(weeks, Dimension.DESTINATION, destination)
        )


def _texts(weeks: QuerySet[Figure], dimension: Dimension, name: str) -> list[str]:
    written = weeks.filter(dimension=dimension).values_list("key", flat=True).distinct()
    return [text for text in written if province(text) == name]


class StaffShipmentAdmin(ShipmentAdmin):
    list_filter = (ParcelFilter, *ShipmentAdmin.list_filter)  # type: ignore[assignment]

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        """Follow the index by which the filter narrows: what was delivered is listed by its instant, what arrives by
        when it does.
        """
        board = request.GET.get(BOARD)
        if board in BOARDS:
            return ("eta_likely", "id") if board == "arriving" else self.keyset
        asked = bounds(request.GET.get(FROM, ""), request.GET.get(TO, ""))
        return ("-status_at", "-id") if any(asked) else super().get_keyset(request)
