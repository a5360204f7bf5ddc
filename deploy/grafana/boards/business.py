"""What the shop lives on: orders by step, on time or not, money, messages, costs."""

from deploy.grafana.panels import BAD, HALF, QUARTER, WARNED, Board, Panel, Query, Row

_DAY = 'increase(frozenshop_orders_delivered_total{promise=~"%s"}[1d])'
_TOLD = "frozenshop_notice_told_seconds"

BUSINESS = Board(
    "frozenshop-business",
    "frozenshop: business",
    "Orders by step, deliveries on time, money held back, messages and what they and the questions cost.",
    (
        Row(
            "Orders",
            (
                *(
                    Panel(
                        f"{title} today",
                        "Orders that reached this step in the last day.",
                        "short",
                        (Query(f'sum(increase(frozenshop_orders_moved_total{{to="{to}"}}[1d])) or vector(0)'),),
                        "alerts",
                        kind="stat",
                        width=QUARTER,
                    )
                    for title, to in (
                        ("Placed", "placed"),
                        ("Paid", "paid"),
                        ("Shipped", "shipped"),
                        ("Delivered", "delivered"),
                    )
                ),
                Panel(
                    "Orders by step",
                    "That reached each step, in an hour.",
                    "short",
                    (Query("sum by (to) (increase(frozenshop_orders_moved_total[1h]))", "{{to}}"),),
                    "alerts",
                    kind="bars",
                    width=HALF,
                ),
                Panel(
                    "Delivered on time",
                    "Of the orders of the last day that had a promise, those delivered before it was over.",
                    "percentunit",
                    (Query(f"sum({_DAY % 'kept'} or vector(0)) / (sum({_DAY % 'kept|broken'}) > 0)", "on time"),),
                    "alerts",
                    floor=0.9,
                    width=HALF,
                ),
            ),
        ),
        Row(
            "Money",
            (
                Panel(
                    "Held back by reason",
                    "What WeChat holds back, in yuan.",
                    "currencyCNY",
                    (
                        Query(
                            "sum by (reason) (max by (reason, age) (frozenshop_settlement_held_fen)) / 100",
                            "{{reason}}",
                        ),
                    ),
                    "settlement",
                    width=HALF,
                ),
                Panel(
                    "Orders held by age",
                    "Orders whose money is held back, by the time since their payment.",
                    "short",
                    (Query("sum by (age) (max by (reason, age) (frozenshop_settlement_held_orders))", "{{age}}"),),
                    "settlement",
                    width=HALF,
                ),
                Panel(
                    "Oldest untold",
                    "Since the payment of the oldest order that left without WeChat knowing.",
                    "s",
                    (Query("max(frozenshop_settlement_oldest_untold_seconds)"),),
                    "settlement",
                    kind="stat",
                    limits=((86400, WARNED), (172800, BAD)),
                    width=QUARTER,
                ),
                Panel(
                    "Uploads failing",
                    "Uploads of shipping that failed many times.",
                    "short",
                    (Query("max(frozenshop_settlement_uploads_failing)"),),
                    "settlement",
                    kind="stat",
                    limits=((1, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Questions today",
                    "Cost of the last day's questions to providers, in yuan.",
                    "currencyCNY",
                    (
                        Query(
                            "sum(max by (provider, operation) (increase(frozenshop_provider_cost_fen_total[1d]))) / 100"
                        ),
                    ),
                    "provider",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "SMS left today",
                    "Share of the day's budget.",
                    "percentunit",
                    (Query("max(frozenshop_sms_budget_left) / (max(frozenshop_sms_budget) > 0)"),),
                    "messages",
                    kind="stat",
                    floor=0.1,
                    width=QUARTER,
                ),
            ),
        ),
        Row(
            "Messages",
            (
                Panel(
                    "Messages by outcome",
                    "Given to a channel, in an hour: taken, refused, in doubt.",
                    "short",
                    (
                        Query(
                            "sum by (channel, outcome) (increase(frozenshop_channel_letters_total[1h]))",
                            "{{channel}} {{outcome}}",
                        ),
                    ),
                    "messages",
                    kind="bars",
                    width=HALF,
                ),
                Panel(
                    "Told within a minute",
                    "Share of the messages of the last hour that a channel took within 60 s of "
                    "being due; objective 99.5 %.",
                    "percentunit",
                    (
                        Query(
                            f'sum by (channel) (increase({_TOLD}_bucket{{le="60.0"}}[1h])) '
                            f"/ (sum by (channel) (increase({_TOLD}_count[1h])) > 0)",
                            "{{channel}}",
                        ),
                    ),
                    "slo",
                    floor=0.995,
                    width=HALF,
                ),
                Panel(
                    "Messages due",
                    "That wait to be sent, by the channel they wait for.",
                    "short",
                    (Query("max by (channel) (frozenshop_notices_due)", "{{channel}}"),),
                    "messages",
                    width=HALF,
                ),
                Panel(
                    "In doubt",
                    "Whether they arrived is being asked.",
                    "short",
                    (Query("max by (channel) (frozenshop_deliveries_unknown)", "{{channel}}"),),
                    "messages",
                    limits=((20, WARNED),),
                    width=HALF,
                ),
                Panel(
                    "Webhooks given up",
                    "Messages to the shop's systems that are dead, in the last week.",
                    "short",
                    (Query("max(frozenshop_webhook_messages_dead)"),),
                    "webhook",
                    kind="stat",
                    limits=((1, WARNED),),
                    width=QUARTER,
                ),
                Panel(
                    "Consents missing",
                    "Of the newest subscribe messages, those that nobody had allowed.",
                    "percentunit",
                    (Query("max(frozenshop_consents_missing_ratio)"),),
                    "messages",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "WeChat refuses us",
                    "1 while the account is in trouble.",
                    "short",
                    (Query("max(frozenshop_wechat_trouble)"),),
                    "messages",
                    kind="stat",
                    limits=((1, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Channels off",
                    "Channels that aren't used at present.",
                    "short",
                    (Query("sum(max by (channel) (frozenshop_channel_breaker_open)) or vector(0)"),),
                    "messages",
                    kind="stat",
                    limits=((1, WARNED),),
                    width=QUARTER,
                ),
            ),
        ),
    ),
)
