"""What goes wrong about a payment in turns: a busy WeChat, a slip corrected late, goods that never come."""

import datetime as dt

import pytest

from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import NotPossible
from logistics.models import Carrier
from logistics.tests.factories import STAFF, make_carrier
from logistics.tests.factories import report as tell_parcel
from notifications.models import SettlementFigure, WechatCompany
from notifications.settlement import content, correction, figures, guard, reconciliation
from notifications.settlement import frozen as held
from notifications.tests.settling import UPLOAD, Shop, alerts, report, state, void
from notifications.tests.wechat_sim import sim
from orders import alerting, lifecycle
from orders.intake import parse_order
from orders.models import Alert, Order, OrderStatus
from orders.services import take_order
from orders.tests.factories import line, order_payload

assert sim
pytestmark = pytest.mark.django_db
TWO = [line(), line(sku="NR-2", name="牛肉卷", quantity=1)]


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


@pytest.fixture
def boss(django_user_model):
    return django_user_model.objects.create_user("boss")


def replaced(shop, order, number="SF0000000000077", code="SF"):
    void(order.shipments.get(voided_at=None), order, (Carrier.objects.get(code=code), number))


def told(shop):
    order = shop.pay()
    shop.ship(order)
    shop.later()
    return order


@pytest.mark.parametrize("errcode", [-1, 10060012, 268485216, 10060002])
def test_a_wechat_that_stays_in_trouble_is_asked_ever_more_rarely_and_staff_hear_of_it(shop, errcode):
    shop.ship()
    shop.sim.force(errcode, UPLOAD, times=10_000)
    for _ in range(360):
        shop.later(1)
        guard.wake_overdue()
    assert len(shop.asked()) < 25
    assert len(alerts()) == 1


def test_a_correction_that_never_arrived_is_told_again_without_another_word(shop, boss):
    order = told(shop)
    replaced(shop, order)
    shop.later()
    correction.correct(report(order), boss)
    shop.sim.force(-1, UPLOAD)
    shop.work()
    shop.later(2)
    assert (state(order), shop.payment().finished, report(order).corrections) == (("uploaded", ""), 2, 1)


def test_a_correction_that_was_refused_has_not_used_the_chance(shop, boss):
    order = told(shop)
    replaced(shop, order)
    shop.later()
    correction.correct(report(order), boss)
    shop.sim.force(10060026, UPLOAD)
    shop.work()
    assert state(order) == ("refused", "10060026")
    replaced(shop, order, "SF0000000000055")
    shop.later()
    correction.correct(report(order), boss)
    shop.work()
    assert (state(order), shop.payment().finished) == (("uploaded", ""), 2)


def test_another_carrier_for_the_same_number_is_a_change(shop):
    make_carrier("ZTO", wechat_code="ZTO")
    order = shop.pay()
    shop.ship(order, waybill_no="7312345678901")
    shop.later()
    replaced(shop, order, "7312345678901", "ZTO")
    shop.later()
    assert (state(order), len(shop.asked())) == (("uploaded", "changed"), 1)


def test_what_was_told_as_split_stays_split_since_another_mode_would_be_the_one_correction(shop, boss):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    correction.finish(report(order), boss)
    shop.work()
    assert [(asked["delivery_mode"], asked["is_all_delivered"]) for asked in shop.asked()] == [(2, False), (2, True)]
    assert len(shop.asked()[-1]["shipping_list"]) == 1


def test_a_split_parcel_that_is_replaced_by_one_for_all_stays_split(shop):
    order = shop.pay(lines=TWO)
    first = shop.ship(order, lines={"XR-1": 2})
    shop.later()
    void(first, order)
    shop.ship(order, waybill_no="SF0000000000077")
    shop.later()
    assert (shop.asked()[1]["delivery_mode"], shop.asked()[1]["is_all_delivered"]) == (2, True)


def test_ending_what_has_not_begun_is_refused(shop, boss):
    order = shop.pay(lines=TWO)
    shop.work()
    with pytest.raises(NotPossible):
        correction.finish(report(order), boss)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    assert shop.asked()[0].get("is_all_delivered") is False


def test_what_was_settled_asks_nobody_for_a_correction(shop):
    first, second = shop.pay(), shop.pay()
    shop.ship(first)
    shop.ship(second)
    shop.later()
    shop.sim.wechat.shipping.confirm(shop.payment())
    shop.heard()
    assert report(first).settled_at is not None
    second.refresh_from_db()
    lifecycle.move(second, OrderStatus.REFUNDED, kind="refunded", occurred_at=second.placed_at, actor=STAFF)
    shop.later()
    assert (alerts(), len(shop.asked()), state(first)) == ([], 1, ("uploaded", ""))


def test_goods_of_the_same_name_are_added_up(shop):
    order = shop.pay(lines=[line(), line(sku="XR-2", quantity=3)])
    shop.ship(order)
    shop.later()
    assert shop.asked()[0]["shipping_list"][0]["item_desc"] == "虾仁*5"


def test_a_company_that_has_gone_from_wechats_list_matters_to_nobody_who_was_told(shop):
    order = told(shop)
    WechatCompany.objects.create(delivery_id="ZTO", name="中通快递")
    Carrier.objects.filter(code="SF").update(wechat_code="")
    guard.follow(order.pk)
    shop.work()
    assert (state(order), alerts()) == (("uploaded", ""), [])


def test_a_payment_whose_number_was_wrong_is_told_by_the_right_one(shop):
    order = shop.pay(7, known=False)
    shipment = shop.ship(order)
    shop.later()
    assert state(order) == ("waiting", "10060001")
    void(shipment, order)
    shop.charge(1)
    order.refresh_from_db()
    order.transaction_id = shop.payment(1).transaction_id
    order.save(update_fields=["transaction_id"])
    shop.ship(order, waybill_no="SF0000000000077")
    shop.later(12)
    shop.later(60)
    assert (state(order), shop.uploads(1)) == (("uploaded", ""), 1)


def test_a_payments_number_is_put_right_after_shipping_by_voiding_the_waybill(shop):
    order = shop.pay(7, known=False)
    shipment = shop.ship(order)
    shop.later()
    assert "作废运单" in report(order).said
    shop.charge(1)
    paid_by = {"transaction_id": shop.payment(1).transaction_id}
    right = order_payload(order_no=order.order_no, placed_at=order.placed_at.isoformat(), payment=paid_by)
    with pytest.raises(NotPossible):
        take_order(parse_order(right), STAFF)
    void(shipment, order)
    assert take_order(parse_order(right), STAFF).result == "updated"
    order.refresh_from_db()
    shop.ship(order, waybill_no="SF0000000000077")
    shop.later(12)
    shop.later(60)
    assert (state(order), shop.uploads(1)) == (("uploaded", ""), 1)


def test_no_money_counts_as_held_once_wechat_is_known_not_to_manage_the_program(shop):
    shop.sim.wechat.shipping.manners.managed = False
    order = shop.pay()
    shop.work()
    guard.follow(order.pk)
    figures.measure()
    assert [(one.reason.name, one.orders) for one in held.by_reason()] == [("not_shipped", 1)]
    guard.warn()
    figures.measure()
    assert (held.by_reason(), held.oldest(0), SettlementFigure.objects.count()) == ([], [], 0)
    shop.frozen.shift(dt.timedelta(days=2))
    assert held.by_reason() == []  # what was known stays known until it is asked anew
    shop.sim.wechat.shipping.manners.managed = True
    guard.ask_managed()
    assert [one.reason.name for one in held.by_reason()] == ["not_shipped"]


def test_a_program_that_wechat_does_not_manage_warns_nobody_and_wakes_nothing_for_ever(shop):
    shop.sim.wechat.shipping.manners.managed = False
    order = shop.ship().orders.get()
    late = shop.pay(2)
    shop.later()
    guard.follow(order.pk)
    shop.later(60)
    guard.wake_overdue()
    shop.work()
    shop.later(60)
    assert guard.wake_overdue() == 0
    shop.frozen.shift(dt.timedelta(hours=40))
    guard.warn()
    assert (alerts(), report(late).warned_at) == ([], None)


def test_a_buyer_is_reminded_though_another_order_of_the_payment_was_cancelled(shop):
    first, second = shop.pay(), shop.pay()
    shipment = shop.ship(first)
    shop.work()
    second.refresh_from_db()
    lifecycle.move(second, OrderStatus.CANCELLED, kind="cancelled", occurred_at=second.placed_at, actor=STAFF)
    shop.later()
    tell_parcel(shipment, "delivered")
    shop.work()
    assert shop.payment().nudged == 1


def test_a_list_that_does_not_move_on_has_an_end(shop, monkeypatch):
    monkeypatch.setattr(
        reconciliation.client,
        "authorised",
        lambda *args, **kwargs: {"order_list": [], "last_index": "x", "has_more": True},
    )
    shop.frozen.shift(60)
    reconciliation.begin(guard.clock.now())
    shop.work()


@pytest.mark.parametrize(
    ("shop_phone", "told"),
    [
        ("400-123-4567", {"consignor_contact": "400****4567"}),
        ("客服 02112345678", {"consignor_contact": "021****5678"}),
    ],
)
def test_where_a_number_can_not_be_read_any_more_the_shops_own_stands_in(shop, settings, monkeypatch, shop_phone, told):
    settings.SHOP_PHONE = shop_phone
    order = shop.pay()
    shop.ship(order)
    monkeypatch.setattr(content.Order, "open_consignee", lost)
    shop.later()
    assert shop.asked()[0]["shipping_list"][0].get("contact") == told


def lost(order):
    raise SealBroken


def lose_key(order):
    Order.objects.filter(pk=order.pk).update(consignee_sealed="v1|gone|AAAA")


@pytest.mark.parametrize("shop_phone", ["", "110"])
def test_where_no_number_can_be_told_staff_hear_the_reason_and_the_way_out(shop, settings, shop_phone):
    settings.SHOP_PHONE = shop_phone
    broken, well = shop.pay(1), shop.pay(2)
    for number, order in enumerate((broken, well)):
        shop.ship(order, waybill_no=f"SF000000000007{number}")
    lose_key(broken)
    shop.later()
    assert (state(broken), state(well)) == (("waiting", "no_contact"), ("uploaded", ""))
    (said,) = alerts()
    assert broken.order_no in said
    assert "打不开" in said
    assert "SHOP_PHONE" in said
    assert held.reason_for(report(broken)).name == "no_contact"
    assert len(shop.asked()) == 1
    settings.SHOP_PHONE = "400-123-4567"
    guard.wake(report(broken).pk)
    shop.work()
    assert (state(broken), alerts()) == (("uploaded", ""), [])


def test_a_number_that_is_lost_holds_up_no_other_payment_below_the_same_combined_one(shop, settings):
    settings.SHOP_PHONE = ""
    orders = []
    for number in (1, 2):
        shop.charge(number, combined="1900000109/C1")
        own = {"mchid": "1900000109", "out_trade_no": f"A{number}", "combine_out_trade_no": "C1"}
        orders.append(shop.pay(number, payment=own, known=False))
        shop.ship(orders[-1], waybill_no=f"SF000000000007{number}")
    broken, well = orders
    lose_key(broken)
    shop.later()
    assert (state(broken), state(well)) == (("waiting", "no_contact"), ("uploaded", ""))


def test_another_company_than_sf_needs_no_number(shop, settings):
    settings.SHOP_PHONE = ""

    shop.ship(order := shop.pay(), carrier=make_carrier("ZTO", wechat_code="ZTO"), waybill_no="75000000000001")
    lose_key(order)
    shop.later()
    assert state(order) == ("uploaded", "")


def test_what_somebody_ended_at_wechat_needs_a_persons_word_too(shop):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    payment = shop.payment()
    payment.shipping["finish_shipping"], payment.finished, payment.state = True, 1, 2
    shop.book.save(payment)
    shop.frozen.shift(60)
    reconciliation.begin(guard.clock.now())
    shop.work()
    assert (state(order), report(order).complete) == (("uploaded", ""), True)
    shop.ship(order, lines={"NR-2": 1})
    shop.later()
    assert (len(shop.asked()), state(order)) == (1, ("uploaded", "changed"))


def test_a_change_that_staff_have_dealt_with_is_not_raised_again_by_every_event(shop, boss):
    order = told(shop)
    replaced(shop, order)
    shop.later()
    alerting.resolve(Alert.objects.get(resolved_at=None), "不更正", boss)
    shop.frozen.shift(60)
    guard.follow(order.pk)
    shop.work()
    assert (state(order), alerts()) == (("uploaded", "changed"), [])
    replaced(shop, order, "SF0000000000055")
    shop.later()
    assert len(alerts()) == 1
