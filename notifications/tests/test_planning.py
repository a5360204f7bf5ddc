import datetime as dt

import pytest

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox import consuming
from logistics import shipping
from logistics.models import Shipment
from logistics.tests.factories import STAFF, event, make_shipment, report
from notifications import dispatch, planning
from notifications.models import Notice, OptOut, StaffContact
from notifications.tests.world import HOUR, bought, fate, later, notices, parcel, tell, work
from orders import access, alerting
from orders.models import AlertKind
from orders.tests.factories import make_customer, make_order


def test_a_milestone_is_told_once_however_often_it_is_reported(post):
    shipment = parcel()
    for _ in range(3):
        tell(shipment, "out_for_delivery")
        planning.shipment_changed(shipment.pk)
    assert post.titles("wechat_subscribe").count("out_for_delivery") == 1


def test_parcels_that_wait_in_line_are_planned_and_told_together(
    post, settings, monkeypatch, django_assert_max_num_queries
):
    settings.NOTIFY_THREADS = 4
    monkeypatch.setattr(consuming, "BEGUN", 0)
    shipments = [parcel(bought(f"buyer-{n}")) for n in range(4)]
    for shipment in shipments:
        report(shipment, event("out_for_delivery", clock.now()))
    rows = OutboxMessage.objects.filter(topic="notifications.shipment_changed", status="pending")
    rows.update(status="sent")
    with django_assert_max_num_queries(45):
        outbox.deliver(OutboxMessage.objects.filter(status="sent").order_by("id").first().pk)
    assert {letter.address for letter in post["wechat_subscribe"].letters} == {f"buyer-{n}" for n in range(4)}
    assert not OutboxMessage.objects.filter(status="sent").exists()


def test_two_orders_of_one_buyer_in_one_box_are_told_of_together(post):
    shipment = parcel(bought("mother"))
    second = make_order("paid", buyer_openid="mother")
    make_shipment(second, waybill_no=shipment.waybill_no)
    tell(shipment, "out_for_delivery")
    assert len(notices("out_for_delivery")) == 1


def test_two_buyers_of_one_box_are_told_each(post):
    shipment = parcel(bought("mother"))
    make_shipment(bought("father"), waybill_no=shipment.waybill_no)
    tell(shipment, "out_for_delivery")
    assert {letter.address for letter in post["wechat_subscribe"].letters if letter.title == "out_for_delivery"} == {
        "mother",
        "father",
    }


def test_what_was_skipped_is_never_told(post, frozen):
    shipment = parcel()
    tell(shipment, "delivered")
    later(frozen, minutes=11)
    assert post.titles("wechat_subscribe") == ["delivered"]
    assert fate("shipped") == ("not_told", "superseded")


def test_shipping_is_told_ten_minutes_after_the_waybill_was_entered(post, frozen):
    parcel()
    later(frozen, minutes=9)
    assert post.told == []
    later(frozen, minutes=2)
    assert post.titles("wechat_subscribe") == ["shipped"]


def test_a_waybill_withdrawn_in_time_is_never_told_of(post, frozen):
    shipment = parcel(order := bought())
    shipping.void(shipment, order=order, reason="手误", actor=STAFF)
    later(frozen, minutes=11)
    assert post.told == []
    assert fate("shipped") == ("not_told", "superseded")


def test_a_corrected_waybill_is_told_of_and_the_wrong_one_is_not(post, frozen):
    order = bought()
    shipment = parcel(order)
    shipping.void(shipment, order=order, reason="手误", actor=STAFF, replacement=(shipment.carrier, "SF999999999999"))
    later(frozen, minutes=11)
    assert [notice.subject for notice in notices("shipped", state="told")] == [
        f"shipment:{Shipment.objects.get(voided_at=None).pk}"
    ]


def test_a_waybill_used_after_all_is_told_of(post, frozen):
    shipment = parcel(order := bought())
    shipping.void(shipment, order=order, reason="手误", actor=STAFF)
    later(frozen, minutes=11)
    order.refresh_from_db()
    make_shipment(order, waybill_no=shipment.waybill_no)
    later(frozen, minutes=11)
    assert post.titles("wechat_subscribe") == ["shipped"]


def test_someone_else_who_receives_gets_an_sms_of_what_concerns_receiving(post, frozen):
    order = bought(phone="13900001111")
    access.bind_phone(order.customer, "13800002222", clock.now())
    shipment = parcel(order)
    later(frozen, minutes=11)
    assert post.counted() == {"wechat_subscribe": 1}
    tell(shipment, "out_for_delivery")
    (letter,) = post["sms_aliyun"].letters
    assert (letter.address, letter.title) == ("13900001111", "out_for_delivery")
    assert Notice.objects.filter(audience="consignee").values_list("milestone", flat=True).get() == "out_for_delivery"


def test_nobody_is_somebody_else_without_a_verified_phone_that_says_so(post):
    tell(parcel(bought(phone="13900001111")), "out_for_delivery")
    assert {notice.audience for notice in Notice.objects.all()} == {"buyer"}


def test_an_order_without_a_buyer_is_told_of_to_who_receives_it(post):
    tell(parcel(make_order("paid", phone="13900001111")), "awaiting_pickup")
    assert [letter.address for letter in post["sms_aliyun"].letters] == ["13900001111"]


def test_an_order_without_a_buyer_belongs_to_who_verified_its_phone(post):
    make_customer("mother", phone="13900001111")
    tell(parcel(make_order("paid", phone="13900001111")), "awaiting_pickup")
    assert post.counted() == {"wechat_subscribe": 1}


def test_recipients_and_facts_show_nobody(post):
    order = bought(phone="13900001111", name="李四光")
    access.bind_phone(order.customer, "13800002222", clock.now())
    tell(parcel(order), "out_for_delivery")
    for notice in Notice.objects.all():
        written = f"{notice.recipient}{notice.subject}{notice.facts}"
        assert not any(part in written for part in ("13900001111", "13800002222", "李四光"))


@pytest.mark.parametrize("topic", ["out_for_delivery", "sms"])
def test_what_a_buyer_opted_out_of_is_not_told(post, topic):
    order = bought()
    OptOut.objects.create(customer=order.customer, topic=topic)
    post["wechat_subscribe"].configured = lambda: topic != "sms"
    tell(parcel(order), "out_for_delivery")
    assert post.told == []
    assert fate("out_for_delivery")[1] in ("opted_out", "no_channel")


def test_paid_cancelled_and_refunded_are_told(post):
    order = bought()
    work()
    assert post.titles("wechat_subscribe") == ["paid"]
    order.refresh_from_db()
    alerting.open_alert(AlertKind.NOT_SHIPPED, subject=order.order_no, order=order)
    work()
    assert len(post.told) == 1  # no staff channel is set up, so nothing is even written
    assert not Notice.objects.filter(audience="staff").exists()


def test_a_delay_is_told_once_and_so_is_its_end(post, frozen):
    shipment = tell(parcel(), "in_transit")
    for _ in range(2):
        Shipment.objects.filter(pk=shipment.pk).update(delayed_since=shipment.shipped_at + HOUR)
        planning.shipment_changed(shipment.pk)
        later(frozen, minutes=1)
    Shipment.objects.filter(pk=shipment.pk).update(delayed_since=None)
    for _ in range(2):
        planning.shipment_changed(shipment.pk)
        later(frozen, minutes=1)
    assert [title for title in post.titles("wechat_subscribe") if title in ("delayed", "recovered")] == [
        "delayed",
        "recovered",
    ]


def test_a_second_delay_is_told_again(post, frozen):
    shipment = tell(parcel(), "in_transit")
    for since in (1, None, 30, None):
        at = shipment.shipped_at + since * HOUR if since else None
        Shipment.objects.filter(pk=shipment.pk).update(delayed_since=at)
        planning.shipment_changed(shipment.pk)
        later(frozen, minutes=1)
        frozen.shift(24 * HOUR)
    assert post.titles("wechat_subscribe").count("delayed") == 2


def test_the_end_of_a_delay_nobody_heard_of_is_not_told(post, frozen):
    post["wechat_subscribe"].always = post["sms_aliyun"].always = refusal()
    shipment = tell(parcel(), "in_transit")
    Shipment.objects.filter(pk=shipment.pk).update(delayed_since=shipment.shipped_at)
    planning.shipment_changed(shipment.pk)
    Shipment.objects.filter(pk=shipment.pk).update(delayed_since=None)
    later(frozen, minutes=1)
    planning.shipment_changed(shipment.pk)
    assert notices("recovered") == []


def refusal():
    from notifications.channels.base import ChannelError

    return ChannelError("拒收", code="43101", permanent=True)


def arriving(shipment: Shipment, hours: float) -> None:
    at = clock.now() + hours * HOUR
    Shipment.objects.filter(pk=shipment.pk).update(eta_earliest=at, eta_likely=at, eta_latest=at + 3 * HOUR)
    planning.shipment_changed(shipment.pk)


def test_an_arrival_is_announced_four_hours_ahead(post, frozen):
    frozen.move_to("2026-11-22T08:00:00+08:00")
    shipment = tell(parcel(), "in_transit")
    arriving(shipment, 9)
    later(frozen, hours=4.9)
    assert "arriving" not in post.titles("wechat_subscribe")
    later(frozen, hours=0.2)
    assert "arriving" in post.titles("wechat_subscribe")


def test_an_arrival_put_off_is_announced_later(post, frozen):
    frozen.move_to("2026-11-22T08:00:00+08:00")
    shipment = tell(parcel(), "in_transit")
    arriving(shipment, 6)
    frozen.shift(HOUR)
    arriving(shipment, 9)
    later(frozen, hours=4.5)
    assert "arriving" not in post.titles("wechat_subscribe")
    later(frozen, hours=0.6)
    assert post.titles("wechat_subscribe").count("arriving") == 1


def test_an_arrival_is_not_announced_of_what_is_at_the_door(post, frozen):
    shipment = tell(parcel(), "in_transit")
    arriving(shipment, 5)
    tell(shipment, "out_for_delivery")
    later(frozen, hours=2)
    assert fate("arriving") == ("not_told", "superseded")


def test_frozen_goods_in_a_locker_are_reminded_of_twice_even_at_night(post, frozen):
    frozen.move_to("2026-11-22T21:30:00+08:00")
    tell(parcel(), "awaiting_pickup")
    for _ in range(8):
        later(frozen, hours=1)
    assert post.titles("wechat_subscribe").count("locker_reminder") == 2


def test_reminders_come_for_a_second_stay_in_a_locker(post, frozen):
    shipment = tell(parcel(), "awaiting_pickup")
    frozen.shift(HOUR)
    tell(shipment, "out_for_delivery")
    frozen.shift(HOUR)
    tell(shipment, "awaiting_pickup")
    for _ in range(8):
        later(frozen, hours=1)
    assert post.titles("wechat_subscribe").count("locker_reminder") == 2


def test_a_delay_overtaken_before_anybody_knew_is_told_when_it_comes_back(post, frozen):
    frozen.move_to("2026-11-22T22:30:00+08:00")
    shipment = tell(parcel(), "in_transit")
    for since in (shipment.shipped_at, None, shipment.shipped_at):
        Shipment.objects.filter(pk=shipment.pk).update(delayed_since=since)
        planning.shipment_changed(shipment.pk)
    frozen.move_to("2026-11-23T08:00:00+08:00")
    later(frozen)
    assert post.titles("wechat_subscribe").count("delayed") == 1


def test_what_was_taken_out_is_not_reminded_of(post, frozen):
    shipment = tell(parcel(), "awaiting_pickup")
    frozen.shift(HOUR)
    tell(shipment, "delivered")
    later(frozen, hours=2)
    assert "locker_reminder" not in post.titles("wechat_subscribe")


def test_news_of_last_week_is_not_told(post, frozen):
    shipment = make_shipment(bought(), shipped_at=clock.now() - dt.timedelta(minutes=30))
    OutboxMessage.objects.all().delete()
    Shipment.objects.filter(pk=shipment.pk).update(status="delivered", status_at=clock.now() - dt.timedelta(days=7))
    planning.shipment_changed(shipment.pk)
    assert fate("delivered") == ("not_told", "expired")


def test_alerts_go_to_the_group_and_to_who_asked_for_them(every_post, django_user_model):
    li = django_user_model.objects.create(username="li")
    StaffContact.objects.create(user=li, email="li@shop.example", least_severity="3normal")
    wang = django_user_model.objects.create(username="wang")
    StaffContact.objects.create(user=wang, email="wang@shop.example", least_severity="1urgent")
    alerting.open_alert(AlertKind.STALE, subject="shipment:1", detail="36 小时没有新轨迹")
    alerting.open_alert(AlertKind.UNKNOWN_CODE, subject="code:1")
    work()
    assert every_post.counted() == {"wecom_bot": 1, "email": 2}
    assert {letter.address for letter in every_post["email"].letters} == {"li@shop.example"}
    assert "36 小时没有新轨迹" in every_post["wecom_bot"].letters[0].text


def test_an_alert_resolved_at_once_is_not_told(every_post):
    alerting.open_alert(AlertKind.STALE, subject="shipment:1")
    alerting.resolve_alerts("shipment:1", [AlertKind.STALE], resolution="有了新轨迹")
    work()
    assert every_post.told == []


def test_the_digest_counts_what_waits(every_post, frozen):
    from notifications import digest

    alerting.open_alert(AlertKind.STALE, subject="shipment:1")
    dispatch.send(digest.plan())
    assert digest.plan() == []
    (letter,) = every_post["wecom_bot"].letters
    assert "重要 1" in letter.text


def test_the_shops_own_systems_hear_of_each_change_once(post):
    from notifications.models import WebhookEndpoint, WebhookMessage

    WebhookEndpoint.objects.create(url="https://shop.example/hook")
    shipment = tell(parcel(), "out_for_delivery")
    told = WebhookMessage.objects.filter(event="shipment.updated").count()
    planning.shipment_changed(shipment.pk)
    assert WebhookMessage.objects.filter(event="shipment.updated").count() == told > 0
    assert WebhookMessage.objects.filter(event="order.status_changed").exists()
    assert "张三" not in "".join(str(body) for body in WebhookMessage.objects.values_list("body", flat=True))
