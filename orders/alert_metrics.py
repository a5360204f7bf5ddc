"""What the queue of alerts looks like at the moment of the scrape: how many wait, and how many for too long."""

from collections.abc import Iterator

from django.db.models import Count, Q
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel import clock
from orders.models import Alert, AlertKind, AlertSeverity


class AlertCollector(Collector):
    """Counts along the queue's own index: open alerts alone are read. An incident counts once."""

    def collect(self) -> Iterator[Metric]:
        waiting = Alert.objects.filter(resolved_at=None, incident=None).order_by()
        overdue = Count("pk", filter=Q(due_at__lt=clock.now()))
        rows = {row["severity"]: row for row in waiting.values("severity").annotate(n=Count("pk"), overdue=overdue)}
        open_now = GaugeMetricFamily("frozenshop_alerts_open", "Alerts that nobody has resolved", labels=["severity"])
        late_now = GaugeMetricFamily(
            "frozenshop_alerts_overdue", "Open alerts past their due time", labels=["severity"]
        )
        for severity in AlertSeverity:
            row = rows.get(severity.value, {"n": 0, "overdue": 0})
            open_now.add_metric([severity.name.lower()], row["n"])
            late_now.add_metric([severity.name.lower()], row["overdue"])
        yield open_now
        yield late_now
        kinds = GaugeMetricFamily(
            "frozenshop_alerts_open_by_kind", "Alerts that nobody has resolved, each parcel its own", labels=["kind"]
        )
        by_kind = Alert.objects.filter(resolved_at=None).order_by().values("kind").annotate(n=Count("pk"))
        counts = {row["kind"]: row["n"] for row in by_kind}
        for kind in AlertKind:
            kinds.add_metric([kind.value], counts.get(kind.value, 0))
        yield kinds
