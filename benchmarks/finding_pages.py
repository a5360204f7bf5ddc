"""The pages that staff find things on, in one database, each opened by a test client in this process.

A child of `benchmarks.finding`, which runs one for each size and asks them in turns: a line of JSON in, a line out.
"""

import datetime as dt
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import django

django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import AutoField, DateField, Max, Model  # noqa: E402
from django.test import Client, RequestFactory  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils.http import urlencode  # noqa: E402

from benchmarks import plans  # noqa: E402
from frozenshop.backoffice.demo import credentials  # noqa: E402
from frozenshop.backoffice.roles import ensure_roles  # noqa: E402
from frozenshop.kernel.changelist import AFTER, BEFORE, BaseAdmin, encode_cursor  # noqa: E402
from frozenshop.kernel.clock import shanghai  # noqa: E402
from logistics.models import Shipment  # noqa: E402
from logistics.search import search_orders  # noqa: E402
from orders.models import Alert, Customer, Order  # noqa: E402

CHOICES = 6
"""Of a filter with more, so many are looked at, from its first to its last."""
ALWAYS = ("carrier=SF",)
CLERKS = "客服"
LARGEST = (Order, Alert, Shipment, Customer)
"""Whose lists are looked at first."""

Page = Callable[[], object]


def clients() -> tuple[Client, Client]:
    """Return the demo's superuser and a clerk, both signed in."""
    ensure_roles()
    clerk, _ = User.objects.get_or_create(username="finding-clerk", defaults={"is_staff": True})
    clerk.groups.set([Group.objects.get(name=CLERKS)])
    root = Client(HTTP_HOST="127.0.0.1")
    root.force_login(User.objects.get(username=credentials.USERNAME))
    other = Client(HTTP_HOST="127.0.0.1")
    other.force_login(clerk)
    return root, other


def typed() -> dict[str, str]:
    """Return what somebody would type to find one order that was delivered lately, by kind of search."""
    delivered = Order.objects.filter(status="delivered").order_by("-placed_at", "-id")
    sample = delivered.filter(shipments__isnull=False)[500:501].get()
    who, waybill, day = sample.open_consignee(), sample.shipments.all()[0].waybill_no, shanghai(sample.placed_at)
    tail = who.phone[-4:]
    return {
        "phone": who.phone,
        "last four digits": tail,
        "last four digits and date": f"{tail} {day:%Y-%m-%d}",
        "last four digits and name": f"{tail} {who.name}",
        "name": who.name,
        "name and city": f"{who.name} {who.city}",
        "waybill": waybill,
        "waybill, last eight": waybill[-8:],
        "order number": sample.order_no,
        "order number, first 12": sample.order_no[:12],
        "order number, first 16": sample.order_no[:16],
        "product": "青岛大虾仁",
        "product code": "FZ-XR-500",
        "city": "杭州",
        "date": f"{day:%Y-%m-%d}",
        "date, two hundred days before": f"{day - dt.timedelta(days=200):%Y-%m-%d}",
        "nothing": "XQ998877665544",
        "a name that nobody has": "欧阳不存在",
        "digits that nobody has, and a name": "0001 欧阳不存在",
    }


def search_pages(client: Client) -> Iterator[tuple[str, Page]]:
    for kind, text in typed().items():
        yield f"search: {kind}", searched(client, text)
        yield f"search alone: {kind}", searched_alone(text)


def searched(client: Client, text: str) -> Page:
    """Type the text once, when its page is first wanted: a person has ten recent searches, and older ones end."""
    pages: list[Page] = []

    def get() -> object:
        if not pages:
            pages.append(opened(client, client.post(reverse("admin:orders_order_find"), {"q": text})["Location"]))
        return pages[0]()

    return get


def searched_alone(text: str) -> Page:
    return lambda: list(search_orders(text).orders[:51])


def opened(client: Client, address: str) -> Page:
    def get() -> object:
        response = client.get(address)
        if response.status_code != 200:
            raise SystemExit(f"{address} answered {response.status_code}")
        return response

    return get


def list_pages(client: Client) -> Iterator[tuple[str, Page]]:
    """Yield each list: its first page, both ways from a row in its middle, its end, a day, and each filter."""
    registered = admin.site._registry.items()
    for model, shown in sorted(registered, key=lambda pair: (pair[0] not in LARGEST, pair[0]._meta.label)):
        if isinstance(shown, BaseAdmin):
            base = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            for name, query in list_queries(model, shown, base):
                yield f"list: {model._meta.label}{name}", opened(client, base + query)


def list_queries(model: type[Model], shown: BaseAdmin[Any], base: str) -> Iterator[tuple[str, str]]:
    request = RequestFactory(HTTP_HOST="127.0.0.1").get(base)
    request.user = User.objects.get(username=credentials.USERNAME)
    request.session = SessionStore()
    shown_list = shown.get_changelist_instance(request)
    yield "", ""
    keys = shown.get_keyset(request)
    if row := middle(model):
        cursor = encode_cursor(row, keys)
        yield ", deep", f"?{urlencode({AFTER: cursor})}"
        yield ", deep, backwards", f"?{urlencode({BEFORE: cursor})}"
        yield ", end", "?end=1"
        if isinstance(model._meta.get_field(keys[0].lstrip("-")), DateField):
            yield ", a day", f"?at={shanghai(getattr(row, keys[0].lstrip('-'))):%Y-%m-%d}"
    for spec in shown_list.filter_specs:
        for query in some(
            [str(choice["query_string"]) for choice in spec.choices(shown_list) if "query_string" in choice]
        ):
            yield f" {query}", query


def some(queries: list[str]) -> list[str]:
    """Return a few of a filter's addresses, spread over all; the first is no filter."""
    chosen = queries[1:]
    step = max(len(chosen) // CHOICES, 1)
    return [query for n, query in enumerate(chosen) if n % step == 0 or any(part in query for part in ALWAYS)]


def middle(model: type[Model]) -> Model | None:
    """Return a row from the middle of a table of more than a page."""
    if not isinstance(model._meta.pk, AutoField) or not model._default_manager.all()[100:101]:
        return None
    top = model._default_manager.aggregate(top=Max("pk"))["top"]
    return model._default_manager.filter(pk__gte=top // 2).order_by("pk").first()


def other_pages(root: Client, clerk: Client) -> Iterator[tuple[str, Page]]:
    newest = Order.objects.filter(shipments__events__isnull=False, status="delivered").order_by("-placed_at")[300:301]
    order, old = newest.get(), middle(Order)
    assert old is not None
    dates = {"placed_from": f"{shanghai(old.placed_at):%Y-%m-%d}", "placed_to": f"{shanghai(old.placed_at):%Y-%m-%d}"}  # type: ignore[attr-defined]
    orders = reverse("admin:orders_order_changelist")
    yield "index", opened(root, reverse("admin:index"))
    yield "order, new", opened(root, reverse("admin:orders_order_change", args=[order.pk]))
    yield "order, old", opened(root, reverse("admin:orders_order_change", args=[old.pk]))
    yield "list: orders.Order of one old day", opened(root, f"{orders}?{urlencode(dates)}")
    both = {"status__exact": "delivered", **dates}
    yield "list: orders.Order of one old day, delivered", opened(root, f"{orders}?{urlencode(both)}")
    for name, query in combined(old):
        yield f"list: {name}", opened(root, reverse(f"admin:{name.partition(',')[0]}_changelist") + query)
    for name, address in (
        ("index", reverse("admin:index")),
        ("list: orders.Order", orders),
        ("list: orders.Alert", reverse("admin:orders_alert_changelist")),
        ("order, new", reverse("admin:orders_order_change", args=[order.pk])),
    ):
        yield f"clerk: {name}", opened(clerk, address)
    yield "clerk: search: phone", searched(clerk, order.open_consignee().phone)


def combined(old: Model) -> Iterator[tuple[str, str]]:
    """Yield filters that are chosen together, those that find nothing among them: of these all must be looked up."""
    day = f"{shanghai(old.placed_at):%Y-%m-%d}"  # type: ignore[attr-defined]
    deep = urlencode({AFTER: encode_cursor(old, ("-placed_at", "-id"))})
    week = f"{shanghai(old.placed_at) - dt.timedelta(days=7):%Y-%m-%d}"  # type: ignore[attr-defined]
    for name, query in (
        ("carrier and category", "?carrier=SF&category=seafood"),
        ("carrier and status", "?carrier=SF&status__exact=returned"),
        ("carrier and a status without parcels", "?carrier=SF&status__exact=paid"),
        ("carrier and another status without parcels", "?carrier=SF&status__exact=cancelled"),
        ("carrier, end", "?carrier=SF&end=1"),
        ("carrier, old days", f"?carrier=ZTO&placed_from={week}&placed_to={day}"),
        ("category, deep", f"?category=meat&placed_to={day}&{deep}"),
        ("late and under way", "?todo=late&status__exact=in_transit"),
        ("due today, a week", "?todo=due_today&placed_within=7"),
        ("alert and status", "?alert=stale&status__exact=in_transit"),
    ):
        yield f"orders_order, {name}", query
    for name, query in (
        ("carrier", "?carrier=SF"),
        ("a carrier that nothing goes by", "?carrier=YTO"),
        ("carrier and status", "?carrier=ZTO&status__exact=in_transit"),
        ("carrier and lane", "?" + urlencode({"carrier": "SF", "lane": "浙江→上海"})),
        ("lane", "?" + urlencode({"lane": "浙江→上海"})),
        ("delivered on an old day", f"?delivered_from={day}&delivered_to={day}"),
        ("delivered late in a week, carrier", f"?delivered_from={week}&delivered_to={day}&carrier=JD&promise=late"),
        ("delivered by a carrier that nothing goes by", f"?delivered_from={week}&carrier=YTO"),
        ("arriving", "?board=arriving"),
        ("arriving, carrier", "?board=arriving&carrier=JD"),
        ("stale", "?board=stale"),
    ):
        yield f"logistics_shipment, {name}", query
    for name, query in (
        ("overdue, of one group", "?state=overdue&acts=service"),
        ("urgent, nobody's", "?severity=1urgent&owner=nobody"),
        ("resolved, of one kind", "?state=resolved&kind=returned"),
        ("resolved, of a kind that there is not", "?state=resolved&kind=refused"),
        ("resolved, urgent", "?state=resolved&severity=1urgent"),
    ):
        yield f"orders_alert, {name}", query


def timed(page: Page) -> float:
    started = time.perf_counter()
    page()
    return time.perf_counter() - started


def asked(page: Page, big: frozenset[str]) -> dict[str, Any]:
    """Return what a page asks the database, and how many rows the database reads for it."""
    shown = page()
    none, before = rows_read(), rows_read()
    page()
    read = rows_read() - before - (before - none)
    with CaptureQueriesContext(connection) as caught:
        page()
    statements = [query["sql"] for query in caught.captured_queries]
    return {
        "queries": len(statements),
        "rows_read": read,
        "shown": len(shown) if isinstance(shown, list) else shown.content.count(b"<tr"),  # type: ignore[attr-defined]
        "faults": plans.faults(statements, big),
    }


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


def main() -> None:
    """Answer `{"do": "time" | "ask", "page": name}` until the input ends; first say which pages there are."""
    root, clerk = clients()
    pages = dict([*search_pages(root), *other_pages(root, clerk), *list_pages(root)])
    big = plans.big_tables()
    gc.freeze()
    print(json.dumps({"pages": list(pages), "big": sorted(big)}), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        page = pages[wanted["page"]]
        print(json.dumps(timed(page) if wanted["do"] == "time" else asked(page, big), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
