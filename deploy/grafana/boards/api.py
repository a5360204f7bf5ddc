"""The buyers' API, the merchant API and the callbacks, by route."""

from deploy.grafana.panels import BAD, HALF, QUARTER, Board, Choice, Panel, Query, Row

_OURS = 'route=~"/(api|merchant|callbacks)/.*", route=~"$route"'
_RATE = f"rate(frozenshop_requests_total{{{_OURS}}}[$__rate_interval])"


def _quantile(q: float, by: str = "le") -> str:
    buckets = f"rate(frozenshop_request_seconds_bucket{{{_OURS}}}[$__rate_interval])"
    return f"histogram_quantile({q}, sum by ({by}) ({buckets}))"


def _share(status: str, window: str) -> str:
    """The share of answers with such a status, 0 where there was none."""
    both = [
        f"sum(rate(frozenshop_requests_total{{{_OURS}{more}}}[{window}]))" for more in (f', status=~"{status}"', "")
    ]
    return f"({both[0]} or vector(0)) / ({both[1]} > 0)"


API = Board(
    "frozenshop-api",
    "frozenshop: API",
    "The four signals of each route of the buyers' API, the merchant API and the callbacks.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Requests",
                    "Answered a second.",
                    "reqps",
                    (Query(f"sum({_RATE})"),),
                    "web",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "Faults",
                    "Share of 5xx in the last hour; the objective allows 0.1 %.",
                    "percentunit",
                    (Query(_share("5..", "1h")),),
                    "slo",
                    kind="stat",
                    limits=((0.001, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Refused",
                    "Share of 4xx in the last hour: forged, expired, throttled, wrong.",
                    "percentunit",
                    (Query(_share("4..", "1h")),),
                    "web",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "Busy",
                    "Requests in flight per thread.",
                    "percentunit",
                    (Query("sum(frozenshop_requests_in_flight) / sum(frozenshop_web_threads)"),),
                    "web",
                    kind="stat",
                    limits=((0.9, BAD),),
                    width=QUARTER,
                ),
            ),
        ),
        Row(
            "By route",
            (
                Panel(
                    "Requests by route",
                    "Answered a second, by the template of the address.",
                    "reqps",
                    (Query(f"sum by (route) ({_RATE})", "{{route}}"),),
                    "web",
                    width=HALF,
                ),
                Panel(
                    "Answers by status",
                    "Answered a second, by status.",
                    "reqps",
                    (Query(f"sum by (status) ({_RATE})", "{{status}}"),),
                    "web",
                    width=HALF,
                ),
                Panel(
                    "Time to answer",
                    "What 99, 95 and 50 of 100 requests stay below.",
                    "s",
                    tuple(Query(_quantile(q), f"p{q * 100:.0f}") for q in (0.99, 0.95, 0.5)),
                    "web",
                    limits=((2.5, BAD),),
                    width=HALF,
                ),
                Panel(
                    "Slowest routes",
                    "What 99 of 100 requests stay below, the ten slowest. A refresh waits for "
                    "the carrier: up to 5 s are its own.",
                    "s",
                    (Query(f"topk(10, {_quantile(0.99, 'le, route')})", "{{route}}"),),
                    "web",
                    width=HALF,
                ),
                Panel(
                    "Faults by route",
                    "5xx a second.",
                    "reqps",
                    (
                        Query(
                            f'sum by (route) (rate(frozenshop_requests_total{{{_OURS}, status=~"5.."}}'
                            "[$__rate_interval])) or vector(0)",
                            "{{route}}",
                        ),
                    ),
                    "slo",
                    width=HALF,
                ),
                Panel(
                    "Refusals by route",
                    "4xx a second. 401 in numbers: a clock that is off, or somebody trying.",
                    "reqps",
                    (
                        Query(
                            f'sum by (route, status) (rate(frozenshop_requests_total{{{_OURS}, status=~"4.."}}'
                            "[$__rate_interval])) or vector(0)",
                            "{{status}} {{route}}",
                        ),
                    ),
                    "web",
                    width=HALF,
                ),
            ),
        ),
    ),
    (
        Choice(
            "route", "Route", 'label_values(frozenshop_requests_total{route=~"/(api|merchant|callbacks)/.*"}, route)'
        ),
    ),
)
