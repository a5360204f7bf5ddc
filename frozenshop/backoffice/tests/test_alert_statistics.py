"""What goes wrong, counted: by kind, by carrier, by how it ended, and how long it took."""

import datetime as dt

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice import alert_statistics
from frozenshop.backoffice.alert_statistics import gather
from frozenshop.backoffice.tests.pages import ALERTS, text
from frozenshop.kernel.clock import now
from logistics.problems import Trouble, open_about
from logistics.tests.factories import make_carrier, make_shipment
from orders import alerting
from orders.models import Alert, AlertKind, AlertOutcome

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def travel():
    with time_machine.travel("2026-11-18T12:00:00+08:00", tick=False) as traveller:
        yield traveller


def trouble(kind: AlertKind = AlertKind.STALE, carrier: str = "SF", *, began: float = 2) -> Alert:
    """An alert about a parcel, whose trouble began so many hours ago."""
    shipment = make_shipment(carrier=make_carrier(carrier))
    alert = open_about(shipment, kind, list(shipment.orders.all()), Trouble("x", now() - began * HOUR))
    assert alert
    return alert


def end(alert: Alert, outcome: AlertOutcome) -> None:
    alerting.resolve_alerts(alert.subject, [AlertKind(alert.kind)], resolution="x", outcome=outcome)


def test_counts_by_kind_and_carrier():
    for carrier in ("SF", "YTO", "YTO"):
        trouble(carrier=carrier)
    trouble(AlertKind.DAMAGED)
    figures = gather(7)
    assert [(line.label, line.opened) for line in figures.kinds] == [("物流停滞", 3), ("破损", 1)]
    assert [(line.label, line.opened) for line in figures.carriers] == [("YTO快递", 2), ("顺丰速运", 2)]
    assert figures.total.opened == 4


def test_outcomes_are_counted_of_what_has_ended():
    ended, waiting = trouble(), trouble()
    end(ended, AlertOutcome.RESENT)
    line = gather(7).total
    assert dict(zip(AlertOutcome, line.outcomes, strict=True))[AlertOutcome.RESENT] == sum(line.outcomes) == 1
    assert (line.waiting, line.overdue, waiting.resolved_at) == (1, 0, None)


def test_the_middle_time_to_notice_and_to_resolve(travel):
    alerts = [trouble(began=hours) for hours in (1, 3, 50)]
    travel.shift(2 * HOUR)
    end(alerts[0], AlertOutcome.RECOVERED)
    line = gather(7).total
    assert (line.notice, line.resolution) == ("3 小时", "2 小时")


def test_what_is_past_its_time_is_overdue(travel):
    trouble()
    travel.shift(dt.timedelta(days=1))
    assert gather(7).total.overdue == 1


def test_only_the_period_counts(travel):
    trouble()
    travel.shift(dt.timedelta(days=10))
    assert (gather(7).total.opened, gather(30).total.opened) == (0, 1)


def test_alerts_about_anything_else_have_no_carrier():
    alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject="provider:kdniao")
    figures = gather(7)
    assert (figures.total.opened, figures.carriers) == (1, [])


def test_so_many_alerts_are_cut_and_said_so(monkeypatch):
    monkeypatch.setattr(alert_statistics, "LOOKED_AT", 2)
    for _ in range(3):
        trouble()
    figures = gather(7)
    assert (figures.cut, figures.total.opened) == (True, 2)


def test_the_number_of_queries_does_not_grow_with_the_alerts():
    counts = []
    for _ in range(2):
        for _ in range(5):
            trouble()
        with CaptureQueriesContext(connection) as captured:
            gather(30)
        counts.append(len(captured))
    assert counts == [2, 2]


@pytest.mark.parametrize("days", ["", "7", "30", "9999", "x"])
def test_the_page_opens_for_who_may_see_alerts(viewer, days):
    trouble()
    assert "物流停滞" in text(viewer.get(f"{ALERTS}statistics/", {"days": days}))


def test_the_page_of_no_alerts_opens(viewer):
    assert "没有预警" in text(viewer.get(f"{ALERTS}statistics/"))


def test_others_may_not(login):
    assert login().get(f"{ALERTS}statistics/").status_code == 403


def test_the_queue_leads_to_it(viewer):
    assert f"{ALERTS}statistics/" in text(viewer.get(ALERTS))
