"""In a shop that has lived for six weeks, each number of the index page is the length of the list it opens."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.core.management import call_command
from django.test import Client

from frozenshop.backoffice.dashboard.tests.test_page import NOON, refresh
from frozenshop.kernel.clock import now
from logistics import incidents, staleness
from orders.models import Alert

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(noon, settings, tmp_path, monkeypatch):
    settings.DEBUG, settings.VAR_DIR = True, tmp_path
    call_command("load_base_data", verbosity=0)
    call_command("seed_demo", orders=150, days=40, seed=7)
    staleness.find_stale()
    incidents.find()
    some = Alert.objects.filter(resolved_at=None).order_by("id").values_list("pk", flat=True)[::4]
    Alert.objects.filter(pk__in=some).update(snoozed_until=now() + dt.timedelta(hours=1))
    for model_admin in admin.site._registry.values():
        monkeypatch.setattr(model_admin, "list_per_page", 1000)
    refresh()


@pytest.fixture
def noon():
    with time_machine.travel(NOON, tick=False):
        yield


def figures(context: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Yield what is counted, how many those are, and where they are listed."""
    boards = [context[name] for name in ("arriving", "stale")]
    yield from (("", board["count"], board["url"]) for board in boards)
    bars = [*context["arriving"]["bars"], *context["stale"]["places"], *context["stale"]["carriers"]]
    counted = [*context["tiles"], *context["steps"], *bars, *context["due"], *context["untold"]]
    yield from ((one.label, one.count, one.url) for one in counted)
    yield from ((bar.label, bar.recent, bar.recent_url) for bar in context["steps"])
    for series in (row.series for _, rows in context["passages"]["groups"] for row in rows):
        for cell in (*series.weeks, series.whole):
            yield series.label, cell.count, cell.url
            yield series.label, cell.late, cell.late_url


def length(client: Client, url: str) -> int:
    context = client.get(url).context
    return context["cl"].result_count if "cl" in context else context["count"]


def test_every_number_is_the_length_of_the_list_it_opens(lead, shop):
    found = [one for one in figures(lead.get("/admin/").context) if "costs" not in one[2]]
    assert sum(count > 0 for _, count, _ in found) > 60
    assert [one for one in found if length(lead, one[2]) != one[1]] == []
