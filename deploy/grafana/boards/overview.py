"""Is the shop well? One look: objectives, who is there, what waits, what is wrong."""

from deploy.grafana.panels import BAD, HALF, QUARTER, THIRD, WARNED, Board, Panel, Query, Row

_OBJECTIVES = (("api", 0.999), ("callbacks", 0.9995), ("notices", 0.995))
_TOLD = {
    "api": "Requests of the buyers' API that were answered without a 5xx in the last day; objective 99.9 %.",
    "callbacks": "Pushes that were answered without a 5xx in the last day; objective 99.95 %.",
    "notices": "Messages that a channel took within 60 s of being due, in the last day; objective 99.5 %.",
}


def _objective(slo: str, floor: float) -> Panel:
    bad, all_ = (f'frozenshop:slo_{what}:rate1d{{slo="{slo}"}}' for what in ("bad", "all"))
    return Panel(
        f"Objective: {slo}",
        _TOLD[slo],
        "percentunit",
        (Query(f"1 - {bad} / ({all_} > 0)"),),
        "slo",
        kind="stat",
        floor=floor,
        width=QUARTER,
    )


OVERVIEW = Board(
    "frozenshop-overview",
    "frozenshop: overview",
    "Objectives, who is there, what waits and what is wrong. Where to look next.",
    (
        Row(
            "Objectives",
            (
                *(_objective(*one) for one in _OBJECTIVES),
                Panel(
                    "Alerts firing",
                    "Of Prometheus, but for the Watchdog, which always fires.",
                    "short",
                    (Query('sum(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'),),
                    "README",
                    kind="stat",
                    limits=((1, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Error budget burnt",
                    "How many times faster than allowed each budget is used up: 14.4 for an hour "
                    "pages, 1 for days opens a ticket.",
                    "short",
                    (Query("max by (slo) (frozenshop:slo_burn:rate1h)", "{{slo}}"),),
                    "slo",
                    limits=((1, WARNED), (14.4, BAD)),
                    width=HALF,
                ),
                Panel(
                    "Instances",
                    "Processes that answered the last scrape.",
                    "short",
                    (Query('sum by (job) (up{job=~"web|worker|relay|beat"})', "{{job}}"),),
                    "web",
                    kind="stat",
                    floor=1,
                    width=QUARTER,
                ),
                Panel(
                    "Components",
                    "Stores that answer every process that asks them.",
                    "short",
                    (Query("min by (component) (frozenshop_component_up)", "{{component}}"),),
                    "database",
                    kind="stat",
                    floor=1,
                    width=QUARTER,
                ),
            ),
        ),
        Row(
            "Traffic and waiting",
            (
                Panel(
                    "Requests",
                    "All requests by the class of their status.",
                    "reqps",
                    (
                        Query(
                            "sum by (code) (label_replace(rate(frozenshop_requests_total[$__rate_interval]), "
                            '"code", "${1}xx", "status", "(.).."))',
                            "{{code}}",
                        ),
                    ),
                    "web",
                ),
                Panel(
                    "Time to answer (API)",
                    "What 99 and 50 of 100 requests of the buyers' API stay below.",
                    "s",
                    tuple(
                        Query(
                            f"histogram_quantile({q}, sum by (le) (rate(frozenshop_request_seconds_bucket"
                            f'{{route=~"/api/.*"}}[$__rate_interval])))',
                            f"p{q * 100:.0f}",
                        )
                        for q in (0.99, 0.5)
                    ),
                    "web",
                    limits=((2.5, BAD),),
                ),
                Panel(
                    "Oldest work that waits",
                    "Outbox rows that are due and not sent (pending), sent and not done (sent).",
                    "s",
                    (Query("max by (status) (frozenshop_outbox_lag_seconds)", "{{status}}"),),
                    "outbox",
                    limits=((60, WARNED), (300, BAD)),
                ),
                Panel(
                    "Messages overdue",
                    "How late the oldest message to a person is, by channel.",
                    "s",
                    (Query("max by (channel) (frozenshop_notices_due_lag_seconds)", "{{channel}}"),),
                    "messages",
                    limits=((60, WARNED), (300, BAD)),
                ),
                Panel(
                    "Staff's alerts overdue",
                    "Alerts past their due time, by severity.",
                    "short",
                    (Query("max by (severity) (frozenshop_alerts_overdue)", "{{severity}}"),),
                    "alerts",
                    limits=((1, WARNED),),
                ),
                Panel(
                    "Money held back",
                    "What WeChat holds back of orders, in yuan.",
                    "currencyCNY",
                    (Query("sum(max by (reason, age) (frozenshop_settlement_held_fen)) / 100 or vector(0)"),),
                    "settlement",
                ),
            ),
        ),
        Row(
            "Room",
            (
                Panel(
                    "Busy",
                    "Requests in flight per thread, tasks in flight per slot.",
                    "percentunit",
                    (
                        Query("sum(frozenshop_requests_in_flight) / sum(frozenshop_web_threads)", "web"),
                        Query("sum(frozenshop_tasks_in_flight) / sum(frozenshop_worker_slots)", "workers"),
                    ),
                    "worker",
                    limits=((0.9, BAD),),
                ),
                Panel(
                    "Database connections",
                    "Of those that the server allows (MySQL, MariaDB).",
                    "percentunit",
                    (Query("max(frozenshop_database_connections) / max(frozenshop_database_connections_max)"),),
                    "database",
                    limits=((0.85, BAD),),
                ),
                Panel(
                    "Disk free",
                    "Where the program keeps its files.",
                    "percentunit",
                    (
                        Query(
                            "min by (instance) (frozenshop_disk_free_bytes / frozenshop_disk_size_bytes)",
                            "{{instance}}",
                        ),
                    ),
                    "disk-full",
                    floor=0.1,
                ),
                Panel(
                    "Builds",
                    "What runs: more than one while a release is rolled out.",
                    "short",
                    (Query("count by (version, revision) (frozenshop_build_info)", "{{version}} {{revision}}"),),
                    "bring-up",
                    kind="stat",
                    width=THIRD,
                ),
                Panel(
                    "Logs dropped",
                    "Log entries that are lost, in the last hour.",
                    "short",
                    (Query("sum(increase(frozenshop_logs_dropped_total[1h])) or vector(0)"),),
                    "mongodb",
                    kind="stat",
                    limits=((1, BAD),),
                    width=THIRD,
                ),
            ),
        ),
    ),
)
