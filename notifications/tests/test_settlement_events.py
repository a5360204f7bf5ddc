"""WeChat's events about payments, the reminder to confirm, and the daily reconciliation."""

import datetime as dt

import pytest

from frozenshop.kernel.models import OutboxMessage
from logistics.tests.factories import report as tell_parcel
from notifications.settlement import guard, reconciliation
from notifications.settlement import tasks as settlement_tasks
from notifications.tests.settling import Shop, alerts, report, state
from notifications.tests.wechat_sim import sim
from orders.models import Alert

assert sim
pytestmark = pytest.mark.django_db
DAY = 24 * 60


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


def test_settlement_is_taken_in_however_often_it_is_told(shop):
    order = shop.ship().orders.get()
    shop.later()
    shop.heard()
    assert report(order).settles_at is not None
    shop.fault("duplicate")
    shop.sim.wechat.shipping.confirm(shop.payment())
    shop.heard()
    assert report(order).settled_at is not None
    assert report(order).wechat_state == 4


def test_wechats_reminder_opens_an_alert_that_uploading_ends(shop):
    order = shop.pay()
    shop.work()
    shop.later(2 * DAY + 1)
    shop.sim.wechat.shipping.tick()
    shop.heard()
    assert "48 小时" in alerts()[0]
    shop.ship(order)
    shop.later()
    assert alerts() == []


def test_being_taken_in_is_told_to_staff_and_asked_anew(shop):
    shipping_ = shop.sim.wechat.shipping
    shipping_.manners.managed = False
    assert not guard.is_managed()
    shipping_.manage(managed=True)
    shop.heard()
    shop.frozen.shift(2)
    assert guard.is_managed()
    assert len(alerts()) == 1


def test_staff_are_warned_twelve_hours_before_wechats_limit_and_once(shop):
    order = shop.pay()
    shop.work()
    shop.frozen.shift(dt.timedelta(hours=34))
    assert guard.warn() == 0
    shop.frozen.shift(dt.timedelta(hours=2))
    assert (guard.warn(), guard.warn()) == (1, 0)
    assert "还没有发货" in Alert.objects.get(kind="settlement", order=order).detail


def test_a_buyer_is_reminded_to_confirm_once_after_delivery(shop):
    shipment = shop.ship()
    shop.later()
    tell_parcel(shipment, "delivered")
    shop.work()
    for _ in range(2):
        settlement_tasks.confirm.remind(report(shipment.orders.get()).pk)
    assert shop.payment().nudged == 1
    assert len(shop.asked("/wxa/sec/order/notify_confirm_receive")) == 1


def test_what_was_delivered_before_it_was_told_is_reminded_after_the_upload(shop):
    shipment = shop.ship()
    tell_parcel(shipment, "delivered")
    shop.work()
    assert shop.payment().nudged == 0
    shop.later()
    assert shop.payment().nudged == 1


def test_reconciliation_tells_what_got_lost_and_settles_what_was_settled(shop):
    lost, settled = (shop.ship(number=n).orders.get() for n in (1, 2))
    shop.later()
    forgotten = shop.payment(1)
    forgotten.shipping, forgotten.state, forgotten.finished = {}, 1, 0
    shop.book.save(forgotten)
    shop.sim.wechat.shipping.confirm(shop.payment(2))
    shop.frozen.shift(dt.timedelta(hours=2))
    reconciliation.begin(shop.frozen and guard.clock.now())
    shop.work()
    assert (shop.payment(1).state, state(lost)) == (2, ("uploaded", ""))
    assert report(settled).settled_at is not None


def test_reconciliation_goes_page_by_page_and_counts_strangers(shop, monkeypatch):
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    monkeypatch.setattr(reconciliation, "PAGES", 1)
    for number in range(5):
        shop.charge(number)
    shop.frozen.shift(60)
    reconciliation.begin(guard.clock.now())
    shop.work()
    assert "5 笔" in alerts()[0]


def test_an_order_that_slipped_through_is_found_by_its_number(shop):
    shop.charge(1, out_trade_no="A-77")
    order = shop.pay(1, order_no="A-77", payment={"mchid": "1900000109", "out_trade_no": "A-77"}, known=False)
    shop.ship(order)
    OutboxMessage.objects.all().delete()
    shop.frozen.shift(dt.timedelta(hours=1))
    reconciliation.begin(guard.clock.now())
    shop.work()
    assert (state(order), shop.uploads()) == (("uploaded", ""), 1)
