"""What providers were asked and cost, for Prometheus: read from the tables, so that every process tells the same."""

from collections.abc import Iterator

from django.db.models import Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from logistics import costs
from logistics.models import ProviderUsage


class ProviderCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        by_kind = ["provider", "operation"]
        calls = CounterMetricFamily("frozenshop_provider_calls", "Questions put to a provider", labels=by_kind)
        failures = CounterMetricFamily("frozenshop_provider_failures", "Questions that got no answer", labels=by_kind)
        cost = CounterMetricFamily("frozenshop_provider_cost_fen", "What the questions cost, in fen", labels=by_kind)
        used = ProviderUsage.objects.order_by().values("provider", "operation")
        for row in used.annotate(n=Sum("calls"), failed=Sum("failures"), fen=Sum("cost_fen")):
            kind = [row["provider"], row["operation"]]
            calls.add_metric(kind, row["n"])
            failures.add_metric(kind, row["failed"])
            cost.add_metric(kind, float(row["fen"]))
        yield from (calls, failures, cost)
        yield from self._caps()

    def _caps(self) -> Iterator[Metric]:
        left = GaugeMetricFamily("frozenshop_provider_budget_left", "Questions left today", labels=["provider"])
        cap = GaugeMetricFamily("frozenshop_provider_budget", "Questions allowed a day", labels=["provider"])
        shut = GaugeMetricFamily("frozenshop_provider_breaker_open", "1 while nothing is asked", labels=["provider"])
        for one in costs.caps():
            left.add_metric([one.state.provider], one.left)
            cap.add_metric([one.state.provider], one.state.daily_budget)
            shut.add_metric([one.state.provider], int(one.open))
        yield from (left, cap, shut)
