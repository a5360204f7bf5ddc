"""Whom we ask and who tells us: tracking providers, and every other outside service."""

from deploy.grafana.panels import BAD, HALF, WARNED, Board, Choice, Panel, Query, Row

_PROVIDER = 'provider=~"$provider"'


def _by_provider(metric: str, *, window: str = "$__rate_interval") -> str:
    """Read from the tables, so the same from every web."""
    return f"sum by (provider) (max by (provider, operation) (rate({metric}{{{_PROVIDER}}}[{window}])))"


PROVIDERS = Board(
    "frozenshop-providers",
    "frozenshop: providers",
    "Questions, pushes, limits and costs of the tracking providers; calls to all outside services.",
    (
        Row(
            "Tracking providers",
            (
                Panel(
                    "Questions",
                    "Put to each provider, a second.",
                    "ops",
                    (Query(_by_provider("frozenshop_provider_calls_total"), "{{provider}}"),),
                    "provider",
                ),
                Panel(
                    "Questions without an answer",
                    "Share of the last hour's.",
                    "percentunit",
                    (
                        Query(
                            f"{_by_provider('frozenshop_provider_failures_total', window='1h')} "
                            f"/ ({_by_provider('frozenshop_provider_calls_total', window='1h')} > 0)",
                            "{{provider}}",
                        ),
                    ),
                    "provider",
                    limits=((0.05, WARNED), (0.5, BAD)),
                ),
                Panel(
                    "Pushes",
                    "By what became of them, a second.",
                    "ops",
                    (
                        Query(
                            f"sum by (provider, outcome) (rate(frozenshop_provider_pushes_total{{{_PROVIDER}}}"
                            "[$__rate_interval]))",
                            "{{provider}} {{outcome}}",
                        ),
                    ),
                    "provider",
                ),
                Panel(
                    "Breaker",
                    "1 while a provider isn't asked.",
                    "short",
                    (Query(f"max by (provider) (frozenshop_provider_breaker_open{{{_PROVIDER}}})", "{{provider}}"),),
                    "provider",
                    kind="stat",
                    limits=((1, BAD),),
                ),
                Panel(
                    "Day's questions left",
                    "Share of the daily cap.",
                    "percentunit",
                    (
                        Query(
                            f"max by (provider) (frozenshop_provider_budget_left{{{_PROVIDER}}}) "
                            f"/ (max by (provider) (frozenshop_provider_budget{{{_PROVIDER}}}) > 0)",
                            "{{provider}}",
                        ),
                    ),
                    "provider",
                    kind="stat",
                    floor=0.1,
                ),
                Panel(
                    "Unknown in their messages",
                    "Fields, types and codes that our parsers don't know and nobody has acknowledged.",
                    "short",
                    (
                        Query(
                            f"sum by (provider) (max by (provider, what) (frozenshop_provider_news{{{_PROVIDER}}}))",
                            "{{provider}}",
                        ),
                    ),
                    "provider-news",
                    kind="stat",
                    limits=((1, WARNED),),
                ),
                Panel(
                    "Parcels to be asked about",
                    "Due, and not asked about yet.",
                    "short",
                    (Query("max(frozenshop_shipments_due)", "parcels"),),
                    "provider",
                ),
                Panel(
                    "Longest waiting parcel",
                    "How long it is overdue.",
                    "s",
                    (Query("max(frozenshop_shipments_due_lag_seconds)", "overdue"),),
                    "provider",
                    limits=((900, BAD),),
                ),
                Panel(
                    "Cost",
                    "Of questions in the last day, in yuan.",
                    "currencyCNY",
                    (
                        Query(
                            "sum by (provider) (max by (provider, operation) (increase("
                            f"frozenshop_provider_cost_fen_total{{{_PROVIDER}}}[1d]))) / 100",
                            "{{provider}}",
                        ),
                    ),
                    "provider",
                ),
            ),
        ),
        Row(
            "All outside services",
            (
                Panel(
                    "Calls",
                    "To each service, a second.",
                    "ops",
                    (
                        Query(
                            "sum by (service) (rate(frozenshop_service_calls_total[$__rate_interval]))", "{{service}}"
                        ),
                    ),
                    "provider",
                    width=HALF,
                ),
                Panel(
                    "Calls that failed",
                    "A second, by what came back.",
                    "ops",
                    (
                        Query(
                            'sum by (service, outcome) (rate(frozenshop_service_calls_total{outcome!="ok"}'
                            "[$__rate_interval])) or vector(0)",
                            "{{service}} {{outcome}}",
                        ),
                    ),
                    "provider",
                    width=HALF,
                ),
                Panel(
                    "Time they take",
                    "What 95 of 100 calls stay below.",
                    "s",
                    (
                        Query(
                            "histogram_quantile(0.95, sum by (le, service) (rate("
                            "frozenshop_service_call_seconds_bucket[$__rate_interval])))",
                            "{{service}}",
                        ),
                    ),
                    "provider",
                    limits=((5, BAD),),
                    width=HALF,
                ),
                Panel(
                    "Calls under way",
                    "That wait for an answer now.",
                    "short",
                    (Query("sum by (service) (frozenshop_service_calls_in_flight)", "{{service}}"),),
                    "provider",
                    width=HALF,
                ),
            ),
        ),
    ),
    (Choice("provider", "Provider", "label_values(frozenshop_provider_breaker_open, provider)"),),
)
