"""A list of the admin as its person sees it, read by a worker: filters and search as there, stretch by stretch."""

import copy
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.contrib.messages import MessageFailure
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict

from frozenshop.backoffice.filters import DateRangeFilter, bounds
from frozenshop.kernel.changelist import PLACES, BaseAdmin, beyond, decode_cursor, encode_cursor
from frozenshop.kernel.clock import shanghai
from frozenshop.kernel.errors import Invalid
from logistics.search.reading import fixed

COUNTED_TO = 1000
LINK = "find"
NOT_TOLD = frozenset({"q", LINK})
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_LONG_NUMBER = re.compile(r"[0-9]{5}")


class View:
    """One list for one person. Raises Invalid for an address that the list doesn't understand."""

    def __init__(self, model: type[Model], user: User, query: str) -> None:
        request = HttpRequest()
        request.method, request.GET, request.user = "GET", QueryDict(query), user
        shown = copy.copy(admin.site.get_model_admin(model))
        assert isinstance(shown, BaseAdmin)
        reading = type("Reading", (shown.get_changelist(request),), {"get_results": lambda self, request: None})
        shown.get_changelist = lambda request, **kwargs: reading  # type: ignore[method-assign]
        try:
            self.changelist: ChangeList = shown.get_changelist_instance(request)
        except (IncorrectLookupParameters, MessageFailure) as error:
            raise Invalid("这个列表的筛选条件有误，请回到列表重新选择") from error
        self.model, self.keys = model, list(shown.get_keyset(request))
        self.rows: QuerySet[Any] = self.changelist.queryset

    def bounded_count(self) -> int:
        """Return how many rows there are, looking no further than COUNTED_TO + 1."""
        return len(self.rows.order_by().values_list("pk")[: COUNTED_TO + 1])

    def boundary(self, after: str, size: int) -> str:
        """Return the place of the last of the next `size` rows; empty where fewer are left."""
        fields = [key.lstrip("-") for key in self.keys]
        rows = self._after(after).select_related(None).prefetch_related(None).only(*fields)
        last = next(iter(rows[size - 1 : size]), None)
        return encode_cursor(last, self.keys) if last else ""

    def between(self, after: str, until: str, size: int) -> Iterator[list[Any]]:
        """Yield the rows after a place up to another, that one included, at most `size` at once."""
        last = self._up_to(until)
        while rows := list(self._after(after).filter(last)[:size]):
            yield rows
            after = encode_cursor(rows[-1], self.keys)

    def _after(self, after: str) -> QuerySet[Any]:
        return self.rows.filter(beyond(self.keys, self._values(after), backwards=False)) if after else self.rows

    def _up_to(self, until: str) -> Q:
        """Before the next place that there could be: each list ends its keys with a whole number."""
        if not until:
            return Q()
        *values, last = self._values(until)
        step = -1 if self.keys[0].startswith("-") else 1
        return beyond(self.keys, [*values, last + step], backwards=True)

    def _values(self, cursor: str) -> list[Any]:
        return decode_cursor(cursor, self.model, self.keys)


def query_of(request: HttpRequest, model: type[Model], user: User) -> str:
    """Return the address of a list as it means the same later: no place in it, and links and days written out.

    Raises Invalid where a link doesn't tell any more what was looked for: it would be the whole list.
    """
    query = request.GET.copy()
    for name in PLACES:
        query.pop(name, None)
    typed = View(model, user, query.urlencode()).changelist.query
    if query.pop(LINK, None) and not typed:
        raise Invalid("这个查找链接已经过期，请回到列表重新查找")
    if typed:
        query["q"] = fixed(typed)
    since, _ = bounds(query.get(DateRangeFilter.FROM, ""), "", query.pop(DateRangeFilter.WITHIN, [""])[-1])
    if since:
        query[DateRangeFilter.FROM] = f"{shanghai(since):%Y-%m-%d}"
    return query.urlencode()


def told(query: str) -> dict[str, str]:
    """Return what of an address may stand in the audit: names of filters, and values that can't name anybody."""
    return {name: text if _tells_nobody(name, text) else "…" for name, text in parse_qsl(query, keep_blank_values=True)}


def _tells_nobody(name: str, text: str) -> bool:
    if name in NOT_TOLD or not _WORD.fullmatch(text):
        return False
    return _is_day(text) or not _LONG_NUMBER.search(text)


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
