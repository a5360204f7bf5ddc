"""Prometheus metrics. What a process counts stands in `requests`, `calls`, `work` and `telling`; what the tables say in
`tables`, what answers in `components`; `serving` shows them. Every metric: docs/metrics.md.
"""

from prometheus_client import disable_created_metrics

from frozenshop.kernel.metrics.calls import observe_call, service_call
from frozenshop.kernel.metrics.requests import MetricsMiddleware
from frozenshop.kernel.metrics.serving import metrics_view, read_tables, render, serve
from frozenshop.kernel.metrics.telling import (
    channel_call,
    observe_channel,
    observe_notice,
    observe_resolution,
    observe_told,
)
from frozenshop.kernel.metrics.work import task

__all__ = [
    "MetricsMiddleware",
    "channel_call",
    "metrics_view",
    "observe_call",
    "observe_channel",
    "observe_notice",
    "observe_resolution",
    "observe_told",
    "read_tables",
    "render",
    "serve",
    "service_call",
    "task",
]

# A gauge beside each counter that says when it began: twice the series, and nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]
