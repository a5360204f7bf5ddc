"""What a person has on top of the order list (views, columns, last searches), asked for in one question for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, DateTimeField, Value
from django.http import HttpRequest

from frozenshop.backoffice.finding import recent, views
from frozenshop.backoffice.finding.models import ListColumns, RecentSearch, SavedView
from frozenshop.kernel.changelist import staff_user

ORDERS = "orders.order"
_NULL, _NEVER = Value("null"), Value(None, output_field=DateTimeField())
_UNSHARED = Value(None, output_field=CharField())
"""Columns that one of the tables lacks: they are converted as the views' are."""


@dataclass(frozen=True, slots=True)
class Own:
    saved: Sequence[SavedView]
    columns: object
    searches: Sequence[recent.Recent]

    def view(self, asked: str) -> SavedView | None:
        """Return the view that an address names, if this person may see it."""
        return next((row for row in self.saved if str(row.pk) == asked), None)


def of(request: HttpRequest) -> Own:
    kept: Own | None = getattr(request, "own_finding", None)
    if kept is None:
        kept = request.own_finding = _asked(staff_user(request).pk)  # type: ignore[attr-defined]
    return kept


def _asked(user_id: int) -> Own:
    parts: tuple[Any, ...] = (
        views.visible(user_id).values_list(
            *(Value("view"), "id", "name", "name_key", "shared_name", "filters", "columns", _NEVER)
        ),
        ListColumns.objects.filter(user_id=user_id, list_name=ORDERS).values_list(
            *(Value("columns"), "id", Value(""), "list_name", _UNSHARED, _NULL, "columns", _NEVER)
        ),
        recent.alive(user_id).values_list(
            *(Value("search"), "id", "text_sealed", "token", _UNSHARED, _NULL, _NULL, "searched_at")
        ),
    )
    first, *rest = parts
    found: dict[str, list[Any]] = {"view": [], "columns": [], "search": []}
    for what, *row in first.union(*rest, all=True):
        found[what].append(row)
    saved = [
        SavedView(pk=pk, name=name, name_key=key, shared_name=shared, filters=filters, columns=columns)
        for pk, name, key, shared, filters, columns, _ in found["view"]
    ]
    searches = [
        RecentSearch(pk=pk, text_sealed=sealed, token=token, searched_at=at)
        for pk, sealed, token, *_, at in found["search"]
    ]
    return Own(
        sorted(saved, key=lambda view: (view.name_key, view.pk))[: 2 * views.MOST],
        next((row[5] for row in found["columns"]), None),
        recent.newest(searches),
    )
