"""Pushes: kept once, applied once, held until their parcel is known; and every documented payload's status."""

import datetime as dt
import json
from unittest.mock import patch

import pytest
from django.db import OperationalError

from frozenshop.kernel import clock
from logistics import messages, polling
from logistics.models import ProviderCall, ProviderMessage, Shipment, TrackingEvent, UnknownCode
from logistics.models import ShipmentStatus as S
from logistics.providers.base import ProviderReport
from logistics.tests.test_kdniao import KEY, fixture, parcel, push_of, pushed, trace
from logistics.tests.tracked import deliver, queued, tracked
from orders.models import Order, OrderStatus

NOON = "2026-11-22T12:00:00+08:00"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def receive(body: bytes) -> int:
    return messages.receive("kdniao", body).status


def body_of(name: str) -> bytes:
    return fixture(name)["push"]["raw_body"].encode()


def apply() -> int:
    return deliver("logistics.apply_message")


# --- intake ---------------------------------------------------------------------------------------


def test_a_push_is_answered_kept_sealed_and_queued_before_anything_is_made_of_it():
    assert receive(body_of("push_101_basic")) == 200
    message = ProviderMessage.objects.get()
    assert (message.outcome, len(queued("logistics.apply_message"))) == ("received", 1)
    assert "YT0000000000001" not in message.body_sealed
    assert messages.open_body(message) == body_of("push_101_basic")


def test_bytes_that_are_no_text_are_kept_as_they_came():
    message, _ = messages._keep("kdniao", b"\xff\x00\xe5", "push", "unreadable")
    assert messages.open_body(message) == b"\xff\x00\xe5"


def test_an_identical_push_is_kept_and_queued_once():
    assert [receive(body_of("push_101_basic")) for _ in range(3)] == [200, 200, 200]
    assert (ProviderMessage.objects.count(), len(queued("logistics.apply_message"))) == (1, 1)


def test_a_forged_push_is_refused_and_leaves_nothing():
    reply = messages.receive("kdniao", pushed("{}", key="another-key"))
    assert (reply.status, json.loads(reply.body)["Success"]) == (401, False)
    assert json.loads(reply.body)["Reason"]
    assert not ProviderMessage.objects.exists()


def test_a_signed_push_that_makes_no_sense_is_refused_and_kept():
    assert receive(pushed('{"Data":"?"}')) == 400
    assert ProviderMessage.objects.get().outcome == "unreadable"
    assert not queued("logistics.apply_message")


def test_noise_is_refused_and_leaves_nothing():
    assert receive(b"\xff\xfe") == 400
    assert not ProviderMessage.objects.exists()


def test_a_push_that_could_not_be_kept_is_asked_for_again():
    with patch.object(ProviderMessage.objects, "filter", side_effect=OperationalError):
        assert receive(body_of("push_101_basic")) == 503


def test_a_number_written_back_in_capitals_finds_its_parcel_but_the_very_one_first():
    lower = tracked("yt0000000000001", code="YTO")
    told = ProviderReport("YT0000000000001", "YTO")
    assert messages.shipment_of("kdniao", told) == lower
    upper = tracked("YT0000000000001", code="YTO")
    assert messages.shipment_of("kdniao", told) == upper


def test_without_keys_every_push_is_refused(settings):
    settings.KDNIAO_API_KEY = ""
    assert receive(body_of("push_101_basic")) == 401


# --- application ----------------------------------------------------------------------------------


def test_a_push_moves_its_parcel_and_order():
    shipment = tracked(ago=96)
    receive(body_of("push_102_problem_then_signed"))
    apply()
    shipment.refresh_from_db()
    assert (shipment.status, shipment.status_code) == (S.DELIVERED, "302")
    assert shipment.orders.get().status == OrderStatus.DELIVERED
    assert ProviderMessage.objects.get().outcome == "applied"


def test_applying_a_push_twice_changes_nothing():
    tracked(ago=96)
    receive(body_of("push_102_problem_then_signed"))
    apply()
    ProviderMessage.objects.update(outcome="received")
    before = TrackingEvent.objects.count()
    messages.apply_message(ProviderMessage.objects.get())
    assert TrackingEvent.objects.count() == before


def test_a_push_about_an_unknown_waybill_is_held_until_it_is_registered():
    receive(body_of("push_101_basic"))
    apply()
    assert ProviderMessage.objects.get().outcome == "held"
    shipment = tracked("YT0000000000001", code="YTO", ago=48)
    deliver("logistics.apply_held")
    apply()
    shipment.refresh_from_db()
    assert (shipment.status, ProviderMessage.objects.get().outcome) == (S.IN_TRANSIT, "applied")


def test_a_push_with_one_known_parcel_applies_it_and_waits_for_the_other():
    shipment = tracked()
    receive(body_of("push_102_multi_package"))
    apply()
    shipment.refresh_from_db()
    message = ProviderMessage.objects.get()
    assert (shipment.status, message.outcome, message.waybill_no) == (
        S.OUT_FOR_DELIVERY,
        "held",
        "SF0000000000002",
    )
    second = tracked("SF0000000000002")
    deliver("logistics.apply_held")
    apply()
    second.refresh_from_db()
    assert second.status == S.IN_TRANSIT


@pytest.mark.parametrize("pushed_at", [None, "2026-11-22 12:00:30"])
def test_a_held_push_says_the_same_whenever_it_is_tried_again(frozen, pushed_at):
    tracked()
    parcels = [parcel(StateEx="401", LogisticCode=f"SF000000000000{last}") for last in (1, 2)]
    receive(pushed(json.dumps({"PushTime": pushed_at, "Data": parcels})))
    for _ in range(3):
        messages.apply_message(ProviderMessage.objects.get())
        frozen.shift(dt.timedelta(hours=1))
    assert [event.occurred_at.isoformat() for event in TrackingEvent.objects.all()] == ["2026-11-22T04:00:00+00:00"]


def test_the_hourly_sweep_finds_a_push_that_the_registration_missed():
    receive(body_of("push_101_basic"))
    apply()
    tracked("YT0000000000001", code="YTO", ago=48)
    assert messages.queue_held() == 1


def test_the_sweep_leaves_what_is_still_unknown_or_too_old(frozen):
    receive(body_of("push_101_basic"))
    apply()
    assert messages.queue_held() == 0
    tracked("YT0000000000001", code="YTO")
    frozen.shift(messages.HOLD)
    assert messages.queue_held() == 0


def test_a_push_with_several_unknown_parcels_is_tried_when_one_of_them_is_registered():
    receive(body_of("push_102_multi_package"))
    apply()
    assert ProviderMessage.objects.get().waybill_no == ""
    assert [messages.queue_held(no) for no in ("SF0000000000002", "SF0000000000001", "SF0000000000099")] == [1, 1, 0]


def test_a_push_with_too_many_unknown_parcels_to_name_is_tried_at_each_registration():
    parcels = [parcel(LogisticCode=f"SF{number:013}") for number in range(40)]
    receive(push_of(*parcels))
    apply()
    assert messages.queue_held("SF0000000000099") == 1


def test_a_number_of_another_carrier_is_not_this_parcel():
    tracked("YT0000000000001", code="ZTO")
    receive(body_of("push_101_basic"))
    apply()
    assert ProviderMessage.objects.get().outcome == "held"


def test_of_a_recycled_number_the_newest_parcel_is_meant():
    old = tracked("YT0000000000001", code="YTO", ago=900)
    Shipment.objects.filter(pk=old.pk).update(status=S.DELIVERED)
    new = tracked("YT0000000000001", code="YTO", ago=48)
    receive(body_of("push_101_basic"))
    apply()
    assert TrackingEvent.objects.filter(shipment=new).exists()
    assert (new.generation, old.events.count()) == (2, 0)


def test_an_unknown_code_is_counted_for_staff():
    tracked()
    receive(push_of(parcel(trace("2026-11-22 08:00:00", code="777"), LogisticCode="SF0000000000001")))
    apply()
    assert UnknownCode.objects.get().code == "777"


def test_what_could_not_be_read_is_noted_on_the_message():
    tracked()
    receive(push_of(parcel(trace("昨天"), trace("2026-11-22 08:00:00"), LogisticCode="SF0000000000001")))
    apply()
    assert "昨天" in ProviderMessage.objects.get().detail


def test_raw_messages_and_calls_are_deleted_after_35_days(frozen):
    receive(body_of("push_101_basic"))
    ProviderCall.objects.create(provider="kdniao", operation="query", outcome="ok")
    frozen.shift(dt.timedelta(days=34))
    assert messages.purge() == 0
    frozen.shift(dt.timedelta(days=2))
    assert messages.purge() == 2


# --- every documented payload ---------------------------------------------------------------------

PUSHED = [
    ("push_101_basic", "YTO", "YT0000000000001", S.IN_TRANSIT, OrderStatus.IN_TRANSIT),
    ("push_102_multi_package", "SF", "SF0000000000001", S.OUT_FOR_DELIVERY, OrderStatus.IN_TRANSIT),
    ("push_102_multi_package", "SF", "SF0000000000002", S.IN_TRANSIT, OrderStatus.IN_TRANSIT),
    ("push_102_returned_to_sender", "SF", "SF0000000000001", S.RETURNED, OrderStatus.RETURNED),
    ("push_102_problem_then_signed", "SF", "SF0000000000001", S.DELIVERED, OrderStatus.DELIVERED),
    ("push_102_failed_query", "SF", "SF0000000000001", S.EXCEPTION, OrderStatus.SHIPPED),
]
ANSWERED = [
    ("query_no_trace_success_true_state0", NOON, S.NO_TRACE, OrderStatus.SHIPPED),
    ("query_no_trace_success_false_reason_null", NOON, S.NO_TRACE, OrderStatus.SHIPPED),
    ("query_out_of_order_slash_dates_state_int", "2019-06-25T12:00:00+08:00", S.DELIVERED, OrderStatus.DELIVERED),
    ("query_many_cities_same_waybill", "2017-01-18T14:00:00+08:00", S.OUT_FOR_DELIVERY, OrderStatus.IN_TRANSIT),
    ("map_8003_stateex_304", "2016-10-27T08:00:00+08:00", S.DELIVERED, OrderStatus.DELIVERED),
]


@pytest.mark.parametrize(("name", "code", "waybill_no", "status", "step"), PUSHED)
def test_a_documented_push_gives_the_documented_status(name, code, waybill_no, status, step):
    shipment = tracked(waybill_no, code=code, ago=96)
    receive(body_of(name))
    apply()
    shipment.refresh_from_db()
    assert (shipment.status, shipment.orders.get().status) == (status, step)


@pytest.mark.parametrize(("name", "now", "status", "step"), ANSWERED)
def test_a_documented_answer_gives_the_documented_status(name, now, status, step, frozen, fake_http):
    frozen.move_to(dt.datetime.fromisoformat(now))
    answer = fixture(name)["response"]
    shipment = tracked(answer["LogisticCode"], code=answer["ShipperCode"])
    fake_http.will_answer(answer)
    assert polling.sync_now(shipment).answered
    shipment.refresh_from_db()
    assert (shipment.status, shipment.orders.get().status) == (status, step)


@pytest.mark.parametrize(("name", "code", "waybill_no", "status", "step"), PUSHED)
def test_a_documented_push_means_the_same_as_an_answer(name, code, waybill_no, status, step, fake_http):
    data = fixture(name)["push"]["RequestData_pretty"]["Data"]
    fake_http.will_answer(next(item for item in data if item["LogisticCode"] == waybill_no))
    shipment = tracked(waybill_no, code=code, ago=96)
    polling.sync_now(shipment)
    shipment.refresh_from_db()
    assert (shipment.status, shipment.orders.get().status) == (status, step)


# --- traps ----------------------------------------------------------------------------------------


def told(*scans: tuple[str, str], **fields) -> Shipment:
    """Push scans of one code each, an hour apart and ending now, in the order given."""
    shipment = tracked(ago=48)
    start = dt.datetime(2026, 11, 22, 11 - len(scans), tzinfo=clock.SHANGHAI)
    traces = [
        trace(f"{start + dt.timedelta(hours=hour):%Y-%m-%d %H:%M:%S}", text, code)
        for hour, (code, text) in enumerate(scans, start=1)
    ]
    receive(push_of(parcel(*traces, LogisticCode=shipment.waybill_no, **fields)))
    apply()
    shipment.refresh_from_db()
    return shipment


def test_signed_then_put_into_a_locker_then_signed_again_is_delivered():
    assert told(("301", "签收"), ("211", "入柜"), ("301", "签收"), State="3", StateEx="301").status == S.DELIVERED


def test_signed_then_put_into_a_locker_waits_there_while_the_order_stays_delivered():
    shipment = told(("301", "签收"), ("211", "入柜"), State="3")
    assert shipment.status == S.AWAITING_PICKUP
    assert Order.objects.get().status == OrderStatus.DELIVERED


def test_a_state_that_stays_4_does_not_undo_what_came_after_the_problem():
    assert told(("416", "无法联系"), ("202", "派件中"), State="4").status == S.OUT_FOR_DELIVERY
    assert told(("416", "无法联系"), ("301", "签收"), State="4").status == S.DELIVERED


def test_signed_for_by_the_sender_is_no_delivery():
    shipment = told(("404", "拒收"), ("406", "退件签收"), State="3", StateEx="406")
    assert (shipment.status, shipment.delivered_at) == (S.RETURNED, None)


def test_without_codes_the_state_speaks_and_the_scans_promise_nothing():
    assert told(("", "快件已签收"), State="2").status == S.IN_TRANSIT
    assert set(TrackingEvent.objects.filter(overall=False).values_list("status", flat=True)) == {S.UNKNOWN}


def test_no_secret_or_body_reaches_a_log(caplog):
    caplog.set_level("DEBUG")
    receive(body_of("push_101_basic").replace(b"DataSign=", b"DataSign=x"))
    receive(body_of("push_101_basic"))
    assert KEY not in caplog.text
    assert "YT0000000000001" not in caplog.text
