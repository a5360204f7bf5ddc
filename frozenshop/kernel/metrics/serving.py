"""`/metrics`: of web with what the tables say, of the other processes on a port of their own."""

import hmac
import ipaddress
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import django
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, start_wsgi_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from frozenshop.kernel import replica
from frozenshop.kernel.metrics import components
from frozenshop.kernel.metrics.bounded import Bounded
from frozenshop.kernel.metrics.tables import DatabaseCollector

logger = structlog.get_logger(__name__)

ANSWER_SECONDS = 1.5
"""A scrape is answered in this time, whatever hangs; what was not read by then is left out."""


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Show the metrics to a bearer of the token or to a listed network; to others there is no such page."""
    if not allowed(request.META):
        return HttpResponse(status=404, content_type="text/plain")
    return HttpResponse(process() + within(ANSWER_SECONDS), content_type=CONTENT_TYPE_LATEST)


def render() -> bytes:
    """Return what `/metrics` of web shows, read here and now, but for the components."""
    return process() + read_tables()


def process() -> bytes:
    """Return what this process and its siblings have counted, and which build they are."""
    counters: CollectorRegistry = REGISTRY
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        forget_the_dead(Path(folder))
        counters = CollectorRegistry()
        MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
    return generate_latest(counters) + _text([_build()])


def read_tables() -> bytes:
    tables = CollectorRegistry()
    tables.register(DatabaseCollector())
    for path in settings.METRIC_COLLECTORS:
        tables.register(import_string(path)())
    return generate_latest(tables)


def within(seconds: float) -> bytes:
    """Return what the tables and the components say, as far as they say it in time."""
    started = time.monotonic()
    reading = TABLES.start()
    answered = ask(components.of_web(), seconds)
    futures.wait([reading], timeout=max(started + seconds - time.monotonic(), 0))
    read = reading.done() and reading.exception() is None
    if reading.done() and (error := reading.exception()):
        logger.warning("metrics.tables_not_read", error=type(error).__name__)
    return _text([components.family(answered), tables_read(read)]) + (reading.result() if read else b"")


def tables_read(read: bool) -> Metric:
    return GaugeMetricFamily("frozenshop_tables_read", "1 where the tables were read for this scrape", value=int(read))


def ask(names: Iterable[str], seconds: float) -> dict[str, bool]:
    """Return which of these components answer within the time."""
    asked = {name: probe.start() for name, probe in components.probes(names).items()}
    futures.wait(asked.values(), timeout=seconds)
    return {name: one.done() and one.exception() is None for name, one in asked.items()}


def _read_apart() -> bytes:
    with ExitStack() as own:
        for alias in settings.DATABASES:
            own.enter_context(components.own_connection(alias))
        return replica.read(read_tables)


TABLES = Bounded(_read_apart, "metrics-tables")


def serve(asked: Callable[[], Sequence[str]] = list) -> WSGIServer | None:
    """Show this process's metrics on METRICS_PORT (0: don't), with the components that it alone sees.

    A port that is taken is said and left: the work goes on without.
    """
    if not settings.METRICS_PORT:
        return None
    try:
        server, _ = start_wsgi_server(settings.METRICS_PORT, settings.METRICS_HOST)
    except OSError as error:
        logger.warning("metrics.port_taken", port=settings.METRICS_PORT, error=str(error))
        return None
    server.set_app(_page(asked))
    # A child that outlived its parent would keep the port, and answer nobody.
    os.register_at_fork(after_in_child=server.socket.close)
    return server


def _page(asked: Callable[[], Sequence[str]]) -> Callable[..., Iterable[bytes]]:
    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics" or not allowed(environ):
            start_response("404 Not Found", [])
            return []
        answered = ask(asked(), ANSWER_SECONDS)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [process() + (_text([components.family(answered)]) if answered else b"")]

    return page


def forget_the_dead(folder: Path) -> None:
    """Remove what processes that are gone said of their present; what they have counted stays."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _build() -> Metric:
    labels = {
        "version": os.environ.get("FROZENSHOP_VERSION", ""),
        "revision": os.environ.get("FROZENSHOP_REVISION", ""),
        "python": platform.python_version(),
        "django": django.get_version(),
    }
    build = GaugeMetricFamily("frozenshop_build_info", "What runs", labels=list(labels))
    build.add_metric(list(labels.values()), 1)
    return build


class _These(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _text(families: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_These(families))
    return generate_latest(registry)


def allowed(environ: dict[str, Any]) -> bool:
    return _has_token(environ) or _from_listed_network(environ)


def _has_token(environ: dict[str, Any]) -> bool:
    given = environ.get("HTTP_AUTHORIZATION", "")
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), wanted.encode())


def _from_listed_network(environ: dict[str, Any]) -> bool:
    """Only the socket's own address counts: a forwarded one can be claimed by anybody."""
    try:
        address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in settings.METRICS_NETWORKS)
