"""What becomes of the logs, in numbers: counted where it happens, and what waits on disk at the scrape."""

from collections.abc import Iterator

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel.logstore import spool

WRITTEN = Counter("frozenshop_logs_written_total", "Log entries that the store took")
SPOOLED = Counter("frozenshop_logs_spooled_total", "Log entries that went to the spool because the store was down")
DROPPED = Counter("frozenshop_logs_dropped_total", "Log entries that are lost", ["why"])
QUEUED = Gauge("frozenshop_logs_queued", "Log entries found waiting in memory", multiprocess_mode="livesum")
for _why in ("queue", "spool", "disk", "refused", "unreadable"):
    DROPPED.labels(_why)


def dropped(why: str, count: int) -> None:
    if count:
        DROPPED.labels(why).inc(count)
        spool.note_drops(count)


class SpoolCollector(Collector):
    """What waits in this machine's spool, of all processes."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("frozenshop_logs_spool_bytes", "Bytes of logs that wait on disk", value=spool.size())
