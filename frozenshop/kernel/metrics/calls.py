"""Calls to outside services, by the service's name in the program."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("frozenshop_service_calls_total", "Calls to outside services", ["service", "outcome"])
CALL_SECONDS = Histogram(
    "frozenshop_service_call_seconds",
    "Time outside services took",
    ["service"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CALLS_IN_FLIGHT = Gauge(
    "frozenshop_service_calls_in_flight", "Calls that wait for an answer now", ["service"], multiprocess_mode="livesum"
)


def observe_call(service: str, outcome: str, seconds: float) -> None:
    CALLS.labels(service, outcome).inc()
    CALL_SECONDS.labels(service).observe(seconds)


class Call:
    """A call under way: `outcome` is `ok`, the HTTP status, `unreachable` or `refused`."""

    outcome = "ok"
    seconds = 0.0


@contextmanager
def service_call(service: str) -> Iterator[Call]:
    call, started = Call(), time.monotonic()
    try:
        with CALLS_IN_FLIGHT.labels(service).track_inprogress():
            yield call
    finally:
        call.seconds = time.monotonic() - started
        observe_call(service, call.outcome, call.seconds)
