"""The queue in numbers: what waits, what waits for too long, and how long it took to notice and to resolve."""

import datetime as dt

import pytest
from prometheus_client import REGISTRY

from frozenshop.kernel import clock, metrics
from orders import alerting
from orders.models import Alert, AlertKind
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"frozenshop_alert_{name}_seconds_count", labels) or 0


def total(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"frozenshop_alert_{name}_seconds_sum", labels) or 0


def test_open_and_overdue_alerts_are_read_from_the_queue():
    late = alerting.open_alert(AlertKind.EXCEPTION, subject="a")
    alerting.open_alert(AlertKind.DAMAGED, subject="b")
    Alert.objects.filter(pk=late.pk).update(due_at=clock.now() - dt.timedelta(minutes=1))
    text = metrics.render().decode()
    assert 'frozenshop_alerts_open{severity="urgent"} 2.0' in text
    assert 'frozenshop_alerts_overdue{severity="urgent"} 1.0' in text
    assert 'frozenshop_alerts_open{severity="high"} 0.0' in text


def test_an_incident_is_counted_once():
    incident = alerting.open_alert(AlertKind.INCIDENT, subject="place:郑州")
    Alert.objects.create(kind="stale", subject="x", severity="2high", due_at=clock.now(), incident=incident)
    assert 'frozenshop_alerts_open{severity="high"} 1.0' in metrics.render().decode()


def test_the_time_to_notice_runs_from_the_beginning_of_the_trouble(django_capture_on_commit_callbacks):
    before = count("notice", kind="damaged"), total("notice", kind="damaged")
    with django_capture_on_commit_callbacks(execute=True):
        began = clock.now() - dt.timedelta(hours=1)
        alerting.open_alert(AlertKind.DAMAGED, subject="c", occurred_at=began)
    assert count("notice", kind="damaged") == before[0] + 1
    assert total("notice", kind="damaged") - before[1] == pytest.approx(3600, abs=5)


def test_the_time_to_resolve_says_whether_a_person_did_it(django_capture_on_commit_callbacks, django_user_model):
    by_staff, by_itself = (count("resolution", kind="refused", by=by) for by in ("staff", "system"))
    order, user = make_order(), django_user_model.objects.create(username="li")
    with django_capture_on_commit_callbacks(execute=True):
        alerting.open_alert(AlertKind.REFUSED, subject="d", order=order)
        alerting.resolve_alerts("d", [AlertKind.REFUSED], resolution="有新轨迹")
        alerting.resolve(alerting.open_alert(AlertKind.REFUSED, subject="d", order=order), "已联系", user)
    assert count("resolution", kind="refused", by="staff") == by_staff + 1
    assert count("resolution", kind="refused", by="system") == by_itself + 1


def test_open_alerts_are_told_by_kind_too():
    for subject in "ab":
        alerting.open_alert(AlertKind.STALE, subject=subject)
    text = metrics.render().decode()
    assert 'frozenshop_alerts_open_by_kind{kind="stale"} 2.0' in text
    assert 'frozenshop_alerts_open_by_kind{kind="damaged"} 0.0' in text


def moved(to: str) -> float:
    return REGISTRY.get_sample_value("frozenshop_orders_moved_total", {"to": to}) or 0


def test_orders_are_counted_as_they_move(django_capture_on_commit_callbacks):
    before = {to: moved(to) for to in ("placed", "paid")}
    with django_capture_on_commit_callbacks(execute=True):
        make_order("paid")
    assert {to: moved(to) - count for to, count in before.items()} == {"placed": 1, "paid": 1}
