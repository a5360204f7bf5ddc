"""Asking about parcels: what is due, never twice within the floor, and what follows from each answer."""

import datetime as dt
import json

import pytest
from django.db import connection

from frozenshop.kernel import clock, http
from logistics import breaker, cadence, polling, refreshing
from logistics.models import Carrier, ProviderCall, ProviderMessage, ProviderState, Shipment
from logistics.models import ShipmentStatus as S
from logistics.tests.test_kdniao import parcel, trace
from logistics.tests.tracked import deliver, queued, tracked
from orders.models import Alert, Order

NO = "SF0000000000001"
MINUTE = dt.timedelta(minutes=1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def answer(code: str = "202", waybill_no: str = NO) -> dict:
    return parcel(trace("2026-11-22 11:00:00", "派件中", code), StateEx=code, State="2", LogisticCode=waybill_no)


def no_news(waybill_no: str = NO) -> dict:
    return parcel(LogisticCode=waybill_no, State="0", Reason="暂无轨迹信息")


def refused(reason: str) -> dict:
    return {"Success": False, "Reason": reason}


def silence() -> http.ServiceError:
    return http.ServiceError("kdniao", "没有按时回答", transient=True)


def due(waybill_no: str = NO, **fields) -> Shipment:
    shipment = tracked(waybill_no, **fields)
    Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=clock.now() - MINUTE)
    return fresh(shipment)


def fresh(shipment: Shipment) -> Shipment:
    return Shipment.objects.select_related("carrier").get(pk=shipment.pk)


def poll() -> int:
    polling.claim_due()
    return deliver("logistics.sync_shipment")


# --- what is due ----------------------------------------------------------------------------------


def test_a_due_parcel_is_asked_about_and_its_next_time_set(fake_http):
    fake_http.will_answer(answer())
    shipment = due()
    assert poll() == 1
    shipment = fresh(shipment)
    assert (shipment.status, shipment.checked_at) == (S.OUT_FOR_DELIVERY, clock.now())
    assert shipment.next_poll_at == cadence.next_poll_at(shipment, clock.now())


def test_no_news_too_sets_the_next_time(fake_http):
    fake_http.will_answer(no_news())
    shipment = due()
    poll()
    assert fresh(shipment).next_poll_at == cadence.next_poll_at(fresh(shipment), clock.now())


def test_what_is_not_due_is_left_alone(fake_http):
    tracked()
    assert poll() == 0


def test_a_claimed_parcel_is_queued_once():
    due()
    assert [polling.claim_due(), polling.claim_due()] == [1, 0]
    assert len(queued("logistics.sync_shipment")) == 1


def test_the_longest_waiting_come_first_and_a_batch_is_bounded(monkeypatch):
    monkeypatch.setattr(polling, "BATCH", 2)
    parcels = [due(f"SF000000000000{n}") for n in range(3)]
    for late, shipment in enumerate(parcels, start=1):
        Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=clock.now() - late * MINUTE)
    polling.claim_due()
    assert [row.payload["shipment_id"] for row in queued("logistics.sync_shipment")] == [
        parcels[2].pk,
        parcels[1].pk,
    ]


@pytest.mark.parametrize("status", [S.DELIVERED, S.RETURNED, S.CANCELLED])
def test_after_a_final_status_nothing_is_asked(status):
    Shipment.objects.filter(pk=due().pk).update(status=status)
    assert polling.claim_due() == 0


def test_a_withdrawn_waybill_is_not_asked_about():
    Shipment.objects.filter(pk=due().pk).update(voided_at=clock.now())
    assert polling.claim_due() == 0


def test_a_parcel_that_ended_meanwhile_is_not_asked_about(fake_http):
    shipment = due()
    polling.claim_due()
    Shipment.objects.filter(pk=shipment.pk).update(status=S.DELIVERED)
    deliver("logistics.sync_shipment")
    assert (fake_http.calls, fresh(shipment).next_poll_at) == ([], None)


def test_an_open_breaker_claims_nothing_and_a_probe_needs_one_parcel(frozen):
    for n in range(3):
        due(f"SF000000000000{n}")
    breaker.state_of("kdniao")
    ProviderState.objects.update(open_until=clock.now() + MINUTE, failures=5)
    assert polling.claim_due() == 0
    frozen.shift(MINUTE)
    assert polling.claim_due() == 1


# --- the floor ------------------------------------------------------------------------------------


def test_one_waybill_is_not_asked_about_twice_within_half_an_hour(fake_http, frozen):
    fake_http.will_answer(answer())
    shipment = tracked()
    assert polling.sync_now(shipment).answered
    frozen.shift(cadence.FLOOR - MINUTE)
    assert not polling.sync_now(fresh(shipment)).answered
    frozen.shift(MINUTE)
    assert polling.sync_now(fresh(shipment)).answered
    assert len(fake_http.calls) == 2


def test_a_failed_question_counts_for_the_floor(fake_http):
    fake_http.will_answer(silence())
    shipment = tracked()
    polling.sync_now(shipment)
    polling.sync_now(fresh(shipment))
    assert len(fake_http.calls) == 1


def test_a_question_that_was_not_put_does_not(fake_http):
    shipment = tracked()
    breaker.state_of("kdniao")
    ProviderState.objects.update(daily_budget=0)
    assert polling.sync_now(shipment).reason == "今日查询次数已用完"
    assert fresh(shipment).checked_at is None


# --- what follows from an answer ------------------------------------------------------------------


def test_the_tail_of_the_phone_is_sent_only_where_the_carrier_wants_it(fake_http):
    fake_http.will_answer(answer())
    polling.sync_now(tracked(phone="13812349876"))
    fake_http.will_answer(answer(waybill_no="YT0000000000001"))
    polling.sync_now(tracked("YT0000000000001", code="YTO", phone="13812349876"))
    sf, yto = (json.loads(call["data"]["RequestData"]) for call in fake_http.calls)
    assert (sf["CustomerName"], "CustomerName" in yto) == ("9876", False)


def test_an_answer_is_kept_sealed_and_the_same_one_once(fake_http, frozen):
    fake_http.will_answer(answer())
    shipment = tracked()
    polling.sync_now(shipment)
    frozen.shift(cadence.FLOOR)
    polling.sync_now(fresh(shipment))
    message = ProviderMessage.objects.get()
    assert (message.kind, message.outcome, NO in message.body_sealed) == ("answer", "applied", False)


def test_a_failure_is_tried_again_later_each_time(fake_http, frozen):
    fake_http.will_answer(silence())
    shipment, gaps = due(), []
    for _ in range(4):
        poll()
        gaps.append(fresh(shipment).next_poll_at - clock.now())
        frozen.move_to(fresh(shipment).next_poll_at)
    assert all(cadence.FLOOR * 2**n <= gap <= cadence.FLOOR * 2**n * 1.5 for n, gap in enumerate(gaps))


@pytest.mark.parametrize(
    ("reason", "subject"),
    [
        ("业务错误[没有可用套餐]", "provider:kdniao:SF"),
        ("无效的输入[【ShipperCode】…不正确]", "provider:kdniao:SF"),
        ("手机尾号不能为空", "shipment:{pk}"),
        ("非法参数[请核实ID和key是否正确…]", "provider:kdniao"),
    ],
)
def test_what_a_person_must_mend_waits_a_day_and_opens_one_alert(fake_http, reason, subject):
    fake_http.will_answer(refused(reason))
    shipment = due()
    poll()
    assert fresh(shipment).next_poll_at == clock.now() + polling.PARKED_GAP
    assert Alert.objects.get().subject == subject.format(pk=shipment.pk)


def test_an_answer_resolves_the_trouble(fake_http, frozen):
    fake_http.will_answer(refused("手机尾号不能为空"))
    shipment = due()
    poll()
    frozen.shift(polling.PARKED_GAP)
    fake_http.will_answer(answer())
    polling.sync_now(fresh(shipment))
    assert Alert.objects.get(kind="provider_trouble").resolved_at


def test_the_account_of_a_failure_holds_no_phone(fake_http):
    fake_http.will_answer(silence())
    polling.sync_now(tracked(phone="13812349876"))
    row = ProviderCall.objects.values().get()
    assert not [value for value in row.values() if "9876" in str(value)]


def test_a_carrier_that_no_configured_provider_knows_is_looked_at_once_a_day(fake_http):
    shipment = due(code="OWN")
    Carrier.objects.filter(code="OWN").update(kdniao_code="", kuaidi100_code="own")
    poll()
    assert (fake_http.calls, fresh(shipment).next_poll_at) == ([], clock.now() + polling.NO_PROVIDER_GAP)


def test_a_budget_that_is_used_up_puts_off_until_tomorrow(fake_http):
    shipment = due()
    breaker.state_of("kdniao")
    ProviderState.objects.update(daily_budget=0)
    poll()
    late = fresh(shipment).next_poll_at - clock.start_of_day(dt.date(2026, 11, 23))
    assert dt.timedelta(0) <= late <= dt.timedelta(seconds=polling.SPREAD_SECONDS)


def test_after_a_month_of_silence_a_person_takes_over(fake_http, frozen):
    shipment = due()
    frozen.shift(dt.timedelta(days=31))
    fake_http.will_answer(no_news())
    poll()
    assert fresh(shipment).next_poll_at is None
    assert Alert.objects.get(kind="lost_contact").subject == f"shipment:{shipment.pk}"


def test_a_broken_consignee_does_not_stop_the_question(fake_http):
    fake_http.will_answer(answer())
    shipment = tracked()
    Order.objects.update(consignee_sealed="?")
    polling.question_about(shipment, "kdniao")


# --- subscription ---------------------------------------------------------------------------------


def test_a_shipped_parcel_is_subscribed_once(fake_http):
    fake_http.will_answer({"Success": True, "Reason": ""})
    shipment = tracked()
    assert deliver("logistics.subscribe") == 1
    assert fresh(shipment).subscribed_at == clock.now()
    polling.subscribe(fresh(shipment), effect=None)
    assert [call["data"]["RequestType"] for call in fake_http.calls] == ["8008"]


def test_a_failed_subscription_is_tried_again(fake_http):
    fake_http.will_answer(silence())
    shipment = tracked()
    deliver("logistics.subscribe")
    (row,) = queued("logistics.subscribe")
    assert (row.status, row.attempts, fresh(shipment).subscribed_at) == ("pending", 1, None)


def test_a_refused_subscription_tells_a_person_and_polling_goes_on(fake_http):
    fake_http.will_answer(refused("业务错误[没有可用套餐]"))
    shipment = tracked()
    deliver("logistics.subscribe")
    assert not queued("logistics.subscribe")
    assert Alert.objects.get().subject == "provider:kdniao:SF"
    assert fresh(shipment).next_poll_at is not None


def test_a_subscription_waits_while_the_breaker_is_open(fake_http):
    breaker.state_of("kdniao")
    ProviderState.objects.update(open_until=clock.now() + MINUTE, failures=5)
    tracked()
    deliver("logistics.subscribe")
    (row,) = queued("logistics.subscribe")
    assert fake_http.calls == []
    assert MINUTE <= row.due_at - clock.now() <= MINUTE + dt.timedelta(seconds=polling.SPREAD_SECONDS)


# --- never inside a transaction -------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["poll", "subscribe", "refresh", "now"])
def test_nothing_is_asked_inside_a_transaction(fake_http, monkeypatch, way):
    inside = []

    def watch(*args, **options):
        inside.append(connection.in_atomic_block)
        return fake_http.call(*args, **options)

    monkeypatch.setattr(http, "call", watch)
    fake_http.will_answer(answer())
    shipment = due()
    if way == "poll":
        poll()
    elif way == "subscribe":
        deliver("logistics.subscribe")
    elif way == "refresh":
        refreshing.refresh_now(shipment.orders.get())
    else:
        polling.sync_now(shipment)
    assert inside == [False]
