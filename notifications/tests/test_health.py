"""What operators read of settlement and messages: from doctor, with the page that helps, and from Prometheus."""

import datetime as dt
import itertools

import pytest

from frozenshop.kernel import clock, health
from frozenshop.kernel import metrics as prometheus
from notifications import metrics
from notifications.models import (
    ChannelState,
    Delivery,
    Notice,
    SettlementFigure,
    ShippingReport,
    SmsBudget,
    WebhookEndpoint,
    WebhookMessage,
)
from notifications.settlement import figures, guard
from notifications.settlement import frozen as held
from orders.models import Order
from orders.tests.factories import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
HOUR = dt.timedelta(hours=1)
numbers = itertools.count(1)


def found(name: str) -> list[str]:
    return [one.sentence for one in health.findings() if one.name == name]


def told() -> str:
    return prometheus.render().decode()


def reported(hours: float = 1, **changes) -> ShippingReport:
    """An order of ¥100 that was paid so many hours ago, as WeChat knows it."""
    order = make_order("paid")
    Order.objects.filter(pk=order.pk).update(paid_at=clock.now() - hours * HOUR)
    return ShippingReport.objects.create(order=order, payment=f"42{order.pk}", **changes)


def delivered(code: str = "", **changes) -> Delivery:
    number = next(numbers)
    notice = Notice.objects.create(
        audience="buyer", recipient=f"customer:{number}", subject="s", milestone="paid",
        occurred_at=clock.now(), due_at=clock.now(),
    )  # fmt: skip
    given = {"channel": "wechat_subscribe", "reference": f"n{number}", "state": "sent", "code": code} | changes
    return Delivery.objects.create(notice=notice, **given)


def test_all_is_well_where_nothing_is():
    assert [*found("settlement"), *found("messages"), *found("webhook")] == []
    assert "frozenshop_settlement_oldest_untold_seconds 0.0" in told()


def test_held_money_is_told_by_reason_and_age():
    reported(1)
    reported(30, state="refused", code="10060014")
    reported(30, state="refused", code="10060014")
    reported(24 * 20, state="uploaded", complete=True)
    reported(1, state="uploaded", complete=True, settled_at=clock.now())
    figures.measure()
    shown = told()
    assert 'frozenshop_settlement_held_orders{age="1d",reason="not_shipped"} 1.0' in shown
    assert 'frozenshop_settlement_held_orders{age="2d",reason="refused"} 2.0' in shown
    assert 'frozenshop_settlement_held_fen{age="2d",reason="refused"} 20000.0' in shown
    assert 'frozenshop_settlement_held_orders{age="older",reason="to_confirm"} 1.0' in shown
    assert "frozenshop_settlement_oldest_untold_seconds 108000.0" in shown
    assert found("settlement") == ["微信结算：2 个订单被微信拒绝，冻结 ¥200.00"]


def test_what_is_over_is_told_no_more():
    one = reported(1)
    figures.measure()
    ShippingReport.objects.filter(pk=one.pk).update(settled_at=clock.now())
    figures.measure()
    assert not SettlementFigure.objects.exists()


def test_reasons_and_ages_are_few_and_every_reason_has_its_name():
    assert len({reason.name for reason in held.REASONS}) == len(held.REASONS) <= 15
    assert len(figures.AGES) == 5


def test_what_left_and_wechat_does_not_know_after_48_hours_is_named():
    reported(47, state="waiting", due_at=clock.now())
    reported(200)  # not shipped: nothing that a program could tell
    figures.measure()
    assert found("settlement") == []
    SettlementFigure.objects.filter(reason="to_tell").update(oldest_at=clock.now() - 49 * HOUR)
    assert found("settlement") == ["有已发货的订单付款 49 小时后还没有全部报给微信（限 48 小时）"]


def test_uploads_that_fail_again_and_again_are_named():
    reported(1, state="waiting", due_at=clock.now(), attempts=6, code="10060001")
    figures.measure()
    assert found("settlement") == ["1 个订单的发货信息多次没有报成"]
    assert "frozenshop_settlement_uploads_failing 1.0" in told()


def test_trouble_with_the_account_is_named_once_with_its_page():
    guard.account_trouble("AppSecret 无效")
    assert "frozenshop_wechat_trouble 1.0" in told()
    assert [*found("wechat"), *found("settlement"), *found("messages")] == [
        "微信账号异常，发货信息报不上去：见“微信结算异常”预警"
    ]
    ChannelState.objects.create(channel="wechat_subscribe", trouble="请更正 AppSecret")
    assert found("wechat") == ["微信订阅消息须人工处理：请更正 AppSecret"]
    ChannelState.objects.create(channel="sms_aliyun", trouble="余额不足")
    assert found("messages") == ["阿里云短信须人工处理：余额不足"]
    assert found("settlement") == []


def test_sms_that_run_out_are_named(settings):
    settings.SMS_DAILY_BUDGET = 100
    day = SmsBudget.objects.create(used_on=clock.shanghai(clock.now()).date(), purpose="notices", used=89)
    assert found("messages") == []
    SmsBudget.objects.filter(pk=day.pk).update(used=90)
    assert found("messages") == ["今天的短信预算只剩 10 条（共 100 条）"]
    assert "frozenshop_sms_budget_left 10.0" in told()


def test_missing_consents_are_named_once_there_are_enough_to_say_so():
    for _ in range(40):
        delivered("no_consent", state="failed")
    assert found("messages") == []
    for _ in range(10):
        delivered()
    delivered("no_consent", channel="sms_aliyun")
    assert found("messages") == ["最近 50 条订阅消息中 40 条没有授权：检查小程序是否在请求订阅"]
    assert "frozenshop_consents_missing_ratio 0.8" in told()


def test_what_is_in_doubt_is_told_by_channel_and_what_ended_so_is_not():
    for _ in range(20):
        delivered(state="unknown", ask_at=clock.now(), channel="sms_aliyun")
    delivered(state="unknown", channel="sms_aliyun")
    assert 'frozenshop_deliveries_unknown{channel="sms_aliyun"} 20.0' in told()
    assert found("messages") == ["20 条消息结果未知，正在核实"]


def test_dead_webhooks_are_named_for_a_week_while_their_endpoint_is_in_use():
    shop = WebhookEndpoint.objects.create(url="https://shop.example", description="商城")
    off = WebhookEndpoint.objects.create(url="https://off.example", enabled=False)
    for number, endpoint in enumerate((shop, shop, off)):
        WebhookMessage.objects.create(
            endpoint=endpoint, message_id=f"m{number}", event="alert.opened", body={}, state="dead", due_at=clock.now()
        )
    assert found("webhook") == ["Webhook 地址 商城 有 2 条消息已放弃，等待重发"]
    assert "frozenshop_webhook_messages_dead 2.0" in told()
    WebhookMessage.objects.update(due_at=clock.now() - dt.timedelta(days=8))
    assert found("webhook") == []


@pytest.mark.parametrize("name", ["settlement", "messages", "webhook", "wechat"])
def test_every_name_has_its_page(name, pytestconfig):
    assert (pytestconfig.rootpath / health.Finding(name, "").page).is_file()


def test_a_look_costs_the_same_however_much_there_is(django_assert_max_num_queries):
    for _ in range(3):
        reported()
        delivered(state="unknown", ask_at=clock.now())
    figures.measure()
    with django_assert_max_num_queries(12):
        list(metrics.SettlementCollector().collect())
        list(metrics.MessageCollector().collect())


def test_nothing_personal_is_told():
    reported(30, state="refused", code="10060014", said="138****1234")
    delivered(state="unknown", ask_at=clock.now())
    figures.measure()
    assert "customer:" not in told()
    assert "1234" not in "".join(found("settlement"))
