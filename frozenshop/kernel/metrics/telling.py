"""How soon trouble is noticed and ended, and how soon people are told, by channel."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

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
CHANNEL_LETTERS = Counter(
    "frozenshop_channel_letters_total", "Letters given to a channel, by what it said", ["channel", "outcome"]
)
CHANNEL_SECONDS = Histogram(
    "frozenshop_channel_seconds",
    "Time a channel took to answer",
    ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
CHANNEL_IN_FLIGHT = Gauge(
    "frozenshop_channel_letters_in_flight", "Letters being sent now", ["channel"], multiprocess_mode="livesum"
)


def observe_notice(kind: str, seconds: float) -> None:
    ALERT_NOTICE.labels(kind).observe(seconds)


def observe_resolution(kind: str, by: str, seconds: float) -> None:
    ALERT_RESOLUTION.labels(kind, by).observe(seconds)


def observe_told(channel: str, seconds: float) -> None:
    NOTICE_TOLD.labels(channel).observe(max(seconds, 0))


@contextmanager
def channel_call(channel: str) -> Iterator[None]:
    """Count and time a letter under way."""
    with CHANNEL_IN_FLIGHT.labels(channel).track_inprogress(), CHANNEL_SECONDS.labels(channel).time():
        yield


def observe_channel(channel: str, outcome: str) -> None:
    CHANNEL_LETTERS.labels(channel, outcome).inc()
