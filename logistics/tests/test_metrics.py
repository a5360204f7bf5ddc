"""What operators read of providers."""

import datetime as dt

import pytest

from frozenshop.kernel import clock, metrics
from logistics.models import ProviderState, ProviderUsage

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
