"""What doctor says of providers."""

import datetime as dt

import pytest

from frozenshop.kernel import clock, health
from logistics.models import ProviderState

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
TODAY = dt.date(2026, 11, 22)


def found() -> list[str]:
    return [finding.sentence for finding in health.findings() if finding.name == "provider"]


def test_providers_that_may_be_asked_are_not_named():
    ProviderState.objects.create(provider="sf", budget_on=TODAY, calls_today=99, daily_budget=100)
    ProviderState.objects.create(provider="cainiao", daily_budget=0)
    assert found() == []


def test_an_open_breaker_and_a_used_up_cap_are_named_with_their_page():
    later = clock.now() + dt.timedelta(minutes=5)
    ProviderState.objects.create(provider="sf", failures=5, open_until=later, last_error="没有按时回答")
    ProviderState.objects.create(provider="kdniao", budget_on=TODAY, calls_today=100, daily_budget=100)
    assert found() == ["快递鸟今日 100 次查询已用完，零点恢复", "顺丰已熔断，12:05 再试：没有按时回答"]
    assert health.Finding("provider", "").page == "docs/runbooks/provider.md"
