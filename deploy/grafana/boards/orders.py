"""Orders on their way, and what needs a person."""

from deploy.grafana.panels import BAD, HALF, QUARTER, WARNED, Board, Panel, Query, Row


def _quantile(q: float, metric: str, by: str, window: str) -> str:
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({metric}_bucket[{window}])))"


ORDERS = Board(
    "frozenshop-orders",
    "frozenshop: orders and alerts",
    "How orders move, where parcels stand still, and how soon staff deal with it.",
    (
        Row(
            "Orders",
            (
                Panel(
                    "Orders that moved",
                    "By the status that they reached, in an hour.",
                    "short",
                    (Query("sum by (to) (increase(frozenshop_orders_moved_total[1h]))", "{{to}}"),),
                    "alerts",
                    kind="bars",
                    width=HALF,
                ),
                Panel(
                    "Orders that stand still",
                    "Parcels and orders with an open alert of these kinds.",
                    "short",
                    (
                        Query(
                            'max by (kind) (frozenshop_alerts_open_by_kind{kind=~"stale|not_shipped|no_pickup|'
                            'lost_contact|lost|locker_waiting|late_promise"})',
                            "{{kind}}",
                        ),
                    ),
                    "alerts",
                    width=HALF,
                ),
            ),
        ),
        Row(
            "Alerts of staff",
            (
                *(
                    Panel(
                        f"Open: {severity}",
                        "Alerts that nobody has resolved; an incident counts once.",
                        "short",
                        (Query(f'max(frozenshop_alerts_open{{severity="{severity}"}})'),),
                        "alerts",
                        kind="stat",
                        width=QUARTER,
                    )
                    for severity in ("urgent", "high", "normal")
                ),
                Panel(
                    "Overdue: urgent",
                    "Urgent alerts past their due time.",
                    "short",
                    (Query('max(frozenshop_alerts_overdue{severity="urgent"})'),),
                    "alerts",
                    kind="stat",
                    limits=((1, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Open by kind",
                    "The ten kinds with most alerts open.",
                    "short",
                    (Query("topk(10, max by (kind) (frozenshop_alerts_open_by_kind) > 0)", "{{kind}}"),),
                    "alerts",
                    width=HALF,
                ),
                Panel(
                    "Overdue",
                    "Alerts past their due time.",
                    "short",
                    (Query("max by (severity) (frozenshop_alerts_overdue)", "{{severity}}"),),
                    "alerts",
                    limits=((1, WARNED),),
                    width=HALF,
                ),
                Panel(
                    "How soon a trouble is noticed",
                    "From its beginning to its alert, half of the last day's.",
                    "s",
                    (Query(_quantile(0.5, "frozenshop_alert_notice_seconds", "kind", "1d"), "{{kind}}"),),
                    "alerts",
                    width=HALF,
                ),
                Panel(
                    "How soon an alert is resolved",
                    "Half of the last day's, by staff or by itself.",
                    "s",
                    (Query(_quantile(0.5, "frozenshop_alert_resolution_seconds", "by", "1d"), "{{by}}"),),
                    "alerts",
                    width=HALF,
                ),
            ),
        ),
    ),
)
