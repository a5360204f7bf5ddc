"""What operators read of settlement and messages: each figure from a few rows, whatever the tables have grown to."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel import clock
from notifications import budgets
from notifications.models import (
    Channel,
    ChannelState,
    Delivery,
    Notice,
    SettlementFigure,
    SmsBudget,
    WebhookEndpoint,
    WebhookMessage,
)
from notifications.settlement import figures, guard
from orders import alerting
from orders.models import AlertKind

NEWEST = 1000
"""So many of the newest deliveries say how often a consent was missing."""
MOST = 1000
"""Beyond this it is not counted on: a thousand is trouble enough."""
LATELY = dt.timedelta(days=7)
"""What was given up earlier has been looked at, or nobody wants it."""
NO_CONSENT = ("no_consent", "43101")
WECHAT = (Channel.WECHAT_SUBSCRIBE, Channel.WECHAT_OFFICIAL)


class SettlementCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        by = ["reason", "age"]
        orders = GaugeMetricFamily("frozenshop_settlement_held_orders", "Orders whose money is held back", labels=by)
        fen = GaugeMetricFamily("frozenshop_settlement_held_fen", "Money that WeChat holds back, in fen", labels=by)
        rows = list(SettlementFigure.objects.order_by("reason", "age"))
        for row in rows:
            orders.add_metric([row.reason, row.age], row.orders)
            fen.add_metric([row.reason, row.age], row.fen)
        yield from (orders, fen)
        now, oldest = clock.now(), figures.oldest_untold(rows)
        yield GaugeMetricFamily(
            "frozenshop_settlement_oldest_untold_seconds",
            "Since the payment of the oldest order that has left without WeChat knowing all of it",
            value=(now - oldest).total_seconds() if oldest else 0,
        )
        yield GaugeMetricFamily(
            "frozenshop_settlement_uploads_failing",
            "Uploads that failed many times",
            value=sum(r.failing for r in rows),
        )
        if rows:
            yield GaugeMetricFamily(
                "frozenshop_settlement_measured_age_seconds",
                "How old these figures are",
                value=(now - max(row.measured_at for row in rows)).total_seconds(),
            )


class QueueCollector(Collector):
    """What is due and not sent, by the channel that it waits for."""

    def collect(self) -> Iterator[Metric]:
        now = clock.now()
        due = GaugeMetricFamily("frozenshop_notices_due", "Messages due and not sent", labels=["channel"])
        lag = GaugeMetricFamily(
            "frozenshop_notices_due_lag_seconds", "How long the oldest of them is overdue", labels=["channel"]
        )
        for channel in Channel.values:
            oldest, many = _waiting(channel, now)
            due.add_metric([channel], many)
            lag.add_metric([channel], (now - oldest).total_seconds() if oldest else 0)
        yield from (due, lag)


class MessageCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("frozenshop_wechat_trouble", "1 while the account needs a person", value=trouble())
        yield GaugeMetricFamily("frozenshop_sms_budget", "SMS allowed a day", value=settings.SMS_DAILY_BUDGET)
        yield GaugeMetricFamily("frozenshop_sms_budget_left", "SMS left today", value=sms_left())
        missing, tried = consents_missing()
        yield GaugeMetricFamily(
            "frozenshop_consents_missing_ratio",
            "Of the newest subscribe messages, those without a consent",
            value=missing / tried if tried else 0,
        )
        unknown = GaugeMetricFamily("frozenshop_deliveries_unknown", "Messages in doubt", labels=["channel"])
        counts = in_doubt()
        for channel in Channel.values:
            unknown.add_metric([channel], counts[channel])
        yield unknown
        shut = GaugeMetricFamily("frozenshop_channel_breaker_open", "1 while it isn't used", labels=["channel"])
        for state in ChannelState.objects.order_by("channel"):
            shut.add_metric([state.channel], int(bool(state.open_until and state.open_until > clock.now())))
        yield shut
        yield GaugeMetricFamily(
            "frozenshop_webhook_messages_dead",
            "Webhook messages that were given up in the last week",
            value=sum(dead_webhooks().values()),
        )


def _waiting(channel: str, now: dt.datetime) -> tuple[dt.datetime | None, int]:
    """Return since when the oldest is due and how many are; of endpoints that are switched off nothing is."""
    if channel == Channel.WEBHOOK:
        endpoints = list(WebhookEndpoint.objects.filter(enabled=True).values_list("pk", flat=True)[:50])
        messages = WebhookMessage.objects.filter(
            endpoint__in=endpoints, state=WebhookMessage.State.WAITING, due_at__lte=now
        )
        instants = list(messages.values_list("due_at", flat=True)[:MOST])
    else:
        notices = Notice.objects.filter(state=Notice.State.WAITING, channel=channel, due_at__lte=now)
        instants = list(notices.order_by("due_at", "id").values_list("due_at", flat=True)[:MOST])
    return min(instants, default=None), len(instants)


def trouble() -> int:
    """Return 1 while WeChat refuses our account: key, address list, permission."""
    if ChannelState.objects.filter(channel__in=WECHAT).exclude(trouble="").exists():
        return 1
    return int(any(alerting.open_alerts(guard.ACCOUNT, [AlertKind.SETTLEMENT])))


def sms_left() -> int:
    day = SmsBudget.objects.filter(used_on=budgets.day_of(clock.now()), purpose=budgets.NOTICES)
    return max(int(settings.SMS_DAILY_BUDGET) - (day.values_list("used", flat=True).first() or 0), 0)


def consents_missing() -> tuple[int, int]:
    """Return how many of the newest subscribe messages had no consent, and how many there were."""
    newest = Delivery.objects.order_by("-id").values_list("channel", "code")[:NEWEST]
    codes = [code for channel, code in newest if channel == Channel.WECHAT_SUBSCRIBE]
    return sum(code in NO_CONSENT for code in codes), len(codes)


def in_doubt() -> Counter[str]:
    """Return how many messages by channel are still being asked about."""
    rows = Delivery.objects.filter(state=Delivery.State.UNKNOWN, ask_at__isnull=False)
    return Counter(rows.order_by("ask_at", "id").values_list("channel", flat=True)[:MOST])


def dead_webhooks() -> dict[str, int]:
    """Return how many messages of each endpoint in use were given up lately, by what staff call it."""
    since = clock.now() - LATELY
    dead = WebhookMessage.objects.filter(state=WebhookMessage.State.DEAD, due_at__gte=since)
    return {
        endpoint.name: dead.filter(endpoint=endpoint)[:MOST].count()
        for endpoint in WebhookEndpoint.objects.filter(enabled=True).order_by("pk")[:50]
    }
