"""Every shipped order that was paid by WeChat is told once, whatever happens on the way."""

import datetime as dt

import pytest

from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.models import OutboxMessage
from logistics import shipping
from logistics.models import Carrier
from logistics.tests.factories import report as tell_parcel
from notifications.models import ShippingReport, WechatCompany
from notifications.settlement import claiming, companies, content, correction, guard, reconciliation, upload
from notifications.settlement import tasks as settlement_tasks
from notifications.tests.settling import GET, OPENID, UPLOAD, Shop, alerts, carrier, report, state, transaction
from notifications.tests.wechat_sim import sim
from orders import lifecycle
from orders.models import Alert, OrderStatus
from orders.tests.factories import line, make_order
from sandbox.faults import Fault

assert sim
pytestmark = pytest.mark.django_db
STAFF = Actor(Source.STAFF, "staff:1")
DAY = 24 * 60
TWO = [line(), line(sku="NR-2", name="牛肉卷", quantity=1)]


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


def fault(shop: Shop, kind: str) -> None:
    shop.sim.world.faults.add(Fault("wechat", kind, 1.0, shop.sim.world.clock() + 3600))


def mend(shop: Shop) -> None:
    shop.sim.world.faults.clear()


def void(shipment, order, replacement=None):
    return shipping.void(shipment, order=order, reason="填错", actor=STAFF, replacement=replacement)


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
    shop.ship(carrier=carrier("ZTO", wechat_code="ZTO"))
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
    van = carrier("OWN_FLEET", category="own", kdniao_code="")
    order = shop.pay(lines=TWO)
    shop.ship(order, carrier=van, lines={"XR-1": 2})
    shop.later()
    assert shop.asked() == []
    shop.ship(order, carrier=van, lines={"NR-2": 1})
    shop.later()
    (asked,) = shop.asked()
    assert (asked["logistics_type"], asked["delivery_mode"]) == (2, 1)
    assert asked["shipping_list"] == [{"item_desc": "虾仁*2；牛肉卷*1"}]


def test_what_goes_by_van_beside_the_express_is_told_with_it(shop):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.ship(order, carrier=carrier("OWN_FLEET", category="own", kdniao_code=""), lines={"NR-2": 1})
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
    fault(shop, kind)
    shop.later()
    assert (state(order)[0], shop.uploads()) == ("unknown", 1)
    mend(shop)
    shop.later(1)
    assert (state(order)[0], shop.uploads(), len(shop.asked())) == ("uploaded", 1, 1)
    assert shop.asked(GET)


def test_what_never_arrived_is_told_again_after_asking(shop):
    order = shop.ship().orders.get()
    guard.is_managed()
    fault(shop, "http_5xx")
    shop.later()
    assert (state(order)[0], shop.uploads()) == ("unknown", 0)
    mend(shop)
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
    shop.sim.wechat.shipping._apply(payment, theirs, 1.0)
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
    order = shop.ship(carrier=carrier("HGLL", name="黑狗冷链")).orders.get()
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


# --- the one correction --------------------------------------------------------------------------


def changed(shop):
    order = shop.pay()
    shipment = shop.ship(order)
    shop.later()
    void(shipment, order, (shipment.carrier, "SF0000000000077"))
    shop.later()
    return order


def test_a_change_after_all_was_told_waits_for_a_person(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    assert (state(order), len(shop.asked())) == (("uploaded", "changed"), 1)
    shown = correction.preview(report(order))
    assert shown.correction
    assert "SF0000000000077" in shown.wanted[0]
    correction.correct(report(order), user)
    shop.work()
    assert (state(order), report(order).corrections, shop.payment().finished, alerts()) == (("uploaded", ""), 1, 2, [])


def test_a_second_correction_is_not_even_tried(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    correction.correct(report(order), user)
    shop.work()
    former = order.shipments.get(voided_at=None)
    void(former, order, (former.carrier, "SF0000000000066"))
    shop.later()
    with pytest.raises(correction.NotPossible):
        correction.correct(report(order), user)
    assert (len(shop.asked()), state(order)[1]) == (2, "changed")
    assert "用完" in report(order).said


def test_what_was_agreed_is_told_only_as_it_was_agreed(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    correction.correct(report(order), user)
    former = order.shipments.get(voided_at=None)
    void(former, order, (former.carrier, "SF0000000000055"))
    shop.later()
    assert (len(shop.asked()), state(order)[1]) == (1, "changed")


def test_what_will_never_be_sent_can_be_ended_by_a_person(shop, django_user_model):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    correction.finish(report(order), django_user_model.objects.create_user("boss"))
    shop.work()
    assert (report(order).complete, shop.payment().state) == (True, 2)
    shop.later(60)
    assert (len(shop.asked()), state(order)) == (2, ("uploaded", ""))


# --- events, the reminder, reconciliation --------------------------------------------------------


def test_settlement_is_taken_in_however_often_it_is_told(shop):
    order = shop.ship().orders.get()
    shop.later()
    shop.heard()
    assert report(order).settles_at is not None
    shop.sim.wechat.shipping.confirm(shop.payment())
    shop.heard()
    assert (report(order).settled_at, report(order).wechat_state) == (report(order).settled_at, 4)
    assert report(order).settled_at is not None


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


# --- companies -----------------------------------------------------------------------------------


def test_companies_are_downloaded_and_mapped_by_name_and_by_code(shop):
    carrier("YTO", name="圆通速递")
    carrier("JD", name="京东快递")
    carrier("DBL", name="德邦物流")
    assert companies.download() == WechatCompany.objects.count()
    mapped = dict(WechatCompany.objects.exclude(carrier_code="").values_list("delivery_id", "carrier_code"))
    assert mapped == {"SF": "SF", "YTO": "YTO", "JDL": "JD", "DBL": "DBL"}
    assert companies.code_of(Carrier.objects.get(code="JD")) == "JDL"


def test_a_code_that_is_not_on_wechats_list_is_not_used(shop):
    jd = carrier("JD", name="京东快递", wechat_code="JD")
    assert companies.code_of(jd) == "JD"
    companies.download()
    assert companies.code_of(jd) == "JDL"


def test_what_staff_mapped_survives_the_next_download(shop):
    companies.download()
    WechatCompany.objects.filter(delivery_id="UC").update(carrier_code="HGLL")
    companies.download()
    assert WechatCompany.objects.get(delivery_id="UC").carrier_code == "HGLL"


# --- texts ---------------------------------------------------------------------------------------


def test_a_description_is_cut_between_goods():
    goods = {f"潮汕手打牛肉丸{n}号 500g": n for n in range(1, 20)}
    text = content.describe(goods)
    assert len(text) <= 120
    assert text.startswith("潮汕手打牛肉丸1号 500g*1；")
    assert text.endswith("等19种")
    assert content.describe({"鱼" * 200: 3}) == "鱼" * 117 + "…*3"


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812341234", "138****1234"),
        ("13812341234-5678", "138****1234"),
        ("021-12345678", "021-****5678"),
        ("+85291234567", "+852-****4567"),
    ],
)
def test_of_a_number_the_last_four_digits_stay(phone, masked):
    assert content.mask_contact(phone) == masked
