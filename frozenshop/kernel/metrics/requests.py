"""Requests by route template: how many, how they ended, how long they took, how many threads are at it."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("frozenshop_requests_total", "Requests by route template", ["method", "route", "status"])
LATENCY = Histogram(
    "frozenshop_request_seconds",
    "Time to answer by route template",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_FLIGHT = Gauge("frozenshop_requests_in_flight", "Requests being answered now", multiprocess_mode="livesum")
THREADS = Gauge("frozenshop_web_threads", "Threads that answer requests", multiprocess_mode="livesum")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def route_of(request: HttpRequest) -> str:
    """Return the route's template, never the path: paths hold order numbers and secrets."""
    match = request.resolver_match
    return f"/{match.route}" if match else "unmatched"


class MetricsMiddleware:
    """Count and time each request under its route template."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.series: dict[tuple[str | None, str, int], tuple[Counter, Histogram]] = {}
        THREADS.set(settings.WEB_THREADS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        with IN_FLIGHT.track_inprogress():
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
