"""The one rule for every list in the admin: keyset pages, nothing counted, nothing scanned."""

import base64
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Count, DateField, DateTimeField, Field, Max, Min, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_date

from frozenshop.kernel import audit, clock, replica
from frozenshop.kernel.actor import Actor, staff
from frozenshop.kernel.client_address import client_address

AFTER, BEFORE, AT, END = "after", "before", "at", "end"
PLACES = (AFTER, BEFORE, AT, END)
"""Parameters that say where in a list a page stands, and nothing of what is in the list."""
COUNTED_TO = 1000
LOOKED_AT = 1_000
"""Where a filter looks each row up, a page looks at so many rows at most; the next one goes on from there."""
LAST_CHARACTER = "\U0010ffff"
LAST_ID = 2**63 - 1
PAGE_SIZE = 50
RowT = TypeVar("RowT", bound=Model)


def staff_actor(request: HttpRequest) -> Actor:
    """Return the member of staff behind a request, as services want to know them."""
    return staff(request.user.pk)


def staff_user(request: HttpRequest) -> AbstractBaseUser:
    """Return the member of staff behind a request that the site has let in."""
    assert isinstance(request.user, AbstractBaseUser)
    return request.user


def reader(request: HttpRequest) -> str:
    """Return a member of staff as one who must see what they have done themself."""
    return f"staff:{request.user.pk}"


def shown_stale(request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
    """Return a page that may be a little old; a POST is answered from the primary."""

    def whole() -> HttpResponse:
        response = page()
        return response.render() if isinstance(response, TemplateResponse) else response

    return replica.read(whole, reader(request)) if request.method in ("GET", "HEAD") else page()


def may_be_stale(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Make a page of the site one that may be a little old when it is only looked at."""

    @functools.wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return shown_stale(request, lambda: view(request, *args, **kwargs))

    return shown


def record_act(
    request: HttpRequest, action: str, subject: str = "", *, reason: str = "", details: dict[str, Any] | None = None
) -> None:
    """Put an act of a member of staff into the audit."""
    address = client_address(request)
    audit.record(staff_actor(request), action, subject[:150], reason=reason[:500], details=details, address=address)


def encode_cursor(row: Model, keys: Sequence[str]) -> str:
    """Return a row's place in its list, fit for an address."""
    return _encoded([getattr(row, key.lstrip("-")) for key in keys])


def _encoded(key: Sequence[Any]) -> str:
    values = [str(value) for value in key]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, model: type[Model], keys: Sequence[str]) -> list[Any]:
    """Return the key values of a cursor. Raises IncorrectLookupParameters if it is none of ours."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError(cursor)
        fields = [model._meta.get_field(key.lstrip("-")) for key in keys]
        return [_key_value(field, str(value)) for field, value in zip(fields, values, strict=True)]
    except (ValueError, OverflowError, RecursionError, ValidationError) as error:
        raise IncorrectLookupParameters(error) from error


def _key_value(field: Any, text: str) -> Any:
    """Return what a column may be compared with. Raises ValueError or OverflowError for what no row can hold."""
    text.encode()
    value = field.to_python(text)
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError(text)
        value.astimezone(dt.UTC)
    return value


def beyond(keys: Sequence[str], values: Sequence[Any], *, backwards: bool) -> Q:
    """Return the condition for rows that come after (or before) the key values in the order of `keys`."""
    descending = keys[0].startswith("-") != backwards
    comparison = "lt" if descending else "gt"
    condition, equal = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        name = key.lstrip("-")
        condition |= equal & Q((f"{name}__{comparison}", value))
        equal &= Q((name, value))
    # Implied by the rest; written out because the database makes one range of it.
    return Q((f"{keys[0].lstrip('-')}__{comparison}e", values[0])) & condition


def up_to(keys: Sequence[str], edge: Any, *, backwards: bool) -> Q:
    """Return the condition for rows whose first key has not passed `edge`."""
    name = keys[0].lstrip("-")
    return Q((f"{name}__gte" if keys[0].startswith("-") != backwards else f"{name}__lte", edge))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after or before the key of a row, at a day, or at the end of the list."""

    after: str = ""
    before: str = ""
    day: dt.date | None = None
    end: bool = False

    @classmethod
    def asked(cls, query: QueryDict, key: "Field[Any, Any]") -> "Place":
        after, before = query.get(AFTER, ""), query.get(BEFORE, "")
        if after or before:
            return cls("" if before else after, before)
        day = _day(query.get(AT, "")) if isinstance(key, DateField) else None
        return cls(day=day, end=day is None and END in query)

    @property
    def backwards(self) -> bool:
        return bool(self.before) or self.end

    def narrow(self, rows: QuerySet[Any], keys: Sequence[str]) -> QuerySet[Any]:
        if cursor := self.before or self.after:
            rows = rows.filter(beyond(keys, decode_cursor(cursor, rows.model, keys), backwards=self.backwards))
        elif self.day:
            rows = rows.filter(from_day(rows.model, keys[0], self.day))
        return rows.reverse() if self.backwards else rows


def from_day(model: type[Model], key: str, day: dt.date) -> Q:
    """Return the condition for rows from a day of Shanghai on, in the direction of the list."""
    name, descending = key.lstrip("-"), key.startswith("-")
    if not isinstance(model._meta.get_field(name), DateTimeField):
        return Q((f"{name}__lte" if descending else f"{name}__gte", day))
    if descending:
        return Q((f"{name}__lt", clock.start_of_day(day + dt.timedelta(days=1))))
    return Q((f"{name}__gte", clock.start_of_day(day)))


def _day(text: str) -> dt.date | None:
    """Return the day, if it is one that the calendar can add a day to."""
    try:
        day = parse_date(text.strip())
    except ValueError:
        return None
    return day if day and 1970 <= day.year < 9999 else None


class KeysetChangeList(ChangeList):
    """A page is found by the key of its neighbour: no COUNT, no OFFSET, no sorting by other columns.

    `led`: the rows to which an index leads, before the filters that look each of them up (`walking`, with `walk`).
    `looked`: up to where a page looked, in Chinese, where that isn't the list's end. `gathered`: how many rows a filter
    that is `gathering` found by another table's index, up to COUNTED_TO + 1, where the page begins with the first.
    """

    model_admin: "BaseAdmin[Any]"
    first_query: str | None = None
    older_query: str | None = None
    newer_query: str | None = None
    last_query: str | None = None
    jump: dict[str, Any] | None = None
    counted = ""
    note = ""
    looked = ""
    gathered: int | None = None
    led: QuerySet[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(self.opts.verbose_name_plural)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in PLACES}

    def get_filters(self, request: HttpRequest) -> Any:
        """Take only what declared filters understand: a made-up lookup in the address scans nothing."""
        specs, has_specs, _unclaimed, _duplicates, active = super().get_filters(request)
        return specs, has_specs, {}, False, active

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(self.model_admin.get_keyset(request))

    def get_query_string(self, new_params: dict[str, Any] | None = None, remove: Iterable[str] | None = None) -> str:
        kept = self.filter_params
        self.filter_params = {name: value for name, value in kept.items() if name not in PLACES}
        try:
            return super().get_query_string(new_params, remove)
        finally:
            self.filter_params = kept

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows = self.led = super().get_queryset(request, exclude_parameters)
        for spec in self.walking:
            rows = spec.walk(rows)
        return rows

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """Fetch what each row has one of apart: given a join, the database may begin with the small table, read all of
        the large one by it and sort that. What a row may lack is a left join, which has one order.
        """
        given = self.list_select_related
        names = given if isinstance(given, list | tuple) else [str(name) for name in self.list_display]
        fields = (_field(self.model, name) for name in names)
        for field in (field for field in fields if field is not None and field.is_relation):
            qs = qs.select_related(field.name) if field.null else qs.prefetch_related(field.name)
        return qs

    @property
    def walking(self) -> list[Any]:
        """Return the filters that look each row up."""
        return [spec for spec in self.filter_specs if getattr(spec, "walking", False)]

    @property
    def kept_params(self) -> list[tuple[str, str]]:
        """Return what a form beside the list must send along so that the list stays the same."""
        kept = ((name, value) for name, values in self.filter_params.items() for value in values)
        return [(name, str(value)) for name, value in kept if name not in PLACES]

    def get_results(self, request: HttpRequest) -> None:
        keys = self.model_admin.get_keyset(request)
        key: Field[Any, Any] = self.model._meta.get_field(keys[0].lstrip("-"))  # type: ignore[assignment]
        place = Place.asked(request.GET, key)
        edge = self._edge(keys, place) if self.walking else None
        within = Q() if edge is None else up_to(keys, edge, backwards=place.backwards)
        rows = self._rows(place.narrow(self.queryset.filter(within), keys), from_start=place == Place())
        more, rows = len(rows) > self.list_per_page, rows[: self.list_per_page]
        if place.backwards:
            rows.reverse()
        self._link(rows, keys, place, more=more)
        if edge is not None and not more:
            self._go_on(keys, place, edge)
        if isinstance(key, DateField):
            self.jump = {"label": str(key.verbose_name), "day": place.day.isoformat() if place.day else ""}
        self.counted = self._count(rows, whole=place == Place() and not more and edge is None)
        self.result_list = self.model_admin.prepare_rows(rows)
        self.result_count = len(rows)
        self.note = getattr(request, "search_note", "")
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(rows)
        self.full_result_count = None

    def _rows(self, found: QuerySet[Any], *, from_start: bool) -> list[Any]:
        """Return a page of rows and one more. What another table gathers is sorted once, by its keys alone: whole rows
        of thousands of orders would be sorted to show fifty, and gathered again to be counted.
        """
        if not any(getattr(spec, "gathering", False) for spec in self.filter_specs):
            return list(found[: self.list_per_page + 1])
        pks = list(found.values_list("pk", flat=True)[: COUNTED_TO + 1])
        self.gathered = len(pks) if from_start else None
        shown = self.apply_select_related(self.root_queryset).in_bulk(pks[: self.list_per_page + 1])
        return [shown[pk] for pk in pks if pk in shown]

    def _link(self, rows: list[Any], keys: Sequence[str], place: Place, *, more: bool) -> None:
        if place != Place():
            self.first_query = self.get_query_string()
        if rows and (bool(place.before) or (more and not place.end)):
            self.older_query = self.get_query_string({AFTER: encode_cursor(rows[-1], keys)})
            self.last_query = self.get_query_string({END: "1"})
        if rows and (more if place.backwards else place != Place()):
            self.newer_query = self.get_query_string({BEFORE: encode_cursor(rows[0], keys)})

    def _edge(self, keys: Sequence[str], place: Place) -> Any:
        """Return the value of the first key up to which a page looks; None where that is to the end of the list."""
        aggregate = Min if keys[0].startswith("-") != place.backwards else Max
        looked_at = place.narrow(self.led, keys)[:LOOKED_AT]
        found = looked_at.aggregate(edge=aggregate(keys[0].lstrip("-")), rows=Count("*"))
        return found["edge"] if found["rows"] == LOOKED_AT else None

    def _go_on(self, keys: Sequence[str], place: Place, edge: Any) -> None:
        """Link to what lies beyond the edge, however little was found before it."""
        descending = keys[0].startswith("-") != place.backwards
        there = _encoded([edge, *([0 if descending else LAST_ID] * (len(keys) - 1))])
        on = self.get_query_string({BEFORE if place.backwards else AFTER: there})
        if place.backwards:
            self.newer_query = on
        else:
            self.older_query, self.last_query = on, self.get_query_string({END: "1"})
        at = f"，到 {clock.shanghai(edge):%Y-%m-%d %H:%M}" if isinstance(edge, dt.datetime) else ""
        button = "上一页" if place.backwards else "下一页"
        self.looked = f"一页最多逐条查看 {LOOKED_AT:,} 条{at}，“{button}”接着查找"

    def _count(self, rows: list[Any], *, whole: bool) -> str:
        """Return how many rows the list has, looking no further than COUNTED_TO; empty where that isn't cheap."""
        if whole:
            return f"共 {len(rows)} 条"
        if self.walking or not self.model_admin.counted:
            return ""
        found = self.gathered or self.queryset.order_by()[: COUNTED_TO + 1].count()
        return f"共 {COUNTED_TO:,}+ 条" if found > COUNTED_TO else f"共 {found:,} 条"


def _field(model: type[Model], name: str) -> Any:
    """Return a model's own field of that name; None where it is none."""
    return next((field for field in model._meta.concrete_fields if field.name == name), None)


class UncountedPaginator(Paginator[Any]):
    """The first page and no more, for autocomplete: who needs more types more."""

    @property
    def count(self) -> int:
        return len(self.object_list[: self.per_page])

    def page(self, number: int | str) -> Page[Any]:
        return Page(self.object_list[: self.per_page], 1, self)


class BaseAdmin(admin.ModelAdmin[RowT]):
    """What every list of the back office keeps to. Statuses and histories are read here and changed by actions only.

    `keyset`: the fields that order the list, all in one direction, unique together, never null, served by an index.
    `counted`: say how many there are, up to COUNTED_TO; only where an index serves every filter.
    `search_fields`: each `=field` (exact) or `^field` (prefix); nothing else is offered.
    """

    keyset: Sequence[str] = ("-id",)
    counted = False
    list_per_page = PAGE_SIZE
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    paginator = UncountedPaginator
    actions: Any = ()

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        return self.keyset

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return list(self.get_keyset(request))

    def prepare_rows(self, rows: list[RowT]) -> list[RowT]:
        """Attach to one page of rows what its columns show, in a constant number of queries."""
        return rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RowT], search_term: str
    ) -> tuple[QuerySet[RowT], bool]:
        term = search_term.strip()
        condition = Q()
        for name in self.get_search_fields(request) if term else ():
            column = name[1:]
            if name.startswith("^"):
                condition |= Q((f"{column}__gte", term), (f"{column}__lt", term + LAST_CHARACTER))
            else:
                condition |= Q((column, term))
        return queryset.filter(condition), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.POST.get("select_across", "0") != "0":
            request.POST = _without_select_across(request.POST)  # type: ignore[assignment]
        return shown_stale(request, lambda: super(BaseAdmin, self).changelist_view(request, extra_context))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the right before saying whether there is such a row."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the declared actions; bulk deletion isn't one of them, and there are none in a popup."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request: HttpRequest, obj: RowT, form: Any, change: bool) -> None:
        """Write only what the form changed, so that a counter that moved meanwhile isn't put back."""
        own = {field.name for field in self.opts.concrete_fields}
        obj.save(update_fields=[name for name in form.changed_data if name in own] if change else None)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record_act(request, f"{self.opts.model_name}.added", f"{self.opts.model_name}:{obj.pk}")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        fields = [name for part in message if isinstance(part, dict) for name in _changed_fields(part)]
        record_act(
            request, f"{self.opts.model_name}.changed", f"{self.opts.model_name}:{obj.pk}", details={"fields": fields}
        )
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[RowT]) -> Any:
        for row in queryset:
            record_act(request, f"{self.opts.model_name}.deleted", f"{self.opts.model_name}:{row.pk}")
        return super().log_deletions(request, queryset)


class ReadOnlyAdmin(BaseAdmin[RowT]):
    """A list that is looked at; what may be done to its rows is an action."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RowT | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RowT | None = None) -> bool:
        """Allow a list's actions by the right to change; a single row has no form to save."""
        return obj is None and super().has_change_permission(request)


def _without_select_across(data: QueryDict) -> QueryDict:
    changed = data.copy()
    changed["select_across"] = "0"
    return changed


def _changed_fields(part: dict[str, Any]) -> list[str]:
    return [str(name) for name in part.get("changed", {}).get("fields", [])]
