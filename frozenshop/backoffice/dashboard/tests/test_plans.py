"""How MariaDB finds what is counted: by an index, whatever the table has become."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.dashboard import boards, changes, parcels, passages, refreshing
from frozenshop.backoffice.dashboard.models import FigureKind
from frozenshop.backoffice.tests.crowd import make_crowd
from frozenshop.backoffice.tests.test_every_list import full_scans
from frozenshop.kernel.clock import shanghai
from logistics.models import Shipment
from orders.models import Order

pytestmark = [
    pytest.mark.services("mysql"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="needs MariaDB/MySQL: what its optimizer says"),
]


def test_nothing_that_is_counted_or_shown_scans_a_big_table(lead):
    make_crowd()
    day = shanghai(Shipment.objects.latest("status_at").status_at).date()
    some = list(Order.objects.values_list("pk", flat=True)[:50])
    with CaptureQueriesContext(connection) as asked:
        passages.steps_of(day)
        passages.passages_of(day)
        boards.arriving(Shipment.objects.all()).count()
        boards.silent()
        changes._placed(some)
        changes._delivered_of_orders(some)
        changes._delivered(some)
        refreshing.refresh(FigureKind.STEPS, most=1)
        lead.get("/admin/")
        lead.get(parcels.url(delivered_from=day.isoformat(), carrier="SF", promise="late"))
    scans = [
        f"{table}: {one['sql']}"
        for one in asked.captured_queries
        if one["sql"].startswith("SELECT")
        for table in full_scans(one["sql"])
    ]
    assert not scans, "\n".join(scans)
