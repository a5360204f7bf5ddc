"""Prometheus metrics: requests, calls to outside services, the outbox and the jobs."""

import hmac
import ipaddress
import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

REQUESTS = Counter("frozenshop_requests_total", "Requests by route template", ["method", "route", "status"])
LATENCY = Histogram(
    "frozenshop_request_seconds",
    "Time to answer by route template",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CALLS = Counter("frozenshop_service_calls_total", "Calls to outside services", ["service", "outcome"])
CALL_SECONDS = Histogram(
    "frozenshop_service_call_seconds",
    "Time outside services took",
    ["service"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ALERT_NOTICE = Histogram(
    "frozenshop_alert_notice_seconds",
    "From when a trouble began until its alert",
    ["kind"],
    buckets=(60, 600, 3600, 4 * 3600, 12 * 3600, 86400, 2 * 86400, 4 * 86400, 8 * 86400),
)
ALERT_RESOLUTION = Histogram(
    "frozenshop_alert_resolution_seconds",
    "From an alert until it was resolved, by staff or by itself",
    ["kind", "by"],
    buckets=(600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 86400, 2 * 86400, 7 * 86400),
)
NOTICE_TOLD = Histogram(
    "frozenshop_notice_told_seconds",
    "From when a message was due until its channel took it",
    ["channel"],
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3600),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_call(service: str, outcome: str, seconds: float) -> None:
    CALLS.labels(service, outcome).inc()
    CALL_SECONDS.labels(service).observe(seconds)


def observe_notice(kind: str, seconds: float) -> None:
    ALERT_NOTICE.labels(kind).observe(seconds)


def observe_resolution(kind: str, by: str, seconds: float) -> None:
    ALERT_RESOLUTION.labels(kind, by).observe(seconds)


def observe_told(channel: str, seconds: float) -> None:
    NOTICE_TOLD.labels(channel).observe(max(seconds, 0))


def route_of(request: HttpRequest) -> str:
    """Return the route's template, never the path: paths hold order numbers and secrets."""
    match = request.resolver_match
    return f"/{match.route}" if match else "unmatched"


class MetricsMiddleware:
    """Count and time each request under its route template."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.series: dict[tuple[str | None, str, int], tuple[Counter, Histogram]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        key = (request.method, match.route if match else "", response.status_code)
        known = self.series.get(key)
        if known is None:
            known = self._series(request, response.status_code)
            if key[0] in METHODS:
                self.series[key] = known
        known[0].inc()
        known[1].observe(time.perf_counter() - started)
        return response

    def _series(self, request: HttpRequest, status: int) -> tuple[Counter, Histogram]:
        """Looking a series up by its labels costs more than counting: the few that there are, are kept."""
        route = route_of(request)
        method = request.method if request.method in METHODS else "other"
        return REQUESTS.labels(method, route, status), LATENCY.labels(route)


class DatabaseCollector(Collector):
    """What the tables say at the moment of the scrape: the same from every process."""

    def collect(self) -> Iterator[Metric]:
        from frozenshop.kernel import clock, jobs
        from frozenshop.kernel.models import OutboxMessage

        now = clock.now()
        unfinished = (OutboxMessage.Status.PENDING, OutboxMessage.Status.SENT, OutboxMessage.Status.DEAD)
        counts = OutboxMessage.objects.filter(status__in=unfinished).order_by()
        rows = {row["status"]: row for row in counts.values("status").annotate(n=Count("pk"), oldest=Min("due_at"))}
        messages = GaugeMetricFamily("frozenshop_outbox_messages", "Unfinished outbox rows", labels=["status"])
        lag = GaugeMetricFamily(
            "frozenshop_outbox_lag_seconds", "How long the oldest row is overdue", labels=["status"]
        )
        for status in unfinished:
            row = rows.get(status)
            messages.add_metric([status], row["n"] if row else 0)
            lag.add_metric([status], max((now - row["oldest"]).total_seconds(), 0) if row else 0)
        yield messages
        yield lag
        slots = GaugeMetricFamily("frozenshop_job_slot_age_seconds", "Age of a job's newest slot", labels=["job"])
        for job in jobs.load():
            if run := jobs.last_run(job):
                slots.add_metric([job.name], (now - run.slot).total_seconds())
        yield slots


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Show the metrics to a bearer of the token or to a listed network; to others there is no such page."""
    if not (_has_token(request) or _from_listed_network(request)):
        return HttpResponse(status=404)
    return HttpResponse(render(), content_type=CONTENT_TYPE_LATEST)


def render() -> bytes:
    tables = CollectorRegistry()
    tables.register(DatabaseCollector())
    for path in settings.METRIC_COLLECTORS:
        tables.register(import_string(path)())
    counters: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        counters = CollectorRegistry()
        MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
    return generate_latest(counters) + generate_latest(tables)


def _has_token(request: HttpRequest) -> bool:
    given = request.META.get("HTTP_AUTHORIZATION", "")
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), wanted.encode())


def _from_listed_network(request: HttpRequest) -> bool:
    """Only the socket's own address counts: a forwarded one can be claimed by anybody."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in settings.METRICS_NETWORKS)
