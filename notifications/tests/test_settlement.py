"""Every shipped order that was paid by WeChat is told once, whatever happens on the way."""

import datetime as dt

import pytest

from frozenshop.kernel.models import OutboxMessage
from logistics import shipping
from logistics.models import Carrier
from logistics.tests.factories import STAFF, make_carrier
from notifications.models import ShippingReport
from notifications.settlement import claiming, correction, guard, upload
from notifications.tests.settling import GET, OPENID, UPLOAD, Shop, alerts, report, state, transaction, void
from notifications.tests.wechat_sim import sim
from orders import lifecycle
from orders.models import OrderStatus
from orders.tests.factories import line, make_order

assert sim
pytestmark = pytest.mark.django_db
DAY = 24 * 60
TWO = [line(), line(sku="NR-2", name="牛肉卷", quantity=1)]


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


# --- what is told, and when ----------------------------------------------------------------------


def test_a_shipped_order_is_told_ten_minutes_after_its_waybill_was_entered(shop):
    shipment = shop.ship()
    shop.later(9)
    assert (shop.uploads(), state(shipment.orders.get())) == (0, ("waiting", ""))
    shop.later(2)
    assert (shop.uploads(), state(shipment.orders.get())) == (1, ("uploaded", ""))
    shop.later(60)
    assert len(shop.asked()) == 1


def test_the_request_is_what_wechat_demands(shop):
    shipment = shop.ship(waybill_no="SF0000000000099")
    shop.later()
    (asked,) = shop.asked()
    assert asked == {
        "order_key": {"order_number_type": 2, "transaction_id": transaction()},
        "logistics_type": 1,
        "delivery_mode": 1,
        "shipping_list": [
            {
                "tracking_no": "SF0000000000099",
                "express_company": "SF",
                "item_desc": "虾仁*2",
                "contact": {"receiver_contact": "138****1234"},
            }
        ],
        "upload_time": "2026-11-22T12:11:00.000+08:00",
        "payer": {"openid": OPENID},
    }
    assert "13812341234" not in str(report(shipment.orders.get()).content)


def test_a_payment_is_named_by_the_merchants_number_where_wechats_is_not_known(shop):
    shop.charge(1)
    shop.ship(shop.pay(1, payment={"mchid": "1900000109", "out_trade_no": "A1"}))
    shop.later()
    assert (shop.uploads(), shop.asked()[0]["order_key"]) == (
        1,
        {"order_number_type": 1, "mchid": "1900000109", "out_trade_no": "A1"},
    )


def test_the_merchants_own_id_stands_in_where_the_shop_sends_only_its_number(shop, settings):
    settings.WECHAT_MCHID = "1900000109"
    shop.charge(1)
    shop.ship(shop.pay(1, payment={"out_trade_no": "A1"}))
    shop.later()
    assert shop.uploads() == 1


def test_an_order_that_was_not_paid_by_wechat_is_nobodys_business(shop):
    shop.ship(make_order("paid"))
    shop.later()
    assert not ShippingReport.objects.exists()


def test_a_slip_of_the_hand_is_never_told(shop):
    order = shop.pay()
    wrong = shop.ship(order)
    shop.later(5)
    right = void(wrong, order, (Carrier.objects.get(code="SF"), "SF0000000000077"))
    shop.later(6)
    assert shop.asked() == []
    shop.later(5)
    assert [entry["tracking_no"] for entry in shop.asked()[0]["shipping_list"]] == [right.waybill_no]


def test_only_sf_is_told_whom_the_parcel_is_for(shop):
    shop.ship(carrier=make_carrier("ZTO", wechat_code="ZTO"))
    shop.later()
    assert "contact" not in shop.asked()[0]["shipping_list"][0]


def test_parcels_are_told_one_after_the_other_until_all_are(shop):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    assert (shop.asked()[0]["delivery_mode"], shop.asked()[0]["is_all_delivered"]) == (2, False)
    assert (report(order).complete, shop.payment().state) == (False, 1)
    shop.ship(order, lines={"NR-2": 1})
    shop.later()
    first, second = shop.asked()
    assert (len(second["shipping_list"]), second["is_all_delivered"]) == (2, True)
    assert second["upload_time"] > first["upload_time"]
    assert (report(order).complete, shop.payment().state, shop.payment().finished) == (True, 2, 1)


def test_a_parcel_that_is_replaced_before_all_was_told_needs_nobodys_word(shop):
    order = shop.pay(lines=TWO)
    first = shop.ship(order, lines={"XR-1": 2})
    shop.later()
    void(first, order, (first.carrier, "SF0000000000077"))
    shop.later()
    assert [entry["tracking_no"] for entry in shop.asked()[1]["shipping_list"]] == ["SF0000000000077"]
    assert state(order) == ("uploaded", "")


def test_more_than_fifteen_parcels_are_told_as_fifteen(shop):
    lines = [line(sku=f"S{n}", name=f"鱼{n}", quantity=1) for n in range(17)]
    order = shop.pay(lines=lines)
    for n in range(17):
        shop.ship(order, lines={f"S{n}": 1})
    shop.later()
    (asked,) = shop.asked()
    assert (len(asked["shipping_list"]), asked["is_all_delivered"]) == (15, True)
    assert asked["shipping_list"][-1]["item_desc"] == "鱼14*1；鱼15*1；鱼16*1"


def test_the_shops_own_van_is_told_as_city_delivery_once_all_has_left(shop):
    van = make_carrier("OWN_FLEET", category="own", kdniao_code="")
    order = shop.pay(lines=TWO)
    shop.ship(order, carrier=van, lines={"XR-1": 2})
    shop.later()
    assert shop.asked() == []
    shop.ship(order, carrier=van, lines={"NR-2": 1})
    shop.later()
    (asked,) = shop.asked()
    assert (asked["logistics_type"], asked["delivery_mode"]) == (2, 1)
    assert asked["shipping_list"] == [{"item_desc": "虾仁*2；牛肉卷*1"}]


def test_what_the_buyer_comes_for_is_told_as_picked_up(shop):
    order = shop.pay()
    shop.ship(order, carrier=make_carrier("SELF_PICKUP", category="pickup", kdniao_code=""))
    shop.later()
    (asked,) = shop.asked()
    assert (asked["logistics_type"], asked["shipping_list"]) == (4, [{"item_desc": "虾仁*2"}])
    assert (state(order), correction.preview(report(order)).told) == (("uploaded", ""), ["到店自提：虾仁*2"])


def test_a_van_goes_before_what_the_buyer_comes_for(shop):
    order = shop.pay(lines=TWO)
    shop.ship(order, carrier=make_carrier("SELF_PICKUP", category="pickup", kdniao_code=""), lines={"XR-1": 2})
    shop.ship(order, carrier=make_carrier("OWN_FLEET", category="own", kdniao_code=""), lines={"NR-2": 1})
    shop.later()
    (asked,) = shop.asked()
    assert (asked["logistics_type"], asked["shipping_list"][0]["item_desc"]) == (2, "虾仁*2；牛肉卷*1")


def test_what_goes_by_van_beside_the_express_is_told_with_it(shop):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.ship(order, carrier=make_carrier("OWN_FLEET", category="own", kdniao_code=""), lines={"NR-2": 1})
    shop.later()
    (asked,) = shop.asked()
    assert (asked["delivery_mode"], [one["item_desc"] for one in asked["shipping_list"]]) == (1, ["虾仁*2；牛肉卷*1"])


def test_orders_that_were_paid_together_are_told_together(shop):
    first, second = shop.pay(), shop.pay()
    shop.ship(first)
    shop.later()
    assert (shop.asked()[0]["delivery_mode"], shop.asked()[0]["is_all_delivered"]) == (2, False)
    shop.ship(second)
    shop.later()
    assert (len(shop.asked()[1]["shipping_list"]), shop.payment().finished) == (2, 1)
    assert [state(order) for order in (first, second)] == [("uploaded", "")] * 2


def test_one_box_for_two_orders_is_one_parcel(shop):
    first, second = shop.pay(), shop.pay()
    box = shop.ship(first)
    shipping.join(box, second, actor=STAFF)
    shop.later()
    (asked,) = shop.asked()
    assert (asked["delivery_mode"], asked["shipping_list"][0]["item_desc"]) == (1, "虾仁*4")


# --- exactly once --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cut", "bad_json", "timeout"])
def test_an_answer_that_got_lost_is_asked_back_and_nothing_is_told_twice(shop, kind):
    order = shop.ship().orders.get()
    upload.guard.is_managed()
    shop.fault(kind)
    shop.later()
    assert (state(order)[0], shop.uploads()) == ("unknown", 1)
    shop.mend()
    shop.later(1)
    assert (state(order)[0], shop.uploads(), len(shop.asked())) == ("uploaded", 1, 1)
    assert shop.asked(GET)


def test_what_never_arrived_is_told_again_after_asking(shop):
    order = shop.ship().orders.get()
    guard.is_managed()
    shop.fault("http_5xx")
    shop.later()
    assert (state(order)[0], shop.uploads()) == ("unknown", 0)
    shop.mend()
    shop.later(1)
    assert (state(order)[0], shop.uploads(), len(shop.asked(GET)) >= 1) == ("uploaded", 1, True)


def test_a_worker_that_died_before_the_call_leaves_a_claim_that_ends(shop):
    order = shop.ship().orders.get()
    shop.frozen.shift(dt.timedelta(minutes=11))
    guard.follow(order.pk)
    step = claiming.claim(report(order).pk)
    assert isinstance(step, claiming.Upload)
    assert isinstance(claiming.claim(report(order).pk), claiming.Later)
    shop.later(2)
    assert (shop.uploads(), len(shop.asked(GET))) == (1, 1)


def test_a_worker_that_died_after_the_call_is_found_out(shop):
    order = shop.ship().orders.get()
    guard.is_managed()
    shop.frozen.shift(dt.timedelta(minutes=11))
    guard.follow(order.pk)
    upload._post(claiming.claim(report(order).pk))
    assert state(order)[0] == "uploading"
    shop.later(2)
    assert (state(order)[0], shop.uploads(), len(shop.asked())) == ("uploaded", 1, 1)


def test_an_answer_that_comes_too_late_changes_nothing(shop):
    order = shop.ship().orders.get()
    guard.is_managed()
    shop.frozen.shift(dt.timedelta(minutes=11))
    guard.follow(order.pk)
    step = claiming.claim(report(order).pk)
    shop.later(2)
    upload._stop(step, "10060014", "too late")
    assert state(order) == ("uploaded", "")


def test_repeated_wakes_tell_once(shop):
    order = shop.ship().orders.get()
    shop.later()
    for _ in range(3):
        guard.wake(report(order).pk)
        guard.follow(order.pk)
        shop.work()
    assert (shop.uploads(), len(shop.asked())) == (1, 1)


def test_what_nobody_looked_at_is_looked_at_again(shop):
    shop.ship()
    shop.work()
    OutboxMessage.objects.filter(topic="notifications.report_shipping").delete()
    shop.later(30)
    assert shop.uploads() == 0
    assert guard.wake_overdue() == 1
    shop.work()
    assert shop.uploads() == 1


# --- what WeChat answers -------------------------------------------------------------------------


def test_a_payment_that_wechat_does_not_find_yet_is_waited_for(shop):
    order = shop.ship(shop.pay(known=False)).orders.get()
    shop.later()
    assert state(order) == ("waiting", "10060001")
    shop.charge()
    shop.later(5)
    assert (state(order), shop.uploads()) == (("uploaded", ""), 1)


def test_a_payment_that_never_appears_is_told_to_staff(shop):
    shop.ship(shop.pay(known=False))
    for _ in range(12):
        shop.later(30)
    assert len(alerts()) == 1
    assert "还查不到" in alerts()[0]
    assert len(shop.asked()) < 20


def test_nothing_changed_is_success(shop):
    order = shop.ship().orders.get()
    shop.sim.force(10060023, UPLOAD)
    shop.later()
    assert state(order) == ("uploaded", "")


@pytest.mark.parametrize("errcode", [-1, 10060012])
def test_a_busy_wechat_is_asked_before_anything_is_repeated(shop, errcode):
    order = shop.ship().orders.get()
    shop.sim.force(errcode, UPLOAD)
    shop.later()
    assert state(order)[0] == "unknown"
    shop.later(1)
    assert (state(order)[0], shop.uploads(), len(shop.asked(GET))) == ("uploaded", 1, 1)


def test_what_somebody_else_told_is_not_told_again_but_shown(shop):
    order = shop.pay()
    shop.ship(order)
    theirs = {"logistics_type": 1, "delivery_mode": 1, "finish_shipping": True}
    theirs["shipping_list"] = [{"tracking_no": "X1", "express_company": "ZTO", "item_desc": "虾"}]
    payment = shop.payment()
    shop.sim.wechat.shipping._take(payment, theirs, 1.0)
    shop.sim.force(10060002, UPLOAD)
    shop.later()
    assert (state(order), shop.uploads()) == (("uploaded", "changed"), 1)
    assert "有变化" in alerts()[0]


def test_a_refunded_payment_needs_nothing(shop):
    order = shop.ship().orders.get()
    shop.sim.wechat.shipping.refund(shop.payment())
    shop.later()
    assert (state(order), alerts()) == (("not_needed", "refunded"), [])


def test_an_order_that_was_refunded_meanwhile_is_not_told(shop):
    order = shop.ship().orders.get()
    order.refresh_from_db()
    lifecycle.move(order, OrderStatus.REFUNDED, kind="refunded", occurred_at=order.placed_at, actor=STAFF)
    shop.later()
    assert (shop.asked(), state(order)) == ([], ("not_needed", "refunded"))


def test_who_really_paid_is_asked_of_wechat(shop):
    shop.charge(openid="oSomebodyElse")
    shop.ship()
    shop.later()
    assert (shop.uploads(), shop.asked()[-1]["payer"]) == (1, {"openid": "oSomebodyElse"})


def test_an_order_without_a_known_buyer_is_told_by_wechats_own_record(shop):
    shop.charge()
    order = make_order("paid", payment={"transaction_id": transaction()})
    shop.ship(order)
    shop.later()
    assert (shop.uploads(), shop.asked()[0]["payer"]) == (1, {"openid": OPENID})


def test_a_refusal_stops_and_tells_staff_how_to_mend_it(shop, django_user_model):
    order = shop.ship().orders.get()
    shop.sim.force(10060014, UPLOAD)
    shop.later()
    assert state(order) == ("refused", "10060014")
    assert len(alerts()) == 1
    correction.retry(report(order), django_user_model.objects.create_user("boss"))
    shop.work()
    assert (state(order), alerts()) == (("uploaded", ""), [])


@pytest.mark.parametrize("errcode", [40164, 48001, 40243, 45009])
def test_trouble_with_the_account_is_told_once_and_everything_waits(shop, errcode):
    guard.is_managed()
    orders = [shop.ship(number=n).orders.get() for n in (1, 2)]
    shop.sim.force(errcode, UPLOAD, times=2)
    shop.later()
    assert {state(order) for order in orders} == {("waiting", str(errcode))}
    assert len(alerts()) == 1
    shop.later(120)
    guard.recover()
    assert ({state(order)[0] for order in orders}, alerts()) == ({"uploaded"}, [])


def test_a_company_that_wechat_does_not_know_is_told_to_staff_until_it_is_mapped(shop):
    order = shop.ship(carrier=make_carrier("HGLL", name="黑狗冷链")).orders.get()
    shop.later()
    assert (state(order)[1], shop.asked()) == ("no_company", [])
    assert "黑狗冷链" in alerts()[0]
    Carrier.objects.filter(code="HGLL").update(wechat_code="SF")
    guard.wake(report(order).pk)
    shop.work()
    assert (state(order), alerts()) == (("uploaded", ""), [])


def test_a_program_that_wechat_does_not_manage_tells_nothing(shop):
    shop.sim.wechat.shipping.manners.managed = False
    order = shop.ship().orders.get()
    shop.later()
    assert (state(order), shop.asked()) == (("not_needed", "not_managed"), [])
