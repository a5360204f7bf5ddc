"""The order list as a place to find in: what was understood, what else it may have been, tabs, recent searches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode

from frozenshop.backoffice import archive
from frozenshop.backoffice.filters import DATES, DateRangeFilter, bounds
from frozenshop.backoffice.finding import own, recent, views
from frozenshop.kernel.changelist import KeysetChangeList
from logistics.archive.searching import ARCHIVE
from logistics.search import MAX_FOUND, ORDERS, Found, Kind, Period, Table, search
from logistics.search.near import Near, near_misses, sentences
from logistics.search.products import MOST as MOST_PRODUCTS

TOKEN, AS, VIEW = "find", "as", "view"
FEW = 2
EXACT = frozenset({Kind.ORDER_NO, Kind.WAYBILL, Kind.PHONE, Kind.PLACED_ON})
LOST = "这个查找链接已经过期，或是别人的查找；请重新输入。"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request looks for, and when the orders should have been placed."""

    text: str
    period: Period
    kind: Kind | None
    dates: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: HttpRequest, text: str) -> "Asked":
        given = [request.GET.get(name, "") for name in DATES]
        kind = request.GET.get(AS, "")
        dates = tuple((name, value) for name, value in zip(DATES, given, strict=True) if value)
        return cls(text, Period(*bounds(*given)), Kind(kind) if kind in set(Kind) else None, dates)

    def found(self, *, archive: bool) -> Found:
        """Return what is found; `archive`: there as well."""
        tables: list[Table[Any]] = [ORDERS, ARCHIVE] if archive else [ORDERS]
        meaning, (orders, *archived) = search(self.text, tables, self.period, kind=self.kind)
        return Found(meaning, orders, *archived)


class Finding:
    """What the page says about a search."""

    def __init__(self, asked: Asked, found: Found) -> None:
        self.asked, self.meaning = asked, found.meaning
        self._archived = found.archived
        self.near: list[Near] = []
        self.sentences: tuple[str, ...] = ()

    @property
    def heeds_dates(self) -> bool:
        """Say whether it was looked for within the chosen dates, and not whenever or on a day that was typed.

        What fits nothing isn't there at other times, either.
        """
        return self.meaning.kind is Kind.NUMBER or self.meaning.period == self.asked.period

    def look_around(self, shown: int, *, whole: bool) -> None:
        """Find near misses where little was found and nothing but the search itself may be to blame."""
        if whole and (shown == 0 or (shown <= FEW and self.meaning.kind not in EXACT)):
            self.near = near_misses(self.asked.text, self.meaning, ORDERS, self.asked.period, nothing=shown == 0)
        if shown == 0:
            self.sentences = tuple(sentences(self.asked.text, self.meaning))

    @cached_property
    def archived(self) -> list[dict[str, Any]]:
        """What of it lies in the archive, newest first."""
        may_be = self._archived is not None and self.meaning.kind not in (Kind.NOTHING, Kind.PLACED_ON)
        return archive.hits(self._archived) if may_be and self._archived is not None else []

    @cached_property
    def products(self) -> str:
        """Name the products that a part of their names stood for; what is beyond the bound wasn't looked for."""
        named = [name for _, name in self.meaning.products or ()]
        more = "；还有别的商品也这样叫，没有查找，请输入更完整的名称" if len(named) > MOST_PRODUCTS else ""
        return "、".join(named[:MOST_PRODUCTS]) + more

    @property
    def links(self) -> list[dict[str, Any]]:
        return [
            {
                "label": f"{near.meaning.explanation}：{near.shown}",
                "text": near.text,
                "personal": recent.may_name_somebody(near.text),
                "more": self._more(near),
            }
            for near in self.near
        ]

    def _more(self, near: Near) -> list[tuple[str, str]]:
        kind = [(AS, near.kind.value)] if near.kind else []
        if near.since:
            return [*kind, (DateRangeFilter.FROM, near.since.isoformat())]
        return kind if near.unbounded else [*kind, *self.asked.dates]


class OrderChangeList(KeysetChangeList):
    finding: Finding | None = None
    narrowed = False
    lost = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """A token stands for what this person typed; in links it goes on standing for it."""
        self.own = own.of(request)
        if token := request.GET.get(TOKEN):
            text = next((one.text for one in self.recents if one.token == token), None)
            self.query, self.lost = text or "", "" if text else LOST
        rows = super().get_queryset(request, exclude_parameters)
        self.finding = getattr(request, "finding", None)
        return rows.none() if self.lost else rows

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.note = self.lost
        if self.finding:
            self.note = self.finding.meaning.explanation
            heeded = DATES if self.finding.heeds_dates else ()
            self.narrowed = any(name not in SEARCHING and name not in heeded for name, _ in self.kept_params)
            found = self.result_count + len(self.finding.archived)
            self.finding.look_around(found, whole=not self.first_query and not self.narrowed)

    def _count(self, rows: list[Any], *, whole: bool) -> str:
        counted = super()._count(rows, whole=whole)
        cut = self.finding and self.finding.meaning.through_keys and counted == f"共 {MAX_FOUND} 条"
        return f"只列出 {MAX_FOUND} 条，还有更多，请说得更具体" if cut else counted

    @property
    def recents(self) -> Sequence[recent.Recent]:
        return self.own.searches

    @cached_property
    def tabs(self) -> list[dict[str, Any]]:
        """The views as tabs; the one that is looked at is marked."""
        here = self.chosen_filters
        at = self.params.get(VIEW)
        return [
            {
                "view": view,
                "selected": str(view.pk) == at if at else view.pk is None and dict(view.filters) == here,
            }
            for view in (*views.BUILT_IN, *map(views.shown, self.own.saved))
        ]

    @property
    def chosen_filters(self) -> dict[str, str]:
        """Return what of this page a view may keep."""
        return views.allowed(dict(self.kept_params))

    @property
    def unnarrowed_query(self) -> str:
        """Return this search without any filter."""
        return f"?{urlencode([(name, value) for name, value in self.kept_params if name in SEARCHING])}"

    @property
    def search_params(self) -> list[tuple[str, str]]:
        """Return what a new search keeps of this page: its filters."""
        return [(name, value) for name, value in self.kept_params if name not in SEARCHING]


SEARCHING = frozenset({"q", TOKEN, AS, VIEW})
