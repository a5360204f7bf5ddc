"""What providers were asked and cost, and which parcels wait: read from tables, so that every process says the same."""

from collections.abc import Iterator

from django.db.models import Count, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel import clock
from logistics import costs, polling
from logistics.contracts import CONTRACTS
from logistics.models import ProviderNews, ProviderUsage, UnknownCode

MOST = 10_000
"""Beyond this it is not counted on."""


class ShipmentCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        now = clock.now()
        due = polling.due(now)
        oldest = due.values_list("next_poll_at", flat=True).first()
        yield GaugeMetricFamily(
            "frozenshop_shipments_due", "Parcels that it is time to ask about", value=due[:MOST].count()
        )
        yield GaugeMetricFamily(
            "frozenshop_shipments_due_lag_seconds",
            "How long the longest waiting of them is overdue",
            value=(now - oldest).total_seconds() if oldest else 0,
        )


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


class NewsCollector(Collector):
    """What providers' messages hold that nobody has acknowledged, and their statuses that nobody has mapped."""

    def collect(self) -> Iterator[Metric]:
        news = GaugeMetricFamily(
            "frozenshop_provider_news", "Unknown fields, types and codes, not acknowledged", labels=["provider", "what"]
        )
        counts = dict.fromkeys(((name, what) for name in CONTRACTS for what in (*ProviderNews.What, "status")), 0)
        open_news = ProviderNews.objects.filter(known_at=None).order_by().values_list("provider", "what")
        counts |= {(name, what): n for name, what, n in open_news.annotate(n=Count("pk"))}
        unmapped = UnknownCode.objects.filter(mapped_status="").order_by().values_list("provider")
        counts |= {(name, "status"): n for name, n in unmapped.annotate(n=Count("pk"))}
        for (name, what), n in counts.items():
            news.add_metric([name, str(what)], n)
        yield news
