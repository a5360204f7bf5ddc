"""What operators read of providers."""

import datetime as dt

import pytest
from prometheus_client import REGISTRY

from frozenshop.kernel import clock, metrics
from logistics import messages
from logistics.models import ProviderState, ProviderUsage, Shipment
from logistics.tests.factories import make_shipment
from logistics.tests.test_kdniao import parcel, push_of, pushed, trace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def test_calls_cost_budget_and_breaker_are_told():
    today = dt.date(2026, 11, 22)
    for day in (today, today - dt.timedelta(days=1)):
        ProviderUsage.objects.create(
            provider="sf", used_on=day, operation="query", calls=5, failures=2, cost_fen="7.50"
        )
    ProviderState.objects.create(
        provider="sf", budget_on=today, calls_today=5, daily_budget=20, open_until=clock.now() + dt.timedelta(minutes=1)
    )
    told = metrics.render().decode()
    assert 'frozenshop_provider_calls_total{operation="query",provider="sf"} 10.0' in told
    assert 'frozenshop_provider_failures_total{operation="query",provider="sf"} 4.0' in told
    assert 'frozenshop_provider_cost_fen_total{operation="query",provider="sf"} 15.0' in told
    assert 'frozenshop_provider_budget_left{provider="sf"} 15.0' in told
    assert 'frozenshop_provider_budget{provider="sf"} 20.0' in told
    assert 'frozenshop_provider_breaker_open{provider="sf"} 1.0' in told


def test_parcels_that_are_due_and_not_asked_about_are_told():
    for minutes in (20, 5, -5):
        shipment = make_shipment()
        Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=clock.now() - dt.timedelta(minutes=minutes))
    told = metrics.render().decode()
    assert "frozenshop_shipments_due 2.0" in told
    assert "frozenshop_shipments_due_lag_seconds 1200.0" in told


@pytest.mark.parametrize(("body", "outcome"), [
    (push_of(parcel(trace())), "kept"), (pushed("{}", key="another"), "forged"), (pushed("[]"), "unreadable"),
])  # fmt: skip
def test_pushes_are_counted_by_what_became_of_them(body, outcome):
    def count():
        labels = {"provider": "kdniao", "outcome": outcome}
        return REGISTRY.get_sample_value("frozenshop_provider_pushes_total", labels) or 0

    before = count()
    messages.receive("kdniao", body)
    assert count() == before + 1
